# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of Kuadrant: how they merge, and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest
from dataplane_builders import gateway, listener, policy, route, rule, service, world
from sandbox.controllers.gateway_listeners import judge
from sandbox.controllers.gateway_routes import bind
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import IssuerKeys
from sandbox.controllers.kuadrant_enforcement import Enforcement, enforce
from sandbox.controllers.kuadrant_policies import Policy, effective_rules
from sandbox.controllers.kuadrant_status import policy_status

ANYONE: Json = {"anonymous": {}}
GATEWAY = ("Gateway", "gw", None)


def auth(*names: str) -> Json:
    return {"rules": {"authentication": dict.fromkeys(names, ANYONE)}}


def sources(*policies: Policy) -> dict[str, str]:
    """From the name of each effective rule to the policy that it comes from."""
    rules = effective_rules(policies)
    return {name.removeprefix("authentication#"): rule.source[1] for name, rule in rules.items()}


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        (auth("a", "b"), {"b": "own", "c": "own"}),
        ({"defaults": auth("a", "b")}, {"b": "own", "c": "own"}),
        ({"defaults": {**auth("a", "b"), "strategy": "merge"}}, {"a": "base", "b": "own", "c": "own"}),
        ({"overrides": auth("a", "b")}, {"a": "base", "b": "base"}),
        ({"overrides": {**auth("a", "b"), "strategy": "merge"}}, {"a": "base", "b": "base", "c": "own"}),
    ],
)
def test_defaults_and_overrides(base: Json, expected: dict[str, str]) -> None:
    assert sources(policy(name="base", **base), policy(name="own", **auth("b", "c"))) == expected


def verdicts(*policies: Policy, kuadrant: bool = True, **more: Any) -> Enforcement:
    seen = world(gateway(listener("a"), listener("b", 81)), route(rule(name="first"), **more), service())
    judged = {("infra", "gw"): judge(seen.gateways[0], seen)}
    routes = [bind(entry, seen, judged) for entry in seen.routes]
    return enforce(seen, policies, routes, lambda jwt: IssuerKeys(), kuadrant=kuadrant)


def enforced(result: Enforcement, name: str, namespace: str = "apps", kind: str = "AuthPolicy") -> str:
    problem = result.enforced[kind, (namespace, name)]
    return f"{problem.reason}: {problem.message}" if problem else ""


def test_section_of_a_route_is_a_rule() -> None:
    result = verdicts(
        policy(name="right", target=("HTTPRoute", "route", "first"), **auth("x")),
        policy(name="wrong", target=("HTTPRoute", "route", "second"), **auth("x")),
    )
    assert enforced(result, "right") == ""
    problem = result.accepted["AuthPolicy", ("apps", "wrong")]
    assert problem == ("TargetNotFound", "AuthPolicy target route was not found")


def test_policy_without_routes_in_its_path() -> None:
    idle = policy(name="idle", namespace="infra", target=("Gateway", "gw", "b"), **auth("x"))
    parents = [{"name": "gw", "namespace": "infra", "sectionName": "a"}]
    result = verdicts(idle, parentRefs=parents)
    assert enforced(result, "idle", "infra") == "Unknown: AuthPolicy is not in the path to any existing routes"


def test_older_policy_of_one_target_gives_way() -> None:
    result = verdicts(policy(name="old", **auth("x")), policy(name="new", created=9, **auth("x")))
    assert enforced(result, "old") == "Overridden: AuthPolicy is overridden by [apps/new]"
    assert enforced(result, "new") == ""


def test_both_kinds_of_policies_stand_side_by_side() -> None:
    limits = {"all": {"rates": [{"limit": 1, "window": "1m"}]}}
    result = verdicts(policy(name="auth", **auth("x")), policy("RateLimitPolicy", "limit", limits=limits))
    assert enforced(result, "auth") == enforced(result, "limit", kind="RateLimitPolicy") == ""
    filters = result.guards[0].filters()
    assert sorted(filters) == ["envoy.filters.http.local_ratelimit", "envoy.filters.http.lua"]


def test_window_that_envoy_cannot_keep_is_refused() -> None:
    limits = {"all": {"rates": [{"limit": 1, "window": "10ms"}]}}
    result = verdicts(policy("RateLimitPolicy", "limit", limits=limits))
    assert "spec.limits.all.rates[0] needs" in enforced(result, "limit", kind="RateLimitPolicy")


def test_failed_envoy_shows_in_the_policies_of_its_gateway() -> None:
    result = verdicts(policy(name="auth", namespace="infra", target=GATEWAY, **auth("x")))
    result.refused({("infra", "other"): "no"})
    assert enforced(result, "auth", "infra") == ""
    result.refused({("infra", "gw"): "bad listener"})
    assert enforced(result, "auth", "infra") == "Unknown: AuthPolicy has encountered some issues: bad listener"


def test_enforced_goes_when_the_policy_is_no_longer_accepted() -> None:
    one = policy(name="auth", **auth("x")).obj
    one["status"] = policy_status(one, "AuthPolicy", (None, None), "2026-01-01T00:00:00Z")
    assert {entry["type"] for entry in one["status"]["conditions"]} == {"Accepted", "Enforced"}
    problem = verdicts(policy(name="gone", target=("HTTPRoute", "none", None))).accepted["AuthPolicy", ("apps", "gone")]
    status = policy_status(one, "AuthPolicy", (problem, None), "2026-01-01T00:00:01Z")
    assert [entry["type"] for entry in status["conditions"]] == ["Accepted"]
    assert status["conditions"][0]["reason"] == "TargetNotFound"


def test_policy_waits_for_its_issuer() -> None:
    rules = {"authentication": {"keycloak": {"jwt": {"issuerUrl": "http://issuer"}}}}
    result = verdicts(policy(name="auth", rules=rules))
    words = "Unknown: AuthPolicy waiting for the following components to sync: [AuthConfig (apps/auth)]"
    assert enforced(result, "auth") == words
