# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kuadrant's AuthPolicy and RateLimitPolicy as sets of named rules, and how several of them merge.

Rules of Kuadrant: policies in the path Gateway, listener, HTTPRoute, rule are merged from the most specific
to the least specific one. ``defaults`` (and the bare form) give way to what is more specific, ``overrides`` do not;
``atomic`` replaces whole policies, ``merge`` single rules. At one target the older policy counts as less specific.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from sandbox.controllers.gateway_world import Json, Key

GROUP = "kuadrant.io"

AUTH_PARTS = ("authentication", "metadata", "authorization", "callbacks")


class Rule(NamedTuple):
    """One rule: what it says, the policy that it comes from, and where it stands there."""

    spec: Json
    source: Key
    field: str


Rules = Mapping[str, Rule]
"""Rules by their identity, for example ``authentication#keycloak``."""


@dataclass(frozen=True)
class Policy:
    """A policy and where it attaches."""

    kind: str
    obj: Json = field(repr=False)

    @property
    def key(self) -> Key:
        return self.obj["metadata"]["namespace"], self.obj["metadata"]["name"]

    @property
    def target(self) -> tuple[str, str, str | None]:
        """Kind, name (in the policy's namespace) and section of the target."""
        ref = self.obj["spec"]["targetRef"]
        return ref["kind"], ref["name"], ref.get("sectionName")

    @property
    def age(self) -> tuple[str, Key]:
        """What policies at one target are sorted by."""
        return self.obj["metadata"].get("creationTimestamp", ""), self.key

    @property
    def _part(self) -> str:
        return next((part for part in ("overrides", "defaults") if self.obj["spec"].get(part)), "")

    @cached_property
    def rules(self) -> Rules:
        """The policy's own rules."""
        spec = self.obj["spec"]
        inner, prefix = (spec[self._part], f"spec.{self._part}") if self._part else (spec, "spec")
        named = _auth_rules if self.kind == "AuthPolicy" else _rate_rules
        return {name: Rule(value, self.key, where) for name, value, where in named(inner, prefix)}

    def merged_into(self, effective: Rules) -> Rules:
        """The effective rules after this less specific policy; Kuadrant's four merge strategies."""
        strategy = (self.obj["spec"].get(self._part) or {}).get("strategy") or "atomic"
        if self._part == "overrides":
            return self.rules if strategy == "atomic" else {**effective, **self.rules}
        if strategy == "atomic":
            return effective or self.rules
        return {**self.rules, **effective}


def effective_rules(policies: Sequence[Policy]) -> Rules:
    """The rules of policies in a path, from the least to the most specific."""
    effective: Rules = policies[-1].rules if policies else {}
    for policy in reversed(policies[:-1]):
        effective = policy.merged_into(effective)
    return effective


def in_path(policies: Sequence[Policy], gateway: Json, listener: str, route: Json, section: str | None) -> list[Policy]:
    """The policies that concern a rule of a route behind a listener, from the least to the most specific."""
    found = []
    for kind, obj, name in (
        ("Gateway", gateway, None),
        ("Gateway", gateway, listener),
        ("HTTPRoute", route, None),
        *([("HTTPRoute", route, section)] if section else []),
    ):
        meta = obj["metadata"]
        fitting = [
            policy
            for policy in policies
            if policy.target == (kind, meta["name"], name) and policy.key[0] == meta["namespace"]
        ]
        found += sorted(fitting, key=lambda policy: policy.age)
    return found


def _auth_rules(spec: Json, prefix: str) -> Iterator[tuple[str, Json, str]]:
    for name, value in (spec.get("patterns") or {}).items():
        yield f"patterns#{name}", value, f"{prefix}.patterns.{name}"
    if when := spec.get("when"):
        yield "conditions#", {"when": when}, f"{prefix}.when"
    rules = spec.get("rules") or {}
    for part in AUTH_PARTS:
        for name, value in (rules.get(part) or {}).items():
            yield f"{part}#{name}", value, f"{prefix}.rules.{part}.{name}"
    response = rules.get("response") or {}
    for denial in ("unauthenticated", "unauthorized"):
        if response.get(denial):
            yield f"response.{denial}#", response[denial], f"{prefix}.rules.response.{denial}"
    for kind in ("headers", "filters"):
        for name, value in ((response.get("success") or {}).get(kind) or {}).items():
            yield f"response.success.{kind}#{name}", value, f"{prefix}.rules.response.success.{kind}.{name}"


def _rate_rules(spec: Json, prefix: str) -> Iterator[tuple[str, Json, str]]:
    if when := spec.get("when"):
        yield "conditions#", {"when": when}, f"{prefix}.when"
    for name, value in (spec.get("limits") or {}).items():
        yield f"limits#{name}", value, f"{prefix}.limits.{name}"


def of_part(rules: Rules, part: str) -> dict[str, Rule]:
    """The rules of one part, by their name there."""
    prefix = f"{part}#"
    return {name.removeprefix(prefix): rule for name, rule in sorted(rules.items()) if name.startswith(prefix)}
