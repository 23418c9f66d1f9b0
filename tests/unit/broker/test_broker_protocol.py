# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and JSON-RPC messages."""

from __future__ import annotations

import orjson
import pytest
from mcpops_broker.protocol import jsonrpc, versions
from mcpops_broker.protocol.jsonrpc import Kind, RpcError


@pytest.mark.parametrize(
    ("asked", "given"),
    [("2025-03-26", "2025-03-26"), ("2099-01-01", "2025-11-25"), (None, "2025-11-25"), ({}, "2025-11-25")],
)
def test_a_revision_is_agreed_on(asked: object, given: str) -> None:
    assert versions.negotiate(asked) == given


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"jsonrpc": "2.0", "id": 0, "method": "m"}, Kind.REQUEST),
        ({"jsonrpc": "2.0", "id": "", "method": "m", "params": {}}, Kind.REQUEST),
        ({"jsonrpc": "2.0", "method": "m"}, Kind.NOTIFICATION),
        ({"jsonrpc": "2.0", "id": 1, "result": {}}, Kind.RESPONSE),
        ({"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "m", "data": 1}}, Kind.RESPONSE),
    ],
)
def test_messages_are_told_apart(message: object, kind: Kind) -> None:
    assert jsonrpc.classify(message) is kind


def test_an_invalid_message_says_what_is_wrong() -> None:
    with pytest.raises(RpcError, match='"id" must be a string or an integer') as caught:
        jsonrpc.classify({"jsonrpc": "2.0", "id": None, "method": "m"})

    assert (caught.value.code, caught.value.status) == (-32600, 400)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"result": 1},
        {"result": None},
        {"error": None},
        {"error": "no"},
        {"error": {"code": 1}},
        {"error": {"code": "1", "message": "m"}},
        {"result": {}, "error": {"code": 1, "message": "m"}},
    ],
)
def test_an_odd_response_is_none(odd: dict[str, object]) -> None:
    with pytest.raises(RpcError):
        jsonrpc.classify({"jsonrpc": "2.0", "id": 1, **odd})


@pytest.mark.parametrize("request_id", [1, "a", 'q"uote', 2**60])
def test_a_result_is_wrapped_without_parsing_it(request_id: int | str) -> None:
    response = orjson.loads(jsonrpc.result_bytes(request_id, b'{"x":[1,2]}'))

    assert response == {"jsonrpc": "2.0", "id": request_id, "result": {"x": [1, 2]}}


def test_an_error_has_data_only_when_there_is_some() -> None:
    assert orjson.loads(jsonrpc.error_bytes(None, RpcError(-1, "m")))["error"] == {"code": -1, "message": "m"}
    assert orjson.loads(jsonrpc.error_bytes(1, RpcError(-1, "m", {})))["error"]["data"] == {}


def test_what_a_peer_sent_is_repeated_in_part() -> None:
    assert jsonrpc.excerpt("short") == "short"
    assert len(jsonrpc.excerpt("x" * 10_000)) == 200


@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"a":12345678901234567890123}}',
        b'{"jsonrpc":"2.0","id":"x","result":{"a":12345678901234567890123}}',
    ],
)
def test_members_are_added_without_touching_the_others(raw: bytes) -> None:
    stamped = jsonrpc.restamp_with(raw, orjson.loads(raw), "new", b'"b":1')

    assert stamped == b'{"jsonrpc":"2.0","id":"new","result":{"b":1,"a":12345678901234567890123}}'


@pytest.mark.parametrize(
    "raw", [b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{ "id": 1, "jsonrpc": "2.0", "result": { } }']
)
def test_members_are_added_to_an_empty_result_however_it_is_written(raw: bytes) -> None:
    assert jsonrpc.restamp_with(raw, orjson.loads(raw), 2, b'"b":1') == b'{"jsonrpc":"2.0","id":2,"result":{"b":1}}'


def test_members_are_added_to_a_result_that_is_written_oddly() -> None:
    raw = b'{"result": {"a": [1, 2]}, "jsonrpc": "2.0", "id": 1}'

    stamped = jsonrpc.restamp_with(raw, orjson.loads(raw), 2, b'"b":1')

    assert orjson.loads(stamped) == {"jsonrpc": "2.0", "id": 2, "result": {"a": [1, 2], "b": 1}}


@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_what_is_read_can_be_written_again(begin: bytes, end: bytes) -> None:
    def nested(depth: int) -> bytes:
        return begin * depth + b"1" + end * depth

    orjson.dumps(jsonrpc.request(1, "m", {"_meta": jsonrpc.parse(nested(jsonrpc.MAX_DEPTH))}))
    for depth in (jsonrpc.MAX_DEPTH + 1, 1024, 100_000):
        with pytest.raises(RpcError) as refused:
            jsonrpc.parse(nested(depth))
        assert (refused.value.code, refused.value.status) == (-32700, 400)
