# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to clients with sessions."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from mcpops_broker.mcp.asks import Asks, asker_of
from mcpops_broker.protocol.jsonrpc import RpcError

Json = dict[str, Any]


class Client:
    """A client that is asked things."""

    def __init__(self) -> None:
        self.asks = Asks("7")
        self.got: list[Json] = []
        self.progress: list[Json] = []

    def ask(self, method: str = "roots/list", params: Json | None = None) -> asyncio.Task[Json]:
        """Ask it."""
        work = self.asks.ask("client", method, params or {}, self._send, self.progress.append)
        return asyncio.ensure_future(work)

    async def _send(self, message: bytes) -> None:
        self.got.append(orjson.loads(message))


def response(ask: Json, **more: Any) -> Json:
    return {"jsonrpc": "2.0", "id": ask["id"], **more}


async def test_the_response_to_each_question_reaches_whoever_asked_it() -> None:
    client = Client()
    first, second = client.ask("roots/list"), client.ask("elicitation/create", {"message": "?"})
    await asyncio.sleep(0)
    one, two = client.got

    client.asks.respond("client", response(two, result={"action": "accept"}))
    client.asks.respond("client", response(one, result={"roots": []}))

    assert (one["method"], two["method"]) == ("roots/list", "elicitation/create")
    assert two["params"] == {"message": "?"}
    assert await first == {"roots": []}
    assert await second == {"action": "accept"}
    assert len(client.asks) == 0
    assert asker_of(one["id"]) == "7"


async def test_an_error_is_raised_as_the_client_gave_it() -> None:
    client = Client()
    asked = client.ask()
    await asyncio.sleep(0)

    client.asks.respond("client", response(client.got[0], error={"code": -1, "message": "no", "data": [1]}))

    with pytest.raises(RpcError) as caught:
        await asked
    assert (caught.value.code, caught.value.message, caught.value.data) == (-1, "no", [1])


@pytest.mark.parametrize("odd", [{"error": "no"}, {"error": {"code": "x"}}, {"result": [1]}])
async def test_an_odd_response_is_an_error(odd: Json) -> None:
    client = Client()
    asked = client.ask()
    await asyncio.sleep(0)

    client.asks.respond("client", response(client.got[0], **odd))

    with pytest.raises(RpcError):
        await asked


async def test_another_session_cannot_answer() -> None:
    client = Client()
    asked = client.ask()
    await asyncio.sleep(0)

    client.asks.respond("another", response(client.got[0], result={"roots": ["forged"]}))
    client.asks.respond("client", {"jsonrpc": "2.0", "id": 1, "result": {}})
    client.asks.respond("client", response(client.got[0], result={"roots": []}))
    client.asks.respond("client", response(client.got[0], result={"roots": ["late"]}))

    assert await asked == {"roots": []}


async def test_a_client_is_told_that_nobody_waits_any_more() -> None:
    client = Client()
    asked = client.ask()
    await asyncio.sleep(0)

    asked.cancel()
    await asyncio.wait([asked])

    assert client.got[1]["method"] == "notifications/cancelled"
    assert client.got[1]["params"] == {"requestId": client.got[0]["id"]}
    assert len(client.asks) == 0


async def test_progress_comes_back_under_the_upstreams_token() -> None:
    client = Client()
    asked = client.ask("elicitation/create", {"_meta": {"progressToken": 5, "other": 1}})
    await asyncio.sleep(0)
    token = client.got[0]["params"]["_meta"]["progressToken"]
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}

    client.asks.take_progress("another", note)
    client.asks.take_progress("client", note)
    asked.cancel()

    assert client.got[0]["params"]["_meta"]["other"] == 1
    assert token == client.got[0]["id"]
    assert [one["params"] for one in client.progress] == [{"progressToken": 5, "progress": 1}]


@pytest.mark.parametrize(
    "odd", [{}, {"params": {}}, {"params": {"progressToken": []}}, {"params": {"progressToken": 1}}]
)
async def test_progress_of_nothing_is_dropped(odd: Json) -> None:
    client = Client()
    asked = client.ask("elicitation/create", {"_meta": {"progressToken": 5}})
    await asyncio.sleep(0)

    client.asks.take_progress("client", {"jsonrpc": "2.0", "method": "notifications/progress", **odd})
    asked.cancel()

    assert client.progress == []


async def test_when_the_broker_stops_every_question_ends() -> None:
    client = Client()
    asked = client.ask()
    await asyncio.sleep(0)

    client.asks.close(RpcError(-32603, "The broker is stopping"))

    with pytest.raises(RpcError, match="stopping"):
        await asked
    with pytest.raises(RpcError, match="stopping"):
        await client.ask()
