# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client and an upstream that both do without sessions: what passes through the broker, and what it rewrites."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from broker.harness import BrokerProcess, Json, Reply, run_broker, server
from broker.scripted import Received, ScriptedServer, echo, running, until
from broker.stateless import CAPABILITIES, LOG_LEVEL, SERVER_INFO, VERSION, message, send, stream

TASKS = "io.modelcontextprotocol/tasks"
WITH_TASKS: Json = {"extensions": {TASKS: {}}}
ANNA = {"action": "accept", "content": {}}
FORM: Json = {"method": "elicitation/create", "params": {"message": "?", "requestedSchema": {"type": "object"}}}


@asynccontextmanager
async def through(directory: Path, upstream: ScriptedServer, **config: Any) -> AsyncIterator[BrokerProcess]:
    """Run a broker before the upstream, whose names get the prefix `p_`."""
    async with running(upstream):
        whole = {"servers": [server("ns/up", upstream.url, "p_")], **config}
        context = run_broker(directory, whole)
        broker = await asyncio.to_thread(context.__enter__)
        try:
            await asyncio.to_thread(broker.wait_ready, "ns/up")
            yield broker
        finally:
            await asyncio.to_thread(context.__exit__, None, None, None)


async def ask(broker: BrokerProcess, sent: Json, changes: Mapping[str, str | None] | None = None) -> Reply:
    return await asyncio.to_thread(send, broker, sent, changes)


def call(name: str, arguments: Json | None = None, more: Json | None = None, **said: Any) -> Json:
    return message("tools/call", {"name": name, "arguments": arguments or {}, **(more or {})}, **said)


async def test_a_call_is_passed_on_with_what_belongs_to_it(tmp_path: Path) -> None:
    upstream = ScriptedServer("stateless")
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    upstream.tool("echo", echo, inputSchema=schema)
    async with through(tmp_path, upstream) as broker:
        sent = call(
            "p_echo", {"region": "eu"}, request_id="c", meta={LOG_LEVEL: "error", "traceparent": "00-a-b-01"}, roots={}
        )
        headers: dict[str, str | None] = {"mcp-param-region": "eu", "mcp-param-other": "kept"}

        reply = await ask(broker, sent, headers)

        assert (reply.status, reply.json["id"]) == (200, "c")
        (received,) = upstream.of("tools/call")
        assert received.params["name"] == received.headers["mcp-name"] == "echo"
        assert (received.headers["mcp-param-region"], received.headers["mcp-param-other"]) == ("eu", "kept")
        meta = received.params["_meta"]
        assert (meta[VERSION], meta[CAPABILITIES], meta[LOG_LEVEL]) == ("2026-07-28", {"roots": {}}, "error")
        assert meta["traceparent"] == "00-a-b-01"


async def test_questions_and_answers_pass_through(tmp_path: Path) -> None:
    upstream = ScriptedServer("stateless")

    async def asks(received: Received) -> Json:
        if "inputResponses" in received.params:
            return {"resultType": "complete", "content": []}
        requests = {"their key": FORM}
        return {"resultType": "input_required", "inputRequests": requests, "requestState": "their state"}

    upstream.tool("asks", asks)
    async with through(tmp_path, upstream) as broker:
        first = (await ask(broker, call("p_asks", elicitation={}))).json["result"]
        assert first == {
            "resultType": "input_required",
            "inputRequests": {"their key": FORM},
            "requestState": "their state",
        }
        more = {"inputResponses": {"their key": ANNA}, "requestState": "their state"}
        second = (await ask(broker, call("p_asks", more=more, elicitation={}))).json["result"]
        assert second["resultType"] == "complete"
        received = upstream.of("tools/call")[-1].params
        assert {key: received[key] for key in more} == more

        refused = await ask(broker, call("p_asks", sampling={}))
        assert (refused.status, refused.error["code"]) == (400, -32021), "a server must not ask what was not declared"


async def test_a_client_that_goes_away_ends_the_upstreams_request(tmp_path: Path) -> None:
    upstream = ScriptedServer("stateless")

    async def hangs(received: Received) -> Json:
        await received.notify("notifications/progress", progressToken=received.params["_meta"]["progressToken"])
        return await asyncio.Event().wait()  # type: ignore[return-value] - never

    upstream.tool("hangs", hangs)
    async with through(tmp_path, upstream) as broker:

        def leave() -> Json:
            with stream(broker, call("p_hangs", meta={"progressToken": 7})) as answer:
                return answer.next()

        progress = await asyncio.to_thread(leave)

        assert progress["params"]["progressToken"] == 7
        await until(lambda: upstream.dropped, "the upstream's connection is closed")


