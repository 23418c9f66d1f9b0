# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MCP server on the internet, as a sandbox sees it: TLS under a name of its own, and a credential if wanted.

    python -m sandbox.servers.external --dir .sandbox [--host api.external.example] [--token-file FILE]

The weather server, on a free port. ``DIR/outside`` gets its address (hosts.json) and authority (ca.pem) before it
answers. With a token file, a request must have the file's content as its Authorization header; the file is read for
every request. Ends with SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from sandbox import seed
from sandbox.servers.weather import create_server

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]
HOST = "api.external.example"


class Guard:
    """Answers 401 to requests without the Authorization header that the token file holds at that moment."""

    def __init__(self, app: App, token_file: Path) -> None:
        self._app = app
        self._token_file = token_file

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        wanted = self._token_file.read_text(encoding="utf-8").strip().encode()
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != wanted:
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"unauthorized\n"})
            return
        await self._app(scope, receive, send)


def announce(outside: Path, host: str, port: int, authority: bytes) -> None:
    """Tell the sandbox where the host is and whom to trust."""
    outside.mkdir(exist_ok=True)
    hosts = outside / "hosts.json"
    table = json.loads(hosts.read_text(encoding="utf-8")) if hosts.exists() else {}
    table[f"{host}:443"] = f"127.0.0.1:{port}"
    for path, content in ((outside / "ca.pem", authority), (hosts, json.dumps(table).encode())):
        draft = path.with_suffix(".new")
        draft.write_bytes(content)
        draft.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="An MCP server outside the sandbox (Streamable HTTP, TLS, at /mcp)")
    parser.add_argument("--dir", type=Path, required=True, help="the sandbox's state directory")
    parser.add_argument("--host", default=HOST, help=f"its name (default {HOST})")
    parser.add_argument("--token-file", type=Path, help="file with the Authorization header that it asks for")
    options = parser.parse_args()
    chain, key = seed.self_signed(options.host)
    files = options.dir / "outside"
    files.mkdir(exist_ok=True)
    private, public = files / "server.key", files / "server.pem"
    private.touch(mode=0o600)
    private.write_bytes(key)
    public.write_bytes(chain)
    app: Any = create_server().streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    listening = socket.create_server(("127.0.0.1", 0))
    announce(files, options.host, listening.getsockname()[1], chain)
    config = uvicorn.Config(
        Guard(app, options.token_file) if options.token_file else app,
        loop="asyncio",
        log_level="warning",
        access_log=False,
        ssl_certfile=public,
        ssl_keyfile=str(private),
        timeout_graceful_shutdown=1,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
