# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The manifest of a custom HTTPRoute to the MCP gateway: its rules, and CORS with what the standard channel has.

The Gateway API's own CORS filter is not in the standard channel, and a header filter can only send fixed values. So
every allowed origin gets a rule of its own, which matches the request's ``Origin`` header and answers with that origin;
a rule without CORS headers stands behind them (Gateway API: the rule with more header matches wins).
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION, GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._route_rules import refuse_route

Params = t.Mapping[str, t.Any]
Rule = dict[str, t.Any]

WELL_KNOWN = "/.well-known/oauth-protected-resource"
STATUS = "/status"
INTERNAL_HEADERS = ["mcp-init-host", "router-key"]
"""Headers of the operator's router that no client may send (its automatic route removes them, too)."""
METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD")
REQUEST_HEADERS = (
    "Content-Type",
    "Authorization",
    "Accept",
    "Origin",
    "X-Requested-With",
    "Mcp-Session-Id",
    "Mcp-Protocol-Version",
    "Last-Event-ID",
)
EXPOSED_HEADERS = ("Mcp-Session-Id", "Mcp-Protocol-Version", "WWW-Authenticate")
"""Without these a browser does not let an MCP client read the session id or the authorization challenge."""


class Parent(t.NamedTuple):
    """A listener of a Gateway that the route attaches to."""

    namespace: str
    name: str
    listener: str

    def __str__(self) -> str:
        return f"the listener {self.listener} of Gateway {self.namespace}/{self.name}"


def route_manifest(params: Params, hostnames: t.Sequence[str]) -> Manifest:
    """The HTTPRoute as the options describe it. Raises ConfigError for what cannot work.

    The rules have no names: the Gateway API's standard channel knows those since 1.4 only.
    """
    name, namespace = params["name"], params["namespace"]
    rules = [*_endpoint_rules(params)]
    if params["oauth_metadata"]:
        rules.append(_rule(WELL_KNOWN, params))
    if params["status_path"]:
        rules.append(_rule(STATUS, params))
    rules += [dict(rule) for rule in params["rules"] or []]
    refuse_route(f"HTTPRoute {namespace}/{name}", params, hostnames, len(rules))
    spec: dict[str, t.Any] = {"parentRefs": [_reference(parent) for parent in parents_of(params)], "rules": rules}
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def parents_of(params: Params) -> list[Parent]:
    """The listeners that the route attaches to: the one of the options, then the additional ones."""
    first = Parent(params["gateway_namespace"] or params["namespace"], params["gateway"], params["listener"])
    more = [
        Parent(entry.get("gateway_namespace") or first.namespace, entry.get("gateway") or first.name, entry["listener"])
        for entry in params["additional_parents"] or []
    ]
    return list(dict.fromkeys([first, *more]))


def _reference(parent: Parent) -> dict[str, str]:
    return {
        "group": GROUP,
        "kind": "Gateway",
        "name": parent.name,
        "namespace": parent.namespace,
        "sectionName": parent.listener,
    }


def _endpoint_rules(params: Params) -> list[Rule]:
    removal = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": INTERNAL_HEADERS}}
    cors = params["cors"]
    if not cors:
        return [_rule(params["path"], params, [removal])]
    origins = list(dict.fromkeys(cors["allow_origins"]))
    if origins == ["*"]:
        return [_rule(params["path"], params, [removal, _answer(cors, "*")])]
    rules = []
    for origin in origins:
        rule = _rule(params["path"], params, [removal, _answer(cors, origin)])
        rule["matches"][0]["headers"] = [{"type": "Exact", "name": "Origin", "value": origin}]
        rules.append(rule)
    return [*rules, _rule(params["path"], params, [removal])]


def _answer(cors: Params, origin: str) -> dict[str, t.Any]:
    """The filter with the response headers of CORS (Fetch standard)."""
    values = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": ", ".join(cors["allow_methods"] or METHODS),
        "Access-Control-Allow-Headers": ", ".join(cors["allow_headers"] or REQUEST_HEADERS),
        "Access-Control-Expose-Headers": ", ".join(cors["expose_headers"] or EXPOSED_HEADERS),
        "Access-Control-Max-Age": str(cors["max_age"]),
    }
    if cors["allow_credentials"]:
        values["Access-Control-Allow-Credentials"] = "true"
    if origin != "*":
        values["Vary"] = "Origin"
    headers = [{"name": name, "value": value} for name, value in values.items()]
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": headers}}


def _rule(path: str, params: Params, filters: t.Sequence[dict[str, t.Any]] = ()) -> Rule:
    """One rule, with the API's defaults written out: the list of rules is one value, compared as a whole."""
    backend = {
        "group": "",
        "kind": "Service",
        "name": params["backend_service"],
        "port": params["backend_port"],
        "weight": 1,
    }
    rule: Rule = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [backend]}
    if filters:
        rule["filters"] = list(filters)
    return rule
