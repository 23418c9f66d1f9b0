# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What upstreams of both eras ask of the client of a call, and how the answers reach them."""

from __future__ import annotations

import asyncio

import pytest
from broker.scripted import (
    Elsewhere,
    Json,
    Received,
    ScriptedServer,
    TestExchange,
    connected,
    echo,
    running,
    session_client,
    stateless_client,
    until,
)
from mcpops_broker.config.model import BrokerOptions, Timeouts
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.input_rounds import MAX_ROUNDS

FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}
CALL = {"name": "ask", "arguments": {"x": 1}}


async def accept(method: str, params: Json) -> Json:
    """Answer every question alike."""
    return ACCEPTED


async def test_a_question_in_a_session_is_put_to_the_client_of_the_call() -> None:
    server = ScriptedServer("session")

    async def ask(received: Received) -> Json:
        answers = await asyncio.gather(
            server.ask(received, "elicitation/create", **FORM), server.ask(received, "roots/list")
        )
        return {"content": [], "answers": [answer.get("result") for answer in answers]}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client(capabilities={"elicitation": {"form": {}}, "extensions": {"x/y": {}}}))
        exchange.answer = accept
        reply = await upstream.request(exchange, "tools/call", dict(CALL))

    assert reply.message["result"]["answers"] == [ACCEPTED, ACCEPTED]
    assert sorted(method for method, _ in exchange.asked) == ["elicitation/create", "roots/list"]
    opened = [one.params["capabilities"] for one in server.of("initialize")]
    assert opened[-1] == {"elicitation": {"form": {}}}, "the session has the capabilities of its client"


async def test_an_error_of_the_client_reaches_the_server_that_asked() -> None:
    server = ScriptedServer("session")

    async def ask(received: Received) -> Json:
        refused = await server.ask(received, "sampling/createMessage")
        unknown = await server.ask(received, "tasks/list")
        pong = await server.ask(received, "ping")
        return {"content": [], "answers": [refused, unknown, pong]}

    async def refuse(method: str, params: Json) -> Json:
        raise RpcError(-1, "User rejected", {"why": "no"})

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client())
        exchange.answer = refuse
        reply = await upstream.request(exchange, "tools/call", dict(CALL))

    refused, unknown, pong = reply.message["result"]["answers"]
    assert refused["error"] == {"code": -1, "message": "User rejected", "data": {"why": "no"}}
    assert unknown["error"]["code"] == -32601
    assert pong["result"] == {}
    assert [method for method, _ in exchange.asked] == ["sampling/createMessage"]


async def test_a_question_is_withdrawn_with_its_call_or_by_the_server() -> None:
    server = ScriptedServer("session")
    withdrawn: list[str] = []
    asked = asyncio.Event()

    async def ask(received: Received) -> Json:
        question = asyncio.ensure_future(server.ask(received, "elicitation/create", **FORM))
        await asked.wait()
        if received.params["arguments"]["x"] == 2:
            number = next(iter(server._answers))
            await received.notify("notifications/cancelled", requestId=number)
        question.cancel()
        return {"content": []}

    async def wait(method: str, params: Json) -> Json:
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            withdrawn.append(method)
            raise
        return {}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        for number in (1, 2):
            asked.clear()
            server._answers.clear()
            exchange = TestExchange(session_client())
            exchange.answer = wait
            await upstream.request(exchange, "tools/call", {"name": "ask", "arguments": {"x": number}})
            await until(lambda number=number: len(withdrawn) == number, "the question is withdrawn")  # type: ignore[misc]
            assert exchange.notified == []


@pytest.mark.parametrize("era", ["session", "stateless"])
async def test_the_time_that_people_need_is_not_the_upstreams(era: str) -> None:
    server = ScriptedServer(era)

    async def ask(received: Received) -> Json:
        if era == "session":
            return {"content": [], "answer": (await server.ask(received, "elicitation/create", **FORM))["result"]}
        if "inputResponses" in received.params:
            return {"resultType": "complete", "content": []}
        return {"resultType": "input_required", "inputRequests": {"a": {"method": "roots/list"}}}

    async def slowly(method: str, params: Json) -> Json:
        await asyncio.sleep(0.6)
        return ACCEPTED

    server.tool("ask", ask)
    options = BrokerOptions(timeouts=Timeouts(total=0.4, idle=0.2))
    async with running(server), connected(server.url, options) as (upstream, _):
        exchange = TestExchange(session_client())
        exchange.answer = slowly
        reply = await upstream.request(exchange, "tools/call", dict(CALL))

    assert "result" in reply.message


