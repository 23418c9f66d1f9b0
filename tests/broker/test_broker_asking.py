# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource that no upstream lists: who asks for input before the answer gets the input, and nobody else."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from broker.harness import Json, Reply, run_broker, server
from broker.scripted import Received, ScriptedServer, running
from broker.stateless import message, send
from mcpops_broker.protocol.jsonrpc import RpcError

FORM: Json = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": {"type": "object"}}}
ANNA = {"action": "accept", "content": {"name": "Anna"}}
URI = "x://secret"


def asking(era: str, state: Json) -> ScriptedServer:
    """Build an upstream that asks for a name before it shows a resource."""
    upstream = ScriptedServer(era, capabilities={"resources": {}})

    async def read(received: Received) -> Json:
        if era == "session":
            answer = (await upstream.ask(received, FORM["method"], **FORM["params"]))["result"]
        elif "inputResponses" not in received.params:
            return {"resultType": "input_required", "inputRequests": {"who": FORM}, **state}
        else:
            answer = received.params["inputResponses"]["who"]
        text = answer["content"]["name"]
        return {"contents": [{"uri": URI, "text": text}]}

    upstream.handlers["resources/read"] = read
    return upstream


@pytest.mark.parametrize(
    ("era", "state"),
    [("session", {}), ("stateless", {"requestState": "my.state"}), ("stateless", {})],
    ids=["with sessions", "without", "without a state"],
)
async def test_a_retry_goes_to_the_upstream_that_has_asked(tmp_path: Path, era: str, state: Json) -> None:
    first, second = ScriptedServer("stateless", capabilities={"resources": {}}), asking(era, state)

    async def unknown(received: Received) -> Json:
        raise RpcError(-32602, "Resource not found", status=400)

    first.handlers["resources/read"] = unknown
    async with AsyncExitStack() as stack:
        for upstream in (first, second):
            await stack.enter_async_context(running(upstream))
        config = {"servers": [server("ns/first", first.url), server("ns/second", second.url)]}
        context = run_broker(tmp_path, config)
        broker = await asyncio.to_thread(context.__enter__)
        stack.callback(context.__exit__, None, None, None)
        await asyncio.to_thread(broker.wait_ready, "ns/first", "ns/second")

        async def read(**more: Any) -> Reply:
            return await asyncio.to_thread(
                send, broker, message("resources/read", {"uri": URI, **more}, elicitation={"form": {}})
            )

        asked = (await read()).json["result"]
        (key,) = asked["inputRequests"]
        answered = await read(inputResponses={key: ANNA}, requestState=asked["requestState"])

        last = answered.events[-1] if answered.headers["content-type"] == "text/event-stream" else answered.json
        assert last["result"]["contents"] == [{"uri": URI, "text": "Anna"}]
        assert len(first.of("resources/read")) == 1, "what is meant for one is not sent to the other"
        if era == "stateless":
            assert second.of("resources/read")[-1].params.get("requestState") == state.get("requestState")
