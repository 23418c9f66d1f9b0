# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching an upstream's own notification stream for changes of its lists."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.link import UpstreamLink
from mcpops_broker.upstream.session import UpstreamSession

LONGEST_WAIT = 60.0
"""Seconds between two attempts to open the stream again."""


async def watch(link: UpstreamLink, session: UpstreamSession, changed: Callable[[], None]) -> None:
    """Call `changed` for every `notifications/tools/list_changed`, and after every gap in the stream.

    Ends when the upstream offers no such stream (MCP allows HTTP 405); its lists are then only read at intervals.
    """
    wait = 1.0
    while True:
        try:
            messages = await link.listen(session)
            if messages is None:
                return
            async for message in messages:
                wait = 1.0
                if message.get("method") == "notifications/tools/list_changed":
                    changed()
        except UpstreamError:
            pass  # the upstream's health is judged by its answers to requests, not by this stream
        await asyncio.sleep(wait * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing
        wait = min(wait * 2, LONGEST_WAIT)
        changed()
