# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statuses: conditions move only when they change, and what others wrote stays."""

from __future__ import annotations

from dataplane_builders import CONTROLLER, gateway, gateway_class, listener, route, service, world
from sandbox.controllers.gateway_listeners import Problem, judge
from sandbox.controllers.gateway_routes import BoundRoute, bind
from sandbox.controllers.gateway_status import FEATURES, class_status, gateway_status, route_status
from sandbox.controllers.gateway_world import Json

THEN, NOW = "2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"
SERVICE = "gw-openshift-default.infra.svc.cluster.local"


def by_type(conditions: list[Json]) -> dict[str, Json]:
    return {entry["type"]: entry for entry in conditions}


def status_of(one: Json, fault: Problem | None = None, time: str = NOW) -> Json:
    return gateway_status(one, judge(one, world()), SERVICE, fault, time)


def bound(one: Json) -> BoundRoute:
    seen = world(gateway(listener("a", 80), listener("b", 81)), service())
    return bind(one, seen, {("infra", "gw"): judge(seen.gateways[0], seen)})


def test_programmed_gateway() -> None:
    status = status_of(gateway(listener("a", 80), listener("b", 8080)))
    conditions = by_type(status["conditions"])
    assert conditions["Accepted"]["message"] == "Resource accepted"
    assert conditions["Programmed"]["message"] == (
        f"Resource programmed, assigned to service(s) {SERVICE}:80 and {SERVICE}:8080"
    )
    assert status["addresses"] == [{"type": "IPAddress", "value": "127.0.0.1"}]
    listeners = by_type(status["listeners"][0]["conditions"])
    assert {name: entry["status"] for name, entry in listeners.items()} == {
        "Accepted": "True",
        "Conflicted": "False",
        "Programmed": "True",
        "ResolvedRefs": "True",
    }
    assert {entry["observedGeneration"] for entry in listeners.values()} == {1}


def test_the_same_again_is_equal_and_keeps_its_times() -> None:
    one = gateway(listener())
    one["status"] = status_of(one, time=THEN)
    assert status_of(one, time=NOW) == one["status"]


def test_only_a_changed_status_moves_the_time_of_transition() -> None:
    one = gateway(listener())
    one["status"] = status_of(one, time=THEN)
    one["metadata"]["generation"] = 2
    conditions = by_type(status_of(one, Problem("Invalid", "broken"), NOW)["conditions"])
    assert conditions["Programmed"]["lastTransitionTime"] == NOW
    assert conditions["Programmed"]["status"] == "False"
    assert conditions["Accepted"]["lastTransitionTime"] == THEN
    assert conditions["Accepted"]["observedGeneration"] == 2


def test_conditions_of_other_controllers_stay() -> None:
    one = gateway(listener("a"), listener("b", 81))
    one["status"] = status_of(one, time=THEN)
    foreign = {"type": "MCPGatewayExtension", "status": "True", "reason": "Programmed", "message": "in use"}
    one["status"]["listeners"][0]["conditions"].append(foreign)
    one["spec"]["listeners"].pop()
    status = status_of(one)
    assert [entry["name"] for entry in status["listeners"]] == ["a"]
    assert foreign in status["listeners"][0]["conditions"]


def test_default_status_of_the_crd_is_replaced() -> None:
    one = gateway(listener())
    pending = {
        "reason": "Pending",
        "status": "Unknown",
        "message": "Waiting for controller",
        "lastTransitionTime": THEN,
    }
    one["status"] = {"conditions": [{"type": kind, **pending} for kind in ("Accepted", "Programmed")]}
    conditions = by_type(status_of(one)["conditions"])
    assert conditions["Accepted"]["status"] == "True"
    assert conditions["Accepted"]["lastTransitionTime"] == NOW


def test_gateway_class() -> None:
    status = class_status(gateway_class(), NOW)
    assert status["conditions"][0]["reason"] == "Accepted"
    names = [entry["name"] for entry in status["supportedFeatures"]]
    assert names == sorted(FEATURES)


def test_route_bound_to_two_listeners() -> None:
    status = route_status(bound(route()), NOW)
    conditions = by_type(status["parents"][0]["conditions"])
    assert conditions["Accepted"]["message"] == "Route was valid, bound to 2 parents"
    assert conditions["ResolvedRefs"]["message"] == "All references resolved"
    assert status["parents"][0]["controllerName"] == CONTROLLER


def test_parents_of_other_controllers_stay_in_their_place() -> None:
    one = route()
    own = route_status(bound(one), THEN)["parents"][0]
    foreign = {"controllerName": "example.org/other", "parentRef": {"name": "gw"}, "conditions": []}
    programmed = {"type": "Programmed", "status": "True", "reason": "InUseByMCPServerRegistration", "message": ""}
    own["conditions"].append(programmed)
    one["status"] = {"parents": [own, foreign]}
    assert route_status(bound(one), NOW) == one["status"]


def test_entry_goes_when_the_route_no_longer_names_the_gateway() -> None:
    one = route()
    one["status"] = route_status(bound(one), THEN)
    one["spec"]["parentRefs"] = []
    assert route_status(BoundRoute(one, []), NOW) == {"parents": []}
