# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""When an object of a kind counts as ready, for waiting without being told a condition."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import (
    DONE,
    FAILED,
    PENDING,
    Conditions,
    CrdEstablished,
    Goal,
    Remedy,
    Rollout,
    Unless,
    Verdict,
    judge,
    worst,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import split_api_version

CERTIFICATE = Remedy(
    "check the Secret in tls.certificateRefs: it must exist, be of type kubernetes.io/tls and hold a certificate and "
    "its key in PEM"
)
GRANT = Remedy(
    "let a ReferenceGrant in the namespace of what is referred to allow it (module mcpops.gateway.reference_grant)"
)
LISTENER_FAILURES: dict[str, dict[str, Remedy]] = {
    "Accepted": {
        "PortUnavailable": Remedy("choose a port that the implementation can open, or free this one", at_once=True),
        "UnsupportedProtocol": Remedy(
            "choose a protocol that the implementation behind the GatewayClass supports (HTTP or HTTPS for MCP)",
            at_once=True,
        ),
        "UnsupportedAddress": Remedy("correct the Gateway's addresses, or leave them out", at_once=True),
        "HostnameConflict": Remedy(
            "another listener with this port has the same host name: change the port or the host name of one of them",
            at_once=True,
        ),
        "ProtocolConflict": Remedy(
            "another listener speaks another protocol on this port: change the port of one of them", at_once=True
        ),
    },
    "ResolvedRefs": {
        "InvalidCertificateRef": CERTIFICATE,
        "RefNotPermitted": GRANT,
        "InvalidRouteKinds": Remedy("correct allowedRoutes.kinds, or leave it out", at_once=True),
    },
}
"""Gateway API: reasons with which a listener stays as it is until somebody changes something."""

GATEWAY_FAILURES: dict[str, dict[str, Remedy]] = {
    "Accepted": {
        "InvalidParameters": Remedy("check what infrastructure.parametersRef and the GatewayClass refer to"),
        "UnsupportedAddress": Remedy("correct the Gateway's addresses, or leave them out", at_once=True),
        "Invalid": Remedy(),
    },
    "Programmed": {"AddressNotUsable": Remedy("ask for other addresses, or leave them out", at_once=True)},
}
NO_ADDRESS = Remedy(
    "the Gateway's Service has no address or no running pod behind it: look at both; a Service of type LoadBalancer "
    "needs a load balancer (for example MetalLB)"
)
ROUTE_FAILURES: dict[str, dict[str, Remedy]] = {
    "Accepted": {
        "NotAllowedByListeners": Remedy(
            "let the listener's allowedRoutes take routes of this namespace (module mcpops.gateway.gateway_listener)"
        ),
        "NoMatchingListenerHostname": Remedy("choose host names that the listener's hostname covers"),
        "NoMatchingParent": Remedy("correct the listener (sectionName) or the port of the route's parent"),
        "UnsupportedValue": Remedy("leave out what the implementation does not support"),
    },
    "ResolvedRefs": {
        "RefNotPermitted": GRANT,
        "InvalidKind": Remedy("let the route's rules lead to Services or other kinds that the implementation knows"),
        "BackendNotFound": Remedy("create the Service that the route's rules name, or correct its name and port"),
    },
}
POLICY_FAILURES: dict[str, tuple[str, ...]] = {
    "Accepted": ("TargetNotFound", "Conflicted", "Invalid", "MissingDependency", "MissingResource"),
    "Enforced": ("Overridden", "MissingDependency", "MissingResource"),
}
"""Kuadrant: reasons with which a policy stays as it is until somebody changes something."""
NO_ROUTES = "not in the path to any existing routes"
"""Kuadrant's words, under the reason Unknown, for a policy that has nothing to be enforced on."""
OPERATOR_LOG = "look at its Ready condition and the operator's log"
REGISTRATION = (
    "look at its Ready condition, the MCPGatewayExtension of its Gateway (is it Ready?), and the operator's log"
)
NEIGHBOUR_GRACE = 5.0
"""Seconds for which a complaint about another object (Secret, grant, Gateway) is taken for a controller that lags."""


