# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients with sessions that are asked, cut off, and come back, at any of two workers, of one replica or of two.

Every request opens a connection of its own, so that both workers get some.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.replicas import run_replicas
from broker.session_client import calling, listening, opened, start

FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}
TRIES = range(6)
"""So often something is done that may happen at either worker."""


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream("ask", "aside", "sse", "hang_stream", "wait", "echo", list_changed=True) as upstream:
        upstream.results["resources/list"] = {"resources": [{"uri": "test://a", "name": "a"}]}
        upstream.results["prompts/list"] = {"prompts": [{"name": "greet"}]}
        upstream.results["resources/templates/list"] = {"resourceTemplates": []}
        upstream.results["resources/subscribe"] = {}
        upstream.results["resources/unsubscribe"] = {}
        yield upstream


@pytest.fixture(scope="module", params=["workers", "replicas"])
def running(raw: RawUpstream, request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    config = {"servers": [server("a", raw.url)]}
    directory = Path(tmp_path_factory.mktemp("broker"))
    with ExitStack() as stack:
        if request.param == "workers":
            broker = stack.enter_context(run_broker(directory, config, "--workers", "2"))
            broker.wait_ready("a")
        else:
            replicas, broker = stack.enter_context(run_replicas(directory, config, 2, "--workers", "2"))
            for one in replicas.all:
                one.wait_ready("a")
        yield broker


def answer(running: BrokerProcess, question: Json, **response: Any) -> None:
    """Answer a question of the broker, at any worker."""
    sent = {"jsonrpc": "2.0", "id": question["id"], **response}
    assert running.post(sent, {"accept": "application/json, text/event-stream"}).status == 202


def test_the_answer_to_a_question_may_reach_any_worker(running: BrokerProcess) -> None:
    start(running, elicitation={}, roots={})

    for number in TRIES:
        questions = [[["elicitation/create", FORM], ["roots/list", {}]]]
        with calling(running, "ask", number, rounds=questions) as stream:
            assert stream.message()["method"] == "notifications/progress"
            asked = {question["method"]: question for question in (stream.message(), stream.message())}
            assert asked["elicitation/create"]["params"] == FORM
            answer(running, asked["roots/list"], result={"roots": []})
            answer(running, asked["elicitation/create"], result=ACCEPTED)
            response = stream.message()

        assert response["id"] == number
        assert "Ada" in response["result"]["content"][0]["text"]
        assert '"roots": []' in response["result"]["content"][0]["text"]


def test_a_refusal_of_the_client_reaches_the_upstream(running: BrokerProcess) -> None:
    start(running, sampling={})

    with calling(running, "ask", rounds=[[["sampling/createMessage", {"messages": []}]]]) as stream:
        stream.message()
        answer(running, stream.message(), error={"code": -1, "message": "the user said no"})
        response = stream.message()

    assert "the user said no" in str(response)


def test_a_client_without_the_capability_is_not_asked(running: BrokerProcess, raw: RawUpstream) -> None:
    start(running, elicitation={})

    with calling(running, "ask", rounds=[[["roots/list", {}]]]) as stream:
        messages = stream.rest()

    assert [message.get("method") for message in messages] == ["notifications/progress", None]
    assert "roots" in str(messages[-1])
    assert raw.capabilities[-1] == {"elicitation": {}}


def test_a_client_that_was_cut_off_gets_the_rest_at_any_worker(running: BrokerProcess, raw: RawUpstream) -> None:
    start(running, elicitation={})
    dropped = raw.dropped

    for number in TRIES:
        with calling(running, "ask", number, rounds=[[["elicitation/create", FORM]]]) as stream:
            first = stream.next()
            assert first.message is None
            assert stream.message()["method"] == "notifications/progress"
            question = stream.next()
        with listening(running, first.id) as again:
            assert again.message()["method"] == "notifications/progress"
            assert again.next() == question
        answer(running, question.message or {}, result=ACCEPTED)
        with listening(running, question.id) as again:
            (response,) = again.rest()

        assert response["id"] == number
        assert "Ada" in response["result"]["content"][0]["text"]
    assert raw.dropped == dropped, "a lost connection ends no call"
    assert raw.cancelled == []


def test_what_was_complete_can_be_read_again(running: BrokerProcess) -> None:
    start(running)
    with calling(running, "sse") as stream:
        first = stream.next()
        messages = stream.rest()

    for _ in TRIES:
        with listening(running, first.id) as again:
            assert again.rest() == messages


@pytest.mark.parametrize("event", ["nonsense", "0-12345678-1-0", "1-12345678-1-0", "7-1-1-1", "é"])
def test_a_stream_that_is_gone_is_refused(running: BrokerProcess, event: str) -> None:
    start(running)

    reply = running.request(
        "GET",
        headers={"accept": "text/event-stream", "mcp-session-id": running.session or "", "last-event-id": event},
    )

    assert reply.status == 400
    assert "Last-Event-ID" in reply.error["message"]


def test_nobody_reads_the_stream_of_another_session(running: BrokerProcess) -> None:
    start(running)
    with calling(running, "sse") as stream:
        event = stream.next().id
    start(running)

    headers = {"accept": "text/event-stream", "mcp-session-id": running.session or "", "last-event-id": event}
    assert {running.request("GET", headers=headers).status for _ in TRIES} == {400}


def test_a_notification_stream_goes_on_at_any_worker(running: BrokerProcess, raw: RawUpstream) -> None:
    start(running)
    with listening(running) as stream:
        event = stream.next()
    for number in TRIES:
        raw.tools = [*raw.tools[:6], {**raw.tools[0], "name": f"new-{number}"}]
        raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        with listening(running, event.id) as again:
            event = again.next()
            if event.message is None:
                event = again.next()

        assert event.message == {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


def test_a_long_silent_call_becomes_a_stream(running: BrokerProcess, raw: RawUpstream) -> None:
    raw.hold()
    start(running)

    with calling(running, "wait") as stream:
        first = stream.next()
        raw.let_go()
        with listening(running, first.id) as again:
            assert again.message()["result"]["content"]

    assert first.message is None


@pytest.mark.parametrize(("version", "ids"), [("2024-11-05", False), ("2025-03-26", True), ("2025-06-18", True)])
def test_older_revisions_have_no_first_event_and_the_oldest_no_ids(
    running: BrokerProcess, version: str, ids: bool
) -> None:
    start(running, version)

    with calling(running, "sse") as stream:
        event = stream.next()

    assert event.message is not None
    assert bool(event.id) is ids


def test_log_messages_are_those_that_the_client_wants_at_any_worker(running: BrokerProcess) -> None:
    start(running)
    assert running.post(rpc("logging/setLevel", {"level": "warning"})).json["result"] == {}

    for number in TRIES:
        with calling(running, "sse", number) as stream:
            methods = [message.get("method") for message in stream.rest()]

        assert methods == ["notifications/progress", "notifications/progress", None]
    assert running.post(rpc("logging/setLevel", {"level": "loud"})).error["code"] == -32602


def test_a_subscriber_hears_of_its_resource_whichever_worker_it_told(running: BrokerProcess, raw: RawUpstream) -> None:
    updated = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "test://a"}}
    for _ in TRIES:
        start(running)
        assert running.post(rpc("resources/subscribe", {"uri": "test://a"})).json["result"] == {}
        with listening(running) as stream:
            wait_until(lambda: raw.listeners >= 2, "both workers listen")
            raw.push(updated)
            assert stream.message() == updated

        assert running.post(rpc("resources/unsubscribe", {"uri": "test://a"})).json["result"] == {}
        running.request("DELETE", headers={"mcp-session-id": running.session or ""})


