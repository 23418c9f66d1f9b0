# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of requests: how they end, who is told, and the id that log lines carry."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

import pytest
from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.seen.observers import LONGEST_ID, Observers
from mcpops_broker.seen.record import Outcome, Record
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError

DENIED = SimpleNamespace(allowed=False, rule="r", reason="no")


@pytest.fixture(autouse=True)
def no_request_afterwards() -> Iterator[None]:
    """Forget the request that a test begins outside a task."""
    token = logs.request_id.set("")
    yield
    logs.request_id.reset(token)


def record() -> Record:
    return Record("1", "127.0.0.1", {})


@pytest.mark.parametrize(
    ("message", "outcome", "reason"),
    [
        ({"result": {"content": []}}, "ok", ""),
        ({"result": {"content": [], "isError": False}}, "ok", ""),
        ({"result": {"isError": True}}, "tool_error", ""),
        ({"result": {"resultType": "input_required"}}, "input_required", ""),
        ({"error": {"code": -32602, "message": "secret"}}, "error", "-32602"),
        ({"error": "odd"}, "error", ""),
    ],
)
def test_an_answer_says_how_the_request_ended(message: dict[str, Any], outcome: str, reason: str) -> None:
    one = record()
    one.answered(message)
    assert (one.outcome, one.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (UpstreamError("s", "timeout", "secret"), "upstream", "timeout"),
        (UpstreamError("s", "cancelled", "secret"), "cancelled", "cancelled"),
        (UpstreamRpcError("s", -32001, "secret", None), "error", "-32001"),
        (RpcError(jsonrpc.INVALID_PARAMS, "secret"), "invalid", "-32602"),
        (RpcError(jsonrpc.INVALID_REQUEST, "secret", status=401), "unauthenticated", "-32600"),
        (RpcError(jsonrpc.INVALID_REQUEST, "secret", status=403), "denied", "-32600"),
        (RpcError(jsonrpc.INVALID_REQUEST, "secret", status=429), "limited", "-32600"),
        (RpcError(429, "secret"), "limited", "429"),
        (RpcError(jsonrpc.INVALID_REQUEST, "secret", status=503), "busy", "-32600"),
        (RpcError(jsonrpc.INTERNAL_ERROR, "secret", status=500), "failed", "-32603"),
        (RpcError(jsonrpc.INTERNAL_ERROR, "the broker is stopping"), "busy", "-32603"),
    ],
)
def test_an_error_says_how_the_request_ended(error: RpcError | UpstreamError, outcome: str, reason: str) -> None:
    one = record()
    one.failed(error)
    assert (one.outcome, one.reason) == (outcome, reason)


def test_what_a_policy_refuses_is_denied_though_the_client_hears_that_it_does_not_exist() -> None:
    one = record()
    one.decision = DENIED
    one.failed(RpcError(jsonrpc.INVALID_PARAMS, "Unknown tool: t"))
    assert one.outcome is Outcome.DENIED


def test_a_request_that_was_stopped_is_cancelled() -> None:
    one = record()
    one.stopped = True
    one.failed(RpcError(jsonrpc.INVALID_REQUEST, "The session was ended"))
    assert one.outcome is Outcome.CANCELLED


def test_observers_are_told_of_a_request_when_it_has_ended() -> None:
    told: list[Record] = []
    observers = Observers()
    observers.observe(told.append)
    one = observers.begin({}, ("192.0.2.1", 4000))
    other = observers.begin_another(one)
    assert observers.open == {one, other}
    assert not told
    observers.end(one)
    assert told == [one]
    assert observers.open == {other}
    assert (one.address, other.id) == ("192.0.2.1", one.id)
    assert one.seconds == one.duration > 0


@pytest.mark.parametrize("given", [b"", b"x" * (LONGEST_ID + 1), b"a\x1b[2J", "ä".encode()])
def test_an_id_that_is_no_short_line_of_ascii_is_replaced(given: bytes) -> None:
    observers = Observers()
    one, other = (observers.begin({b"x-request-id": given}, None) for _ in range(2))
    assert one.id != other.id
    assert one.id.encode() != given


def test_log_lines_of_a_request_carry_its_id_and_those_of_background_work_do_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def request() -> None:
        Observers().begin({b"x-request-id": b"abc-1"}, None)
        background = Background()

        async def later() -> None:
            logs.info("later")

        logs.info("now")
        await background.start(later(), "later")

    root, own = logging.getLogger(), logging.getLogger("mcpops_broker")
    before = root.handlers[:], root.level, own.level
    try:
        logs.setup("info", "json")
        copy_context().run(asyncio.run, request())
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        own.setLevel(before[2])
    now, later = map(json.loads, capsys.readouterr().err.splitlines())
    assert now["request"] == "abc-1"
    assert "request" not in later