class GatewayReady:
    """A Gateway is Accepted and Programmed, and so are the named listeners (with ResolvedRefs)."""

    grace = NEIGHBOUR_GRACE

    def __init__(self, listeners: t.Sequence[str] = (), *, gateway: bool = True, address: bool = False) -> None:
        self._listeners = tuple(listeners)
        self._gateway = gateway
        self._address = address
        self.fix = (
            "look at the Gateway's status and events, and check that the controller of its GatewayClass is running"
        )

    @property
    def what(self) -> str:
        parts = ["be Accepted and Programmed"] if self._gateway else []
        if self._listeners:
            noun = "listener" if len(self._listeners) == 1 else "listeners"
            parts.append(f"have the {noun} {', '.join(self._listeners)} Accepted, Programmed and with ResolvedRefs")
        if self._address:
            parts.append("have an address")
        return " and ".join(parts)

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        status = live.get("status") or {}
        verdicts = [_prefixed(f"listener {name}: ", self._listener(live, status, name)) for name in self._listeners]
        if self._gateway:
            wanted = {"Accepted": "True", "Programmed": "True"}
            verdicts.append(_hinted(judge(live, status.get("conditions"), wanted, GATEWAY_FAILURES), status))
        if self._address and not status.get("addresses"):
            verdicts.append(Verdict(PENDING, "it has no address", NO_ADDRESS))
        return worst(verdicts)

    def _listener(self, live: dict[str, t.Any], status: dict[str, t.Any], name: str) -> Verdict:
        entry = next((entry for entry in status.get("listeners") or [] if entry.get("name") == name), None)
        if entry is None:
            return Verdict(PENDING, "its controller reports no status for it yet")
        conditions = entry.get("conditions")
        conflicted = _conditions.find(conditions, "Conflicted")
        if conflicted is not None and conflicted.get("status") == "True" and _conditions.is_current(conflicted, live):
            remedy = LISTENER_FAILURES["Accepted"].get(str(conflicted.get("reason")), Remedy(at_once=True))
            return Verdict(FAILED, _conditions.describe(conflicted, "Conflicted", live), remedy)
        return judge(
            live, conditions, {"Accepted": "True", "ResolvedRefs": "True", "Programmed": "True"}, LISTENER_FAILURES
        )


class RouteReady:
    """A route is Accepted with ResolvedRefs by every parent that it names."""

    grace = NEIGHBOUR_GRACE
    what = "be Accepted with ResolvedRefs by every parent"
    fix = "look at the route's status.parents, and check that the controller of the Gateway's class is running"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        verdicts = []
        for parent in (live.get("spec") or {}).get("parentRefs") or []:
            name = "/".join(str(parent[key]) for key in ("namespace", "name", "sectionName") if parent.get(key))
            verdicts.append(_prefixed(f"parent {name}: ", self._parent(live, parent)))
        return worst(verdicts)

    @staticmethod
    def _parent(live: dict[str, t.Any], parent: dict[str, t.Any]) -> Verdict:
        found = [
            judge(live, conditions, {"Accepted": "True", "ResolvedRefs": "True"}, ROUTE_FAILURES)
            for conditions in verdicts_on(live, parent)
        ]
        for state in (DONE, PENDING, FAILED):
            for verdict in found:
                if verdict.state == state:
                    return verdict
        return Verdict(PENDING, "no controller reports on it yet")


def verdicts_on(route: t.Mapping[str, t.Any], parent: t.Mapping[str, t.Any]) -> list[t.Any]:
    """The conditions with which controllers accept a route at one of its parents, or refuse it.

    Usually one list. Others report on the same parent, too, without a word on acceptance (Kuadrant on its policies),
    and what the controller of an earlier class wrote may still be there.
    """
    return [
        entry.get("conditions")
        for entry in (route.get("status") or {}).get("parents") or []
        if _parent_id(entry.get("parentRef") or {}, route) == _parent_id(parent, route)
        and _conditions.find(entry.get("conditions"), "Accepted") is not None
    ]


