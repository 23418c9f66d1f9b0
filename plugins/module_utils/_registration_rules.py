# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The operator's rules for MCPServerRegistrations, one function a rule, to be told before anything is written.

The source of every rule is the operator's registration controller (0.6 to 0.9); its messages appear in the Ready
condition only after the write. The stand-in for the operator of the tests uses the same functions.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import GATEWAY_GROUP, listener_named

Object = t.Mapping[str, t.Any]
LARGEST_CA = 64 * 1024
"""The operator: at most so many bytes of CA certificates for one server."""
BACKENDS = (("", "Service"), ("networking.istio.io", "Hostname"))


def route_problem(route: Object) -> str:
    """Why an HTTPRoute cannot stand for an MCP server; empty when it can."""
    spec = route.get("spec") or {}
    rules = spec.get("rules") or []
    if len(rules) != 1:
        return f"has {len(rules)} rules, and the operator takes exactly one"
    backends = rules[0].get("backendRefs") or []
    if len(backends) != 1:
        return f"has {len(backends)} backendRefs in its rule, and the operator takes exactly one"
    kind = (backends[0].get("group") or "", backends[0].get("kind") or "Service")
    if kind not in BACKENDS:
        return f"points to a {kind[1]}; the operator takes a Service, or a Hostname of networking.istio.io"
    if not spec.get("hostnames"):
        return "has no hostnames, and the operator routes by the first one"
    return ""


def gateways_of(route: Object) -> list[tuple[str, str]]:
    """(namespace, name) of the Gateways that are parents of a route, in its order, each once."""
    here = (route.get("metadata") or {}).get("namespace") or ""
    parents = (route.get("spec") or {}).get("parentRefs") or []
    found = [
        (str(parent.get("namespace") or here), str(parent.get("name")))
        for parent in parents
        if (parent.get("kind") or "Gateway") == "Gateway"
    ]
    return list(dict.fromkeys(found))


def attaches(route: Object, gateway: Object, extension: Object) -> bool:
    """Whether the route is attached to the port that the extension acts on.

    A parentRef with sectionName must name a listener with that port; without one, a hostname of the route must be
    that of a listener with the port (or fall under its wildcard, by one label). The same in 0.6 to 0.9.
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
    kind = (reference.get("group", GATEWAY_GROUP), reference.get("kind", "Gateway"))
    where = (reference.get("namespace", namespace), reference["name"])
    meta = gateway["metadata"]
    return kind == (GATEWAY_GROUP, "Gateway") and where == (meta["namespace"], meta["name"])


def _matches(hostname: str, pattern: str) -> bool:
    if hostname == pattern:
        return True
    label, _dot, rest = hostname.partition(".")
    return pattern.startswith("*.") and bool(label) and rest == pattern[2:]
