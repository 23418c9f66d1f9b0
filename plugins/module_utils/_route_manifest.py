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

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION, GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest

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
MOST_RULES = 16
"""Gateway API: at most so many rules in one route."""


def route_manifest(params: Params, hostnames: t.Sequence[str]) -> Manifest:
    """The HTTPRoute as the options describe it. Raises ConfigError for CORS that cannot work."""
    name, namespace = params["name"], params["namespace"]
    label = f"HTTPRoute {namespace}/{name}"
    rules = [*_endpoint_rules(params, label)]
    if params["oauth_metadata"]:
        rules.append(_rule("well-known", WELL_KNOWN, params))
    if params["status_path"]:
        rules.append(_rule("status", STATUS, params))
    rules += [dict(rule) for rule in params["rules"] or []]
    if len(rules) > MOST_RULES:
        raise ConfigError(
            f"{label} would have {len(rules)} rules, one for every allowed origin included; the Gateway API takes at "
            f"most {MOST_RULES}. Allow fewer origins, or make a second route."
        )
    parent = {
        "group": GROUP,
        "kind": "Gateway",
        "name": params["gateway"],
        "namespace": params["gateway_namespace"] or namespace,
        "sectionName": params["listener"],
    }
    spec: dict[str, t.Any] = {"parentRefs": [parent], "rules": rules}
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return {
        "apiVersion": API_VERSION,
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _endpoint_rules(params: Params, label: str) -> list[Rule]:
    removal = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": INTERNAL_HEADERS}}
    cors = params["cors"]
    if not cors:
        return [_rule("mcp", params["path"], params, [removal])]
    origins = list(dict.fromkeys(cors["allow_origins"] or []))
    check_origins(origins, cors, label)
    if origins == ["*"]:
        return [_rule("mcp", params["path"], params, [removal, _answer(cors, "*")])]
    rules = []
    for number, origin in enumerate(origins, 1):
        rule = _rule(f"mcp-origin-{number}", params["path"], params, [removal, _answer(cors, origin)])
        rule["matches"][0]["headers"] = [{"type": "Exact", "name": "Origin", "value": origin}]
        rules.append(rule)
    return [*rules, _rule("mcp", params["path"], params, [removal])]


def check_origins(origins: t.Sequence[str], cors: Params, label: str) -> None:
    """Raise ConfigError for origins that are none, and for what browsers refuse."""
    if not origins:
        raise ConfigError(
            f'{label}: cors.allow_origins is empty; name the origins of your web clients, or ["*"] for all.'
        )
    for origin in origins:
        scheme, separator, rest = origin.partition("://")
        if origin != "*" and (not separator or scheme not in {"http", "https"} or not rest or "/" in rest):
            raise ConfigError(
                f"{label}: the origin {origin!r} in cors.allow_origins is none; write scheme, host and port alone, as "
                "https://chat.example.com, or * for all."
            )
    if "*" in origins and len(origins) > 1:
        raise ConfigError(f"{label}: cors.allow_origins has * and single origins; keep one of the two.")
    if "*" in origins and cors["allow_credentials"] and not cors["any_origin_with_credentials"]:
        raise ConfigError(
            f"{label}: cors.allow_origins * together with cors.allow_credentials is refused by every browser; list the "
            "origins, or set allow_credentials to false (MCP clients send their token in a header, not in a cookie)."
        )


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


def _rule(name: str, path: str, params: Params, filters: t.Sequence[dict[str, t.Any]] = ()) -> Rule:
    backend = {"group": "", "kind": "Service", "name": params["backend_service"], "port": params["backend_port"]}
    rule: Rule = {
        "name": name,
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [backend],
    }
    if filters:
        rule["filters"] = list(filters)
    return rule
