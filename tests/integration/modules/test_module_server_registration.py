# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module server_registration: what it refers to is checked before writing, and Ready is confirmed by the broker."""

from __future__ import annotations

import base64
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from integration.extensions import EXTENSIONS
from integration.gateways import GATEWAYS, conditions
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

REGISTRATIONS = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpserverregistrations"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes"
LABEL = {"mcp.kuadrant.io/secret": "true"}
BACKEND = {"name": "weather", "port": 9090}


class Broker:
    """A broker's status page, with the answers that a test gives it; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Json | str]] = []
        self.asked: list[tuple[str, str | None]] = []
        broker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                broker.asked.append((self.path, self.headers["Authorization"]))
                code, body = broker.answers.pop(0) if len(broker.answers) > 1 else broker.answers[0]
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: Any) -> None:
                """Quiet."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def broker() -> Iterator[Broker]:
    found = Broker()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def gateway(api_server: ApiServer, ns: str) -> Iterator[None]:
    """A Gateway with an extension on one of its ports, beside the registrations."""
    listeners = [
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"},
        {"name": "other", "port": 80, "protocol": "HTTP", "hostname": "other.local"},
    ]
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"}}
    spec = {"gatewayClassName": "istio", "listeners": listeners}
    api_server.apply(f"{GATEWAYS.format(ns=ns)}/gw", {**kind, "spec": spec})
    target = {"targetRef": {"name": "gw", "namespace": ns, "sectionName": "mcps"}, "publicHost": "mcp.invalid"}
    extension = {"apiVersion": "mcp.kuadrant.io/v1", "kind": "MCPGatewayExtension", "metadata": {"name": "ext"}}
    api_server.apply(f"{EXTENSIONS.format(ns=ns)}/ext", {**extension, "spec": target})
    yield
    api_server.delete(f"{EXTENSIONS.format(ns=ns)}/ext")


def route(api: ApiServer, ns: str, name: str = "weather", **change: Any) -> None:
    spec = {"parentRefs": [{"name": "gw"}], "hostnames": ["weather.mcp.local"], "rules": [{"backendRefs": [BACKEND]}]}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    api.apply(f"{ROUTES.format(ns=ns)}/{name}", {**kind, "metadata": {"name": name}, "spec": {**spec, **change}})


def secret(api: ApiServer, ns: str, labels: Json, **data: str) -> None:
    encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cred", "labels": labels}, "data": encoded}
    api.apply(f"/api/v1/namespaces/{ns}/secrets/cred", body)


def says(api: ApiServer, ns: str, reason: str) -> None:
    """The operator's Ready condition, as soon as the object is there."""
    path = f"{REGISTRATIONS.format(ns=ns)}/weather"
    until(lambda: api.get(path) is not None, lambda: "the registration was never written")
    api.status(path, {"conditions": conditions(1, Ready=reason)})


def options(ns: str, **more: Any) -> Json:
    return {"name": "weather", "namespace": ns, "prefix": "weather_", "confirm": "never", **more}


def test_its_life(run: Modules, api_server: ApiServer, ns: str) -> None:
    route(api_server, ns)
    secret(api_server, ns, LABEL, token="Bearer x")
    full = options(
        ns, path="/api", credential_secret={"name": "cred"}, user_specific_list=True, category=["a"], tags=["b"],
        hint="for rain", token_elicitation_url="https://tokens.example.com",
    )  # fmt: skip

    planned = run("server_registration", check=True, diff=True, **full)
    with meanwhile(lambda: says(api_server, ns, "Ready")):
        made = run("server_registration", diff=True, **full)
    with api_server.watched() as requests:
        again = run("server_registration", **full)
    live = api_server.get(f"{REGISTRATIONS.format(ns=ns)}/weather")
    gone = run("server_registration", name="weather", namespace=ns, state="absent")
    gone_again = run("server_registration", name="weather", namespace=ns, state="absent")

    actions = [one["objects"][0]["action"] for one in (planned, made, again, gone, gone_again)]
    assert actions == ["created", "created", "unchanged", "deleted", "absent"]
    assert planned["diff"] == made["diff"] and made["conditions"][0]["type"] == "Ready"
    assert writes(requests) == [] and made["broker"] is None
    assert live is not None
    assert live["spec"] == {
        "targetRef": {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "weather"},
        "prefix": "weather_",
        "path": "/api",
        "credentialRef": {"name": "cred", "key": "token"},
        "userSpecificList": "Enabled",
        "tokenURLElicitation": {"url": "https://tokens.example.com"},
        "category": ["a"],
        "tags": ["b"],
        "hint": "for rain",
        "state": "Enabled",
    }


def test_a_disabled_one_is_waited_for_as_such(run: Modules, api_server: ApiServer, ns: str, broker: Broker) -> None:
    route(api_server, ns)
    broker.answers = [(200, {"ready": True})]

    with meanwhile(lambda: says(api_server, ns, "!Disabled")):
        made = run("server_registration", **options(ns, enabled=False, confirm="always", broker={"url": broker.url}))

    assert made["changed"] and made["conditions"][0]["reason"] == "Disabled"
    assert broker.asked == []


