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


def paths(route: Json) -> list[str]:
    return [rule["matches"][0]["path"]["value"] for rule in route["spec"]["rules"]]


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
    assert paths(live) == ["/mcp", "/.well-known/oauth-protected-resource"]
    assert not any("name" in rule for rule in rules)  # unknown to the standard channel before Gateway API 1.4
    assert rules[0]["filters"][0]["requestHeaderModifier"] == {"remove": ["mcp-init-host", "router-key"]}
    assert not any("/openapi/" in request for request in requests), requests  # defaults are written out


def test_origins_of_web_clients(run: Modules, api_server: ApiServer, place: str) -> None:
    cors = {"allow_origins": ["https://a.example.com", "https://b.example.com:8443"], "allow_credentials": True}

    made = run("http_route", wait=False, **options(place, cors=cors, status_path=True, oauth_metadata=False))

    live = api_server.get(f"{ROUTES.format(ns=place)}/custom")
    assert made["changed"] and live is not None
    rules = live["spec"]["rules"]
    assert paths(live) == ["/mcp", "/mcp", "/mcp", "/status"]
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
        ({"allow_origins": ["https://a.example.com/"]}, "'https://a.example.com/', which is none"),
        ({"allow_origins": ["a.example.com"]}, "'a.example.com'"),
        ({"allow_origins": ["https://A.example.com"]}, "write https://a.example.com"),
        ({"allow_origins": ["https://*.example.com"]}, "a wildcard"),
        ({"allow_origins": ["https://a.example.com:443"]}, "own port"),
        ({"allow_origins": ["null"]}, "sandboxed frames"),
        ({"allow_origins": ["*"], "max_age": -1}, "max_age -1"),
        ({"allow_origins": ["*"], "allow_headers": ["Accept, X"]}, "'Accept, X'"),
        ({"allow_origins": ["*"], "expose_headers": ["X\r\nY: z"]}, "expose_headers"),
        (
            {"allow_origins": ["https://a.b"], "allow_credentials": True, "allow_headers": ["*"]},
            "cors.allow_headers * together",
        ),
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


def add_listener(api: ApiServer, ns: str, name: str, **more: Any) -> None:
    """A second listener of the Gateway, of somebody else."""
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"}}
    entry = {"name": name, "port": 80, "protocol": "HTTP", "allowedRoutes": ALL, **more}
    api.apply(f"{GATEWAYS.format(ns=ns)}/gw", {**kind, "spec": {"listeners": [entry]}}, manager=f"team-{name}")


def test_several_listeners(run: Modules, api_server: ApiServer, place: str) -> None:
    """Each has to accept it, whatever others report on the same parent."""
    add_listener(api_server, place, "web")
    wanted = options(place, additional_parents=[{"listener": "web"}, {"listener": "mcps"}])
    run("http_route", wait=False, **wanted)
    path = f"{ROUTES.format(ns=place)}/custom"
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": place}
    policies = {"parentRef": {**parent, "sectionName": "web"}, "controllerName": "kuadrant.io/policy-controller",
                "conditions": conditions(1, **{"kuadrant.io/AuthPolicyAffected": "Accepted"})}  # fmt: skip
    fine = conditions(1, Accepted="Accepted", ResolvedRefs="ResolvedRefs")
    own = [{"parentRef": {**parent, "sectionName": name}, "controllerName": "istio.io/gateway-controller",
            "conditions": fine} for name in ("mcps", "web")]  # fmt: skip

    api_server.status(path, {"parents": [policies, own[0]]})
    early = run.fails("http_route", wait_timeout=1, **wanted)
    api_server.status(path, {"parents": [policies, *own]})
    result = run("http_route", **wanted)

    live = api_server.get(path)
    assert live is not None
    assert [one["sectionName"] for one in live["spec"]["parentRefs"]] == ["mcps", "web"]
    assert f"parent {place}/gw/web: no controller reports on it yet" in early and len(result["parents"]) == 3


