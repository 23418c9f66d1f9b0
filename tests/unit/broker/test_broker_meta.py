# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`_meta` of revisions without sessions, and the capabilities that questions need."""

from __future__ import annotations

from typing import Any

import pytest
from mcpops_broker.protocol import capabilities, meta
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, MISSING_CAPABILITY, RpcError

GOOD = {meta.PROTOCOL_VERSION: "2026-07-28", meta.CLIENT_CAPABILITIES: {"sampling": {}}}


def message(**changes: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {**GOOD, **changes}}}


def test_a_request_says_who_asks() -> None:
    read = meta.read(message(**{meta.LOG_LEVEL: "info"}))

    assert (read.version, read.capabilities, read.log_level) == ("2026-07-28", {"sampling": {}}, "info")
    assert meta.read(message()).log_level is None


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"params": []},
        {"params": {}},
        {"params": {"_meta": None}},
        {"params": {"_meta": {meta.PROTOCOL_VERSION: "2026-07-28"}}},
        {"params": {"_meta": {meta.CLIENT_CAPABILITIES: {}}}},
        message(**{meta.CLIENT_CAPABILITIES: []}),
        message(**{meta.LOG_LEVEL: "loud"}),
        message(**{meta.LOG_LEVEL: {}}),
    ],
)
def test_a_request_that_does_not_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(RpcError) as caught:
        meta.read(bad)

    assert (caught.value.code, caught.value.status) == (INVALID_PARAMS, 400)


def test_the_envelope_is_put_on_and_taken_off() -> None:
    params = {"name": "t", "_meta": {"progressToken": 1, meta.LOG_LEVEL: "debug", "traceparent": "00-ab"}}

    sent = meta.with_envelope(
        params, version="2026-07-28", capabilities={"roots": {}}, client_info={"name": "b", "version": "1"}
    )

    assert sent == {
        "name": "t",
        "_meta": {
            "progressToken": 1,
            "traceparent": "00-ab",
            meta.PROTOCOL_VERSION: "2026-07-28",
            meta.CLIENT_CAPABILITIES: {"roots": {}},
            meta.CLIENT_INFO: {"name": "b", "version": "1"},
        },
    }
    assert meta.without_envelope(sent) == {"name": "t", "_meta": {"progressToken": 1, "traceparent": "00-ab"}}
    assert meta.without_envelope(message()["params"]) == {}
    assert meta.LOG_LEVEL in params["_meta"]


@pytest.mark.parametrize(
    ("wanted", "level", "passes"),
    [
        (None, "emergency", False),
        ("info", "debug", False),
        ("info", "info", True),
        ("info", "error", True),
        ("info", "chatty", True),
        ("info", None, True),
    ],
)
def test_log_messages_pass_by_their_level(wanted: str | None, level: object, passes: bool) -> None:
    assert meta.logs_at(wanted, level) is passes


@pytest.mark.parametrize(
    ("declared", "method", "params", "lacking"),
    [
        ({"elicitation": {}}, "elicitation/create", {}, {}),
        ({"elicitation": {"form": {}}}, "elicitation/create", {"mode": "form"}, {}),
        ({"elicitation": {"url": {}}}, "elicitation/create", {}, {"elicitation": {"form": {}}}),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, {"elicitation": {"url": {}}}),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, {}),
        ({}, "elicitation/create", {"mode": "form"}, {"elicitation": {"form": {}}}),
        ({"elicitation": True}, "elicitation/create", {}, {"elicitation": {"form": {}}}),
        ({"sampling": {}}, "sampling/createMessage", {}, {}),
        ({"sampling": {}}, "sampling/createMessage", {"tools": []}, {"sampling": {"tools": {}}}),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {"toolChoice": {}}, {}),
        ({}, "sampling/createMessage", {}, {"sampling": {}}),
        ({}, "roots/list", {}, {"roots": {}}),
        ({"roots": {"listChanged": True}}, "roots/list", {}, {}),
    ],
)
def test_questions_need_capabilities(
    declared: dict[str, Any], method: str, params: dict[str, Any], lacking: dict[str, Any]
) -> None:
    assert capabilities.missing(declared, method, params) == lacking


def test_a_missing_capability_is_named() -> None:
    error = capabilities.missing_error("elicitation/create", {"elicitation": {"url": {}}})

    assert (error.code, error.status) == (MISSING_CAPABILITY, 400)
    assert error.data == {"requiredCapabilities": {"elicitation": {"url": {}}}}
    assert "elicitation.url" in error.message
