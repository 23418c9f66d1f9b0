# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What an MCP gateway consists of, read in one request a kind; nothing is judged here and nothing is written."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions
from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_rules as extension_rules
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import envoy_filter
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import address_of, addresses_of, url_of
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._info_read import EXTENSION, MCP, POLICIES, Reader
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady, RouteReady, verdicts_on

PACKAGE = "mcp-gateway"

Found = dict[str, list[Object]]
Summary = dict[str, t.Any]


def gather(client: ApiClient, namespace: str | None) -> Summary:
    """The module's result: summaries by kind, and what could not be read.

    With a ``namespace``, everything in it, and what its extensions use elsewhere: Gateways, the routes on them,
    filters, grants and policies.
    """
    reader = Reader(client, namespace)
    reader.read_all()
    return {
        **_summaries(reader.found, namespace, reader.versions(MCP)),
        "not_served": sorted(reader.not_served),
        "not_allowed": sorted(reader.not_allowed),
    }


def _summaries(found: Found, namespace: str | None, versions: list[str]) -> Summary:
    def here(one: Object) -> bool:
        return namespace in {None, one["metadata"].get("namespace")}

    def of(kind: str) -> list[Object]:
        return [one for one in found.get(kind, []) if here(one)]

    gateways = {_place(one): one for one in found.get("Gateway", [])}
    extensions = [_extension(one, gateways, found) for one in of(EXTENSION)]
    used = {one["gateway"] for one in extensions} | {_place(one) for one in of("Gateway")}
    routes = [one for one in found.get("HTTPRoute", []) if here(one) or used & set(_parents(one))]
    targets = used | {_place(one) for one in routes}
    return {
        "operator": _operator(found, versions),
        "gateways": [_gateway(one) for place, one in gateways.items() if place in used],
        "extensions": extensions,
        "registrations": [_registration(one) for one in of("MCPServerRegistration")],
        "virtual_servers": [_virtual(one) for one in of("MCPVirtualServer")],
        "routes": [_route(one) for one in routes],
        "reference_grants": [
            _grant(one) for one in found.get("ReferenceGrant", []) if here(one) or namespace in _grantees(one)
        ],
        "policies": [
            _policy(kind, one)
            for kind in POLICIES
            for one in found.get(kind, [])
            if here(one) or _target(one) in targets
        ],
    }


# ---- one function a kind


def _operator(found: Found, versions: list[str]) -> Summary:
    """The operator's Subscription and the CSV that it installed; versions of the API that are served."""
    subscriptions = [one for one in found.get("Subscription", []) if (one.get("spec") or {}).get("name") == PACKAGE]
    subscription = subscriptions[0] if subscriptions else {}
    status = subscription.get("status") or {}
    installed = status.get("installedCSV")
    place = (subscription.get("metadata") or {}).get("namespace")
    csv: Object = next(
        (
            one
            for one in found.get("ClusterServiceVersion", [])
            if one["metadata"]["name"] == installed and one["metadata"].get("namespace") == place
        ),
        {},
    )
    return {
        "installed": bool(csv),
        "namespace": place,
        "subscription": (subscription.get("metadata") or {}).get("name"),
        "channel": (subscription.get("spec") or {}).get("channel"),
        "state": status.get("state"),
        "csv": installed,
        "upgrade": status.get("currentCSV") if status.get("currentCSV") not in {None, installed} else None,
        "phase": (csv.get("status") or {}).get("phase"),
        "version": (csv.get("spec") or {}).get("version"),
        "api_versions": versions,
    }


def _gateway(gateway: Object) -> Summary:
    spec, status = gateway.get("spec") or {}, gateway.get("status") or {}
    listeners = spec.get("listeners") or []
    reported = {one.get("name"): one for one in status.get("listeners") or []}
    return {
        **_named(gateway),
        "class": spec.get("gatewayClassName"),
        "addresses": addresses_of(gateway),
        "programmed": _is_true(gateway, status.get("conditions"), "Programmed"),
        "problem": GatewayReady([str(one.get("name")) for one in listeners]).judge(gateway).seen,
        "listeners": [
            {
                "name": one.get("name"),
                "port": one.get("port"),
                "protocol": one.get("protocol"),
                "hostname": one.get("hostname"),
                "programmed": _is_true(gateway, (reported.get(one.get("name")) or {}).get("conditions"), "Programmed"),
                "attached_routes": (reported.get(one.get("name")) or {}).get("attachedRoutes", 0),
            }
            for one in listeners
        ],
    }


