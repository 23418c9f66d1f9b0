# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""JSON-RPC 2.0 messages as MCP uses them: kinds, ids, errors, and building answers as bytes."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import orjson

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
"""MCP 2026-07-28: a header is missing, malformed, or does not repeat what the body says."""
MISSING_CAPABILITY = -32021
"""MCP 2026-07-28: the request needs something that its client has not declared; `data` names it."""
RESOURCE_NOT_FOUND = -32002
"""MCP up to 2025-11-25; later revisions use INVALID_PARAMS."""
UNSUPPORTED_VERSION = -32022
"""MCP 2026-07-28: the request's revision is not served; `data` names those that are."""
URL_ELICITATION_REQUIRED = -32042
"""MCP 2025-11-25: send the request again when the user has been to the URLs that `data` names."""

MAX_DEPTH = 250
"""Objects and arrays inside each other that a body may have."""

_NO_ERROR = {"code": 0, "message": ""}

Id = str | int
Message = dict[str, Any]


class RpcError(Exception):
    """A request that is answered with a JSON-RPC error.

    `status` is the HTTP status of the answer: 200 for errors of the method itself, 4xx when the request as such
    breaks a rule of the transport.
    """

    def __init__(self, code: int, message: str, data: Any = None, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.status = status


class RefusalError(RpcError):
    """A request that is refused whatever its method and revision: not allowed, or not now.

    The answer has this HTTP status and these headers, unless it is a part of a batch or its stream has begun.
    """

    def __init__(
        self, status: int, message: str, *headers: tuple[bytes, bytes], code: int = INVALID_REQUEST, data: Any = None
    ) -> None:
        super().__init__(code, message, data, status=status)
        self.headers = headers


class Kind(Enum):
    """What a JSON-RPC object is."""

    REQUEST = auto()
    NOTIFICATION = auto()
    RESPONSE = auto()


def parse(body: bytes) -> Any:
    """Parse a body; raise `RpcError` -32700 with HTTP status 400 when it is not JSON, or so deep that it could not be
    written again."""
    try:
        parsed = orjson.loads(body)
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:  # else it cannot be as deep
            orjson.dumps([[[[parsed]]]])  # with what the broker may wrap around it
    except orjson.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, f"Parse error: the body is not valid JSON: {error}", status=400) from None
    except TypeError:  # orjson reads 1024 levels and writes 254
        why = f"the body has more than {MAX_DEPTH} objects and arrays inside each other"
        raise RpcError(PARSE_ERROR, f"Parse error: {why}", status=400) from None
    return parsed


def classify(message: object) -> Kind:
    """Tell what one message is; raise `RpcError` -32600 (HTTP 400) when it is none of the three kinds.

    MCP narrows JSON-RPC: an id is a string or an integer, never null, `params` and `result` are objects.
    """
    if not isinstance(message, dict):
        raise _invalid("a message is a JSON object")
    if message.get("jsonrpc") != "2.0":
        raise _invalid('"jsonrpc" must be "2.0"')
    if "method" in message:
        if not isinstance(message["method"], str):
            raise _invalid('"method" must be a string')
        if not isinstance(message.get("params", {}), dict):
            raise _invalid('"params" must be an object')
        if "id" not in message:
            return Kind.NOTIFICATION
        if id_of(message) is None:
            raise _invalid('"id" must be a string or an integer')
        return Kind.REQUEST
    if ("result" in message) == ("error" in message):
        raise _invalid('a message has "method", or one of "result" and "error"')
    if not isinstance(message.get("result", {}), dict):
        raise _invalid('"result" must be an object')
    error = message.get("error", _NO_ERROR)
    if not isinstance(error, dict) or type(error.get("code")) is not int or not isinstance(error.get("message"), str):
        raise _invalid('"error" must be an object with a code and a message')
    return Kind.RESPONSE


def id_of(message: object) -> Id | None:
    """Return the message's id when it is one that MCP allows, otherwise None."""
    if isinstance(message, dict):
        value = message.get("id")
        if type(value) in (str, int):
            return value
    return None


def result_bytes(request_id: Id, result: bytes) -> bytes:
    """Build a response around an already serialized result; only the id is serialized here."""
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id) + b',"result":' + result + b"}"


def restamp(raw: bytes, message: Message, request_id: Id) -> bytes:
    """Return a response with another id; `message` is `raw` parsed, and is changed.

    The usual spelling, id second, is changed in place: serializing a large result again costs far more.
    """
    old = message["id"]
    if old == request_id and type(old) is type(request_id):
        return raw
    head = _head(old)
    if raw.startswith(head):
        return _head(request_id) + raw[len(head) :]
    message["id"] = request_id
    return orjson.dumps(message)


def restamp_with(raw: bytes, message: Message, request_id: Id, members: bytes) -> bytes:
    """Return a response with another id and with more members in its result, serialized `"name":value,...`.

    `message` is `raw` parsed; its result is an object without these members. As in `restamp` the usual spelling is
    changed in place.
    """
    result = message["result"]
    begin = _head(request_id) + b'"result":{' + members + (b"," if result else b"")
    head = _head(message["id"]) + b'"result":{'
    if raw.startswith(head):
        return begin + raw[len(head) :]
    return begin + orjson.dumps(result)[1:] + b"}"


def error_bytes(request_id: Id | None, error: RpcError) -> bytes:
    """Build an error response; an unknown id is null, as JSON-RPC asks."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": body})


def request(request_id: Id, method: str, params: dict[str, Any]) -> Message:
    """Build a request."""
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def notification(method: str, params: dict[str, Any] | None = None) -> Message:
    """Build a notification; `params` is left out when there are none."""
    message: Message = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        message["params"] = params
    return message


def _head(request_id: Id) -> bytes:
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(request_id) + b","


def excerpt(value: object) -> str:
    """Return what a peer sent, short enough to be repeated in an error."""
    text = str(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _invalid(why: str) -> RpcError:
    return RpcError(INVALID_REQUEST, f"Invalid request: {why}", status=400)
