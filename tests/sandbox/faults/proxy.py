# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reverse proxy in front of an API server that is not ours: ``python -m sandbox.faults.proxy --dir DIR``.

It is started with the first API fault of a sandbox on envtest and stays until `down`; DIR/kubeconfig then leads
through it. The controllers keep talking to the server itself, so that faults for everybody do not reach them there.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import ssl
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
import yaml
import yarl
from sandbox.api.http import Cut, Handler, HttpProtocol, Request, Response, Stream
from sandbox.faults.rules import Answer, Rules
from sandbox.processes import write_private
from sandbox.state import Folder

_HOP_BY_HOP = frozenset({"connection", "content-length", "host", "keep-alive", "transfer-encoding", "date", "expect"})


class Proxy:
    """Forwards every request, but for those that a fault hits."""

    def __init__(self, session: aiohttp.ClientSession, upstream: str, rules: Rules) -> None:
        self._session = session
        self._upstream = upstream
        self._rules = rules

    def __call__(self, request: Request, _: Handler) -> Coroutine[Any, Any, Answer]:
        """The middleware: it answers all requests itself."""
        fault = self._rules.find(request)
        if fault is None:
            return self._forward(request)
        return self._rules.strike(fault, request, lambda: self._forward(request))

    async def _forward(self, request: Request) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
        url = yarl.URL(self._upstream + request.target, encoded=True)
        try:
            answer = await self._session.request(request.method, url, headers=headers, data=request.body or None)
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
            kind = answer.headers.get("content-type", "application/json")
            kept = [(name, value) for name, value in kept if name.lower() != "content-type"]
            if "watch" in request.query or "follow" in request.query:
                return Stream(_chunks(answer), answer.status, kind, kept)
            return Response(answer.status, await answer.read(), kind, kept)
        except aiohttp.ClientError as error:
            raise Cut from error


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError as error:
        raise Cut from error
    finally:
        answer.close()


def _unused(_: Request) -> Response:
    raise AssertionError("the middleware answers every request")


async def serve(folder: Folder) -> None:
    """Serves until SIGTERM; the kubeconfig leads here as soon as requests are answered."""
    config = yaml.safe_load(folder.kubeconfig.read_text(encoding="utf-8"))
    upstream = str(config["clusters"][0]["cluster"]["server"])
    keys = folder.path / "pki"
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(keys / "tls.crt", keys / "tls.key")
    client_side = ssl.create_default_context(cafile=str(folder.ca))
    client_side.verify_flags &= ~ssl.VERIFY_X509_STRICT
    connector = aiohttp.TCPConnector(ssl=client_side, limit=0)
    patience = aiohttp.ClientTimeout(total=None, sock_connect=5)
    loop, connections = asyncio.get_running_loop(), set[HttpProtocol]()
    async with aiohttp.ClientSession(connector=connector, timeout=patience, auto_decompress=False) as session:
        proxy = Proxy(session, upstream, Rules(folder.path))
        server = await loop.create_server(
            lambda: HttpProtocol(_unused, connections, proxy), "127.0.0.1", 0, ssl=server_side
        )
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        write_private(folder.kubeconfig, yaml.safe_dump(config, sort_keys=False))
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await stop.wait()
        server.close()
        await asyncio.gather(*(connection.close() for connection in list(connections)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the sandbox's state directory")
    uvloop.run(serve(Folder(parser.parse_args().dir)))


if __name__ == "__main__":
    main()
