# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the official SDK for the endpoint tests, and a load balancer in front of several."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import InputRequiredResult, JSONRPCMessage
from pydantic import BaseModel, Field


class Memory(EventStore):
    """Keeps every event, so that a broken stream can be resumed."""

    def __init__(self) -> None:
        self._events: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        stream = self._events[int(last_event_id) - 1][0]
        for number, (other, message) in enumerate(self._events, 1):
            if number > int(last_event_id) and other == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


class Answer(BaseModel):
    """What a person is asked for."""

    sure: bool


def weather_server(**options: Any) -> MCPServer:
    """Tools that answer, fail, ask back, break their stream, and take an argument as a header."""
    server = MCPServer("weather", version="1.2", **options)

    @server.tool()
    def forecast(city: str) -> str:
        """The weather of a city."""
        if city == "Atlantis":
            raise ValueError("Atlantis has sunk")
        return f"{city}: sunny"

    @server.tool()
    def alerts() -> list[str]:
        """Warnings."""
        return []

    return server


def talking_server(**options: Any) -> MCPServer:
    """Tools that ask back, that break their stream, and that take an argument as a header."""
    server = MCPServer("talking", version="1", **options)

    @server.tool()
    async def ask(ctx: Context) -> str:
        """Ask a person, and tell what became of it."""
        try:
            await ctx.elicit("Are you sure?", Answer)
        except Exception as error:
            return f"refused: {error}"
        return "granted"

    @server.tool()
    async def slow(ctx: Context) -> str:
        """Break the stream before the answer."""
        await ctx.report_progress(1, 2)
        await ctx.close_sse_stream()
        return "resumed"

    @server.tool()
    def form() -> str | InputRequiredResult:
        """Needs input."""
        return InputRequiredResult.model_validate(
            {
                "resultType": "input_required",
                "requestState": "s",
                "inputRequests": {
                    "one": {
                        "method": "elicitation/create",
                        "params": {
                            "mode": "form",
                            "message": "Are you sure?",
                            "requestedSchema": {"type": "object", "properties": {"sure": {"type": "boolean"}}},
                        },
                    }
                },
            }
        )

    @server.tool()
    def region(
        name: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
        count: Annotated[int, Field(json_schema_extra={"x-mcp-header": "Count"})] = 1,
    ) -> str:
        """Has arguments that are sent as headers too."""
        return f"{name} {count}"

    return server


@contextlib.contextmanager
def serve(app: Any, listener: socket.socket | None = None) -> Iterator[str]:
    """Run an ASGI application until the block ends; its origin."""
    with listener or socket.create_server(("127.0.0.1", 0)) as bound:
        running = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(10)


@contextlib.contextmanager
def balanced(ports: Sequence[int]) -> Iterator[int]:
    """A load balancer that leads each connection to the next port; its own port."""
    turn = itertools.cycle(ports)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                server = socket.create_connection(("127.0.0.1", next(turn)))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
