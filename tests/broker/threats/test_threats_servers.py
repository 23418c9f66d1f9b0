# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that want what is not theirs, and addresses that are none of a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from broker.harness import Json, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream

SECRET = "Bearer s3cr3t-of-the-broker"
REDIRECTS = (301, 302, 303, 307, 308)


@contextmanager
def redirecting(status: int, target: str) -> Iterator[tuple[str, list[str]]]:
    """Serve redirections; give the address, and who asked with which authorization."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("location", target)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}/mcp", asked
    finally:
        httpd.shutdown()
        httpd.server_close()


def test_a_redirect_takes_the_brokers_credential_nowhere(tmp_path: Path) -> None:
    with RawUpstream("echo") as elsewhere, ExitStack() as stack:
        servers: list[Json] = []
        asked: list[list[str]] = []
        for status in REDIRECTS:
            url, heard = stack.enter_context(redirecting(status, elsewhere.url))
            servers.append(server(f"ns/{status}", url, f"s{status}_", credential=SECRET))
            asked.append(heard)
        broker = stack.enter_context(run_broker(tmp_path / "broker", {"servers": servers}))

        def told() -> bool:
            return all("answered with a redirect" in broker.server(one["name"])["message"] for one in servers)

        wait_until(told, "every redirect is told")
        assert [set(heard) for heard in asked] == [{SECRET}] * len(REDIRECTS)
        assert (elsewhere.initialized, elsewhere.calls) == (0, [])
        assert "s3cr3t" not in broker.log
        assert b"s3cr3t" not in broker.request("GET", "/status").body


def test_an_address_of_the_platform_is_no_server(tmp_path: Path) -> None:
    """However it is written: what counts is where the connection would go."""
    addresses = [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "0xa9fea9fe",
        "0.0.0.0:1",
        "100.100.100.200",
    ]
    servers = [server(f"ns/{number}", f"http://{host}/mcp", f"s{number}_") for number, host in enumerate(addresses)]
    with run_broker(tmp_path / "broker", {"servers": servers}) as broker:

        def told() -> bool:
            return all(
                "is an address that may not be connected to" in broker.server(one["name"])["message"] for one in servers
            )

        wait_until(told, "every address is refused", 20)
