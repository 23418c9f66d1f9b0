# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPRoutes bound to listeners: which parents accept a route, under which hostnames, to which backends.

Reasons and messages are Istio's, which is the implementation behind both GatewayClasses of the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.controllers.envoy_routes import Backend, Entry, UnsupportedRouteError, rule_entries
from sandbox.controllers.gateway_hostnames import ANY, intersection
from sandbox.controllers.gateway_listeners import Listener, Problem
from sandbox.controllers.gateway_world import Json, Key, World
from sandbox.kinds import GATEWAY_GROUP, ISTIO_GROUP

RANKING = ("NotAllowedByListeners", "NoMatchingListenerHostname", "NoMatchingParent")
"""Of several reasons for refusal the one nearest to success is reported."""


@dataclass(slots=True)
class Parent:
    """One parentRef of a route: refused (``problem``) or bound to listeners, each with the common hostnames."""

    ref: Json
    controller: str
    problem: Problem | None = None
    bound: list[tuple[Listener, list[str]]] = field(default_factory=list)


@dataclass(slots=True)
class BoundRoute:
    """A route with the state of its parents and its rules as Envoy routes (none when it cannot be programmed).

    ``guards``: filters in front of a rule behind a listener, by Gateway, listener and number of the rule.
    """

    route: Json
    parents: list[Parent]
    entries: list[Entry] = field(default_factory=list)
    problem: Problem | None = None
    guards: dict[tuple[Key, str, int], Json] = field(default_factory=dict)


def cluster_name(namespace: str, service: str, port: int) -> str:
    """Istio's name for a Service's port, so that an EnvoyFilter can refer to it."""
    return f"outbound|{port}||{service}.{namespace}.svc.cluster.local"


def bind(route: Json, world: World, listeners: Mapping[Key, Sequence[Listener]]) -> BoundRoute:
    """Binds a route to the listeners (by Gateway) of the sandbox's Gateways; other parents are left alone."""
    parents = []
    for ref in route["spec"].get("parentRefs") or []:
        if (ref.get("group") or GATEWAY_GROUP, ref.get("kind") or "Gateway") != (GATEWAY_GROUP, "Gateway"):
            continue
        key = (ref.get("namespace") or route["metadata"]["namespace"], ref["name"])
        if key in listeners:
            parents.append(_parent(route, ref, world, key, listeners[key]))
    bound = BoundRoute(route, parents)
    if parents:
        _resolve(bound, world)
        for parent in parents:
            for listener, _ in parent.bound:
                listener.attached.add((route["metadata"]["namespace"], route["metadata"]["name"]))
    return bound


def _parent(route: Json, ref: Json, world: World, key: Key, listeners: Sequence[Listener]) -> Parent:
    gateway = next(gw for gw in world.gateways if (gw["metadata"]["namespace"], gw["metadata"]["name"]) == key)
    parent = Parent(ref, world.controller_of(gateway) or "")
    refusals: dict[str, dict[str, None]] = {}
    for listener in listeners:
        hostnames = _common_hostnames(route, listener)
        refusal = _refusal(route, ref, world, listener, hostnames)
        if refusal is None:
            parent.bound.append((listener, hostnames))
        else:
            refusals.setdefault(refusal.reason, {})[refusal.message] = None
    if not parent.bound:
        reason = next((reason for reason in RANKING if reason in refusals), "NoMatchingParent")
        parent.problem = Problem(reason, "; ".join(refusals.get(reason, {"the Gateway has no listeners": None})))
    return parent


def _common_hostnames(route: Json, listener: Listener) -> list[str]:
    names = route["spec"].get("hostnames") or [ANY]
    common = (intersection(listener.hostname, name) for name in names)
    return list(dict.fromkeys(name for name in common if name))


