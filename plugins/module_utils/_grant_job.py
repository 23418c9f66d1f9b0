# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``reference_grant``."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report

FIRST_VERSION = f"{GROUP}/v1beta1"
LONGEST = 16
"""Gateway API: at most so many entries of ``from`` and of ``to``."""


def grant_job(engine: Engine, params: dict[str, t.Any]) -> tuple[Report, dict[str, t.Any]]:
    """A ReferenceGrant in the version that the cluster serves."""
    resource = engine.discovery.find(FIRST_VERSION, "ReferenceGrant") or engine.discovery.find_in_group(
        GROUP, "ReferenceGrant"
    )
    manifest = grant_manifest(params, resource.api_version if resource else FIRST_VERSION)
    if params["state"] == "absent":
        return engine.remove([manifest]), {}
    for option in ("from", "to"):
        if not 1 <= len(params[option]) <= LONGEST:
            raise ConfigError(
                f"The option {option} has {len(params[option])} entries; a ReferenceGrant takes 1 to {LONGEST}."
            )
    return engine.apply([manifest]), {}


def grant_manifest(params: dict[str, t.Any], api_version: str) -> Manifest:
    """The ReferenceGrant as the options describe it."""
    manifest: Manifest = {
        "apiVersion": api_version,
        "kind": "ReferenceGrant",
        "metadata": {"name": params["name"], "namespace": params["namespace"]},
    }
    if params["state"] == "present":
        manifest["spec"] = {
            "from": [{key: entry[key] for key in ("group", "kind", "namespace")} for entry in params["from"]],
            "to": [
                {
                    "group": entry["group"],
                    "kind": entry["kind"],
                    **({"name": entry["name"]} if entry.get("name") else {}),
                }
                for entry in params["to"]
            ],
        }
    return manifest