def _extension(extension: Object, gateways: dict[str, Object], found: Found) -> Summary:
    spec, metadata = extension.get("spec") or {}, extension["metadata"]
    target = spec.get("targetRef") or {}
    place = f"{target.get('namespace') or metadata.get('namespace')}/{target.get('name')}"
    gateway = gateways.get(place) or {}
    listener = extension_rules.listener_named(gateway, target.get("sectionName")) or {}
    try:
        host = extension_rules.public_host(listener.get("hostname"), spec.get("publicHost"))
    except extension_rules.PublicHostError:
        host = None
    filters = {_place(one) for one in found.get("EnvoyFilter", [])}
    wanted = f"{place.partition('/')[0]}/{envoy_filter(str(metadata.get('namespace')))}"
    return {
        **_named(extension),
        **_ready(extension),
        "gateway": place,
        "listener": target.get("sectionName"),
        "public_host": host,
        "url": url_of(host, listener) if host and listener else None,
        "connect_to": address_of(gateway, listener) or None,
        "http_route_management": spec.get("httpRouteManagement") or "Enabled",
        "envoy_filter": wanted if wanted in filters else None,
    }


def _registration(registration: Object) -> Summary:
    spec = registration.get("spec") or {}
    return {
        **_named(registration),
        **_ready(registration),
        "prefix": spec.get("prefix") or spec.get("toolPrefix") or "",
        "path": spec.get("path"),
        "http_route": (spec.get("targetRef") or {}).get("name"),
        "enabled": spec.get("state") != "Disabled",
    }


def _virtual(virtual: Object) -> Summary:
    spec = virtual.get("spec") or {}
    return {**_named(virtual), "tools": spec.get("tools") or [], "prompts": spec.get("prompts") or []}


def _route(route: Object) -> Summary:
    parents = (route.get("spec") or {}).get("parentRefs") or []
    return {
        **_named(route),
        "hostnames": (route.get("spec") or {}).get("hostnames") or [],
        "gateways": _parents(route),
        "accepted": bool(parents)
        and all(
            any(_is_true(route, conditions, "Accepted") for conditions in verdicts_on(route, parent))
            for parent in parents
        ),
        "problem": RouteReady().judge(route).seen if parents else "it names no parent",
    }


def _grant(grant: Object) -> Summary:
    spec = grant.get("spec") or {}
    return {
        **_named(grant),
        "from": [{key: one.get(key) for key in ("group", "kind", "namespace")} for one in spec.get("from") or []],
        "to": [{key: one.get(key) for key in ("group", "kind", "name")} for one in spec.get("to") or []],
    }


def _policy(kind: str, policy: Object) -> Summary:
    conditions = (policy.get("status") or {}).get("conditions")
    return {
        "kind": kind,
        **_named(policy),
        "target": _target(policy),
        "accepted": _is_true(policy, conditions, "Accepted"),
        "enforced": _is_true(policy, conditions, "Enforced"),
        "problem": Conditions({"Accepted": "True", "Enforced": "True"}).judge(policy).seen,
    }


# ---- what several have in common


def _named(live: Object) -> Summary:
    return {"name": live["metadata"]["name"], "namespace": live["metadata"].get("namespace")}


def _ready(live: Object) -> Summary:
    ready = _conditions.find((live.get("status") or {}).get("conditions"), "Ready") or {}
    return {
        "ready": ready.get("status") == "True" and _conditions.is_current(ready, live),
        "reason": ready.get("reason"),
        "message": ready.get("message"),
    }


def _is_true(live: Object, conditions: t.Any, name: str) -> bool:
    found = _conditions.find(conditions, name)
    return found is not None and found.get("status") == "True" and _conditions.is_current(found, live)


def _place(live: Object) -> str:
    """``namespace/name``."""
    return f"{live['metadata'].get('namespace')}/{live['metadata']['name']}"


def _parents(route: Object) -> list[str]:
    here = route["metadata"].get("namespace")
    parents = (route.get("spec") or {}).get("parentRefs") or []
    return list(dict.fromkeys(f"{one.get('namespace') or here}/{one.get('name')}" for one in parents))


def _grantees(grant: Object) -> set[str | None]:
    return {one.get("namespace") for one in (grant.get("spec") or {}).get("from") or []}


def _target(policy: Object) -> str:
    target = (policy.get("spec") or {}).get("targetRef") or {}
    return f"{policy['metadata'].get('namespace')}/{target.get('name')}"
