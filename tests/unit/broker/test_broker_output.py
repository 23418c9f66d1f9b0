# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers to clients with sessions, and what becomes of requests whose clients go away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, MutableMapping
from typing import Any

import pytest
from mcpops_broker.background import Background
from mcpops_broker.mcp import output
from mcpops_broker.mcp.event_log import EventLogs, Follower
from mcpops_broker.mcp.output import Attendance, Output
from mcpops_broker.protocol.sse import Event, Parser
from mcpops_broker.sessions.seal import SessionKey
from mcpops_broker.sessions.store import Session

BOTH = (True, True)
RESPONSE = b'{"jsonrpc":"2.0","id":1,"result":{}}'


class Connection:
    """A connection of a client, as the server shows it to the application."""

    def __init__(self, accepts: tuple[bool, bool] = BOTH, version: str = "2025-11-25") -> None:
        self.logs = EventLogs("0")
        self.status = 0
        self.type = b""
        self.body = b""
        self.ended = False
        self.gone = asyncio.Event()
        self.written = asyncio.Event()
        self.background = Background()
        self.session = Session("id", SessionKey("client", b"", 0, version, 0), 0.0)
        self.out = Output(self._send, self.session, self.logs, accepts)

    async def _receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status, self.type = message["status"], dict(message["headers"]).get(b"content-type", b"")
        else:
            assert not self.ended, "nothing is sent after the end"
            self.body += message["body"]
            self.ended = not message.get("more_body", False)
            self.written.set()

    @property
    def events(self) -> list[Event]:
        return Parser(1 << 20).feed(self.body)

    @property
    def messages(self) -> list[bytes]:
        return [event.data for event in self.events if event.data]

    def run(self, work: Awaitable[list[bytes]], **options: Any) -> asyncio.Task[None]:
        """Have the request carried out."""
        attendance = Attendance(self.session, self._receive, self.out, self.background)
        return asyncio.ensure_future(attendance.run(work, **options))


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "WATCH_AFTER", 0.01)
    monkeypatch.setattr(output, "EVENTS_AFTER", 0.02)


async def responding(*responses: bytes) -> list[bytes]:
    return list(responses)


async def waiting(event: asyncio.Event) -> list[bytes]:
    await event.wait()
    return [RESPONSE]


@pytest.mark.parametrize(
    ("responses", "batch", "body"),
    [((RESPONSE,), False, RESPONSE), ((RESPONSE, b"{}"), True, b"[" + RESPONSE + b",{}]"), ((), True, b"")],
)
async def test_what_is_ready_at_once_is_json(responses: tuple[bytes, ...], batch: bool, body: bytes) -> None:
    client = Connection()

    await client.run(responding(*responses), batch=batch)

    assert (client.status, client.body, client.ended) == (200 if responses else 202, body, True)
    assert len(client.logs) == 0
    assert client.session.busy == 0


async def test_a_client_that_takes_only_events_gets_one() -> None:
    client = Connection((False, True))

    await client.run(responding(RESPONSE))

    assert client.type == b"text/event-stream"
    assert client.messages == [RESPONSE]


async def test_what_comes_before_the_response_makes_the_answer_a_stream() -> None:
    client = Connection()

    async def work() -> list[bytes]:
        await client.out.emit(b'{"first":1}')
        return [RESPONSE]

    await client.run(work())

    assert client.messages == [b'{"first":1}', RESPONSE]
    assert client.ended
    assert len({event.id for event in client.events}) == 3, "the first has only an id"


async def test_a_client_that_takes_no_events_waits_for_json() -> None:
    client = Connection((True, False))
    done = asyncio.Event()

    task = client.run(waiting(done))
    await asyncio.sleep(0.1)
    assert client.status == 0
    done.set()
    await task

    assert client.body == RESPONSE


async def test_a_request_goes_on_for_a_client_that_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Connection()
    done = asyncio.Event()
    task = client.run(waiting(done))
    await client.written.wait()
    (prime,) = client.events

    client.gone.set()
    await asyncio.sleep(0.05)
    assert not task.done()
    done.set()
    await task

    assert client.messages == []
    found = client.logs.find(str(prime.id), "client")
    assert found is not None
    assert found[0].after(0) == (1, RESPONSE)


async def test_a_client_that_came_back_gets_the_rest_on_its_new_connection() -> None:
    client = Connection()
    done = asyncio.Event()
    task = client.run(waiting(done))
    await client.written.wait()
    found = client.logs.find(str(client.events[0].id), "client")
    assert found is not None
    again: list[bytes] = []

    async def write(data: bytes) -> None:
        again.append(data)

    following = asyncio.ensure_future(Follower(*found).run(write))
    await asyncio.sleep(0)
    done.set()
    await task

    assert await following is True
    assert RESPONSE in again[0]
    assert client.ended
    assert client.messages == []


@pytest.mark.parametrize(("version", "accepts"), [("2024-11-05", BOTH), ("2025-11-25", (True, False))])
async def test_a_request_ends_when_nobody_can_read_its_answer(version: str, accepts: tuple[bool, bool]) -> None:
    client = Connection(accepts, version)
    task = client.run(waiting(asyncio.Event()))
    await asyncio.sleep(0.1)

    client.gone.set()
    await asyncio.wait_for(task, 10)

    assert not client.ended
    assert client.session.busy == 0
    assert len(client.logs) == 0


async def test_a_request_ends_when_its_client_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "RESUME_GRACE", 0.05)
    client = Connection()
    task = client.run(waiting(asyncio.Event()))
    await client.written.wait()

    client.gone.set()
    await asyncio.wait_for(task, 10)

    assert len(client.logs) == 0
    assert client.session.busy == 0