def _parent_id(reference: t.Mapping[str, t.Any], route: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """What a parentRef stands for, with the defaults of the Gateway API."""
    return (
        reference.get("kind") or "Gateway",
        reference.get("namespace") or route["metadata"].get("namespace"),
        reference.get("name"),
        reference.get("sectionName"),
        reference.get("port"),
    )


class PolicyReady:
    """A policy of Kuadrant is Accepted and Enforced, or there is no route yet on which it could be enforced."""

    grace = NEIGHBOUR_GRACE
    what = "be Accepted and Enforced"
    fix = "look at its target, at the Kuadrant object, and at the logs of the Kuadrant operator and of Authorino"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        conditions = (live.get("status") or {}).get("conditions")
        verdict = judge(live, conditions, {"Accepted": "True", "Enforced": "True"}, POLICY_FAILURES)
        enforced = _conditions.find(conditions, "Enforced")
        idle = enforced is not None and NO_ROUTES in str(enforced.get("message"))
        if verdict.state == PENDING and idle and _conditions.holds(live, "Accepted"):
            return Verdict(DONE, "")
        return verdict


class PhaseGoal:
    """``status.phase`` has a value; other values may end the wait."""

    grace = 0.0

    def __init__(self, phase: str, failing: t.Sequence[str] = (), fix: str = "") -> None:
        self._phase = phase
        self._failing = failing
        self.fix = fix
        self.what = f"have the phase {phase}"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        status = (live or {}).get("status") or {}
        phase = status.get("phase")
        said = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
        seen = f"its phase is {phase or 'not set'}" + (f" ({said})" if said else "")
        if phase == self._phase:
            return Verdict(DONE, "")
        return Verdict(FAILED if phase in self._failing else PENDING, seen if live is not None else "it does not exist")


def _prefixed(prefix: str, verdict: Verdict) -> Verdict:
    return verdict if verdict.state == DONE else verdict._replace(seen=prefix + verdict.seen)


def _hinted(verdict: Verdict, status: dict[str, t.Any]) -> Verdict:
    """With what helps a Gateway that is only waiting for its address."""
    programmed = _conditions.find(status.get("conditions"), "Programmed") or {}
    if verdict.state == PENDING and programmed.get("reason") == "AddressNotAssigned":
        return verdict._replace(remedy=NO_ADDRESS)
    return verdict


def goal_for(manifest: t.Mapping[str, t.Any]) -> Goal | None:
    """The goal that fits a kind; None for kinds that are ready as soon as they exist.

    Other groups have kinds of the same names (Istio's Gateway, Volcano's Job), so the group counts.
    """
    group, _version = split_api_version(str(manifest["apiVersion"]))
    kind = str(manifest["kind"])
    spec = manifest.get("spec") or {}
    if (group, kind) == (GATEWAY_API, "Gateway"):
        return GatewayReady([str(listener.get("name")) for listener in spec.get("listeners") or []])
    if (group, kind) == ("", "Pod") and spec.get("restartPolicy") in {"Never", "OnFailure"}:
        return PhaseGoal("Succeeded", ("Failed",), fix="look at the pod's events and logs")
    maker = MAKERS.get((group, kind))
    return maker() if maker else None


GATEWAY_API = "gateway.networking.k8s.io"
MAKERS: dict[tuple[str, str], t.Callable[[], Goal]] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): CrdEstablished,
    ("", "Namespace"): lambda: PhaseGoal("Active"),
    ("apps", "Deployment"): Rollout,
    ("apps", "StatefulSet"): Rollout,
    ("apps", "DaemonSet"): Rollout,
    ("", "Pod"): lambda: Conditions({"Ready": "True"}, fix="look at the pod's events and logs"),
    ("batch", "Job"): lambda: Unless(
        Conditions({"Complete": "True"}, fix="look at the job's pods"), [("Failed", "True")]
    ),
    (GATEWAY_API, "HTTPRoute"): RouteReady,
    (GATEWAY_API, "GRPCRoute"): RouteReady,
    ("kuadrant.io", "AuthPolicy"): PolicyReady,
    ("kuadrant.io", "RateLimitPolicy"): PolicyReady,
    ("kuadrant.io", "TLSPolicy"): lambda: Conditions(
        {"Accepted": "True", "Enforced": "True"},
        POLICY_FAILURES,
        fix="look at its issuer and at the Certificate objects of the namespace",
        grace=NEIGHBOUR_GRACE,
    ),
    ("mcp.kuadrant.io", "MCPGatewayExtension"): lambda: Conditions({"Ready": "True"}, fix=OPERATOR_LOG),
    ("mcp.kuadrant.io", "MCPServerRegistration"): lambda: Conditions({"Ready": "True"}, fix=REGISTRATION),
}
"""Group and kind to when an object of it is ready."""
