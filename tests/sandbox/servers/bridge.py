# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts an MCP server of a package that only speaks stdio behind Streamable HTTP.

    python -m sandbox.servers.bridge --server mcp_server_time.server:create_server --argument UTC --port 9090

The package's own server object is used in this process; no second process and no second protocol hop.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from mcp.server.mcpserver import MCPServer
from sandbox.servers import http


def load(reference: str, arguments: list[str]) -> MCPServer[Any]:
    """The server that ``module:factory`` makes from the arguments; raises SystemExit with the reason if it cannot."""
    module, _, factory = reference.partition(":")
    try:
        server = getattr(importlib.import_module(module), factory)(*arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise SystemExit(
            f"--server {reference}: {error}; it must name a module and a function of an installed package"
        ) from error
    if not isinstance(server, MCPServer):
        raise SystemExit(f"--server {reference} made {type(server).__name__}, not an MCPServer of the official SDK")
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description="A stdio MCP server's package served over Streamable HTTP at /mcp")
    parser.add_argument("--server", required=True, metavar="MODULE:FACTORY", help="function that makes the server")
    parser.add_argument(
        "--argument", action="append", default=[], help="text argument of the function; may be repeated"
    )
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    options = parser.parse_args()
    http.run(load(options.server, options.argument), options.port)


if __name__ == "__main__":
    main()
