# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthPolicies in force: tokens of a real issuer, checked by a real Envoy in a running sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import pytest
from dataplane_box import APPS, INFRA, Box, Json, conditions, listener, local_port, until
from sandbox.controllers.kuadrant_policies import AUTH_POLICIES, KUADRANTS
from token_issuer import TokenIssuer

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


async def judged(cluster: Box, name: str = "auth", namespace: str = INFRA, reason: str | None = None) -> Json:
    """The policy's conditions, once it has a verdict (of that reason)."""

    async def check() -> Json | None:
        found = await cluster.client.get(AUTH_POLICIES, name, namespace)
        assert found is not None
        status = found.get("status") or {}
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return None
        seen = conditions(status)
        return seen if reason is None or reason in {entry["reason"] for entry in seen.values()} else None

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
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.text())


async def open_to(port: int, token: str) -> None:
    """Waits until the token is taken: the issuer's keys are fetched in the background."""

    async def taken() -> bool:
        return (await ask(port, token)).status not in (401, 403)

    await until(taken)


async def test_tokens_of_the_issuer_are_let_through_and_others_are_not(
    cluster: Box, port: int, issuer: TokenIssuer
) -> None:
    rules = {"authentication": jwt(issuer), "response": {"unauthenticated": UNAUTHENTICATED}}
    found = await policy(cluster, rules=rules)
    assert found["Accepted"]["message"] == "AuthPolicy has been accepted"
    assert found["Enforced"]["message"] == "AuthPolicy has been successfully enforced"
    await open_to(port, issuer.token())
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
