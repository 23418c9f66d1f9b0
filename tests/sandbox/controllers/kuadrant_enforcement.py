# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which policy is in force where: guards in Envoy for the effective policies, and a verdict on each policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.controllers import kuadrant_status
from sandbox.controllers.gateway_listeners import Listener, Problem
from sandbox.controllers.gateway_routes import BoundRoute
from sandbox.controllers.gateway_world import Json, Key, World
from sandbox.controllers.kuadrant_auth import Authorization, Keys, UnenforceableError, authorization, closed
from sandbox.controllers.kuadrant_guards import Guard
from sandbox.controllers.kuadrant_limits import Limits, limits
from sandbox.controllers.kuadrant_policies import Policy, Rules, effective_rules, in_path

Name = tuple[str, Key]
"""Kind and key of a policy."""
Revision = tuple[str, int]
"""Uid and generation: an object that was made anew starts with generation 1, too."""


def revision(obj: Json) -> Revision:
    """What a verdict on an object holds for."""
    return obj["metadata"].get("uid", ""), obj["metadata"].get("generation", 1)


@dataclass(slots=True)
class Enforcement:
    """What policies come to in one round: a problem or None; ``enforced`` has the accepted ones only.

    ``policies``: the accepted ones; ``partial``: those that other policies replace in part; ``revisions``: what was
    looked at.
    """

    policies: list[Policy] = field(default_factory=list)
    accepted: dict[Name, Problem | None] = field(default_factory=dict)
    enforced: dict[Name, Problem | None] = field(default_factory=dict)
    partial: set[Name] = field(default_factory=set)
    revisions: dict[Name, Revision] = field(default_factory=dict)
    gateways: dict[Name, set[Key]] = field(default_factory=dict)
    guards: list[Guard] = field(default_factory=list)

    def refused(self, gateways: Mapping[Key, str]) -> None:
        """Notes that Envoy did not take the configuration of these Gateways."""
        for name, concerned in self.gateways.items():
            for key in concerned & gateways.keys():
                if self.enforced.get(name) is None:
                    self.enforced[name] = kuadrant_status.unknown(name[0], gateways[key])


@dataclass(frozen=True, slots=True)
class _Place:
    """A rule of a route behind a listener."""

    route: BoundRoute
    listener: Listener
    index: int

    @property
    def gateway(self) -> Key:
        meta = self.listener.gateway["metadata"]
        return meta["namespace"], meta["name"]

    def policies(self, policies: Sequence[Policy]) -> list[Policy]:
        rule = self.route.route["spec"]["rules"][self.index]
        return in_path(policies, self.listener.gateway, self.listener.name, self.route.route, rule.get("name"))


def target_exists(policy: Policy, world: World) -> bool:
    """Whether the target, and the section that is named, are there."""
    kind, name, section = policy.target
    objects = {"Gateway": world.gateways, "HTTPRoute": world.routes}.get(kind, [])
    for obj in objects:
        meta = obj["metadata"]
        if (meta["namespace"], meta["name"]) == (policy.key[0], name):
            parts = obj["spec"].get("listeners" if kind == "Gateway" else "rules") or []
            return section is None or any(part.get("name") == section for part in parts)
    return False


def enforce(
    world: World, policies: Sequence[Policy], routes: Sequence[BoundRoute], keys: Keys, *, kuadrant: bool
) -> Enforcement:
    """Puts guards before the routes and judges every policy.

    Without a Kuadrant object (``kuadrant``) nothing is enforced, as in a cluster. An AuthPolicy with a rule that
    cannot be enforced is not enforced in part: its routes answer 403.
    """
    result = Enforcement()
    for policy in policies:
        name = (policy.kind, policy.key)
        result.revisions[name] = revision(policy.obj)
        missing = not target_exists(policy, world)
        result.accepted[name] = kuadrant_status.target_not_found(policy.kind, policy.target[1]) if missing else None
        if not missing:
            result.policies.append(policy)
            result.enforced[name] = kuadrant_status.NO_KUADRANT
    if kuadrant:
        _Round(result, result.policies, keys).run(routes)
    return result


class _Round:
    def __init__(self, result: Enforcement, policies: Sequence[Policy], keys: Keys) -> None:
        self._result = result
        self._policies = policies
        self._keys = keys
        self._made: dict[tuple[Name, ...], Guard] = {}
        self._failed: dict[Name, str] = {}
        self._used: set[Name] = set()
        self._waiting: set[Name] = set()
        self._replaced: dict[Name, dict[Key, None]] = {}

    def run(self, routes: Sequence[BoundRoute]) -> None:
        for place in _places(routes):
            found = place.policies(self._policies)
            if not found:
                continue
            guard = self._guard(found)
            place.route.guards[place.gateway, place.listener.name, place.index] = guard.filters()
            for policy in found:
                self._result.gateways.setdefault((policy.kind, policy.key), set()).add(place.gateway)
        for policy in self._policies:
            self._result.enforced[policy.kind, policy.key] = self._verdict(policy)
        self._result.guards = list(self._made.values())

    def _verdict(self, policy: Policy) -> Problem | None:
        name = (policy.kind, policy.key)
        if name in self._failed:
            return kuadrant_status.unknown(policy.kind, self._failed[name])
        if name in self._waiting:
            return kuadrant_status.out_of_sync(policy.kind, [f"AuthConfig ({'/'.join(policy.key)})"])
        if name in self._used:
            if name in self._replaced:
                self._result.partial.add(name)
            return None
        if others := self._replaced.get(name):
            return kuadrant_status.overridden(policy.kind, others)
        return kuadrant_status.no_routes(policy.kind)

    def _guard(self, found: Sequence[Policy]) -> Guard:
        names = tuple((policy.kind, policy.key) for policy in found)
        known = self._made.get(names)
        if known is None:
            auth = [policy for policy in found if policy.kind == "AuthPolicy"]
            rate = [policy for policy in found if policy.kind == "RateLimitPolicy"]
            known = Guard(self._authorization(auth) if auth else None, self._limits(rate) if rate else None)
            self._made[names] = known
        return known

    def _authorization(self, policies: Sequence[Policy]) -> Authorization:
        rules = self._effective(policies)
        try:
            found = authorization(rules, self._keys)
        except UnenforceableError as error:
            self._failed["AuthPolicy", error.source] = str(error)
            return closed(f"AuthPolicy {'/'.join(error.source)} cannot be enforced: {error}")
        self._waiting |= {("AuthPolicy", key) for key in found.waiting}
        return found

    def _limits(self, policies: Sequence[Policy]) -> Limits | None:
        rules = self._effective(policies)
        try:
            return limits(rules)
        except UnenforceableError as error:
            self._failed["RateLimitPolicy", error.source] = str(error)
            return None

    def _effective(self, policies: Sequence[Policy]) -> Rules:
        rules = effective_rules(policies)
        sources = dict.fromkeys(rule.source for rule in rules.values())
        for policy in policies:
            name = (policy.kind, policy.key)
            if policy.key in sources or not rules:
                self._used.add(name)
            else:
                self._replaced.setdefault(name, {}).update(sources)
        return rules


def _places(routes: Sequence[BoundRoute]) -> Iterator[_Place]:
    for route in routes:
        rules: list[Json] = route.route["spec"].get("rules") or []
        for parent in route.parents:
            for listener, _ in parent.bound:
                if listener.programmed:
                    yield from (_Place(route, listener, index) for index in range(len(rules)))
