# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module http_route: a custom route, CORS, and the automatic route removed only after it serves."""

from __future__ import annotations

from typing import Any

import pytest
from integration.gateways import ALL, GATEWAYS, conditions
from integration.kit import ApiServer, Json, Modules, meanwhile, until, writes

ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes"
EXTENSIONS = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpgatewayextensions"
AUTOMATIC = "mcp-gateway-route"
LISTENER = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": ALL}


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> str:
    """A namespace with a Gateway."""
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    spec = {"gatewayClassName": "istio", "listeners": [LISTENER]}
    api_server.apply(f"{GATEWAYS.format(ns=ns)}/gw", {**kind, "metadata": {"name": "gw"}, "spec": spec})
    return ns


def options(ns: str, **more: Any) -> Json:
    return {"name": "custom", "namespace": ns, "gateway": "gw", "listener": "mcps", **more}


def extension(api: ApiServer, ns: str, management: str, **spec: Any) -> Json:
    target = {"name": "gw", "namespace": ns, "sectionName": "mcps"}
    kind = {"apiVersion": "mcp.kuadrant.io/v1", "kind": "MCPGatewayExtension", "metadata": {"name": "ext"}}
    whole = {**kind, "spec": {"targetRef": target, "httpRouteManagement": management, **spec}}
    return api.apply(f"{EXTENSIONS.format(ns=ns)}/ext", whole)


