# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""FastMCP as a gateway: `fastmcp_proxy.py default|shared PORT URL...`, run by the interpreter of its environment.

`default` is `create_proxy` as its documentation shows it: every request to an upstream has a client of its own.
`shared` gives it clients that are connected already.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

from fastmcp import Client, FastMCP
from fastmcp.server import create_proxy


async def main(kind: str, port: int, urls: list[str]) -> None:
    """Serve the upstreams under the names u0, u1, ..."""
    gateway: FastMCP[None] = FastMCP("bench")
    async with AsyncExitStack() as clients:
        for number, url in enumerate(urls):
            target = await clients.enter_async_context(Client(url)) if kind == "shared" else url
            gateway.mount(create_proxy(target), namespace=f"u{number}")
        await gateway.run_async(transport="http", host="127.0.0.1", port=port, log_level="error", show_banner=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
