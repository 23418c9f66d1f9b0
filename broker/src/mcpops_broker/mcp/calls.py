# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Calls in flight: those of sessions are found again by request id, to be cancelled; all can be ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from mcpops_broker.mcp.exchange import ClientExchange
from mcpops_broker.protocol.jsonrpc import Id, RpcError

CANCEL_GRACE = 2.0
"""Seconds that an upstream gets to end a cancelled call by itself."""


@dataclass(slots=True, eq=False)
class Call:
    """A request that is being carried out."""

    exchange: ClientExchange
    task: asyncio.Task[object]
    ended: RpcError | None = None
    """Why `stop` ended it; None: it did not."""

    def stop(self, why: RpcError) -> None:
        """End the call now, with this answer: its connection to the upstream is dropped."""
        if self.ended is None:
            self.ended = why
            self.task.cancel()


class Calls:
    """The calls in flight of this worker."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, Id], Call] = {}
        """Those of sessions."""
        self._alone: set[Call] = set()
        """Those of clients without sessions, whose ids need not differ."""

    def __len__(self) -> int:
        return len(self._calls) + len(self._alone)

    async def run(self, exchange: ClientExchange, work: Awaitable[bytes]) -> bytes:
        """Await the work that carries out a request in the current task; raise the `RpcError` with which it is ended
        meanwhile."""
        call = self._begin(exchange)
        try:
            return await work
        except asyncio.CancelledError:
            if call.ended is None:
                raise
            call.task.uncancel()
            exchange.record.stopped = True
            raise call.ended from None
        finally:
            self._end(call)

    def find(self, identity: str, request_id: object) -> Call | None:
        """Return the call with this id in a session."""
        if type(request_id) not in (str, int):
            return None
        return self._calls.get((identity, request_id))  # type: ignore[arg-type]

    def stop_session(self, identity: str, why: RpcError) -> None:
        """End all calls of a session."""
        for call in [call for (owner, _), call in self._calls.items() if owner == identity]:
            call.stop(why)

    def stop_all(self, why: RpcError) -> None:
        """End all calls."""
        for call in [*self._calls.values(), *self._alone]:
            call.stop(why)

    def _begin(self, exchange: ClientExchange) -> Call:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call is made by a task")
        call = Call(exchange, task)
        if exchange.client.stateless:
            self._alone.add(call)
        else:
            self._calls[exchange.client.identity, exchange.request_id] = call
        return call

    def _end(self, call: Call) -> None:
        """Forget a call; another one that has taken its id since stays."""
        key = (call.exchange.client.identity, call.exchange.request_id)
        if self._calls.get(key) is call:
            del self._calls[key]
        self._alone.discard(call)