def _refusal(route: Json, ref: Json, world: World, listener: Listener, hostnames: Sequence[str]) -> Problem | None:
    if ref.get("sectionName") not in (None, listener.name):
        return Problem("NoMatchingParent", f'sectionName "{ref["sectionName"]}" not found')
    if ref.get("port") not in (None, listener.port):
        return Problem("NoMatchingParent", f"port {ref['port']} not found")
    namespace, shown = route["metadata"]["namespace"], listener.spec.get("hostname") or ""
    if not hostnames:
        return Problem("NoMatchingListenerHostname", f'no hostnames matched parent hostname "{shown}"')
    if not listener.allows_namespace(namespace, world):
        message = (
            f'hostnames matched parent hostname "{shown}", but namespace "{namespace}" is not allowed by the parent'
        )
        return Problem("NotAllowedByListeners", message)
    if not listener.allows_kind("HTTPRoute"):
        return Problem("NotAllowedByListeners", f"kind {GATEWAY_GROUP}/v1/HTTPRoute is not allowed")
    return None


def _resolve(bound: BoundRoute, world: World) -> None:
    """Resolves every backendRef and turns the rules into Envoy routes; the last problem found is reported."""
    for index, rule in enumerate(bound.route["spec"].get("rules") or []):
        backends = []
        for ref in rule.get("backendRefs") or []:
            cluster = _cluster(bound, ref, world)
            backends.append(Backend(cluster, ref.get("weight", 1), tuple(ref.get("filters") or ())))
        mirrors = {}
        for item in rule.get("filters") or []:
            if item["type"] == "RequestMirror":
                target = item["requestMirror"]["backendRef"]
                if cluster := _cluster(bound, target, world):
                    mirrors[target["name"]] = cluster
        try:
            bound.entries += rule_entries(bound.route, index, backends, mirrors)
        except UnsupportedRouteError as error:
            # Istio: a rule that cannot be programmed takes the whole route with it and shows in ResolvedRefs.
            bound.entries = []
            bound.problem = Problem(error.reason, str(error))
            return


def _cluster(bound: BoundRoute, ref: Json, world: World) -> str | None:
    """The cluster of a backendRef; None, and the problem noted, when the reference is invalid."""
    group, kind = ref.get("group") or "", ref.get("kind") or "Service"
    route, name = bound.route, ref["name"]
    own = route["metadata"]["namespace"]
    namespace = ref.get("namespace") or own
    if not world.permits(route, kind, (namespace, name), target_group=group):
        message = f'backendRef {name}/{namespace} not accessible to a HTTPRoute in namespace "{own}"'
        bound.problem = Problem("RefNotPermitted", f"{message} (missing a ReferenceGrant?)")
    elif (group, kind) == (ISTIO_GROUP, "Hostname"):
        return _hostname_cluster(bound, ref, own, world)
    elif (group, kind) != ("", "Service"):
        message = f'referencing unsupported backendRef: group "{group}" kind "{kind}"'
        bound.problem = Problem("InvalidKind", message)
    elif "." in name:
        message = "service name invalid; the name of the Service must be used, not the hostname."
        bound.problem = Problem("InvalidDestination", message)
    elif (namespace, name) not in world.services:
        bound.problem = Problem("BackendNotFound", f"backend({name}.{namespace}.svc.cluster.local) not found")
    elif not ref.get("port"):
        bound.problem = Problem("InvalidDestination", "port is required in backendRef")
    else:
        return cluster_name(namespace, name, ref["port"])
    return None


def _hostname_cluster(bound: BoundRoute, ref: Json, namespace: str, world: World) -> str | None:
    """Istio's way to name a host of a ServiceEntry in a backendRef; None as `_cluster`."""
    host = ref["name"]
    if ref.get("namespace"):
        bound.problem = Problem("InvalidDestination", "namespace may not be set with Hostname type")
    elif not world.knows_host(host, namespace):
        bound.problem = Problem("BackendNotFound", f"backend({host}) not found")
    elif not ref.get("port"):
        bound.problem = Problem("InvalidDestination", "port is required in backendRef")
    else:
        return f"outbound|{ref['port']}||{host}"
    return None