def test_drift_and_others_labels(run: Modules, api_server: ApiServer, place: str) -> None:
    run("http_route", wait=False, **options(place))
    path = f"{ROUTES.format(ns=place)}/custom"
    other = {"spec": {"hostnames": ["x.example.com"]}}
    api_server.merge(path, {**other, "metadata": {"labels": {"theirs": "1"}}}, "Mozilla")

    planned = run("http_route", check=True, diff=True, **options(place))
    mended = run("http_route", wait=False, diff=True, **options(place))
    api_server.merge(path, other, "argocd")
    said = run.fails("http_route", **options(place))

    live = api_server.get(path)
    assert live is not None and live["metadata"]["labels"] == {"theirs": "1"}
    assert planned["diff"] == mended["diff"] and mended["objects"][0]["fields"] == ["spec.hostnames"]
    assert "argocd" in said and "spec.hostnames" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hostnames": ["https://mcp.example.com/"]}, "is a URL"),
        ({"hostnames": ["10.0.0.1"]}, "is an IP address"),
        ({"hostnames": [f"a{n}.example.com" for n in range(17)]}, "17 entries"),
        ({"path": "mcp"}, "path 'mcp' is none"),
        ({"path": "/a//b"}, "path '/a//b'"),
        ({"path": "/mcp?x=1"}, "without query"),
        ({"backend_port": 0}, "backend_port 0"),
        ({"backend_port": "http"}, "backend_port"),
        ({"cors": {}}, "allow_origins"),
        ({"cors": {"allow_origins": ["*"], "max_age": "1h"}}, "max_age"),
        ({"rules": "all"}, "dictionary requested"),
        ({"additional_parents": [{"gateway": "x"}]}, "listener"),
        ({"additional_parents": [{"listener": f"l{n}"} for n in range(32)]}, "32 listeners"),
        ({"gateway": None}, "gateway"),
        ({"listener": None}, "listener"),
        ({"name": AUTOMATIC, "replace_automatic": True}, "the operator's own route"),
    ],
)
def test_options(run: Modules, api_server: ApiServer, place: str, change: Json, said: str) -> None:
    wanted = {key: value for key, value in options(place, **change).items() if value is not None}
    with api_server.watched() as requests:
        result = run.run("http_route", **wanted)

    assert result.get("failed") and said in result["msg"] and requests == []


def test_everything_that_is_wrong_is_told_at_once(run: Modules, place: str) -> None:
    said = run.fails("http_route", **options(place, path="mcp", backend_port=0, hostnames=["a_b"]))

    assert all(words in said for words in ("path 'mcp'", "backend_port 0", "hostnames has a_b"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gateway": "other"}, "the Gateway does not exist"),
        ({"listener": "other"}, "(there are: mcps, "),
        ({"hostnames": ["mcp.example.org"]}, "covers none of mcp.example.org"),
        ({"listener": "closed"}, "does not take routes of namespace"),
        ({"listener": "teams"}, "allowedRoutes.namespaces.from is Selector"),
        ({"listener": "grpc"}, "takes no HTTPRoutes"),
        ({"additional_parents": [{"listener": "grpc"}]}, "takes no HTTPRoutes"),
    ],
)
def test_what_the_controller_would_refuse(
    run: Modules, api_server: ApiServer, place: str, change: Json, said: str
) -> None:
    home = api_server.namespace(f"r-{place}")
    selector = {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}
    add_listener(api_server, place, "closed", port=81, allowedRoutes={"namespaces": {"from": "Same"}})
    add_listener(api_server, place, "teams", port=82, allowedRoutes={"namespaces": selector})
    add_listener(api_server, place, "grpc", port=83, allowedRoutes={**ALL, "kinds": [{"kind": "GRPCRoute"}]})
    wanted = {**options(home, gateway_namespace=place, hostnames=["mcp.example.com"]), **change}

    with api_server.watched() as requests:
        message = run.fails("http_route", **wanted)
    planned = run("http_route", check=True, assume=["gateway"], **wanted)

    assert said in message and writes(requests) == [] and planned["changed"]


def test_a_namespace_that_a_listener_selects(run: Modules, api_server: ApiServer, place: str) -> None:
    home = api_server.namespace(f"r-{place}", team="a")
    selector = {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}
    add_listener(api_server, place, "teams", port=82, hostname="*.example.com", allowedRoutes={"namespaces": selector})

    assert run("http_route", wait=False, **options(home, gateway_namespace=place, listener="teams"))["changed"]
