# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthPolicies in force: tokens of a real issuer, checked by a real Envoy in a running sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import pytest
from dataplane_box import APPS, INFRA, Box, Json, conditions, listener, local_port, until
from sandbox.kinds import AUTH_POLICIES, GATEWAYS, HTTP_ROUTES, KUADRANTS
from sandbox.servers.token_issuer import TokenIssuer

HOST = "weather.mcp.local"
METADATA = f"http://{HOST}/.well-known/oauth-protected-resource/mcp"
CHALLENGE = f"Bearer resource_metadata={METADATA}"
UNAUTHENTICATED = {
    "headers": {"WWW-Authenticate": {"value": CHALLENGE}},
    "body": {"value": '{"error": "Unauthorized"}'},
}


@pytest.fixture
async def issuer() -> AsyncIterator[TokenIssuer]:
    async with TokenIssuer() as one:
        yield one


@pytest.fixture
async def port(cluster: Box) -> int:
    """The local port of a Gateway with a route, in a cluster with Kuadrant."""
    await cluster.make(KUADRANTS, "kuadrant", APPS, spec={})

    async def ready() -> bool:
        found = await cluster.client.get(KUADRANTS, "kuadrant", APPS)
        assert found is not None
        return [entry["message"] for entry in (found.get("status") or {}).get("conditions", [])] == [
            "Kuadrant is ready"
        ]

    await until(ready)
    gateway = await cluster.gateway(listener("mcp", hostname="*.mcp.local"), listener("other", 81))
    await cluster.route("weather", HOST, "weather")
    return local_port(gateway, 80)


def on_listener(name: str | None = "mcp") -> Json:
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}
    return ref | ({"sectionName": name} if name else {})


