# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: which extensions a registered server's route belongs to. Pure functions.

Source: Kuadrant/mcp-gateway, internal/controller/mcpgatewayextension.go at v0.6.0 and v0.9.0 (the same in both).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import grant_permits
from sandbox.controllers.olm_base import find_condition

Object = Mapping[str, Any]
Json = dict[str, Any]


def accepted_gateways(route: Object) -> list[tuple[str, str]]:
    """Namespace and name of the Gateway of every parent that accepted the route."""
    parents = (route.get("status") or {}).get("parents") or []
    references = [
        parent["parentRef"]
        for parent in parents
        if (accepted := find_condition(parent, "Accepted")) and accepted["status"] == "True"
    ]
    return [(entry.get("namespace") or route["metadata"]["namespace"], entry["name"]) for entry in references]


def valid_extensions(gateway: Object, extensions: Iterable[Json], grants: Iterable[Object]) -> list[Json]:
    """The extensions of a Gateway that count; those of other namespaces need a grant and to be Ready."""
    namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
    grants, result = list(grants), []
    for extension in extensions:
        meta, target = extension["metadata"], extension["spec"]["targetRef"]
        if meta.get("deletionTimestamp") or (target.get("namespace"), target["name"]) != (namespace, name):
            continue
        if meta["namespace"] != namespace:
            ready = find_condition(extension.get("status") or {}, "Ready")
            granted = grant_permits(
                grants, extension_namespace=meta["namespace"], gateway_namespace=namespace, gateway_name=name
            )
            if not granted or not ready or ready["status"] != "True":
                continue
        result.append(extension)
    return result
