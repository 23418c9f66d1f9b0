# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client in a process of its own, so that nothing else in the test slows it: for every number that it reads it
makes as many calls, one after the other, and prints how many seconds each took, as JSON.

    python timed_client.py HOST PORT TOOL
"""

from __future__ import annotations

import http.client
import json
import sys
import time


def main(host: str, port: str, tool: str) -> None:
    """Serve the numbers of standard input."""
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    start = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "timed", "version": "1"}}

    def post(method: str, params: object) -> http.client.HTTPResponse:
        message = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        connection.request("POST", "/mcp", message, headers)
        return connection.getresponse()

    answer = post("initialize", start)
    headers["mcp-session-id"] = answer.headers["mcp-session-id"]
    answer.read()
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            started = time.perf_counter()
            body = post("tools/call", {"name": tool, "arguments": {}}).read()
            seconds.append(time.perf_counter() - started)
            if b'"result"' not in body:
                raise SystemExit(f"a call failed: {body!r}")
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
