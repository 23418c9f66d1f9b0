# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names the broker may be asked, and what guards its web answers."""

from __future__ import annotations

from collections.abc import MutableMapping
from types import SimpleNamespace
from typing import Any

import pytest
from mcpops_broker.config.model import Config
from mcpops_broker.web.guard import LARGEST_BODY, guarded
from mcpops_broker.web.hosts import HostPolicy

LOCAL = HostPolicy([], "mcp.example.com", loopback=True)
OPEN = HostPolicy([], "mcp.example.com", loopback=False)
NAMED = HostPolicy(["Tools.example.com", "tools.svc."], None, loopback=False)


@pytest.mark.parametrize(
    ("host", "local", "open_", "named"),
    [
        (b"127.0.0.1:8080", True, True, True),
        (b"[::1]:8080", True, True, True),
        (b"[::1]", True, True, True),
        (b"10.1.2.3", True, True, True),
        (b"localhost", True, True, True),
        (b"LOCALHOST:1", True, True, True),
        (b"a.localhost:8080", True, True, True),
        (b"mcp.example.com", True, True, False),
        (b"MCP.example.com.:443", True, True, False),
        (b"tools.example.com:443", False, True, True),
        (b"tools.svc", False, True, True),
        (b"evil.example", False, True, False),
        (b"evil.example:8080", False, True, False),
        (b"localhost.evil.example", False, True, False),
        (b"127.0.0.1.evil.example", False, True, False),
        (b"evillocalhost", False, True, False),
        (b"", False, True, False),
        (b"localhost,evil.example", False, False, False),
        (b"localhost, localhost", False, False, False),
        (b"evil.example@localhost", False, False, False),
        (b"localhost/evil", False, False, False),
        (b"localhost:80evil", False, False, False),
        (b"localhost:\xb2", False, False, False),
        (b"[localhost]", False, True, False),
        (b"a." * 128 + b"example:65535", False, False, False),
        (b"\xff\xfe", False, True, False),
    ],
)
def test_hosts(host: bytes, local: bool, open_: bool, named: bool) -> None:
    policies = (LOCAL, OPEN, NAMED)

    for _ in range(2):  # what was accepted is remembered
        assert tuple(policy.accepts(host) for policy in policies) == (local, open_, named)


def test_a_request_without_a_host_and_any_host_when_asked_for() -> None:
    assert LOCAL.accepts(None)
    assert HostPolicy(["*"], None, loopback=True).accepts(b"evil.example")


class Answer:
    """What came of a request to a guarded application that returns the body it was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.body = b""

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            assert len(self.headers) == len(message["headers"])
        else:
            self.body += message["body"]


async def ask(*pieces: bytes, host: bytes = b"localhost", sent: list[tuple[bytes, bytes]] | None = None) -> Answer:
    answer = Answer()
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    events += [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> MutableMapping[str, Any]:
        return events.pop(0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = (await receive())["body"]
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Cache-Control", b"max-age=5")]})
        await send({"type": "http.response.body", "body": body})

    scope = {"raw_path": b"/x", "query_string": b"", "headers": [(b"host", host), *(sent or [])]}
    broker: Any = SimpleNamespace(hosts=LOCAL, config=Config())
    await guarded(app, broker, scope, receive, answer.send)
    return answer


async def test_an_answer_says_what_browsers_may_do_with_it_unless_it_says_so_itself() -> None:
    answer = await ask(b"a", b"b")

    assert (answer.status, answer.body) == (200, b"ab")
    assert answer.headers == {
        b"Cache-Control": b"max-age=5",
        b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
        b"referrer-policy": b"no-referrer",
        b"x-frame-options": b"DENY",
    }


async def test_too_long_a_head_is_refused() -> None:
    assert (await ask(sent=[(b"x", b"x" * 65_536)])).status == 431


async def test_another_host_and_too_large_a_body_are_refused() -> None:
    misdirected = await ask(host=b"evil.example")
    announced = await ask(sent=[(b"content-length", b"%d" % (100 << 20))])
    grown = await ask(*[b"x" * 1024] * (LARGEST_BODY // 1024), b"x")

    assert [answer.status for answer in (misdirected, announced, grown)] == [421, 413, 413]
    assert b"names a host that is not served here" in misdirected.body
    assert all(answer.headers[b"cache-control"] == b"no-store" for answer in (misdirected, announced, grown))
