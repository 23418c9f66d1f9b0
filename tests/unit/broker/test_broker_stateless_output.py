# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer to a request without a session, as ASGI messages."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from mcpops_broker.mcp import stateless_output
from mcpops_broker.mcp.stateless_output import StatelessOutput


class Connection:
    """A client's side. While `open` is not set nothing is taken from us, as with a client that does not read."""

    def __init__(self) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.gone = asyncio.Event()
        self.three_comments = asyncio.Event()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.open.wait()
        assert not self.sent or self.sent[-1].get("more_body", True), "nothing may follow the end"
        self.sent.append(message)
        if self.body.count(b": keep-alive") == 3:
            self.three_comments.set()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def output(self, *, json: bool = True, events: bool = True) -> StatelessOutput:
        return StatelessOutput(self.receive, self.send, takes_json=json, takes_events=events)

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def test_a_response_alone_is_json() -> None:
    connection = Connection()

    await connection.output().finish(b"{}", 404)

    assert (connection.status, connection.body) == (404, b"{}")


async def test_a_client_that_takes_only_events_gets_them_but_errors_as_json() -> None:
    happy, refused = Connection(), Connection()

    await happy.output(json=False).finish(b"{}")
    await refused.output(json=False).finish(b"{}", 400)

    assert happy.body == b"event: message\ndata: {}\n\n"
    assert (refused.status, refused.body) == (400, b"{}")


async def test_notifications_make_a_stream() -> None:
    connection = Connection()
    output = connection.output()

    await output.notify(b"1")
    await output.finish(b"2", 400)

    assert (connection.status, connection.body.count(b"data: ")) == (200, 2)
    assert connection.sent[-1]["more_body"] is False


async def test_nothing_follows_the_response() -> None:
    connection = Connection()
    output = connection.output()
    await output.notify(b"1")
    connection.open.clear()
    late = asyncio.create_task(output.notify(b"2"))
    await asyncio.sleep(0)
    ending = asyncio.create_task(output.finish(b"3"))
    later = asyncio.create_task(output.notify(b"4"))
    await asyncio.sleep(0)

    connection.open.set()
    await asyncio.gather(late, ending, later)
    await output.keep_alive()

    assert [line for line in connection.body.splitlines() if line.startswith(b"data")] == [
        b"data: 1",
        b"data: 2",
        b"data: 3",
    ]


async def test_a_silent_answer_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stateless_output, "WATCH_AFTER", 0.0)
    monkeypatch.setattr(stateless_output, "KEEP_ALIVE", 0.001)
    connection = Connection()
    output = connection.output()

    async def work() -> bytes:
        await connection.three_comments.wait()
        return b"{}"

    assert await output.until_gone(work()) == b"{}"


async def test_work_ends_when_the_client_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stateless_output, "WATCH_AFTER", 0.0)
    connection = Connection()
    connection.gone.set()
    ended = asyncio.Event()

    async def work() -> bytes:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    assert await connection.output().until_gone(work()) is None
    assert ended.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_cancelled_request_is_cancelled() -> None:
    output = Connection().output()

    async def work() -> bytes:
        return await asyncio.get_running_loop().create_future()

    task = asyncio.create_task(output.until_gone(work()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
