# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listening socket: TLS for those who speak it, a plain word for those who do not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
import ssl
from collections.abc import Coroutine

from .http import Handler, HttpProtocol, Middleware

LOG = logging.getLogger(__name__)
_PLAIN = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
_TLS_HANDSHAKE = b"\x16"
_GREETING_SECONDS = 32.0
"""How long a client may take to begin, and to send the head and body of a request once it has begun."""
_SWEEP_SECONDS = 5.0


class Listener:
    """Accepts connections on 127.0.0.1 and keeps account of them."""

    def __init__(self, port: int, tls: ssl.SSLContext, handler: Handler, middleware: Middleware | None) -> None:
        self._tls = tls
        self._handler = handler
        self._middleware = middleware
        self._connections: set[HttpProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=512)
        self._socket.setblocking(False)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a watch is a connection, and there may be thousands

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Accept connections from now on."""
        for work in (self._accept(), self._sweep()):
            self._spawn(work)

    async def close(self) -> None:
        """Accept no more, and end what there is."""
        self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(connection.close() for connection in list(self._connections)))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as error:  # no more file descriptors; some will be free again
                LOG.warning("A connection could not be accepted: %s", error)
                await asyncio.sleep(0.1)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        # A client that goes away, takes too long, or speaks something else needs no answer and no line in a log.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GREETING_SECONDS):
                first = await _first_byte(connection)
                if first == _TLS_HANDSHAKE:
                    await loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)
                    return
                if first:
                    await loop.sock_sendall(connection, _PLAIN)
                    connection.shutdown(socket.SHUT_WR)
                    while await loop.sock_recv(connection, 65536):
                        pass  # what it still sends; closing before it was read would take our word back
        connection.close()

    def _protocol(self) -> HttpProtocol:
        return HttpProtocol(self._handler, self._connections, self._middleware)

    async def _sweep(self) -> None:
        """Close connections on which a request has begun and does not come to its end."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connection in list(self._connections):
                connection.expire(_GREETING_SECONDS)


async def _first_byte(connection: socket.socket) -> bytes:
    """What a client sends first, left to be read again; empty when it closes."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)
