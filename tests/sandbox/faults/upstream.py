# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the sandbox's MCP servers: an ASGI middleware that spoils the answers of ``/mcp``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from sandbox.faults import switches
from sandbox.faults.book import Fault

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

FOLDER = "MCPOPS_SANDBOX_DIR"
"""Environment variable with the sandbox's state directory."""

_SPOILED = {
    "http-500": (500, b"text/plain", b"Internal Server Error"),
    "content-type": (200, b"text/html", b"<html><body>It works!</body></html>"),
    "json": (200, b"application/json", b'{"jsonrpc": "2.0", "id": 1, "resul'),
    "sse": (200, b"text/event-stream", b"event: message\ndata: {not json\n\n"),
    "cut": (200, b"application/json", b'{"jsonrpc": "2.0", '),
}
MALFORMED = tuple(_SPOILED)
"""What the option ``how`` of upstream-malformed can be."""
_PROMISED = 1000
"""Bytes that an answer promises whose connection is then closed."""


def wrap(app: App) -> App:
    """The server with the faults of its sandbox; outside a sandbox, the server as it is."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return app
    switches.use(Path(folder))
    host = os.environ.get("HOSTNAME", "")

    async def spoiled(scope: Message, receive: Receive, send: Send) -> None:
        fault = _fault(host) if scope["type"] == "http" and scope["path"] == "/mcp" else None
        if fault is None:
            await app(scope, receive, send)
            return
        switches.strike(fault, f"{scope['method']} of {host}")
        if fault.name == "upstream-malformed":
            await _answer(fault.text("how"), send)
            return
        if fault.name == "upstream-hung":
            await _hang(receive)
            return
        await asyncio.sleep(fault.number("delay"))
        await app(scope, receive, send)

    return spoiled


def _fault(host: str) -> Fault | None:
    for fault in switches.active():
        if fault.name in ("upstream-slow", "upstream-hung", "upstream-malformed"):
            server = fault.text("server")
            if not server or host.startswith(f"{server}-"):
                return fault
    return None


async def _hang(receive: Receive) -> None:
    """Never answers; ends with the client's patience."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def _answer(how: str, send: Send) -> None:
    status, kind, body = _SPOILED[how]
    length = _PROMISED if how == "cut" else len(body)
    headers = [(b"content-type", kind), (b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