def test_a_change_of_roots_reaches_the_upstream_once(running: BrokerProcess, raw: RawUpstream) -> None:
    start(running, roots={"listChanged": True})
    for _ in TRIES:
        assert "result" in running.call("echo")
    (session,) = {call["session"] for call in raw.calls[-len(TRIES) :]}
    raw.heard.clear()

    running.post({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})

    wait_until(lambda: raw.heard, "the upstream heard")
    for _ in TRIES:
        assert "result" in running.call("echo")
    assert raw.heard == [(session, {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})]


def test_what_is_asked_on_the_stream_of_a_session_reaches_the_call_at_any_worker(
    running: BrokerProcess, raw: RawUpstream
) -> None:
    start(running, roots={})

    for number in TRIES:
        with calling(running, "aside", number) as stream:
            answer(running, stream.message(), result={"roots": [{"uri": "file:///a"}]})
            response = stream.message()

        assert response["id"] == number
        assert "file:///a" in response["result"]["content"][0]["text"]
    assert len({call["session"] for call in raw.calls[-len(TRIES) :]}) == 1


def test_the_end_of_a_session_ends_it_at_the_upstream_once(running: BrokerProcess, raw: RawUpstream) -> None:
    start(running)
    for _ in TRIES:
        assert "result" in running.call("echo")
    raw.deleted.clear()

    running.request("DELETE", headers={"mcp-session-id": running.session or ""})

    wait_until(lambda: raw.deleted, "the session has ended at the upstream")
    start(running)
    for _ in TRIES:
        assert "result" in running.call("echo")
    assert raw.deleted == [raw.calls[-len(TRIES) - 1]["session"]]


def test_an_upstream_without_completions_has_none_to_offer(running: BrokerProcess) -> None:
    start(running)
    argument = {"name": "who", "value": "A"}

    known = running.post(
        rpc("completion/complete", {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": argument})
    )
    unknown = running.post(
        rpc("completion/complete", {"ref": {"type": "ref/prompt", "name": "no"}, "argument": argument})
    )

    assert known.json["result"] == {"completion": {"values": []}}
    assert unknown.error["code"] == -32602


def test_the_batch_of_an_old_client_may_ask_too(running: BrokerProcess) -> None:
    start(running, "2025-03-26", roots={})
    call = rpc("tools/call", {"name": "ask", "arguments": {"rounds": [[["roots/list", {}]]]}}, "call")

    with opened(running, "POST", [call, rpc("ping", request_id="ping")]) as stream:  # type: ignore[arg-type]
        answer(running, stream.message(), result={"roots": []})
        responses = {message["id"]: message for message in stream.rest()}

    assert responses["ping"]["result"] == {}
    assert '"roots": []' in str(responses["call"]["result"])