def test_the_broker_is_asked_until_the_server_answers(
    run: Modules, api_server: ApiServer, ns: str, broker: Broker
) -> None:
    route(api_server, ns)
    broker.answers = [
        (404, {"error": "Server not found"}),
        (200, {"name": f"{ns}/weather", "ready": False, "message": "connection refused", "totalTools": 0}),
        (503, "upstream connect error"),
        (200, {"name": f"{ns}/weather", "ready": True, "message": "fine", "totalTools": 2}),
    ]

    with meanwhile(lambda: says(api_server, ns, "Ready")):
        made = run(
            "server_registration",
            **options(
                ns, confirm="auto", min_tools=2, broker={"url": broker.url, "headers": {"Authorization": "Bearer q"}}
            ),
        )

    assert made["broker"] == {"ready": True, "total_tools": 2, "message": "fine"}
    assert len(broker.asked) == 4 and set(broker.asked) == {(f"/status/{ns}/weather", "Bearer q")}
    assert "Bearer q" not in json.dumps(made)


@pytest.mark.parametrize(
    "case",
    [
        (404, {"error": "Server not found"}, "does not know it yet"),
        (200, {"ready": False, "message": "initialize: 401 Unauthorized"}, "initialize: 401 Unauthorized"),
        (200, {"ready": True, "totalTools": 1}, "1 tools, at least 3"),
    ],
)
def test_what_the_broker_said_last(
    run: Modules, api_server: ApiServer, ns: str, broker: Broker, case: tuple[int, Json, str]
) -> None:
    code, body, said = case
    route(api_server, ns)
    broker.answers = [(code, body)]

    with meanwhile(lambda: says(api_server, ns, "Ready")):
        message = run.fails(
            "server_registration",
            **options(ns, confirm="always", min_tools=3, wait_timeout=2, broker={"url": broker.url}),
        )

    assert said in message and f"MCPServerRegistration {ns}/weather" in message


def test_a_broker_out_of_reach(run: Modules, api_server: ApiServer, ns: str, broker: Broker) -> None:
    route(api_server, ns)
    broker.answers = [(200, {"ready": False, "message": "s3cr3t-token is refused"})]
    headers = {"Authorization": "Bearer s3cr3t-token"}
    with meanwhile(lambda: says(api_server, ns, "Ready")):
        repeated = run.run(
            "server_registration",
            **options(ns, confirm="always", wait_timeout=1, broker={"url": broker.url, "headers": headers}),
        )
    assert "is refused" in repeated["msg"] and "s3cr3t-token" not in json.dumps(repeated)
    broker.answers = [(401, "no token")]
    with meanwhile(lambda: says(api_server, ns, "Ready")):
        made = run("server_registration", **options(ns, confirm="auto", broker={"url": broker.url}))

    asked = run("server_registration", **options(ns, confirm="auto", wait_timeout=5))
    message = run.fails("server_registration", **options(ns, confirm="always", broker={"url": broker.url}))

    assert made["broker"] is None and "401" in warnings_of(made)[0] and "only means" in warnings_of(made)[0]
    assert "mcp.invalid does not resolve" in warnings_of(asked)[0] and "connect_to" in warnings_of(asked)[0]
    assert "could not be found out" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "HTTPRoute {ns}/weather, which does not exist"),
        ({"rules": [{"backendRefs": [BACKEND, BACKEND]}]}, "2 backendRefs"),
        ({"rules": [{"backendRefs": [BACKEND]}, {"backendRefs": [BACKEND]}]}, "2 rules"),
        ({"rules": [{"backendRefs": [{"group": "x.io", "kind": "Bucket", "name": "b"}]}]}, "a Bucket"),
        ({"hostnames": []}, "no hostnames"),
    ],
)
def test_routes_that_the_operator_does_not_take(
    run: Modules, api_server: ApiServer, ns: str, change: Json | None, said: str
) -> None:
    if change is not None:
        route(api_server, ns, **change)

    with api_server.watched() as requests:
        message = run.fails("server_registration", **options(ns))

    assert said.format(ns=ns) in message and writes(requests) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parentRefs": [{"name": "elsewhere"}]}, ["no MCPGatewayExtension stands on {ns}/elsewhere", "parentRefs"]),
        ({"parentRefs": [{"name": "gw", "sectionName": "other"}]}, ["another port", "{ns}/ext (listener mcps)"]),
        ({"hostnames": ["a.b.mcp.local"]}, ["another port", "sectionName"]),
    ],
)
def test_routes_that_no_gateway_would_offer(
    run: Modules, api_server: ApiServer, ns: str, change: Json, words: list[str]
) -> None:
    route(api_server, ns, **change)

    with api_server.watched() as requests:
        message = run.fails("server_registration", **options(ns))
        assumed = run("server_registration", check=True, **options(ns, assume=["extension"]))
    unwaited = run("server_registration", **options(ns, wait=False))

    assert [word for word in words if word.format(ns=ns) not in message] == [], message
    assert assumed["changed"] and not [one for one in writes(requests) if not one.startswith("dry ")]
    assert unwaited["changed"] and "would be offered by no gateway" in warnings_of(unwaited)[0]


