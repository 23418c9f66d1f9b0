# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTP proxy for the endpoint tests: tunnels and plain requests, with or without credentials."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit

from endpoint_servers import read_request

CREDENTIALS = "Basic dTpw"


class ProxyServer:
    """Relays to wherever it is asked, and remembers the heads of the requests that it got."""

    def __init__(self, *, guarded: bool = False, allowed: bool = True) -> None:
        self.heads: list[str] = []
        self._guarded, self._allowed = guarded, allowed
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            client.settimeout(5)
            request = read_request(client)
            head = request.partition(b"\r\n\r\n")[0].decode()
            self.heads.append(head)
            if self._guarded and f"Proxy-Authorization: {CREDENTIALS}" not in head:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif not self._allowed:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            elif head.startswith("CONNECT "):
                host, _, port = head.split()[1].rpartition(":")
                with socket.create_connection((host, int(port)), 5) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                    back.start()
                    _pump(client, server)
                    back.join(5)
            else:
                parts = urlsplit(head.split()[1])
                with socket.create_connection((str(parts.hostname), parts.port or 80), 5) as server:
                    server.sendall(request.replace(head.split()[1].encode(), parts.path.encode(), 1))
                    _pump(server, client)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # either side may go at any time
