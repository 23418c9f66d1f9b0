# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: which extensions a registered server's route belongs to. Pure functions.

Source: Kuadrant/mcp-gateway, internal/controller/mcpgatewayextension.go at v0.6.0 and v0.9.0 (the same in both).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import grant_permits, listener_named
from sandbox.controllers.olm_base import find_condition
from sandbox.controllers.operator_release import GATEWAY_API

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


def attaches(route: Object, gateway: Object, extension: Object) -> bool:
    """Whether the route is attached to the port that the extension acts on.

    A parentRef with sectionName must name a listener with that port; without one, a hostname of the route must be
    that of a listener with the port (or fall under its wildcard, by one label).
    """
    listener = listener_named(gateway, extension["spec"]["targetRef"]["sectionName"])
    if listener is None:
        return False
    beside = [entry for entry in gateway["spec"]["listeners"] if entry["port"] == listener["port"]]
    names = {entry["name"] for entry in beside}
    patterns = [entry["hostname"] for entry in beside if entry.get("hostname")]
    for reference in route["spec"].get("parentRefs") or []:
        if not refers_to(reference, gateway, route["metadata"]["namespace"]):
            continue
        if "sectionName" in reference:
            if reference["sectionName"] in names:
                return True
        elif any(_matches(host, pattern) for host in route["spec"].get("hostnames") or [] for pattern in patterns):
            return True
    return False


def refers_to(reference: Object, gateway: Object, namespace: str) -> bool:
    """Whether a parentRef of a route in the namespace means the Gateway."""
    kind = (reference.get("group", GATEWAY_API), reference.get("kind", "Gateway"))
    where = (reference.get("namespace", namespace), reference["name"])
    meta = gateway["metadata"]
    return kind == (GATEWAY_API, "Gateway") and where == (meta["namespace"], meta["name"])


def _matches(hostname: str, pattern: str) -> bool:
    if hostname == pattern:
        return True
    label, _, rest = hostname.partition(".")
    return pattern.startswith("*.") and bool(label) and rest == pattern[2:]