def automatic_route(api: ApiServer, ns: str, owner: Json) -> None:
    reference = {
        "apiVersion": "mcp.kuadrant.io/v1",
        "kind": "MCPGatewayExtension",
        "name": "ext",
        "uid": owner["metadata"]["uid"],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    metadata = {"name": AUTOMATIC, "ownerReferences": [reference]}
    api.apply(f"{ROUTES.format(ns=ns)}/{AUTOMATIC}", {**kind, "metadata": metadata, "spec": {}})


def accept(api: ApiServer, ns: str, *, check: Any = None, **reasons: str) -> None:
    """The Gateway controller's word on the route, once it is there."""
    path = f"{ROUTES.format(ns=ns)}/custom"
    until(lambda: api.get(path) is not None, lambda: "the route was never written")
    if check:
        check()
    good = {"Accepted": "Accepted", "ResolvedRefs": "ResolvedRefs", **reasons}
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": ns}
    entry = {
        "parentRef": {**parent, "sectionName": "mcps"},
        "controllerName": "istio.io/gateway-controller",
        "conditions": conditions(1, **good),
    }
    api.status(path, {"parents": [entry]})


def test_its_life(run: Modules, api_server: ApiServer, place: str) -> None:
    planned = run("http_route", check=True, diff=True, **options(place))
    with meanwhile(lambda: accept(api_server, place)):
        made = run("http_route", diff=True, **options(place))
    with api_server.watched() as requests:
        again = run("http_route", **options(place))
    live = api_server.get(f"{ROUTES.format(ns=place)}/custom")
    gone = run("http_route", name="custom", namespace=place, state="absent")
    gone_again = run("http_route", name="custom", namespace=place, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "deleted", "absent"]
    assert planned["diff"] == made["diff"] and writes(requests) == []
    assert made["hostnames"] == ["mcp.example.com"] and made["url"] == "http://mcp.example.com:8080/mcp"
    assert live is not None and made["parents"][0]["controllerName"] == "istio.io/gateway-controller"
    rules = live["spec"]["rules"]
    assert [rule["name"] for rule in rules] == ["mcp", "well-known"]
    assert rules[0]["filters"][0]["requestHeaderModifier"] == {"remove": ["mcp-init-host", "router-key"]}
    assert rules[1]["matches"][0]["path"]["value"] == "/.well-known/oauth-protected-resource"


def test_origins_of_web_clients(run: Modules, api_server: ApiServer, place: str) -> None:
    cors = {"allow_origins": ["https://a.example.com", "https://b.example.com:8443"], "allow_credentials": True}

    made = run("http_route", wait=False, **options(place, cors=cors, status_path=True, oauth_metadata=False))

    live = api_server.get(f"{ROUTES.format(ns=place)}/custom")
    assert made["changed"] and live is not None
    rules = live["spec"]["rules"]
    assert [rule["name"] for rule in rules] == ["mcp-origin-1", "mcp-origin-2", "mcp", "status"]
    assert [rule["matches"][0].get("headers", [{}])[0].get("value") for rule in rules[:3]] == [
        *cors["allow_origins"],
        None,
    ]
    sent = {one["name"]: one["value"] for one in rules[1]["filters"][1]["responseHeaderModifier"]["set"]}
    assert sent["Access-Control-Allow-Origin"] == "https://b.example.com:8443"
    assert sent["Access-Control-Allow-Credentials"] == "true" and sent["Vary"] == "Origin"
    assert "Mcp-Session-Id" in sent["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    ("cors", "said"),
    [
        ({"allow_origins": []}, "allow_origins is empty"),
        ({"allow_origins": ["https://a.example.com/"]}, "'https://a.example.com/'"),
        ({"allow_origins": ["a.example.com"]}, "'a.example.com'"),
        ({"allow_origins": ["*", "https://a.example.com"]}, "keep one of the two"),
        ({"allow_origins": ["*"], "allow_credentials": True}, "refused by every browser"),
        ({"allow_origins": [f"https://a{n}.example.com" for n in range(16)]}, "18 rules"),
    ],
)
def test_cors_that_cannot_work(run: Modules, api_server: ApiServer, place: str, cors: Json, said: str) -> None:
    with api_server.watched() as requests:
        message = run.fails("http_route", **options(place, cors=cors))

    assert said in message and writes(requests) == []


def test_every_origin_may_be_asked_for(run: Modules, api_server: ApiServer, place: str) -> None:
    cors = {"allow_origins": ["*"], "allow_credentials": True, "any_origin_with_credentials": True}

    run("http_route", wait=False, **options(place, cors=cors))

    live = api_server.get(f"{ROUTES.format(ns=place)}/custom")
    assert live is not None
    sent = {
        one["name"]: one["value"] for one in live["spec"]["rules"][0]["filters"][1]["responseHeaderModifier"]["set"]
    }
    assert sent["Access-Control-Allow-Origin"] == "*" and sent["Access-Control-Allow-Credentials"] == "true"


def test_the_automatic_route_goes_only_when_the_new_one_serves(run: Modules, api_server: ApiServer, place: str) -> None:
    automatic_route(api_server, place, extension(api_server, place, "Disabled", publicHost="own.example.com"))

    def still_there() -> None:
        assert api_server.get(f"{ROUTES.format(ns=place)}/{AUTOMATIC}") is not None

    planned = run("http_route", check=True, **options(place, replace_automatic=True))
    with meanwhile(lambda: accept(api_server, place, check=still_there)):
        made = run("http_route", **options(place, replace_automatic=True))
    again = run("http_route", **options(place, replace_automatic=True))

    actions = [(one["name"], one["action"]) for one in made["objects"]]
    assert actions == [("custom", "created"), (AUTOMATIC, "deleted")]
    assert [(one["name"], one["action"]) for one in planned["objects"]] == actions
    assert made["hostnames"] == ["own.example.com"] and not again["changed"]
    assert api_server.get(f"{ROUTES.format(ns=place)}/{AUTOMATIC}") is None


def test_a_route_that_is_not_accepted_leaves_the_automatic_one(run: Modules, api_server: ApiServer, place: str) -> None:
    automatic_route(api_server, place, extension(api_server, place, "Disabled"))

    with meanwhile(lambda: accept(api_server, place, Accepted="!NotAllowedByListeners")):
        message = run.fails("http_route", **options(place, replace_automatic=True))

    assert "NotAllowedByListeners" in message
    assert api_server.get(f"{ROUTES.format(ns=place)}/{AUTOMATIC}") is not None


def test_an_operator_that_would_make_it_again(run: Modules, api_server: ApiServer, place: str) -> None:
    automatic_route(api_server, place, extension(api_server, place, "Enabled"))

    with api_server.watched() as requests:
        message = run.fails("http_route", **options(place, replace_automatic=True))
    assumed = run("http_route", check=True, **options(place, replace_automatic=True, assume=["extension"]))

    assert "http_route_management to Disabled first" in message and writes(requests) == []
    assert [one["action"] for one in assumed["objects"]] == ["created", "deleted"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gateway": "other"}, "the Gateway does not exist"),
        ({"listener": "other"}, "(there are: mcps)"),
        ({"name": AUTOMATIC, "replace_automatic": True}, "the operator's own route"),
    ],
)
def test_wrong_names(run: Modules, api_server: ApiServer, place: str, change: Json, said: str) -> None:
    with api_server.watched() as requests:
        message = run.fails("http_route", **{**options(place), **change})

    assert said in message and writes(requests) == []
