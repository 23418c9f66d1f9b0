# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a cluster's objects: servers, or the reason why not, in the operator's words."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mcpops_broker.cluster.registrations import Reader, World
from mcpops_broker.config.cluster import ClusterOptions
from mcpops_broker.config.model import Server

Json = dict[str, Any]
FRONT = ClusterOptions(("gateways", "front"), "mcps")


def registration(name: str = "one", **spec: Any) -> Json:
    meta = {"namespace": "ns", "name": name, "uid": name, "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": meta, "spec": {"targetRef": {"name": "route"}, **spec}}


def route(*, parents: Any = (), backend: Json | None = None, **spec: Any) -> Json:
    rule = {"backendRefs": [{"name": "svc", "port": 80, **(backend or {})}]}
    return {
        "metadata": {"namespace": "ns", "name": "route"},
        "spec": {"hostnames": ["one.mcp.local"], "rules": [rule], "parentRefs": [{"name": "front"}], **spec},
        "status": {"parents": list(parents)},
    }


def service(**spec: Any) -> Json:
    return {"metadata": {"namespace": "ns", "name": "svc"}, "spec": spec}


def secret(key: str, value: bytes, labels: Json | None = None) -> Json:
    labels = {"mcp.kuadrant.io/secret": "true"} if labels is None else labels
    return {"metadata": {"labels": labels}, "data": {key: base64.b64encode(value).decode()}}


def read(
    *registrations: Json, routes: Json | None = None, services: Json | None = None, **more: Any
) -> tuple[list[Server], dict[str, str]]:
    """The servers, and the refusals by name."""
    options = more.pop("options", ClusterOptions())
    world = World(
        registrations,
        routes={("ns", "route"): route() if routes is None else routes},
        services={("ns", "svc"): service() if services is None else services},
        **more,
    )
    found = Reader().read(world, options, ())
    return list(found.servers), {key[1]: why for key, why in found.refused.items()}


def refusal(*registrations: Json, **more: Any) -> str:
    servers, refused = read(*registrations or [registration()], **more)
    assert servers == []
    return refused["one"]


@pytest.mark.parametrize(
    ("spec", "backend", "services", "url"),
    [
        ({}, {}, {}, "http://svc.ns.svc.cluster.local:80/mcp"),
        ({"path": "/v1/special"}, {"port": None}, {}, "http://svc.ns.svc.cluster.local/v1/special"),
        ({}, {}, {"type": "ExternalName", "externalName": "out.example.com"}, "http://out.example.com:80/mcp"),
        (
            {},
            {"port": 443},
            {
                "type": "ExternalName",
                "externalName": "out.example.com",
                "ports": [{"port": 443, "appProtocol": "HTTPS"}],
            },
            "https://out.example.com:443/mcp",
        ),
        (
            {},
            {"kind": "Hostname", "group": "networking.istio.io", "name": "mcp.example.com", "port": None},
            {},
            "https://mcp.example.com:443/mcp",
        ),
    ],
)
def test_where_a_server_is(spec: Json, backend: Json, services: Json, url: str) -> None:
    servers, refused = read(registration(**spec), routes=route(backend=backend), services=service(**services))

    assert refused == {}
    assert servers[0].url == url


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rules": []}, "HTTPRoute ns/route has no backend references"),
        ({"rules": [{"backendRefs": [{"name": "a"}]}, {}]}, "HTTPRoute ns/route has > 1 rule, which is unsupported"),
        (
            {"rules": [{"backendRefs": [{"name": "a"}, {"name": "b"}]}]},
            "HTTPRoute ns/route has > 1 backend reference, which is unsupported",
        ),
        ({"hostnames": []}, "HTTPRoute ns/route must have at least one hostname"),
    ],
)
def test_routes_that_the_operator_does_not_take(changed: Json, said: str) -> None:
    assert refusal(routes=route(**changed)) == said


def test_backends_that_cannot_be_asked() -> None:
    assert refusal(routes=route(backend={"kind": "Bucket"})) == "unsupported backend reference kind: Bucket"
    istio = {"kind": "Hostname", "group": "networking.istio.io", "name": "evil.example.com/path?"}
    assert "invalid hostname in backendRef" in refusal(routes=route(backend=istio))
    assert refusal(routes=route(backend={"name": "gone"})) == 'failed to get service gone: Service "gone" not found'


def test_a_service_of_another_namespace_needs_what_the_gateway_needs() -> None:
    elsewhere = {"namespace": "team-b"}
    there = {("team-b", "svc"): service()}
    told = {"parentRef": {"name": "front"}, "conditions": [{"type": "ResolvedRefs", "status": "True"}]}
    one = registration()

    def found(parents: list[Json]) -> Any:
        world = World([one], routes={("ns", "route"): route(backend=elsewhere, parents=parents)}, services=there)
        return Reader().read(world, ClusterOptions(), ())

    assert "permitted by a ReferenceGrant" in found([]).refused["ns", "one"]
    refused = {**told, "conditions": [{"type": "ResolvedRefs", "status": "False"}]}
    assert "permitted by a ReferenceGrant" in found([told, refused]).refused["ns", "one"]
    assert found([told]).servers[0].url == "http://svc.team-b.svc.cluster.local:80/mcp"


