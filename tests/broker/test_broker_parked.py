# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upstream with sessions asks, a client without one answers: by results that need input, and by sending again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, Reply, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.replicas import run_replicas
from broker.stateless import message, send, stream

FORM: list[Any] = ["elicitation/create", {"message": "Name?", "requestedSchema": {"type": "object", "properties": {}}}]
SAMPLE: list[Any] = ["sampling/createMessage", {"messages": [], "maxTokens": 5, "_meta": {"progressToken": 1}}]
ROOTS: list[Any] = ["roots/list", {}]
ALL: Json = {"elicitation": {}, "sampling": {}, "roots": {}}
ANNA = {"action": "accept", "content": {"name": "Anna"}}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream("ask", "url", "echo") as upstream:
        yield upstream


@pytest.fixture(scope="module", params=["one worker", "two workers", "two replicas"])
def broker(raw: RawUpstream, request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker; with two workers or replicas a request that goes on may come to the other one."""
    config = {"servers": [server("ns/raw", raw.url, "r_")]}
    directory = tmp_path_factory.mktemp("parked")
    with ExitStack() as stack:
        if request.param == "two replicas":
            _, broker = stack.enter_context(run_replicas(directory, config, 2))
        else:
            workers = "2" if request.param == "two workers" else "1"
            broker = stack.enter_context(run_broker(directory, config, "--workers", workers))
        broker.wait_ready("ns/raw")
        yield broker


def ask(*rounds: list[Any], more: Json | None = None, request_id: int | str = 1, **changes: Any) -> Json:
    """Build a call of the tool that asks. `changes` are `meta` or the client's capabilities."""
    meta = changes.pop("meta", None)
    params = {"name": "r_ask", "arguments": {"rounds": list(rounds)}, **(more or {})}
    return message("tools/call", params, request_id, meta, **(changes or ALL))


def again(result: Json, *answers: Json) -> Json:
    """Return what a client adds to its request to answer, in the order of the questions."""
    return {
        "inputResponses": dict(zip(result["inputRequests"], answers, strict=False)),
        "requestState": result["requestState"],
    }


def answers_of(reply: Reply) -> list[Json]:
    """Return what the upstream got, from the result of its tool."""
    last = reply.events[-1] if reply.headers["content-type"] == "text/event-stream" else reply.json
    found: list[Json] = json.loads(last["result"]["content"][0]["text"])
    return found


def test_a_question_is_asked_and_answered(broker: BrokerProcess, raw: RawUpstream) -> None:
    calls = len(raw.calls)

    first = send(broker, ask([FORM]))

    result = first.json["result"]
    assert (first.status, first.json["id"], result["resultType"]) == (200, 1, "input_required")
    assert list(result["inputRequests"].values()) == [{"method": FORM[0], "params": FORM[1]}]
    second = send(broker, ask([FORM], more=again(result, ANNA), request_id="two"))
    assert second.json["id"] == "two"
    assert second.json["result"]["resultType"] == "complete"
    assert answers_of(second) == [ANNA]
    assert len(raw.calls) == calls + 1, "the upstream was called once"


def test_questions_at_once_are_asked_at_once_and_rounds_one_after_the_other(broker: BrokerProcess) -> None:
    rounds = ([FORM, SAMPLE], [ROOTS])
    sampled, roots = {"role": "assistant", "model": "m"}, {"roots": []}

    first = send(broker, ask(*rounds)).json["result"]
    assert [one["method"] for one in first["inputRequests"].values()] == [FORM[0], SAMPLE[0]]
    assert all("_meta" not in one["params"] for one in first["inputRequests"].values())
    second = send(broker, ask(*rounds, more=again(first, ANNA, sampled))).json["result"]
    assert [one["method"] for one in second["inputRequests"].values()] == [ROOTS[0]]

    assert answers_of(send(broker, ask(*rounds, more=again(second, roots)))) == [ANNA, sampled, roots]


def test_what_was_not_answered_is_asked_again(broker: BrokerProcess) -> None:
    first = send(broker, ask([FORM, ROOTS])).json["result"]

    second = send(broker, ask([FORM, ROOTS], more=again(first, ANNA))).json["result"]

    assert [one["method"] for one in second["inputRequests"].values()] == [ROOTS[0]]
    assert answers_of(send(broker, ask([FORM, ROOTS], more=again(second, {"roots": []})))) == [ANNA, {"roots": []}]


def test_progress_comes_under_each_requests_own_token(broker: BrokerProcess) -> None:
    rounds = ([FORM], [ROOTS])

    first = send(broker, ask(*rounds, meta={"progressToken": "a"})).events
    second = send(broker, ask(*rounds, meta={"progressToken": "b"}, more=again(first[-1]["result"], ANNA))).events

    assert [event["params"]["progressToken"] for event in first[:-1]] == ["a"]
    assert [event["params"]["progressToken"] for event in second[:-1]] == ["b"]
    third = send(broker, ask(*rounds, more=again(second[-1]["result"], {"roots": []})))
    assert answers_of(third) == [ANNA, {"roots": []}]


def test_a_state_is_for_one_client_and_one_request_and_once(broker: BrokerProcess) -> None:
    result = send(broker, ask([FORM])).json["result"]
    more = again(result, ANNA)
    state = result["requestState"]

    for refused in (
        send(broker, ask([FORM], [FORM], more=more)),
        send(broker, ask([FORM], more=more), {"authorization": "Bearer other"}),
        send(broker, ask([FORM], more={**more, "requestState": state + "-TAMPERED"})),
        send(broker, ask([FORM], more={**more, "requestState": state[:-4] + "AAAA"})),
        send(broker, ask([FORM], more={**more, "requestState": {}})),
    ):
        assert refused.error["code"] == -32602, refused.body
    assert answers_of(send(broker, ask([FORM], more=more))) == [ANNA]
    assert send(broker, ask([FORM], more=more)).error["code"] == -32602


def test_what_the_client_has_not_declared_is_not_asked(broker: BrokerProcess) -> None:
    reply = send(broker, ask([SAMPLE], request_id=401, elicitation={}))

    assert (reply.status, reply.json["id"], reply.error["code"]) == (400, 401, -32021)
    assert reply.error["data"] == {"requiredCapabilities": {"sampling": {}}}


def test_the_upstream_learns_what_the_client_declared(broker: BrokerProcess, raw: RawUpstream) -> None:
    send(broker, ask([], roots={}, sampling={"tools": {}}))

    assert {"roots": {}, "sampling": {"tools": {}}} in raw.capabilities


def test_a_client_that_goes_away_while_it_goes_on_cancels(broker: BrokerProcess, raw: RawUpstream) -> None:
    call = {"name": "r_ask", "arguments": {"rounds": [[FORM]], "wait": True}}
    result = send(broker, message("tools/call", call, **ALL)).json["result"]
    before = len(raw.cancelled)

    on = message("tools/call", {**call, **again(result, ANNA)}, **ALL)
    with pytest.raises(TimeoutError), stream(broker, on, seconds=0.5):
        pass

    wait_until(lambda: len(raw.cancelled) > before, "the upstream hears of it")
    assert raw.cancelled[-1]["requestId"] == raw.calls[-1]["id"]
    assert send(broker, on).error["code"] == -32602


def test_a_url_that_a_user_must_visit_is_asked_for(broker: BrokerProcess, raw: RawUpstream) -> None:
    raw.calls.clear()
    call = {"name": "r_url", "arguments": {"text": "in"}}

    unable = send(broker, message("tools/call", call, elicitation={}))
    assert (unable.status, unable.error["code"]) == (400, -32021)
    raw.calls.clear()
    first = send(broker, message("tools/call", call, elicitation={"url": {}})).json["result"]
    (asked,) = first["inputRequests"].values()
    assert (asked["method"], asked["params"]["url"]) == ("elicitation/create", "https://login.example/")
    more = {"inputResponses": {key: {"action": "accept"} for key in first["inputRequests"]}}
    second = send(broker, message("tools/call", {**call, **more}, elicitation={"url": {}})).json["result"]
    assert second["content"][0]["text"] == "in"
    assert "inputResponses" not in raw.calls[-1]


def test_calls_that_wait_for_their_clients_block_no_others(raw: RawUpstream, tmp_path_factory: Any) -> None:
    config = {"servers": [server("ns/raw", raw.url, "r_")], "broker": {"limits": {"callsPerUpstream": 1}}}
    with run_broker(tmp_path_factory.mktemp("limit"), config) as running:
        running.wait_ready("ns/raw")
        asked = [send(running, ask([FORM, ROOTS])).json["result"] for _ in range(2)]
        assert running.status()["callsAsking"] == 2

        assert send(running, message("tools/call", {"name": "r_echo"})).status == 200
        for result in asked:
            assert answers_of(send(running, ask([FORM, ROOTS], more=again(result, ANNA, {"roots": []}))))[0] == ANNA
        assert running.status()["callsAsking"] == 0


def test_a_broker_that_stops_ends_what_waits_for_its_client(raw: RawUpstream, tmp_path_factory: Any) -> None:
    config = {"servers": [server("ns/raw", raw.url, "r_")]}
    before = len(raw.cancelled)
    with run_broker(tmp_path_factory.mktemp("stop"), config) as running:
        running.wait_ready("ns/raw")
        send(running, ask([FORM]))

        assert running.stop() == 0

    wait_until(lambda: len(raw.cancelled) > before, "the upstream hears of it")
