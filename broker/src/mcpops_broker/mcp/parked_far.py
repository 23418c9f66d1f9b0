# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Going on with a call that is parked at another worker: the client's answers go there over the bus, and what the call
says comes back. One side of each message is here at the worker with the client, the other at the one with the call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from mcpops_broker.background import Background
from mcpops_broker.bus import Bus, numbers
from mcpops_broker.mcp.methods import rpc_error
from mcpops_broker.mcp.parked_call import Turn, unknown_call
from mcpops_broker.mcp.request_state import RequestState
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Reply

_RESUME, _NOTIFY, _DONE, _GONE = "parked.resume", "parked.notify", "parked.done", "parked.gone"

GoOn = Callable[[bytes, Turn, bytes, object], Awaitable[Reply]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request at this worker whose call is at another one."""

    worker: str
    messages: asyncio.Queue[tuple[str, Any]] = field(default_factory=asyncio.Queue)


@dataclass(frozen=True, slots=True)
class _FarTurn:
    """A request at another worker whose call is here."""

    bus: Bus
    worker: str
    number: int

    async def deliver(self, raw: bytes) -> None:
        """Send a notification to where the client is."""
        self.bus.send(_NOTIFY, [self.number, raw.decode()], self.worker)


class FarCalls:
    """Both sides of what workers say to each other about parked calls. `go_on` continues a call of this worker."""

    def __init__(self, bus: Bus, background: Background, go_on: GoOn) -> None:
        self._bus = bus
        self._background = background
        self._go_on = go_on
        self._numbers = numbers()
        self._waiting: dict[int, _Waiting] = {}
        self._serving: dict[tuple[str, int], asyncio.Task[None]] = {}
        bus.on(_RESUME, self._resumed)
        bus.on(_GONE, self._left)
        bus.on(_NOTIFY, self._heard)
        bus.on(_DONE, self._heard_end)

    async def resume(self, turn: Turn, state: RequestState, answers: object) -> Reply:
        """Go on with a call at another worker; return its response, or what it asks now."""
        number = next(self._numbers)
        waiting = self._waiting[number] = _Waiting(state.worker)
        self._bus.send(_RESUME, [number, state.call.hex(), state.owner.hex(), answers], state.worker)
        try:
            while True:
                kind, value = await waiting.messages.get()
                if kind == _DONE:
                    return _reply(value)
                await turn.deliver(value.encode())
        except asyncio.CancelledError:
            self._bus.send(_GONE, number, state.worker)
            raise
        finally:
            del self._waiting[number]

    def lost(self, worker: str) -> None:
        """End the waiting for a worker that died, and the calls for clients of that worker."""
        for waiting in self._waiting.values():
            if waiting.worker == worker:
                waiting.messages.put_nowait((_DONE, {"error": _error(unknown_call())}))
        for (sender, _), task in self._serving.items():
            if sender == worker:
                task.cancel()

    def _resumed(self, value: Any, sender: str) -> None:
        number, call, owner, answers = value
        work = self._serve(_FarTurn(self._bus, sender, number), bytes.fromhex(call), bytes.fromhex(owner), answers)
        self._serving[sender, number] = self._background.start(work, "parked call for another worker")

    def _left(self, value: Any, sender: str) -> None:
        task = self._serving.get((sender, value))
        if task is not None:
            task.cancel()

    def _heard(self, value: Any, sender: str) -> None:
        number, message = value
        if number in self._waiting:
            self._waiting[number].messages.put_nowait((_NOTIFY, message))

    def _heard_end(self, value: Any, sender: str) -> None:
        number, outcome = value
        if number in self._waiting:
            self._waiting[number].messages.put_nowait((_DONE, outcome))

    async def _serve(self, turn: _FarTurn, call: bytes, owner: bytes, answers: object) -> None:
        outcome: dict[str, Any]
        try:
            outcome = {"raw": (await self._go_on(call, turn, owner, answers)).raw.decode()}
        except RpcError as error:
            outcome = {"error": _error(error)}
        except UpstreamError as error:
            outcome = {"error": _error(rpc_error(error))}
        finally:
            del self._serving[turn.worker, turn.number]
        self._bus.send(_DONE, [turn.number, outcome], turn.worker)


def _error(error: RpcError) -> list[Any]:
    return [error.code, error.message, error.data]


def _reply(outcome: dict[str, Any]) -> Reply:
    if "error" in outcome:
        raise RpcError(*outcome["error"])
    raw = outcome["raw"].encode()
    return Reply(raw, orjson.loads(raw))
