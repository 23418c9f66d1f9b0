# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``http_route``: the custom route first, and the automatic one removed only when it serves."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_rules as extension_rules
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, Forbidden, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import GROUP as MCP_GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import KIND as EXTENSION
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import ROUTE
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import url_of
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import RouteReady
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import NAMESPACE
from ansible_collections.mcpops.gateway.plugins.module_utils._route_manifest import Parent, parents_of, route_manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._route_rules import attachment_problem
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Target

Params = dict[str, t.Any]


def route_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """A custom HTTPRoute to the MCP gateway, present or absent."""
    name, namespace = params["name"], params["namespace"]
    if params["state"] == "absent":
        if params["replace_automatic"]:
            _await_automatic(engine, params)
        return engine.remove([_skeleton(name, namespace)]), {"hostnames": [], "url": None, "parents": []}
    label = f"HTTPRoute {namespace}/{name}"
    if name == ROUTE and params["replace_automatic"]:
        raise ConfigError(f"{label}: that is the operator's own route; give yours another name.")
    route_manifest(params, params["hostnames"] or [])  # what is wrong by itself is told before the cluster is asked
    places = parents_of(params)
    listeners = {place: _listener(engine, place, label) for place in places}
    listener = listeners[places[0]]
    asks = not params["hostnames"] or params["replace_automatic"]
    extension = _extension(engine, params) if asks else None
    hostnames = params["hostnames"] or _hostnames(extension, listener, label)
    manifest = route_manifest(params, hostnames)
    automatic = _automatic(engine, params, extension, label) if params["replace_automatic"] else None
    steps = engine.plan([manifest])
    if steps[0].difference:
        _check_attachment(engine, label, namespace, listeners, hostnames)
    report = engine.carry_out(steps)
    live = engine.await_goal(report, steps[0], RouteReady())
    # Only now: two routes for one path serve side by side, none is an outage.
    if automatic is not None:
        report.add(engine.remove([automatic]))
    if params["replaces"] and params["replaces"] != name:
        report.add(engine.remove([_skeleton(params["replaces"], namespace)], only_own=True))
    return report, {
        "hostnames": hostnames,
        "url": url_of(hostnames[0], listener, params["path"]) if hostnames and listener else None,
        "parents": ((live or {}).get("status") or {}).get("parents") or [],
    }


def _skeleton(name: str, namespace: str) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": "HTTPRoute", "metadata": {"name": name, "namespace": namespace}}


def _listener(engine: Engine, place: Parent, label: str) -> Object:
    """The listener of the Gateway; empty in check mode when it is not there yet."""
    gateway = engine.read(API_VERSION, "Gateway", place.name, place.namespace)
    found = extension_rules.listener_named(gateway or {}, place.listener)
    if found is not None:
        return dict(found)
    said = f"{label} needs {place}"
    if gateway is None:
        engine.missing("gateway", f"{said}, and the Gateway does not exist", "correct gateway and gateway_namespace")
    else:
        names = ", ".join(str(one.get("name")) for one in (gateway.get("spec") or {}).get("listeners") or [])
        engine.missing("gateway", f"{said}, which does not exist (there are: {names})", "correct listener")
    return {}


def _check_attachment(
    engine: Engine, label: str, namespace: str, listeners: t.Mapping[Parent, Object], hostnames: t.Sequence[str]
) -> None:
    """Every listener will take the route; otherwise its controller refuses it in status."""
    labels: t.Mapping[str, str] | None = None
    if any(_selects(listener) for listener in listeners.values()):
        try:
            home = engine.client.get(NAMESPACE, namespace) or {"metadata": {}}
            labels = home["metadata"].get("labels") or {}
        except Forbidden:
            labels = None
    for place, listener in listeners.items():
        if listener:
            problem, fix = attachment_problem(
                listener, hostnames, namespace=namespace, labels=labels, gateway_namespace=place.namespace
            )
            if problem:
                engine.missing("gateway", f"{label}: {place} {problem}", fix)


def _selects(listener: Object) -> bool:
    return ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from") == "Selector"


def _hostnames(extension: Object | None, listener: Object, label: str) -> list[str]:
    """The public host of the extension in the same namespace, or of the listener."""
    told = ((extension or {}).get("spec") or {}).get("publicHost")
    try:
        return [extension_rules.public_host(listener.get("hostname"), told)]
    except extension_rules.PublicHostError as error:
        if not listener:
            return []
        raise ConfigError(f"{label}: no host name is known ({error}); set hostnames.") from error


def _extension(engine: Engine, params: Params) -> Object | None:
    """The extension of the namespace whose broker the route leads to; a namespace has at most one that works."""
    resource = engine.discovery.find_in_group(MCP_GROUP, EXTENSION)
    found = engine.client.list(resource, params["namespace"])[0] if resource is not None else []
    return min(found, key=lambda one: str(one["metadata"].get("creationTimestamp"))) if found else None


def _automatic(engine: Engine, params: Params, extension: Object | None, label: str) -> Manifest | None:
    """The operator's route as a manifest to remove; None when it is not there.

    Raises Refused when the operator would make it again.
    """
    spec = (extension or {}).get("spec") or {}
    if extension is not None and spec.get("httpRouteManagement", "Enabled") != "Disabled":
        metadata = extension["metadata"]
        engine.missing(
            "extension",
            f"{label} cannot replace the route {ROUTE}: MCPGatewayExtension {metadata['namespace']}/{metadata['name']} "
            "makes it again",
            "set its http_route_management to Disabled first (module mcpops.gateway.extension), which leaves the route "
            "in place until this one serves",
            Refused,
        )
    live = engine.read(API_VERSION, "HTTPRoute", ROUTE, params["namespace"])
    if live is None or not any(
        owner.get("kind") == EXTENSION for owner in live["metadata"].get("ownerReferences") or []
    ):
        return None
    return _skeleton(ROUTE, params["namespace"])


def _await_automatic(engine: Engine, params: Params) -> None:
    """Before the custom route goes: wait for the operator's own route, if the operator keeps one."""
    extension = _extension(engine, params)
    if extension is None or (extension.get("spec") or {}).get("httpRouteManagement", "Enabled") == "Disabled":
        return
    routes = engine.discovery.need(API_VERSION, "HTTPRoute")
    engine.await_all([Target(routes, ROUTE, params["namespace"], RouteReady())])