async def test_errors_keep_their_http_status(tmp_path: Path) -> None:
    upstream = ScriptedServer("stateless", capabilities={"tools": {}, "completions": {}, "prompts": {}})
    upstream.lists["prompts"] = [{"name": "p"}]
    async with through(tmp_path, upstream) as broker:
        unknown = await ask(broker, message("tools/call", {"name": "p_nothing"}))
        assert (unknown.status, unknown.error["code"]) == (400, -32602)
        nowhere = await ask(broker, message("resources/read", {"uri": "file:///none"}))
        assert (nowhere.status, nowhere.error["code"]) == (400, -32602)


class Tasks:
    """The tasks of an upstream."""

    def __init__(self) -> None:
        self.upstream = ScriptedServer("stateless", capabilities={"tools": {}, **WITH_TASKS})
        self.upstream.tool("slow", self.begin)
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            self.upstream.handlers[method] = self.about

    @staticmethod
    async def begin(received: Received) -> Json:
        return {"resultType": "task", "taskId": "t.1", "status": "working", "ttlMs": None}

    @staticmethod
    async def about(received: Received) -> Json:
        assert received.headers["mcp-name"] == received.params["taskId"]
        if received.message["method"] == "tasks/get":
            return {"resultType": "complete", "taskId": received.params["taskId"], "status": "completed", "result": {}}
        return {"resultType": "complete"}


async def test_tasks_are_found_again_by_their_ids(tmp_path: Path) -> None:
    tasks = Tasks()
    virtual = [{"name": "ns/none", "tools": ["p_other"]}, {"name": "ns/slow", "tools": ["p_slow"]}]
    async with through(tmp_path, tasks.upstream, virtualServers=virtual) as broker:
        discovered = (await ask(broker, message("server/discover"))).json["result"]
        assert discovered["capabilities"]["extensions"] == {TASKS: {}}

        task = (await ask(broker, call("p_slow", **WITH_TASKS))).json["result"]["taskId"]
        assert task != "t.1"
        got = await about(broker, "tasks/get", task)
        assert (got.json["result"]["taskId"], got.json["result"]["status"]) == (task, "completed")
        for method in ("tasks/update", "tasks/cancel"):
            assert (await about(broker, method, task)).json["result"] == {"resultType": "complete"}
        assert [one.params["taskId"] for one in tasks.upstream.received if "taskId" in one.params] == ["t.1"] * 3

        assert (await about(broker, "tasks/get", task, {"x-mcp-virtualserver": "ns/slow"})).status == 200
        for refused in (
            await about(broker, "tasks/get", "nonexistent-12345"),
            await about(broker, "tasks/get", "t.1"),
            await about(broker, "tasks/get", task, {"x-mcp-virtualserver": "ns/none"}),
        ):
            assert refused.error["code"] == -32602, refused.body
        mismatched = await about(broker, "tasks/get", task, {"mcp-name": "other"})
        assert (mismatched.status, mismatched.error["code"]) == (400, -32020)
        without = await ask(broker, message("tasks/get", {"taskId": task}), {"mcp-name": task})
        assert (without.status, without.error["code"]) == (400, -32021)
        assert without.error["data"] == {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        for gone in ("tasks/list", "tasks/result"):
            assert (await ask(broker, message(gone, {"taskId": task}))).error["code"] == -32601


async def about(
    broker: BrokerProcess, method: str, task: str, changes: Mapping[str, str | None] | None = None
) -> Reply:
    return await ask(broker, message(method, {"taskId": task}, **WITH_TASKS), {"mcp-name": task, **(changes or {})})


async def test_without_an_upstream_that_has_tasks_there_are_none(tmp_path: Path) -> None:
    upstream = ScriptedServer("stateless")
    upstream.tool("echo", echo)
    async with through(tmp_path, upstream) as broker:
        reply = await about(broker, "tasks/get", "a.b")

        assert (reply.status, reply.error["code"]) == (404, -32601)
        discovered = (await ask(broker, message("server/discover"))).json["result"]
        assert "extensions" not in discovered["capabilities"]
        assert discovered["_meta"][SERVER_INFO]["name"] == "mcpops-broker"