@pytest.mark.parametrize(
    "case",
    [
        (None, {}, "does not exist"),
        ({}, {"token": "x"}, "lacks the label mcp.kuadrant.io/secret=true"),
        (LABEL, {"other": "x"}, "no entry token (it has: other)"),
        (LABEL, {"token": ""}, "empty entry token"),
    ],
)
def test_secrets_that_the_operator_does_not_read(
    run: Modules, api_server: ApiServer, ns: str, case: tuple[Json | None, dict[str, str], str]
) -> None:
    labels, data, said = case
    route(api_server, ns)
    if labels is not None:
        secret(api_server, ns, labels, **data)

    with api_server.watched() as requests:
        message = run.fails("server_registration", **options(ns, credential_secret={"name": "cred"}))

    assert said in message and f"Secret {ns}/cred" in message and writes(requests) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("x" * 70_000, "more than 65536 bytes"),
        ("none", "no PEM certificate"),
        ("-----BEGIN PRIVATE KEY-----\neA==\n-----END PRIVATE KEY-----\n", "a PEM block PRIVATE KEY"),
    ],
)
def test_a_ca_that_is_none(run: Modules, api_server: ApiServer, ns: str, content: str, said: str) -> None:
    route(api_server, ns)
    secret(api_server, ns, LABEL, ca_crt=content)

    assert said in run.fails("server_registration", **options(ns, ca_cert_secret={"name": "cred"}))


def test_drift_is_repaired_and_fields_of_others_stay(run: Modules, api_server: ApiServer, ns: str) -> None:
    route(api_server, ns)
    path = f"{REGISTRATIONS.format(ns=ns)}/weather"
    wanted = options(ns, wait=False, hint="rain")
    run("server_registration", **wanted)
    api_server.merge(path, {"spec": {"state": "Disabled", "hint": "sun", "tags": ["x"]}}, "somebody")

    said = run.fails("server_registration", **wanted)
    planned = run("server_registration", check=True, diff=True, force_conflicts=True, **wanted)
    repaired = run("server_registration", diff=True, force_conflicts=True, **wanted)
    before = api_server.get(path)
    with api_server.watched() as requests:
        again = run("server_registration", **wanted)

    spec = (api_server.get(path) or {})["spec"]
    assert "somebody" in said and "spec.state" in said and "force_conflicts" in said
    assert planned["diff"] == repaired["diff"] and planned["objects"] != [] and repaired["changed"]
    assert (spec["state"], spec["hint"], spec["tags"]) == ("Enabled", "rain", ["x"])
    assert not again["changed"] and writes(requests) == [] and api_server.get(path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prefix": "Weather-"}, ["spec.prefix", "Weather-"]),
        ({"category": ["a", "b", "c", "d"]}, ["spec.category", "3"]),
        ({"tags": [str(number) for number in range(11)]}, ["spec.tags", "10"]),
        ({"hint": "x" * 257}, ["spec.hint", "256"]),
        ({"token_elicitation_url": "tokens.example.com"}, ["spec.tokenURLElicitation.url", "tokens.example.com"]),
        ({"broker": {"url": "no url"}, "confirm": "always"}, ["broker.url", "no url"]),
        ({"broker": {"connect_to": "host:x"}, "confirm": "auto"}, ["broker.connect_to", "host:x"]),
        ({"broker": {"ca_cert": "/not/there.pem"}, "confirm": "auto"}, ["broker.ca_cert", "/not/there.pem"]),
        ({"path": "api"}, ["path 'api'", "write /api"]),
        ({"min_tools": 1}, ["min_tools 1", "confirm never"]),
    ],
)
def test_wrong_values(run: Modules, api_server: ApiServer, ns: str, change: Json, words: list[str]) -> None:
    route(api_server, ns)

    said = run.fails("server_registration", **{**options(ns, wait_timeout=2), **change})

    assert (api_server.get(REGISTRATIONS.format(ns=ns)) or {})["items"] == []
    for word in words:
        assert word in said, said


def test_a_prefix_stays(run: Modules, api_server: ApiServer, ns: str) -> None:
    route(api_server, ns)
    run("server_registration", **options(ns, wait=False))

    message = run.fails("server_registration", check=True, **options(ns, prefix="other_"))

    assert "prefix is immutable once set" in message
    assert "remove the object and make it again" in message


def test_user_lists_need_a_prefix(run: Modules, ns: str) -> None:
    assert "set prefix" in run.fails("server_registration", **options(ns, prefix=None, user_specific_list=True))


def test_in_check_mode_what_is_missing_is_a_warning_or_assumed(run: Modules, ns: str) -> None:
    warned = run("server_registration", check=True, **options(ns))
    assumed = run("server_registration", check=True, **options(ns, assume=["route"]))

    assert warned["changed"] and assumed["changed"]
    assert "HTTPRoute" in warnings_of(warned)[0] and warnings_of(assumed) == []