def rounds(*results: Json) -> ScriptedServer:
    """Build a server without sessions whose tool `ask` gives these results one after the other."""
    server = ScriptedServer("stateless")
    left = list(results)

    async def ask(received: Received) -> Json:
        return left.pop(0)

    server.tool("ask", ask)
    return server


ELICIT = {"method": "elicitation/create", "params": FORM}
DONE = {"resultType": "complete", "content": []}


async def test_rounds_of_input_are_resolved_for_clients_that_do_not_know_them() -> None:
    first = {
        "resultType": "input_required",
        "inputRequests": {"one": ELICIT, "two": {"method": "roots/list"}},
        "requestState": "sealed",
    }
    second = {"resultType": "input_required", "requestState": "again"}
    server = rounds(first, second, DONE)
    together = asyncio.Barrier(2)

    async def answer(method: str, params: Json) -> Json:
        await together.wait()  # both are asked at once
        return {"was": method}

    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client(capabilities={"elicitation": {}}), "id-1")
        exchange.answer = answer
        reply = await upstream.request(exchange, "tools/call", {**CALL, "_meta": {"progressToken": 7}})

    calls = server.of("tools/call")
    assert reply.message["result"] == DONE
    assert b'"id":"id-1"' in reply.for_request("id-1")
    assert len({call.message["id"] for call in calls}) == 3, "every retry has an id of its own"
    assert all(call.params["arguments"] == {"x": 1} for call in calls)
    assert all(call.params["_meta"]["progressToken"] == 7 for call in calls)
    assert calls[1].params["inputResponses"] == {
        "one": {"was": "elicitation/create"},
        "two": {"was": "roots/list"},
    }
    assert calls[1].params["requestState"] == "sealed"
    assert calls[2].params["requestState"] == "again"
    assert "inputResponses" not in calls[2].params


async def test_clients_that_know_rounds_of_input_get_them_as_they_are() -> None:
    wanted = {"resultType": "input_required", "inputRequests": {"one": ELICIT}, "requestState": "sealed"}
    server = rounds(wanted, DONE)
    async with running(server), connected(server.url) as (upstream, _):
        client = stateless_client(capabilities={"elicitation": {}})
        reply = await upstream.request(TestExchange(client, 1), "tools/call", dict(CALL))
        again = {**CALL, "inputResponses": {"one": ACCEPTED}, "requestState": "sealed"}
        done = await upstream.request(TestExchange(client, 2), "tools/call", again)

    assert (reply.message["result"], done.message["result"]) == (wanted, DONE)
    assert server.of("tools/call")[1].params["requestState"] == "sealed"


async def test_an_elicitation_that_the_client_cannot_answer_is_cancelled_and_sampling_is_an_error() -> None:
    sample = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}
    server = rounds(
        {"resultType": "input_required", "inputRequests": {"one": ELICIT}},
        {"resultType": "input_required", "inputRequests": {"two": sample, "three": ELICIT}},
    )
    async with running(server), connected(server.url) as (upstream, _):
        reply = await upstream.request(TestExchange(session_client(), 5), "tools/call", dict(CALL))

    assert server.of("tools/call")[1].params["inputResponses"] == {"one": {"action": "cancel"}}
    assert reply.message == {
        "jsonrpc": "2.0",
        "id": 5,
        "error": {"code": -32601, "message": "cannot answer sampling/createMessage"},
    }


async def test_a_url_has_the_id_that_older_clients_need() -> None:
    url = {"method": "elicitation/create", "params": {"mode": "url", "message": "Go", "url": "https://x.test/"}}
    server = rounds({"resultType": "input_required", "inputRequests": {"one": url}}, DONE)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client())
        exchange.answer = accept
        await upstream.request(exchange, "tools/call", dict(CALL))

    assert len(exchange.asked[0][1]["elicitationId"]) > 20


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({}, "needs input but does not say which"),
        ({"inputRequests": [1]}, "inputRequests are no object"),
        ({"inputRequests": {str(number): ELICIT for number in range(21)}}, "inputRequests are no object"),
        ({"inputRequests": {"one": {"method": "tools/call"}}}, "needs input that no client can give: tools/call"),
        ({"inputRequests": {"one": 5}}, "needs input that no client can give"),
    ],
)
async def test_odd_needs_are_errors_that_name_the_upstream(result: Json, problem: str) -> None:
    server = rounds({"resultType": "input_required", **result})
    async with running(server), connected(server.url) as (upstream, _):
        with pytest.raises(UpstreamError, match=f"upstream ns/up: .*{problem}"):
            await upstream.request(TestExchange(session_client()), "tools/call", dict(CALL))