def on_route(name: str = "weather") -> Json:
    return {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": name}


def jwt(issuer: TokenIssuer) -> Json:
    return {"keycloak": {"jwt": {"issuerUrl": issuer.url}}}


async def policy(cluster: Box, name: str = "auth", namespace: str = INFRA, **spec: Any) -> Json:
    """An AuthPolicy once its present generation has a verdict."""
    spec.setdefault("targetRef", on_listener())
    await cluster.make(AUTH_POLICIES, name, namespace, spec=spec)
    return await judged(cluster, name, namespace)


async def judged(cluster: Box, name: str = "auth", namespace: str = INFRA, words: str = "") -> Json:
    """The policy's conditions, once it has a verdict (with these words in a message)."""

    async def check() -> Json | None:
        found = await cluster.client.get(AUTH_POLICIES, name, namespace)
        assert found is not None
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return None
        seen = conditions(status)
        waiting = "waiting for" in seen.get("Enforced", {}).get("message", "")
        return seen if not waiting and any(words in entry["message"] for entry in seen.values()) else None

    return await until(check)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str


async def ask(port: int, token: str | None = None, path: str = "/mcp", **headers: str) -> Answer:
    """A GET through the Gateway; ``x_y`` is the header X-Y."""
    url = f"http://127.0.0.1:{port}{path}"
    headers = {"Host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers, allow_redirects=False) as answer,
    ):
        return Answer(answer.status, answer.headers, await answer.text())


async def test_tokens_of_the_issuer_are_let_through_and_others_are_not(
    cluster: Box, port: int, issuer: TokenIssuer
) -> None:
    rules = {"authentication": jwt(issuer), "response": {"unauthenticated": UNAUTHENTICATED}}
    found = await policy(cluster, rules=rules)
    assert found["Accepted"]["message"] == "AuthPolicy has been accepted"
    assert found["Enforced"]["message"] == "AuthPolicy has been successfully enforced"
    async with TokenIssuer() as stranger:
        statuses = {
            "rsa": (await ask(port, issuer.token())).status,
            "ec": (await ask(port, issuer.token("ec"))).status,
            "none": (await ask(port)).status,
            "expired": (await ask(port, issuer.token(lifetime=-10))).status,
            "wrong issuer": (await ask(port, issuer.token(iss="http://elsewhere"))).status,
            "wrong key": (await ask(port, stranger.token(iss=issuer.url))).status,
            "broken": (await ask(port, "x.y.z")).status,
        }
    passed = statuses.pop("rsa"), statuses.pop("ec")
    assert not {401, 403} & set(passed)
    assert set(statuses.values()) == {401}, statuses
    refused = await ask(port)
    assert refused.headers["WWW-Authenticate"] == CHALLENGE
    assert refused.headers["x-ext-auth-reason"] == "credential not found"
    assert refused.text == '{"error": "Unauthorized"}'


async def test_conditions_keep_discovery_open_and_the_token_reaches_the_backend(
    cluster: Box, port: int, issuer: TokenIssuer
) -> None:
    when = [{"predicate": "!request.path.contains('/.well-known')"}]
    await policy(cluster, when=when, rules={"authentication": jwt(issuer)})
    assert (await ask(port, path="/.well-known/oauth-protected-resource/mcp")).status not in (401, 403)
    refused = await ask(port, path="/mcp?x=1")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="keycloak"')


TOOL = (
    "('tool:' + request.headers['x-mcp-toolname']) in (has(auth.identity.resource_access) && "
    "auth.identity.resource_access.exists(p, p == request.headers['x-mcp-servername']) ? "
    "auth.identity.resource_access[request.headers['x-mcp-servername']].roles : [])"
)


async def test_claims_decide_which_tools_may_be_called(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    check = {
        "when": [{"predicate": "request.headers.exists(h, h == 'x-mcp-toolname')"}],
        "patternMatching": {"patterns": [{"predicate": TOOL}]},
    }
    forbidden = {"body": {"value": "not for you"}}
    rules = {
        "authentication": jwt(issuer),
        "authorization": {"tool-access-check": check},
        "response": {"unauthorized": forbidden},
    }
    await policy(cluster, rules=rules)
    allowed = issuer.token("ec", resource_access={"mcp/time": {"roles": ["tool:now"]}})
    server = {"x_mcp_servername": "mcp/time"}
    assert (await ask(port, allowed, x_mcp_toolname="now", **server)).status not in (401, 403)
    assert (await ask(port, issuer.token())).status not in (401, 403)
    for token in (allowed, issuer.token()):
        refused = await ask(port, token, x_mcp_toolname="other", **server)
        assert (refused.status, refused.text) == (403, "not for you")
        assert refused.headers["x-ext-auth-reason"] == "Unauthorized"


async def test_audience_and_groups_by_selectors(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    patterns = [
        {"selector": "auth.identity.aud", "operator": "eq", "value": "mcp"},
        {"selector": "auth.identity.realm_access.roles", "operator": "incl", "value": "admin"},
    ]
    rules = {"authentication": jwt(issuer), "authorization": {"who": {"patternMatching": {"patterns": patterns}}}}
    await policy(cluster, rules=rules)
    admin = {"realm_access": {"roles": ["user", "admin"]}}
    assert (await ask(port, issuer.token(aud="other", **admin))).status == 403
    assert (await ask(port, issuer.token(aud="mcp"))).status == 403


async def test_keys_by_their_own_url_and_claims_as_headers(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    rules = {
        "authentication": {"keys": {"jwt": {"jwksUrl": issuer.jwks_url}}},
        "response": {
            "unauthenticated": {"code": 302, "headers": {"Location": {"expression": "'/login?from=' + request.path"}}},
        },
    }
    await policy(cluster, rules=rules)
    refused = await ask(port)
    assert (refused.status, refused.headers["Location"]) == (302, "/login?from=/mcp")


async def test_issuer_that_is_away_lets_nobody_in(cluster: Box, port: int) -> None:
    gone = {"keycloak": {"jwt": {"issuerUrl": "http://127.0.0.1:9/realms/mcp"}}}
    found = await policy(cluster, rules={"authentication": gone})
    assert found["Enforced"]["status"] == "True"  # as with Authorino, which tries again and again
    refused = await ask(port, "a.b.c")
    assert refused.status == 401
    assert refused.headers["x-ext-auth-reason"] == "missing openid connect configuration"


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"authorization": {"caps": {"opa": {"rego": "allow = true"}}}}, "spec.rules.authorization.caps.opa"),
        ({"metadata": {"vault": {"http": {"url": "http://x"}}}}, "spec.rules.metadata.vault"),
        ({"authentication": {"keys": {"apiKey": {"selector": {}}}}}, "spec.rules.authentication.keys.apiKey"),
        (
            {"response": {"success": {"headers": {"x-mcp-authorized": {"wristband": {"issuer": "a"}}}}}},
            "spec.rules.response.success.headers.x-mcp-authorized.wristband",
        ),
        (
            {"authorization": {"who": {"patternMatching": {"patterns": [{"predicate": "source.address == 'x'"}]}}}},
            "spec.rules.authorization.who.patternMatching.patterns",
        ),
    ],
)
async def test_what_envoy_cannot_do_is_named_and_nobody_gets_through(
    cluster: Box, port: int, rules: Json, field: str
) -> None:
    found = await policy(cluster, rules=rules)
    assert found["Accepted"]["status"] == "True"
    assert (found["Enforced"]["status"], found["Enforced"]["reason"]) == ("False", "Unknown")
    assert found["Enforced"]["message"].startswith(f"AuthPolicy has encountered some issues: {field} ")
    refused = await ask(port)
    assert refused.status == 403
    assert field in refused.headers["x-ext-auth-reason"]


async def test_without_kuadrant_nothing_is_enforced(cluster: Box, issuer: TokenIssuer) -> None:
    gateway = await cluster.gateway(listener("mcp", hostname="*.mcp.local"))
    await cluster.route("weather", HOST, "weather")
    found = await policy(cluster, rules={"authentication": jwt(issuer)})
    assert found["Enforced"]["reason"] == "MissingResource"
    assert found["Enforced"]["message"] == "kuadrant is not installed, please create resource"
    assert (await ask(local_port(gateway, 80))).status not in (401, 403)


