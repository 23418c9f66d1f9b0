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
    Rollout,
    Verdict,
    judge,
)

LISTENER_FAILURES: dict[str, tuple[str, ...]] = {
    "Accepted": (
        "PortUnavailable",
        "UnsupportedProtocol",
        "UnsupportedAddress",
        "HostnameConflict",
        "ProtocolConflict",
    ),
    "ResolvedRefs": ("InvalidCertificateRef", "InvalidRouteKinds", "RefNotPermitted"),
    "Programmed": (),
}
"""Gateway API: reasons with which a listener stays as it is until somebody changes something."""

GATEWAY_FAILURES: dict[str, tuple[str, ...]] = {
    "Accepted": ("InvalidParameters", "UnsupportedAddress", "Invalid"),
    "Programmed": ("AddressNotUsable",),
}
ROUTE_FAILURES: dict[str, tuple[str, ...]] = {
    "Accepted": ("NotAllowedByListeners", "NoMatchingListenerHostname", "NoMatchingParent", "UnsupportedValue"),
    "ResolvedRefs": ("RefNotPermitted", "InvalidKind", "BackendNotFound"),
}
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
            verdicts.append(judge(live, status.get("conditions"), wanted, GATEWAY_FAILURES))
        if self._address and not status.get("addresses"):
            verdicts.append(Verdict(PENDING, "it has no address (is there a load balancer, for example MetalLB?)"))
        return worst(verdicts)

    def _listener(self, live: dict[str, t.Any], status: dict[str, t.Any], name: str) -> Verdict:
        entry = next((entry for entry in status.get("listeners") or [] if entry.get("name") == name), None)
        if entry is None:
            return Verdict(PENDING, "its controller reports no status for it yet")
        conditions = entry.get("conditions")
        conflicted = _conditions.find(conditions, "Conflicted")
        if conflicted is not None and conflicted.get("status") == "True" and _conditions.is_current(conflicted, live):
            return Verdict(FAILED, _conditions.describe(conflicted, "Conflicted", live))
        return judge(
            live, conditions, {"Accepted": "True", "ResolvedRefs": "True", "Programmed": "True"}, LISTENER_FAILURES
        )


class RouteReady:
    """A route is Accepted with ResolvedRefs by every parent that it names."""

    grace = NEIGHBOUR_GRACE
    what = "be Accepted with ResolvedRefs by every parent"
    fix = "look at the route's status.parents, the Gateway's listeners and their allowedRoutes"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        reported = (live.get("status") or {}).get("parents") or []
        verdicts = []
        for parent in (live.get("spec") or {}).get("parentRefs") or []:
            name = "/".join(str(parent[key]) for key in ("namespace", "name", "sectionName") if parent.get(key))
            entry = next(
                (entry for entry in reported if _same_parent(parent, entry.get("parentRef") or {}, live)), None
            )
            if entry is None:
                verdicts.append(Verdict(PENDING, f"parent {name}: no controller reports on it yet"))
            else:
                verdict = judge(
                    live, entry.get("conditions"), {"Accepted": "True", "ResolvedRefs": "True"}, ROUTE_FAILURES
                )
                verdicts.append(_prefixed(f"parent {name}: ", verdict))
        return worst(verdicts)


class PhaseGoal:
    """``status.phase`` has a value; other values may end the wait."""

    grace = 0.0
    fix = ""

    def __init__(self, phase: str, failing: t.Sequence[str] = ()) -> None:
        self._phase = phase
        self._failing = failing
        self.what = f"have the phase {phase}"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        status = (live or {}).get("status") or {}
        phase = status.get("phase")
        said = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
        seen = f"its phase is {phase or 'not set'}" + (f" ({said})" if said else "")
        if phase == self._phase:
            return Verdict(DONE, "")
        return Verdict(FAILED if phase in self._failing else PENDING, seen if live is not None else "it does not exist")


def worst(verdicts: t.Sequence[Verdict]) -> Verdict:
    """All of several verdicts as one: failed before pending before done."""
    for state in (FAILED, PENDING):
        found = [verdict.seen for verdict in verdicts if verdict.state == state]
        if found:
            return Verdict(state, "; ".join(dict.fromkeys(found)))
    return Verdict(DONE, "")


def _prefixed(prefix: str, verdict: Verdict) -> Verdict:
    return verdict if verdict.state == DONE else Verdict(verdict.state, prefix + verdict.seen)


def _same_parent(wanted: dict[str, t.Any], reported: dict[str, t.Any], live: dict[str, t.Any]) -> bool:
    here = live["metadata"].get("namespace")
    return (wanted.get("name"), wanted.get("namespace") or here, wanted.get("sectionName"), wanted.get("port")) == (
        reported.get("name"),
        reported.get("namespace") or here,
        reported.get("sectionName"),
        reported.get("port"),
    )


def goal_for(manifest: t.Mapping[str, t.Any]) -> Goal | None:
    """The goal that fits a kind; None for kinds that are ready as soon as they exist."""
    kind = manifest["kind"]
    if kind == "Gateway":
        listeners = [str(listener.get("name")) for listener in (manifest.get("spec") or {}).get("listeners") or []]
        return GatewayReady(listeners)
    makers: dict[str, t.Callable[[], Goal]] = {
        "CustomResourceDefinition": CrdEstablished,
        "Namespace": lambda: PhaseGoal("Active"),
        "Deployment": Rollout,
        "StatefulSet": Rollout,
        "DaemonSet": Rollout,
        "Pod": lambda: Conditions({"Ready": "True"}, fix="look at the pod's events and logs"),
        "Job": lambda: Conditions({"Complete": "True"}, fix="look at the job's pods"),
        "HTTPRoute": RouteReady,
        "GRPCRoute": RouteReady,
        "MCPGatewayExtension": lambda: Conditions(
            {"Ready": "True"}, fix="look at its Ready condition and the operator's log"
        ),
        "MCPServerRegistration": lambda: Conditions(
            {"Ready": "True"}, fix="look at its Ready condition and the operator's log"
        ),
    }
    maker = makers.get(str(kind))
    return maker() if maker else None