async def test_an_upstream_that_asks_without_end_is_given_up() -> None:
    server = ScriptedServer("stateless")

    async def ask(received: Received) -> Json:
        return {"resultType": "input_required", "inputRequests": {"one": ELICIT}}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client())
        exchange.answer = accept
        with pytest.raises(UpstreamError, match=f"asked for input {MAX_ROUNDS} times"):
            await upstream.request(exchange, "tools/call", dict(CALL))

    assert len(exchange.asked) == MAX_ROUNDS


async def test_too_many_questions_at_once_are_refused() -> None:
    server = ScriptedServer("session")

    async def ask(received: Received) -> Json:
        questions = [asyncio.ensure_future(server.ask(received, "roots/list")) for _ in range(25)]
        done, waiting = await asyncio.wait(questions, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 5:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        for question in waiting:
            question.cancel()
        return {"content": [], "codes": [question.result()["error"]["code"] for question in done]}

    async def never(method: str, params: Json) -> Json:
        await asyncio.Event().wait()
        return {}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client())
        exchange.answer = never
        reply = await upstream.request(exchange, "tools/call", dict(CALL))

    assert reply.message["result"]["codes"] == [-32600] * 5
    assert len(exchange.asked) == 20


async def test_an_answer_needs_no_stream() -> None:
    server = ScriptedServer("session")
    server.tool("ask", echo)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client())
        reply = await upstream.request(exchange, "tools/call", dict(CALL))

    assert (exchange.asked, exchange.notified) == ([], [])
    assert "result" in reply.message


async def test_a_question_on_the_sessions_own_stream_is_put_to_the_client_of_the_call() -> None:
    server = ScriptedServer("session")

    async def ask(received: Received) -> Json:
        return {"content": [], "answer": await server.ask_on_stream(received, "elicitation/create", **FORM)}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        replies = []
        for number in range(3):
            if number == 2:
                server.end_streams()
                await until(lambda: not server.streams, "the streams have ended")
            exchange = TestExchange(session_client(capabilities={"elicitation": {}}))
            exchange.answer = accept
            replies.append(await upstream.request(exchange, "tools/call", dict(CALL)))
            assert len(server.session_streams) == 2, "that of the broker's own session and that of the client's"

        last = list(server.session_streams.values())[-1]
        upstream.end_session("a")
        await until(lambda: last not in server.streams, "the stream ends with its session")

    assert [reply.message["result"]["answer"]["result"] for reply in replies] == [ACCEPTED] * 3


async def test_an_answer_carries_the_authorization_that_its_call_had() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}})

    async def ask(received: Received) -> Json:
        return {"content": [], "answer": await server.ask(received, "elicitation/create", **FORM)}

    server.tool("ask", ask)
    async with running(server), connected(server.url, user_specific=True) as (upstream, _):
        for token in ("Bearer old", "Bearer renewed"):
            exchange = TestExchange(session_client(capabilities={"elicitation": {}}, authorization=token))
            exchange.answer = accept
            await upstream.request(exchange, "tools/call", dict(CALL))

    answers = [one for one in server.received if "method" not in one.message]
    assert [one.headers["authorization"] for one in answers] == ["Bearer old", "Bearer renewed"]


async def test_clients_that_cannot_be_asked_need_no_stream() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}})
    server.tool("ask", echo)
    async with running(server), connected(server.url) as (upstream, _):
        await upstream.request(TestExchange(session_client()), "tools/call", dict(CALL))

        assert server.session_streams == {}


async def test_an_upstream_without_streams_is_asked_for_one_once() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}})
    server.offers_streams = False
    server.tool("ask", echo)

    async with running(server), connected(server.url) as (upstream, _):
        upstream.keep_sessions_by(Elsewhere())
        for _ in range(3):
            await upstream.request(TestExchange(session_client(capabilities={"roots": {}})), "tools/call", dict(CALL))

    assert server.gets == 1


async def test_a_question_on_a_shared_stream_is_put_to_nobody_when_it_could_be_for_several() -> None:
    server = ScriptedServer("session")
    both = asyncio.Barrier(2)

    async def ask(received: Received) -> Json:
        await both.wait()
        answer = await server.ask_on_stream(received, "elicitation/create", **FORM)
        await both.wait()
        return {"content": [], "answer": answer}

    server.tool("ask", ask)
    async with running(server), connected(server.url) as (upstream, _):
        exchanges = [TestExchange(stateless_client(capabilities={"elicitation": {}}), number) for number in range(2)]
        replies = await asyncio.gather(
            *(upstream.request(exchange, "tools/call", dict(CALL)) for exchange in exchanges)
        )

    assert [reply.message["result"]["answer"]["error"]["code"] for reply in replies] == [-32601] * 2
    assert [exchange.asked for exchange in exchanges] == [[], []]