async def test_targets(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    rules = {"authentication": jwt(issuer)}
    missing = await policy(cluster, "missing", targetRef={**on_listener(), "name": "nothing"}, rules=rules)
    assert missing["Accepted"]["reason"] == "TargetNotFound"
    assert missing["Accepted"]["message"] == "AuthPolicy target nothing was not found"
    assert "Enforced" not in missing
    idle = await policy(cluster, "idle", targetRef=on_listener("other"), rules=rules)
    assert idle["Enforced"]["status"] == "True"  # the route is bound to both listeners
    assert (await ask(port)).status not in (401, 403)


async def test_a_route_replaces_defaults_and_gives_way_to_overrides(
    cluster: Box, port: int, issuer: TokenIssuer
) -> None:
    anyone = {"authentication": {"anyone": {"anonymous": {}}}}
    await policy(cluster, "base", targetRef=on_listener(None), rules={"authentication": jwt(issuer)})
    await policy(cluster, "own", APPS, targetRef=on_route(), rules=anyone)
    assert (await ask(port)).status not in (401, 403)
    base = await judged(cluster, "base", words="overridden")
    assert base["Enforced"]["message"] == f"AuthPolicy is overridden by [{APPS}/own]"
    law = {"rules": {"authentication": jwt(issuer)}}
    await policy(cluster, "law", overrides=law)
    assert (await ask(port)).status == 401
    own = await judged(cluster, "own", APPS, words="partially")
    assert own["Enforced"]["message"] == "AuthPolicy has been partially enforced"
    await policy(cluster, "law", targetRef=on_listener(None), overrides=law)
    assert (await ask(port)).status == 401
    own = await judged(cluster, "own", APPS, words="overridden")
    assert own["Enforced"]["message"] == f"AuthPolicy is overridden by [{INFRA}/law]"


async def test_what_a_policy_affects_says_so(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    assert port
    await policy(cluster, rules={"authentication": jwt(issuer)})

    async def affected() -> bool:
        gateway = await cluster.client.get(GATEWAYS, "gw", INFRA)
        route = await cluster.client.get(HTTP_ROUTES, "weather", APPS)
        assert gateway is not None
        assert route is not None
        by_name = {entry["name"]: conditions(entry) for entry in gateway["status"]["listeners"]}
        kind, words = "kuadrant.io/AuthPolicyAffected", f"Object affected by AuthPolicy [{INFRA}/auth]"
        parents = {entry["controllerName"]: conditions(entry) for entry in route["status"]["parents"]}
        return (
            by_name["mcp"].get(kind, {}).get("message") == words
            and kind not in by_name["other"]
            and kind not in conditions(gateway["status"])
            and parents.get("kuadrant.io/policy-controller", {}).get(kind, {}).get("message") == words
        )

    await until(affected)
    await cluster.client.delete(AUTH_POLICIES, "auth", INFRA)

    async def free() -> bool:
        gateway = await cluster.client.get(GATEWAYS, "gw", INFRA)
        route = await cluster.client.get(HTTP_ROUTES, "weather", APPS)
        assert gateway is not None
        assert route is not None
        mentioned = json.dumps([gateway["status"], route["status"]])
        return "Affected" not in mentioned and "policy-controller" not in mentioned

    await until(free)
    assert (await ask(port)).status not in (401, 403)


async def test_no_request_is_lost_while_a_policy_comes_and_goes(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    rules = {"authentication": jwt(issuer)}
    await policy(cluster, "other", targetRef=on_listener("other"), rules=rules)
    token, statuses, done = issuer.token(), [], asyncio.Event()

    async def ask_on() -> None:
        url = f"http://127.0.0.1:{port}/mcp"
        headers = {"Host": HOST, "Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session:
            while not done.is_set():
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
                    statuses.append(answer.status)

    client = asyncio.create_task(ask_on())
    for _ in range(5):
        await policy(cluster, "coming", rules=rules)
        assert (await ask(port)).status == 401
        await cluster.client.delete(AUTH_POLICIES, "coming", INFRA)

        async def gone() -> bool:
            return (await ask(port)).status != 401

        await until(gone)
    done.set()
    await client
    assert len(statuses) > 20
    assert len(set(statuses)) == 1, statuses
    assert not set(statuses) & {401, 403, 500, 503}


async def test_a_policy_made_anew_is_enforced_when_it_says_so(cluster: Box, port: int, issuer: TokenIssuer) -> None:
    """What was found out about a deleted policy of the same name and generation says nothing about the new one."""
    rules = {"authentication": jwt(issuer)}
    for _ in range(20):
        await policy(cluster, "again", rules=rules)
        assert (await ask(port)).status == 401
        await cluster.client.delete(AUTH_POLICIES, "again", INFRA)
        while (await ask(port)).status == 401:
            pass
