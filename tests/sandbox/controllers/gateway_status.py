# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Status of GatewayClasses, Gateways and HTTPRoutes: conditions as the Gateway API asks, words as Istio writes them.

Each function returns the whole new status. What other controllers wrote (their conditions on our
listeners and parents, their parents of a route) is carried over; an unchanged status comes back equal, so
that the caller knows that there is nothing to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sandbox.controllers.envoy_clusters import LOOPBACK
from sandbox.controllers.gateway_listeners import Listener, Problem
from sandbox.controllers.gateway_routes import BoundRoute, Parent
from sandbox.controllers.gateway_world import CONTROLLERS, Json

FEATURES = (
    "Gateway",
    "HTTPRoute",
    "HTTPRouteBackendRequestHeaderModification",
    "HTTPRouteBackendTimeout",
    "HTTPRouteHostRewrite",
    "HTTPRouteMethodMatching",
    "HTTPRouteParentRefPort",
    "HTTPRoutePathRedirect",
    "HTTPRoutePathRewrite",
    "HTTPRoutePortRedirect",
    "HTTPRouteQueryParamMatching",
    "HTTPRouteRequestMirror",
    "HTTPRouteRequestTimeout",
    "HTTPRouteResponseHeaderModification",
    "HTTPRouteSchemeRedirect",
    "ReferenceGrant",
)
"""Names of the features of the Gateway API that the sandbox's data plane has, sorted as the API asks."""

FINE = "No errors found"


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def set_conditions(old: Sequence[Json], wanted: Iterable[Json], generation: int, time: str) -> list[Json]:
    """The old conditions with the wanted ones put in: lastTransitionTime moves only when the status changes."""
    result = {condition["type"]: condition for condition in old}
    for condition in wanted:
        before = result.get(condition["type"], {})
        same = before.get("status") == condition["status"] and "lastTransitionTime" in before
        stamp = before["lastTransitionTime"] if same else time
        result[condition["type"]] = {**condition, "observedGeneration": generation, "lastTransitionTime": stamp}
    return list(result.values())


def condition(kind: str, problem: Problem | None, reason: str, message: str, *, good: str = "True") -> Json:
    """A condition: ``good`` with the given words, or its opposite with the problem's."""
    if problem:
        bad = "False" if good == "True" else "True"
        return {"type": kind, "status": bad, "reason": problem.reason, "message": problem.message}
    return {"type": kind, "status": good, "reason": reason, "message": message}


def class_status(gateway_class: Json, time: str) -> Json:
    """Status of a GatewayClass of ours."""
    old = gateway_class.get("status") or {}
    accepted = condition("Accepted", None, "Accepted", "Handled by Istio controller")
    generation = gateway_class["metadata"].get("generation", 1)
    conditions = set_conditions(old.get("conditions") or [], [accepted], generation, time)
    return {**old, "conditions": conditions, "supportedFeatures": [{"name": name} for name in FEATURES]}


def gateway_status(
    gateway: Json,
    listeners: Sequence[Listener],
    service: str,
    fault: Problem | None,
    time: str,
    *,
    down: bool = False,
) -> Json:
    """Status of a Gateway; ``fault`` is why Envoy does not serve it, if it does not; ``down``: there is no Envoy.

    Istio only looks whether the Gateway's Service has instances: listeners stay as they are without one.
    """
    old = gateway.get("status") or {}
    generation = gateway["metadata"].get("generation", 1)
    known = {entry["name"]: entry for entry in old.get("listeners") or []}
    ports = sorted({listener.port for listener in listeners if listener.programmed})
    targets = _join([f"{service}:{port}" for port in ports])
    message = f"Resource programmed, assigned to service(s) {targets}" if ports else "Resource programmed"
    conditions = [
        condition("Accepted", None, "Accepted", "Resource accepted"),
        condition("Programmed", _no_instances(service) if down else fault, "Programmed", message),
    ]
    return {
        **old,
        "addresses": [{"type": "IPAddress", "value": LOOPBACK}],
        "conditions": set_conditions(old.get("conditions") or [], conditions, generation, time),
        "listeners": [
            _listener_status(entry, known.get(entry.name) or {}, fault, generation, time) for entry in listeners
        ],
    }


def _no_instances(service: str) -> Problem:
    message = f'Failed to assign to any requested addresses: no instances found for hostname "{service}"'
    return Problem("AddressNotAssigned", message)


def _listener_status(listener: Listener, old: Json, fault: Problem | None, generation: int, time: str) -> Json:
    problems: Mapping[str, Problem] = listener.problems
    conditions = [
        condition("Accepted", problems.get("Accepted"), "Accepted", FINE),
        condition("Conflicted", problems.get("Conflicted"), "NoConflicts", FINE, good="False"),
        condition("Programmed", problems.get("Programmed") or fault, "Programmed", FINE),
        condition("ResolvedRefs", problems.get("ResolvedRefs"), "ResolvedRefs", FINE),
    ]
    return {
        "name": listener.name,
        "attachedRoutes": len(listener.attached),
        "supportedKinds": listener.kinds,
        "conditions": set_conditions(old.get("conditions") or [], conditions, generation, time),
    }


def route_status(bound: BoundRoute, time: str) -> Json:
    """Status of an HTTPRoute: one entry for each parentRef to a Gateway of ours, the others' entries as they are."""
    old = bound.route.get("status") or {}
    before = old.get("parents") or []
    generation = bound.route["metadata"].get("generation", 1)
    foreign = [entry for entry in before if entry["controllerName"] not in CONTROLLERS]
    ours = [_parent_status(parent, bound.problem, before, generation, time) for parent in bound.parents]
    wanted = {_ref_key(entry): entry for entry in foreign + ours}
    # The order in which they stand is kept: two controllers that sort differently would never come to rest.
    kept = [wanted.pop(key) for key in map(_ref_key, before) if key in wanted]
    return {**old, "parents": kept + list(wanted.values())}


def _parent_status(parent: Parent, problem: Problem | None, before: Sequence[Json], generation: int, time: str) -> Json:
    count = len(parent.bound)
    valid = f"Route was valid, bound to {count} parents" if count > 1 else "Route was valid"
    conditions = [
        condition("Accepted", parent.problem, "Accepted", valid),
        condition("ResolvedRefs", problem, "ResolvedRefs", "All references resolved"),
    ]
    entry = {"parentRef": parent.ref, "controllerName": parent.controller}
    old = next((item for item in before if _ref_key(item) == _ref_key(entry)), {})
    return {**entry, "conditions": set_conditions(old.get("conditions") or [], conditions, generation, time)}


def _ref_key(entry: Json) -> tuple[str, ...]:
    ref = entry["parentRef"]
    names = ("group", "kind", "namespace", "name", "sectionName", "port")
    return (entry["controllerName"], *(str(ref.get(name)) for name in names))


def _join(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b, and c``."""
    if len(texts) < 3:
        return " and ".join(texts)
    return ", ".join(texts[:-1]) + ", and " + texts[-1]
