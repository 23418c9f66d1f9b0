# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests an API fault hits, and what they get."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from sandbox.api.http import Cut, Request, Response, Stream
from sandbox.faults import kinds
from sandbox.faults.book import EVERYBODY, PRODUCT, Book
from sandbox.faults.rules import middleware

GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/team/gateways/gw"
OURS = "controllers-token"


class Server:
    """The middleware in front of a handler that always answers 200."""

    def __init__(self, folder: Path) -> None:
        (folder / "controllers.kubeconfig").write_text(f"token: {OURS}")
        self.book = Book(folder)
        self.carried_out = 0
        self._look = middleware(folder)

    def start(self, name: str, /, *, user: str = PRODUCT, count: int | None = None, **options: str) -> None:
        self.book.add(name, kinds.find(name).values(options), user=user, count=count, seconds=None)

    async def answer(
        self, method: str, target: str, token: str = "somebody", agent: str = "mcpops.gateway"
    ) -> Response | Stream:
        path, _, text = target.partition("?")
        query = dict(parse_qsl(text))
        headers = {"authorization": f"Bearer {token}", "user-agent": agent}
        request = Request(method, path, query, {name: [value] for name, value in query.items()}, headers, target)
        later = self._look(request, self._handle)
        return self._handle(request) if later is None else await later

    async def code(self, method: str, target: str, token: str = "somebody", agent: str = "mcpops.gateway") -> int:
        return (await self.answer(method, target, token, agent)).status

    def _handle(self, request: Request) -> Response | Stream:
        self.carried_out += 1
        return Stream(_lines()) if "watch" in request.query else Response(200, b'{"kind":"Status"}')


async def _lines() -> AsyncIterator[bytes]:
    yield b'{"type":"ADDED"}\n'
    raise AssertionError("nobody asked for more")


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize(
    ("options", "hit", "missed"),
    [
        ({"verb": "list"}, ("GET", "/api/v1/namespaces"), ("GET", "/api/v1/namespaces/a")),
        ({"group": "core"}, ("GET", "/api/v1/namespaces"), ("GET", GATEWAY)),
        ({"group": "gateway.networking.k8s.io"}, ("GET", GATEWAY), ("GET", "/api/v1/namespaces")),
        ({"resource": "gateways"}, ("PATCH", GATEWAY), ("PATCH", GATEWAY.replace("gateways", "httproutes"))),
        ({"namespace": "team"}, ("GET", GATEWAY), ("GET", GATEWAY.replace("team", "other"))),
        ({"name": "gw"}, ("GET", GATEWAY), ("GET", GATEWAY + "2")),
        ({}, ("GET", "/version"), ("GET", "/readyz")),
    ],
)
async def test_matchers(server: Server, options: dict[str, str], hit: tuple[str, str], missed: tuple[str, str]) -> None:
    server.start("api-error", **options)
    assert await server.code(*hit) == 500
    assert await server.code(*missed) == 200


async def test_the_sandbox_s_own_requests_are_spared_unless_it_is_for_everybody(server: Server) -> None:
    server.start("api-error")
    assert await server.code("GET", GATEWAY, token=OURS) == 200
    assert await server.code("GET", GATEWAY) == 500
    server.start("api-error", user=EVERYBODY, code="503")
    assert await server.code("GET", GATEWAY, token=OURS) == 503


async def test_agent(server: Server) -> None:
    server.start("api-error", agent="mcpops.gateway")
    assert await server.code("GET", GATEWAY, agent="mcpops.gateway/1.0") == 500
    assert await server.code("GET", GATEWAY, agent="kubectl/v1.36") == 200


async def test_conflicts_and_denials_are_for_writes(server: Server) -> None:
    server.start("api-conflict", count=1)
    assert await server.code("GET", GATEWAY) == 200
    assert await server.code("PATCH", GATEWAY) == 409
    server.start("api-denied", webhook="no.example.com", message="no gateways on Friday", code="400")
    answer = await server.answer("PATCH", GATEWAY)
    assert isinstance(answer, Response)
    status = json.loads(answer.body)
    assert (status["code"], status["reason"]) == (400, "BadRequest")
    assert status["message"] == 'admission webhook "no.example.com" denied the request: no gateways on Friday'


async def test_throttled_says_when_to_come_again(server: Server) -> None:
    server.start("api-throttled", retry_after="7")
    answer = await server.answer("GET", GATEWAY)
    assert answer.status == 429
    assert ("Retry-After", "7") in answer.headers


@pytest.mark.parametrize(
    ("when", "carried_out", "half"), [("before", 0, False), ("after", 1, False), ("middle", 1, True)]
)
async def test_drops(server: Server, when: str, carried_out: int, half: bool) -> None:
    server.start("api-drop", when=when)
    with pytest.raises(Cut) as caught:
        await server.answer("PATCH", GATEWAY)
    assert server.carried_out == carried_out
    assert (caught.value.answer is not None) == half


async def test_a_watch_is_gone(server: Server) -> None:
    server.start("api-watch-gone", how="answer", count=1)
    assert await server.code("GET", "/api/v1/namespaces?watch=true") == 410
    server.start("api-watch-gone", count=1)
    answer = await server.answer("GET", "/api/v1/namespaces?watch=true")
    assert isinstance(answer, Stream)
    events = [json.loads(line) async for line in answer.chunks]
    assert [(event["type"], event["object"]["code"]) for event in events] == [("ERROR", 410)]
    assert await server.code("GET", "/api/v1/namespaces") == 200


@pytest.mark.parametrize("how", ["end", "cut"])
async def test_a_watch_ends_early(server: Server, how: str) -> None:
    server.start("api-watch-end", after="0", how=how)
    answer = await server.answer("GET", "/api/v1/namespaces?watch=true")
    assert isinstance(answer, Stream)
    chunks = []
    cut = False
    try:
        async for chunk in answer.chunks:
            chunks.append(chunk)
    except Cut:
        cut = True
    assert cut == (how == "cut")
    assert (b"\n" in b"".join(chunks)) is False
