# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version 0.6.0 of the operator, which serves v1alpha1 only and knows fewer fields."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from integration.extensions import EXTENSIONS, LISTENERS, options
from integration.gateways import GATEWAYS, conditions
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

OBJECTS = "/apis/mcp.kuadrant.io/v1alpha1/namespaces/{ns}/{plural}/{name}"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes"


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer.running(tmp_path_factory.mktemp("api") / "old", operator="0.6.0") as server:
        yield server


@pytest.fixture
def old(old_server: ApiServer) -> Json:
    """Options of an extension beside its Gateway."""
    place = old_server.namespace(f"g-{uuid.uuid4().hex[:8]}")
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    spec = {"gatewayClassName": "openshift-default", "listeners": [LISTENERS[0]]}
    old_server.apply(f"{GATEWAYS.format(ns=place)}/gw", {**kind, "metadata": {"name": "gw"}, "spec": spec})
    return options(place, place)


def test_its_api_version_and_private_host(old_server: ApiServer, old_run: Modules, old: Json) -> None:
    result = old_run("extension", wait=False, **old)

    assert result["objects"][0]["api_version"] == "mcp.kuadrant.io/v1alpha1"
    path = EXTENSIONS.format(ns=old["namespace"]).replace("/v1/", "/v1alpha1/")
    live = old_server.get(f"{path}/ext") or {}
    host = f"gw-openshift-default.{old['namespace']}.svc.cluster.local:8080"
    assert live["spec"]["privateHost"] == host


def test_what_it_lacks_is_refused_by_name(old_run: Modules, old: Json) -> None:
    said = old_run.fails("extension", **old, log_level="debug")

    assert "spec.logLevel (since 0.8)" in said and "v1alpha1" in said


def test_oauth_gets_the_known_way_round(old_run: Modules, old: Json) -> None:
    oauth = {"authorization_servers": ["https://sso.example.com"]}

    said = old_run.fails("extension", **old, oauth_protected_resource=oauth)

    assert "http_route_management to Disabled" in said and "oauth-protected-resource" in said


@pytest.fixture
def old_run(old_server: ApiServer) -> Modules:
    return Modules(old_server)


@pytest.fixture
def registered(old_server: ApiServer, old_run: Modules, old: Json) -> Json:
    """Options of a registration on the port of an extension."""
    ns = old["namespace"]
    old_run("extension", wait=False, **old)
    rules = [{"backendRefs": [{"name": "weather", "port": 9090}]}]
    spec = {"parentRefs": [{"name": "gw", "sectionName": "mcps"}], "hostnames": ["w.example.com"], "rules": rules}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "weather"}}
    old_server.apply(f"{ROUTES.format(ns=ns)}/weather", {**kind, "spec": spec})
    return {"name": "weather", "namespace": ns, "prefix": "weather_"}


def ready(api: ApiServer, ns: str, tools: int) -> None:
    path = OBJECTS.format(ns=ns, plural="mcpserverregistrations", name="weather")
    until(lambda: api.get(path) is not None, lambda: "the registration was never written")
    api.status(path, {"conditions": conditions(1, Ready="Ready"), "discoveredTools": tools})


def test_a_registration_in_its_words_with_the_tools_that_it_counts(
    old_server: ApiServer, old_run: Modules, registered: Json
) -> None:
    ns = registered["namespace"]
    with meanwhile(lambda: ready(old_server, ns, 2)):
        made = old_run("server_registration", min_tools=2, **registered)
    with old_server.watched() as requests:
        again = old_run("server_registration", **registered)
    said = old_run.fails("server_registration", min_tools=3, **registered)

    live = old_server.get(OBJECTS.format(ns=ns, plural="mcpserverregistrations", name="weather")) or {}
    assert made["broker"] == {"ready": True, "total_tools": 2, "message": ""}
    assert live["spec"]["toolPrefix"] == "weather_" and "prefix" not in live["spec"] and "state" not in live["spec"]
    assert not again["changed"] and writes(requests) == []
    assert "it offers 2 tools, at least 3 were asked for" in said


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"enabled": False}, "state"),
        ({"category": ["a"]}, "category"),
        ({"tags": ["a"]}, "tags"),
        ({"hint": "a"}, "hint"),
        ({"user_specific_list": True}, "userSpecificList"),
        ({"token_elicitation_url": "https://a.example.com"}, "tokenURLElicitation"),
    ],
)
def test_options_that_a_registration_lacks(old_run: Modules, registered: Json, change: Json, field: str) -> None:
    said = old_run.fails("server_registration", **registered, **change)

    assert f"spec.{field}" in said and "v1alpha1" in said


def test_a_virtual_server(old_server: ApiServer, old_run: Modules, old: Json) -> None:
    ns = old["namespace"]
    wanted: Json = {"name": "travel", "namespace": ns, "tools": ["weather_today"], "check_tools": False}

    made = old_run("virtual_server", **wanted)
    said = old_run.fails("virtual_server", prompts=["p"], **wanted)

    assert made["objects"][0]["api_version"] == "mcp.kuadrant.io/v1alpha1"
    assert "only to the gateway of namespace mcp-system" in warnings_of(made)[0]
    assert "spec.prompts" in said and "v1alpha1" in said
