# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Manifests that name a group but no version: ``apiVersion: mcp.kuadrant.io``.

Their author writes one vocabulary (the newest); the version and the field names are the cluster's. The MCP gateway
operator serves v1alpha1 (0.6, 0.7), both (0.8, 0.9) or v1 alone, and 0.6 called ``prefix`` ``toolPrefix``.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource, label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema

GROUP = "mcp.kuadrant.io"
OLDER_NAMES = {(GROUP, "MCPServerRegistration"): {"prefix": "toolPrefix"}}
"""Fields under ``spec`` that older versions of a kind know by another name: new name to old name."""


def speak(manifest: Manifest, resource: Resource, schema: Schema | None) -> None:
    """Give the manifest the version of ``resource`` and that version's field names, in place.

    Raises Refused naming what the version on the cluster does not know. Without a schema (no right to read it) the
    names stay, and the API server's own strict check decides.
    """
    manifest["apiVersion"] = resource.api_version
    spec = manifest.get("spec")
    below = schema.field("spec") if schema else None
    if not isinstance(spec, dict) or below is None:
        return
    for new, old in OLDER_NAMES.get((resource.group, resource.kind), {}).items():
        if new in spec and below.field(new) is None and below.field(old) is not None:
            spec[old] = spec.pop(new)
        if old in spec and below.field(old) is None and below.field(new) is not None:
            raise Refused(
                f"{label_of(manifest)}: spec.{old} is called {new} in {resource.api_version}; write spec.{new}."
            )
    unknown = below.unknown_fields(t.cast("t.Mapping[str, t.Any]", spec), "spec")
    if unknown:
        them = "it" if len(unknown) == 1 else "them"
        upgrade = (
            "upgrade the operator (module mcpops.gateway.olm_subscription)"
            if resource.group == GROUP
            else f"upgrade what installs {resource.qualified}"
        )
        raise Refused(
            f"{label_of(manifest)} cannot have {', '.join(unknown)}: the installed version does not know {them} (it "
            f"serves {resource.api_version}); leave {them} out or {upgrade}."
        )
