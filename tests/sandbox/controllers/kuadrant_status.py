# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of Kuadrant's policies and of what they affect, in the words of Kuadrant's operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sandbox.controllers.gateway_listeners import Problem
from sandbox.controllers.gateway_status import condition, set_conditions
from sandbox.controllers.gateway_world import Json, Key
from sandbox.kinds import GATEWAY_GROUP

CONTROLLER = "kuadrant.io/policy-controller"
KINDS = ("AuthPolicy", "RateLimitPolicy", "TLSPolicy", "DNSPolicy")

NO_KUADRANT = Problem("MissingResource", "kuadrant is not installed, please create resource")


class Attached(Protocol):
    """A policy of any kind."""

    @property
    def kind(self) -> str: ...

    @property
    def key(self) -> Key: ...


def names(keys: Iterable[Key]) -> str:
    """Objects as Go prints a list of them."""
    return "[" + " ".join("/".join(key) for key in keys) + "]"


def target_not_found(kind: str, name: str) -> Problem:
    """The target does not exist."""
    return Problem("TargetNotFound", f"{kind} target {name} was not found")


def conflicted(kind: str, other: Key) -> Problem:
    """An older policy of this kind has the same target."""
    return Problem("Conflicted", f"{kind} is conflicted by {'/'.join(other)}: conflicting policy")


def unknown(kind: str, why: str) -> Problem:
    """Anything else that stands in the way."""
    return Problem("Unknown", f"{kind} has encountered some issues: {why}")


def out_of_sync(kind: str, parts: Iterable[str]) -> Problem:
    """Something that the policy needs is not ready yet."""
    return Problem("Unknown", f"{kind} waiting for the following components to sync: [{' '.join(parts)}]")


def no_routes(kind: str) -> Problem:
    """No route is behind what the policy targets."""
    return Problem("Unknown", f"{kind} is not in the path to any existing routes")


def overridden(kind: str, others: Iterable[Key]) -> Problem:
    """All that the policy says is replaced by other policies."""
    return Problem("Overridden", f"{kind} is overridden by {names(others)}")


def policy_status(
    obj: Json,
    kind: str,
    verdict: tuple[Problem | None, Problem | None],
    time: str,
    *,
    partial: bool = False,
    more: str = "",
) -> Json:
    """The whole new status. ``verdict``: what is against Accepted and against Enforced, which only accepted ones have.

    ``partial``: not everywhere that the policy is attached; ``more`` is added to the words of success.
    """
    accepted, enforced = verdict
    old = obj.get("status") or {}
    generation = obj["metadata"].get("generation", 1)
    wanted = [condition("Accepted", accepted, "Accepted", f"{kind} has been accepted")]
    before = old.get("conditions") or []
    if accepted:
        before = [entry for entry in before if entry["type"] != "Enforced"]
    else:
        words = f"{kind} has been {'partially' if partial else 'successfully'} enforced"
        wanted.append(condition("Enforced", enforced, "Enforced", words + more))
    conditions = set_conditions(before, wanted, generation, time)
    for entry in conditions:
        if entry["type"] in ("Accepted", "Enforced"):
            entry.pop("observedGeneration", None)  # Kuadrant notes the generation once, in the status itself
    return {**old, "conditions": conditions, "observedGeneration": generation}


def kuadrant_ready(obj: Json, time: str) -> Json:
    """The status of the Kuadrant object: its parts (Authorino, Limitador) are Envoy's filters here, so it is ready."""
    old = obj.get("status") or {}
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "Kuadrant is ready"}
    generation = obj["metadata"].get("generation", 1)
    conditions = set_conditions(old.get("conditions") or [], [ready], generation, time)
    for entry in conditions:
        entry.pop("observedGeneration", None)
    parts = {"mtlsAuthorino": False, "mtlsLimitador": False}
    return {**old, **parts, "conditions": conditions, "observedGeneration": generation}


def _affected(
    conditions: Sequence[Json], by_kind: Mapping[str, Sequence[Key]], generation: int, time: str
) -> list[Json]:
    wanted = [
        {
            "type": f"kuadrant.io/{kind}Affected",
            "status": "True",
            "reason": "Accepted",
            "message": f"Object affected by {kind} {names(keys)}",
        }
        for kind, keys in by_kind.items()
        if keys
    ]
    types = {f"kuadrant.io/{kind}Affected" for kind in KINDS} - {entry["type"] for entry in wanted}
    kept = [entry for entry in conditions if entry["type"] not in types]
    return set_conditions(kept, wanted, generation, time)


def _by_kind(policies: Iterable[Attached]) -> dict[str, list[Key]]:
    found: dict[str, list[Key]] = {kind: [] for kind in KINDS}
    for policy in policies:
        if policy.key not in found[policy.kind]:
            found[policy.kind].append(policy.key)
    return found


def gateway_affected(
    gateway: Json, own: Sequence[Attached], by_listener: Mapping[str, Sequence[Attached]], time: str
) -> Json:
    """The Gateway's status with the policies that target it (``own``) and its listeners."""
    status = gateway.get("status") or {}
    generation = gateway["metadata"].get("generation", 1)
    listeners = [
        {
            **entry,
            "conditions": _affected(
                entry.get("conditions") or [],
                _by_kind([*own, *by_listener.get(entry["name"], [])]),
                generation,
                time,
            ),
        }
        for entry in status.get("listeners") or []
    ]
    conditions = _affected(status.get("conditions") or [], _by_kind(own), generation, time)
    return {**status, "conditions": conditions, **({"listeners": listeners} if "listeners" in status else {})}


def route_affected(route: Json, by_gateway: Mapping[Key, Sequence[Attached]], time: str) -> Json:
    """The route's status with an entry of Kuadrant's for each Gateway through which policies concern it."""
    status = route.get("status") or {}
    generation = route["metadata"].get("generation", 1)
    parents, seen = [], set()
    for entry in status.get("parents") or []:
        if entry["controllerName"] != CONTROLLER:
            parents.append(entry)
            continue
        ref = entry["parentRef"]
        key = (ref.get("namespace") or route["metadata"]["namespace"], ref["name"])
        seen.add(key)
        conditions = _affected(entry.get("conditions") or [], _by_kind(by_gateway.get(key, [])), generation, time)
        if conditions:
            parents.append({**entry, "conditions": conditions})
    for key, policies in by_gateway.items():
        if key not in seen and policies:
            ref = {"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": key[0], "name": key[1]}
            conditions = _affected([], _by_kind(policies), generation, time)
            parents.append({"controllerName": CONTROLLER, "parentRef": ref, "conditions": conditions})
    return {**status, "parents": parents}
