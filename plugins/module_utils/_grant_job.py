# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``reference_grant``."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of

FIRST_VERSION = f"{GROUP}/v1beta1"
LONGEST = 16
"""Gateway API: at most so many entries of ``from`` and of ``to``."""
LONGEST_NAMESPACE = 63
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_KIND = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?")


def grant_job(engine: Engine, params: dict[str, t.Any]) -> tuple[Report, dict[str, t.Any]]:
    """A ReferenceGrant in the version that the cluster serves."""
    resource = engine.discovery.find(FIRST_VERSION, "ReferenceGrant") or engine.discovery.find_in_group(
        GROUP, "ReferenceGrant"
    )
    manifest = grant_manifest(params, resource.api_version if resource else FIRST_VERSION)
    if params["state"] == "absent":
        return engine.remove([manifest]), {}
    found = option_problems(params)
    if found:
        raise ConfigError(f"{label_of(manifest)} is not changed: {'; '.join(found)}.")
    return engine.apply([manifest]), {}


def option_problems(params: dict[str, t.Any]) -> list[str]:
    """The rules of the Gateway API that the options break."""
    found = [
        f"the option {option} has {len(params[option])} entries, and a ReferenceGrant takes 1 to {LONGEST}"
        for option in ("from", "to")
        if not 1 <= len(params[option]) <= LONGEST
    ]
    for entry in params["from"]:
        if not _LABEL.fullmatch(entry["namespace"]) or len(entry["namespace"]) > LONGEST_NAMESPACE:
            found.append(f"from has the namespace {entry['namespace']!r}, which is no name of one (wildcards are none)")
        elif entry["namespace"] == params["namespace"]:
            found.append(
                f"from has the namespace {entry['namespace']}, which is the grant's own; there no grant is needed"
            )
    for option in ("from", "to"):
        found += [
            f"{option} has the kind {entry['kind']!r}, which is none; write it as Gateway or Secret"
            for entry in params[option]
            if not _KIND.fullmatch(entry["kind"])
        ]
    return found


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
