# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The calls of this worker that may ask clients without sessions, and the way to those of other workers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.bus import Bus
from mcpops_broker.mcp.input_required import input_required
from mcpops_broker.mcp.parked_call import ParkedCall, Turn, unknown_call
from mcpops_broker.mcp.parked_far import FarCalls
from mcpops_broker.mcp.request_state import RequestState, StateSealer, digest_of
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.sealed_box import Secrets
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Reply
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.mcp.stateless_exchange import StatelessExchange

PARKED_FOR = 600.0
"""Seconds that a client gets to answer: people have to read and decide. Its call is cancelled then."""
MAX_PARKED = 1000
"""Calls that wait for their clients; the one that waits longest makes room, since clients need not come back."""

Params = dict[str, Any]
Work = Callable[[Upstream, str, Params], Coroutine[Any, Any, Reply]]


class ParkedCalls:
    """The calls that may ask their clients."""

    def __init__(self, secrets: Secrets, bus: Bus, background: Background) -> None:
        self.sealer = StateSealer(secrets)
        self._bus = bus
        self._background = background
        self._calls: dict[bytes, ParkedCall] = {}
        self._draining = False
        self._far = FarCalls(bus, background, self.go_on)

    def __len__(self) -> int:
        return len(self._calls)

    async def begin(
        self, exchange: StatelessExchange, upstream: Upstream, method: str, params: Params, work: Work
    ) -> Reply:
        """Have an upstream carry out a request by `work`; return its response, or what it asks of the client."""
        call = exchange.call = ParkedCall(os.urandom(16), upstream, exchange, _request(upstream, method, params))
        call.task = asyncio.create_task(work(upstream, method, params), name="parked call")
        call.task.add_done_callback(_seen)
        self._calls[call.id] = call
        return await self._next(call, exchange, exchange.owner)

    async def resume(
        self,
        exchange: StatelessExchange,
        upstream: Upstream,
        method: str,
        params: Params,
        *,
        state: object,
        answers: object,
    ) -> Reply:
        """Go on with a call that has asked its client; raise `RpcError` -32602 when the state is for no such call."""
        opened = self.sealer.open(state)
        if opened is None or (opened.owner, opened.request) != (
            exchange.owner,
            digest_of(*_request(upstream, method, params)),
        ):
            raise unknown_call()
        if opened.worker == self._bus.here:
            return await self.go_on(opened.call, exchange, opened.owner, answers)
        if not self._bus.knows(opened.worker):
            raise unknown_call()
        return await self._far.resume(exchange, opened, answers)

    async def go_on(self, call_id: bytes, turn: Turn, owner: bytes, answers: object) -> Reply:
        """Give a call of this worker its answers; return its response, or what it asks now."""
        call = self._calls.get(call_id)
        if call is None or call.turn is not None:
            raise unknown_call()
        call.answer(answers)
        return await self._next(call, turn, owner)

    def worker_gone(self, address: str) -> None:
        """Give up on the calls of a worker that died."""
        self._far.lost(address)

    def drain(self) -> None:
        """End the calls whose clients have been asked: the broker stops, so they could not answer any more."""
        self._draining = True
        for call in [call for call in self._calls.values() if call.turn is None]:
            self._end(call, "the broker stops")

    async def _next(self, call: ParkedCall, turn: Turn, owner: bytes) -> Reply:
        if call.expiry is not None:
            call.expiry.cancel()
        try:
            await call.wait(turn)
        except asyncio.CancelledError:
            self._end(call, "the client closed the connection")
            raise
        if call.task.done():
            self._calls.pop(call.id, None)
            if call.task.cancelled():
                raise RpcError(jsonrpc.INTERNAL_ERROR, "The call was ended")
            try:
                return call.task.result()
            except UpstreamError as error:
                if error.reason == "timeout":
                    self._background.start(call.upstream.cancel(call.exchange, "timeout"), "cancel")
                raise
        if self._draining:
            self._end(call, "the broker stops")
            raise RpcError(jsonrpc.INTERNAL_ERROR, "The broker stops and cannot wait for an answer")
        return self._park(call, owner)

    def _park(self, call: ParkedCall, owner: bytes) -> Reply:
        """Ask the client, and let the call wait."""
        call.expiry = asyncio.get_running_loop().call_later(PARKED_FOR, self._end, call, "the client did not answer")
        self._calls[call.id] = self._calls.pop(call.id)  # at the end again: the first is the one that waits longest
        waiting = [other for other in self._calls.values() if other.turn is None]
        if len(waiting) > MAX_PARKED:
            self._end(waiting[0], "too many calls wait for their clients")
        expires = int(time.time() + PARKED_FOR)
        state = RequestState(self._bus.here, call.id, owner, digest_of(*call.request), expires)
        questions = {key: (question.method, question.params) for key, question in call.questions.items()}
        return input_required(questions, self.sealer.seal(state))

    def _end(self, call: ParkedCall, reason: str) -> None:
        if self._calls.pop(call.id, None) is None:
            return
        if call.expiry is not None:
            call.expiry.cancel()
        logs.debug("parked.ended", upstream=call.upstream.server.name, reason=reason)
        self._background.start(_stop(call, reason), "cancel")


def _request(upstream: Upstream, method: str, params: Params) -> tuple[Any, ...]:
    """Return what is called, without what may differ when the client sends its request again."""
    return method, upstream.server.name, {key: value for key, value in params.items() if key != "_meta"}


async def _stop(call: ParkedCall, reason: str) -> None:
    """Tell the upstream, then stop waiting for it."""
    await call.upstream.cancel(call.exchange, reason)
    call.task.cancel()


def _seen(task: asyncio.Task[Reply]) -> None:
    """Mark a failure as seen even when nobody waits for the call any more."""
    if not task.cancelled():
        task.exception()
