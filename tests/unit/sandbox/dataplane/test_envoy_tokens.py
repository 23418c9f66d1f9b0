# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Token checks in a real Envoy: keys that are no keys, and what a change of the checks does to open streams."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from dataplane_builders import gateway, listener, policy, route
from envoy_bench import GO, Bench
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import IssuerKeys
from sandbox.controllers.kuadrant_issuers import jwks_text

RULES = {"authentication": {"keycloak": {"jwt": {"issuerUrl": "http://issuer"}}}}
KEY = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}
KEY |= {"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "kid": "example of RFC 7517"}


@pytest.mark.parametrize(
    "key",
    [
        {},
        {"kty": "EC", "crv": "P-256", "x": "!", "y": "!"},
        {**KEY, "y": KEY["x"]},
        {"kty": "EC", "x": 5},
        {"kty": "RSA", "n": "", "e": ""},
        {"kty": 5},
        {"kty": "oct", "k": "c2VjcmV0"},
    ],
)
async def test_keys_that_are_none_let_nobody_in_and_disturb_nobody_else(bench: Bench, key: Json) -> None:
    bench.keys = IssuerKeys("http://issuer", jwks_text([key]))
    other = route(name="other", hosts=("other.org",))
    refused = await bench.serve(gateway(listener()), route(), other, policies=[policy(rules=RULES)])
    assert refused == {}
    answer = await bench.get(headers={"Authorization": "Bearer a.b.c"})
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="keycloak"')
    assert (await bench.get(host="other.org")).status == 200


async def test_open_stream_survives_new_token_checks(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route(), route(name="other", hosts=("other.org",)))
    guarded = policy(target=("HTTPRoute", "other", None), rules=RULES)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        bench.keys = IssuerKeys("http://issuer", jwks_text([KEY]))
        objects = (gateway(listener()), route(), route(name="other", hosts=("other.org",)))
        assert await bench.serve(*objects, policies=[guarded]) == {}
        assert (await bench.get(host="other.org")).status == 401
        assert (await bench.get()).status == 200
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"
