# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP server on loopback that answers from a script, for what a well-behaved API server never does."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport

Json = dict[str, Any]
Reply = Callable[["Handler"], None]


class Seen:
    """One request that the server got."""

    def __init__(self, handler: Handler) -> None:
        parts = urllib.parse.urlsplit(handler.path)
        self.method = handler.command
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.headers = handler.headers
        self.connection = handler.client_address[1]
        length = int(handler.headers.get("Content-Length") or 0)
        content = handler.rfile.read(length)
        is_form = handler.headers.get_content_type() == "application/x-www-form-urlencoded"
        self.body = content.decode() if is_form else json.loads(content) if length else None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        self.server.seen.append(Seen(self))
        self.server.replies.get(timeout=10)(self)

    do_GET = do_PATCH = do_DELETE = do_POST = answer  # noqa: N815 - names of http.server

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the tests look at ``seen``."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[Seen] = []
        self.replies: queue.Queue[Reply] = queue.Queue()
        self._closed = threading.Semaphore(0)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and say so."""
        super().shutdown_request(request)
        self._closed.release()

    def until_closed(self) -> None:
        """Wait until the server has closed a connection: its client can know by now."""
        assert self._closed.acquire(timeout=30)

    @property
    def url(self) -> str:
        scheme = "https" if isinstance(self.socket, ssl.SSLSocket) else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def will(self, *replies: Reply) -> None:
        """The answers to the next requests, in order."""
        for reply in replies:
            self.replies.put(reply)

    def client(self, **settings: Any) -> tuple[ApiClient, list[float]]:
        """A client that does not sleep, and the seconds that it would have slept."""
        slept: list[float] = []
        transport = LightTransport(Settings(host=self.url, token="t0ken", **settings))
        return ApiClient(transport, sleep=slept.append, jitter=lambda: 1.0), slept


@contextlib.contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[Server]:
    server = Server()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


# ---- replies


def says(body: Any, code: int = 200, **headers: str) -> Reply:
    """A JSON answer (text is sent as it is)."""

    def reply(handler: Handler) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def refuses(code: int, reason: str = "", message: str = "no", **headers: str) -> Reply:
    return says({"kind": "Status", "message": message, "reason": reason, "code": code}, code, **headers)


def hangs_up(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def breaks_off(handler: Handler) -> None:
    """Promise a long answer and end in the middle of it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"kind": "Conf')
    hangs_up(handler)


def closes_after(body: Any) -> Reply:
    """Answer and promise to keep the connection, then close it: a server that restarts."""

    def reply(handler: Handler) -> None:
        says(body)(handler)
        handler.close_connection = True

    return reply


def streams(*events: Any, then: threading.Event | None = None, cut: bool = False) -> Reply:
    """A watch: one line an event; ends at once, when ``then`` is set, or ``cut`` in the middle of a line."""

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()

        def chunk(data: bytes) -> None:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()

        for event in events:
            chunk(json.dumps(event).encode() + b"\n")
        if then is not None:
            then.wait(10)
        if cut:
            chunk(b'{"type": "MODI')
            hangs_up(handler)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    return reply


def config_map(name: str = "x", version: str = "1", **content: Any) -> Json:
    metadata = {"name": name, "namespace": "ns", "resourceVersion": version, "uid": "u1", **content.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def listed(*items: Json, version: str = "10", more: str = "") -> Json:
    metadata = {"resourceVersion": version, **({"continue": more} if more else {})}
    return {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": list(items)}
