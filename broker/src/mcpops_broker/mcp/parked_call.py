# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A call that outlives the requests of its client.

An upstream with sessions asks its client in the middle of a call and waits. A client without a session cannot be asked:
it gets a result that says what is needed, and sends its request again with the answers (MCP 2026-07-28
basic/patterns/mrtr). In between the call is parked: it goes on in a task of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError
from mcpops_broker.upstream.exchange import Exchange, Reply
from mcpops_broker.upstream.upstream import Upstream

GATHER = 0.02
"""Seconds to wait for more questions after the first one, so that the client is asked all of them at once."""


class Turn(Protocol):
    """A request of the client that waits for a call, at this worker or at another one."""

    async def deliver(self, raw: bytes) -> None:
        """Pass on a notification of the call."""


@dataclass(slots=True)
class Question:
    """What the upstream asks."""

    method: str
    params: dict[str, Any]
    answer: asyncio.Future[dict[str, Any]]


@dataclass(slots=True, eq=False)
class ParkedCall:
    """A call that may ask its client."""

    id: bytes
    upstream: Upstream
    exchange: Exchange
    """The request that began the call; what the upstream knows of the client."""
    request: tuple[Any, ...]
    """What was called, for comparing it with a request that continues it."""
    task: asyncio.Task[Reply] = field(init=False)
    turn: Turn | None = None
    """The request that waits for the call now; None: the client has been asked."""
    questions: dict[str, Question] = field(default_factory=dict)
    """Open questions by key."""
    expiry: asyncio.TimerHandle | None = None
    _asked: int = 0
    _ready: asyncio.Future[None] | None = None

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Have the client answer a question; wait for as many of its requests as that takes."""
        loop = asyncio.get_running_loop()
        self._asked += 1
        key = f"question-{self._asked}"
        kept = {name: value for name, value in params.items() if name != "_meta"}  # progress and tasks of another era
        question = self.questions[key] = Question(method, kept, loop.create_future())
        loop.call_later(GATHER, self._wake)
        try:
            return await question.answer
        finally:
            self.questions.pop(key, None)

    def answer(self, responses: object) -> None:
        """Take the client's answers. What is no answer to an open question is ignored, as MCP asks."""
        if not isinstance(responses, dict):
            return
        for key, response in responses.items():
            if key in self.questions and isinstance(response, dict):
                future = self.questions.pop(key).answer
                if not future.done():
                    future.set_result(response)

    async def wait(self, turn: Turn) -> None:
        """Wait until the call has ended (its task is done) or there are questions for the client."""
        self.turn = turn
        self._ready = asyncio.get_running_loop().create_future()
        self.task.add_done_callback(self._wake)
        self._wake()
        try:
            await self._ready
        finally:
            self.task.remove_done_callback(self._wake)
            self.turn = self._ready = None

    def _wake(self, _: object = None) -> None:
        if self._ready is not None and not self._ready.done() and (self.task.done() or self.questions):
            self._ready.set_result(None)


def unknown_call() -> RpcError:
    """Build the error for a request that continues nothing. Whether its state is another client's, another request's,
    expired or made up is not told."""
    return RpcError(
        INVALID_PARAMS, "Invalid params: requestState belongs to no request like this one that still waits for answers"
    )
