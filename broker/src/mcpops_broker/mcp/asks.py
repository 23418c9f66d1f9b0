# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Requests to clients with sessions: what upstreams ask (elicitation, sampling, roots), and the responses.

A question goes out on the stream of the call that it belongs to. The response comes by a POST of its own, which may
reach another worker: the id of a question begins with the address of the worker that waits.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Id, Message, RpcError


@dataclass(slots=True, eq=False)
class Ask:
    """A question that waits for its response."""

    identity: str
    """Of the session whose client is asked."""
    answer: asyncio.Future[Message]
    token: Id | None
    """The progress token that the upstream gave; the client got the question's id as its token."""
    progress: Callable[[Message], None]
    """Takes the client's progress, as a notification with the upstream's token."""


class Asks:
    """The open questions of one worker."""

    def __init__(self, address: str) -> None:
        self._prefix = f"{address}-{secrets.token_hex(4)}-"
        """Random digits: a response to a question of this process's predecessor fits none of ours."""
        self._numbers = count(1)
        self._open: dict[str, Ask] = {}
        self._closed: RpcError | None = None

    def __len__(self) -> int:
        return len(self._open)

    async def ask(
        self,
        identity: str,
        method: str,
        params: dict[str, Any],
        send: Callable[[bytes], Awaitable[None]],
        progress: Callable[[Message], None],
    ) -> dict[str, Any]:
        """Ask a client and return the result.

        Raises `RpcError` for an error response. When nobody waits any more the client is told so.
        """
        if self._closed is not None:
            raise self._closed
        ask_id = f"{self._prefix}{next(self._numbers)}"
        params, token = _with_token(params, ask_id)
        ask = Ask(identity, asyncio.get_running_loop().create_future(), token, progress)
        self._open[ask_id] = ask
        try:
            await send(orjson.dumps(jsonrpc.request(ask_id, method, params)))
            response = await ask.answer
        except asyncio.CancelledError:
            withdrawn = jsonrpc.notification("notifications/cancelled", {"requestId": ask_id})
            await send(orjson.dumps(withdrawn))
            raise
        finally:
            del self._open[ask_id]
        if "error" in response:
            raise _error(response["error"])
        result = response["result"]
        if not isinstance(result, dict):
            raise RpcError(jsonrpc.INTERNAL_ERROR, "The client answered with a result that is not an object")
        return result

    def respond(self, identity: str, response: Message) -> None:
        """Take a client's response. One that nobody waits for, or of another session, is dropped."""
        ask = self._open.get(str(response.get("id")))
        if ask is not None and ask.identity == identity and not ask.answer.done():
            ask.answer.set_result(response)

    def take_progress(self, identity: str, notification: Message) -> None:
        """Pass on how far a client is with answering."""
        params = notification.get("params", {})
        token = params.get(meta.PROGRESS_TOKEN)
        ask = self._open.get(token) if isinstance(token, str) else None
        if ask is not None and ask.identity == identity and ask.token is not None:
            ask.progress({**notification, "params": {**params, meta.PROGRESS_TOKEN: ask.token}})

    def close(self, error: RpcError) -> None:
        """End all questions with this error, and every one that is still to come."""
        self._closed = error
        for ask in self._open.values():
            if not ask.answer.done():
                ask.answer.set_exception(error)


def asker_of(ask_id: object) -> str | None:
    """Return the address of the worker that waits for the response with this id; None: it is none of ours."""
    return ask_id.partition("-")[0] if isinstance(ask_id, str) else None


def _with_token(params: dict[str, Any], ask_id: str) -> tuple[dict[str, Any], Id | None]:
    """Replace the progress token, which is unique at its upstream only, by the question's id."""
    own = params.get("_meta")
    token = own.get(meta.PROGRESS_TOKEN) if isinstance(own, dict) else None
    if own is None or type(token) not in (str, int):
        return params, None
    return {**params, "_meta": {**own, meta.PROGRESS_TOKEN: ask_id}}, token


def _error(error: object) -> RpcError:
    body = error if isinstance(error, dict) else {}
    code = body.get("code")
    return RpcError(
        code if type(code) is int else jsonrpc.INTERNAL_ERROR,
        str(body.get("message", "The client answered with an error")),
        body.get("data"),
    )