def test_what_a_registration_says_arrives() -> None:
    spec = {
        "prefix": "p_", "state": "Disabled", "category": ["a"], "hint": "b", "tags": ["c"],
        "userSpecificList": "Enabled",
        "credentialRef": {"name": "s", "key": "k"},
    }  # fmt: skip

    servers, _ = read(registration(**spec), secrets={("ns", "s"): secret("k", b"Bearer x")})

    found = servers[0]
    assert (found.name, found.prefix, found.enabled, found.credential) == ("ns/one", "p_", False, "Bearer x")
    assert (found.categories, found.hint, found.tags, found.user_specific) == (("a",), "b", ("c",), True)
    assert read(registration(toolPrefix="old_"))[0][0].prefix == "old_"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "credential secret s not found"),
        (secret("token", b"x", {}), "credential secret s is missing required label mcp.kuadrant.io/secret=true"),
        (secret("other", b"x"), "credential secret s missing key token"),
        (secret("token", b"\xff"), "credential secret s: the value of key token is not text"),
        ("get secrets ns/s: forbidden", "failed to get credential secret: get secrets ns/s: forbidden"),
    ],
)
def test_secrets_that_cannot_be_used(given: Any, said: str) -> None:
    assert refusal(registration(credentialRef={"name": "s"}), secrets={("ns", "s"): given}) == said


def test_an_authority_means_tls_and_must_be_one() -> None:
    reference = {"caCertSecretRef": {"name": "s"}}

    def with_authority(pem: bytes) -> str:
        return refusal(registration(**reference), secrets={("ns", "s"): secret("ca.crt", pem)})

    assert "it must be one or more certificates" in with_authority(b"not a certificate")
    assert "exceeds maximum size (65536 bytes)" in with_authority(b"x" * 70_000)


def test_one_that_is_wrong_harms_no_other() -> None:
    servers, refused = read(registration("wrong", prefix="a b"), registration())

    assert [server.name for server in servers] == ["ns/one"]
    assert refused == {
        "wrong": "key 'prefix' has the value 'a b': "
        "it must be at most 64 letters, digits and _ - . as in names of tools"
    }


def test_the_oldest_comes_first_and_those_that_go_are_gone() -> None:
    young, going = registration("a"), registration("b")
    young["metadata"]["creationTimestamp"] = "2026-06-01T00:00:00Z"
    going["metadata"]["deletionTimestamp"] = "2026-06-01T00:00:00Z"

    servers, _ = read(young, going, registration("z"))

    assert [server.name for server in servers] == ["ns/z", "ns/a"]


@pytest.mark.parametrize(
    ("parent", "attached"),
    [
        ({"name": "front", "sectionName": "mcps"}, True),
        ({"name": "front", "sectionName": "beside"}, True),
        ({"name": "front", "sectionName": "other"}, False),
        ({"name": "front"}, True),
        ({"name": "back", "sectionName": "mcps"}, False),
        ({"name": "front", "kind": "Service", "sectionName": "mcps"}, False),
    ],
)
def test_what_is_attached_to_the_port_of_the_listener(parent: Json, attached: bool) -> None:
    parent = {"namespace": "gateways", **parent}
    listeners = [
        {"name": "mcps", "port": 8080, "hostname": "mcp.example.com"},
        {"name": "beside", "port": 8080, "hostname": "*.mcp.local"},
        {"name": "other", "port": 80},
    ]
    gateway = {"metadata": {"namespace": "gateways", "name": "front"}, "spec": {"listeners": listeners}}
    accepted = {"parentRef": parent, "conditions": [{"type": "Accepted", "status": "True"}]}
    world = World(
        [registration()],
        routes={("ns", "route"): route(parentRefs=[parent], parents=[accepted])},
        services={("ns", "svc"): service()},
        gateway=gateway,
    )

    found = Reader().read(world, FRONT, ())

    assert (len(found.servers), len(found.elsewhere)) == ((1, 0) if attached else (0, 1))


def test_two_servers_of_users_own_need_two_prefixes() -> None:
    personal = {"userSpecificList": "Enabled", "prefix": "p_"}

    servers, refused = read(registration("a", **personal), registration("b", **personal))

    assert [server.name for server in servers] == ["ns/a"]
    assert refused == {"b": 'conflict: prefix "p_" is already used by ns/a'}


def test_without_the_gateway_nothing_is_said_of_anybody() -> None:
    world = World([registration()], routes={("ns", "route"): route()}, services={("ns", "svc"): service()})

    found = Reader().read(world, FRONT, ())

    assert found.servers == () and found.refused == {}
    assert found.elsewhere == {("ns", "one"): "the broker's Gateway is not there, or cannot be read"}
