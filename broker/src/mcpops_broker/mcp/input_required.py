# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Results that say what a server needs of its client before it can go on (MCP 2026-07-28 basic/patterns/mrtr)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.capabilities import missing, missing_error
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.exchange import Reply

METHODS = frozenset({"prompts/get", "resources/read", "tools/call"})
"""The requests that may be answered so."""
_ASK = "elicitation/create"

Question = tuple[str, Mapping[str, Any]]
"""Method and params of what the client is asked."""


def input_required(questions: Mapping[str, Question], state: str | None = None) -> Reply:
    """Build the result for questions by key. `state` comes back with the answers."""
    requests = {key: {"method": method, "params": params} for key, (method, params) in questions.items()}
    result: dict[str, Any] = {"resultType": "input_required", "inputRequests": requests}
    if state is not None:
        result["requestState"] = state
    message = {"jsonrpc": "2.0", "id": 0, "result": result}
    return Reply(orjson.dumps(message), message)


def in_place_of_error(reply: Reply, capabilities: Mapping[str, Any]) -> Reply:
    """Turn the error -32042 into the result that asks for the same; other responses stay as they are.

    No state is needed: the client sends its request again, and so does the broker. Raises `RpcError` -32021 when the
    client cannot send its user to a URL.
    """
    error = reply.message.get("error")
    if not isinstance(error, dict) or error.get("code") != jsonrpc.URL_ELICITATION_REQUIRED:
        return reply
    data = error.get("data")
    wanted = data.get("elicitations") if isinstance(data, dict) else None
    if not isinstance(wanted, list) or not wanted or not all(isinstance(params, dict) for params in wanted):
        raise RpcError(jsonrpc.INTERNAL_ERROR, "The upstream asks for a URL elicitation but names no URL")
    questions = {f"url-{number}": (_ASK, {**params, "mode": "url"}) for number, params in enumerate(wanted, 1)}
    lacking = missing(capabilities, _ASK, {"mode": "url"})
    if lacking:
        raise missing_error(_ASK, lacking)
    return input_required(questions)


def check_declared(result: Mapping[str, Any], capabilities: Mapping[str, Any]) -> None:
    """Raise `RpcError` -32021 when a result asks what the client has not declared: a server must not."""
    requests = result.get("inputRequests")
    for request in requests.values() if isinstance(requests, dict) else ():
        if isinstance(request, dict):
            method, params = request.get("method"), request.get("params")
            lacking = missing(capabilities, str(method), params if isinstance(params, dict) else {})
            if lacking:
                raise missing_error(str(method), lacking)
