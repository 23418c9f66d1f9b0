# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching the stream (GET) of the broker's own session for changes of an upstream's lists and resources."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.streams import EventStream, Inbound
from mcpops_broker.upstream.transport import Transport

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two attempts to open the stream again."""


async def watch(transport: Transport, session: UpstreamSession, inbound: Inbound, changed: Callable[[], None]) -> None:
    """Hand every message of the stream to `inbound`, and call `changed` after every gap in it.

    A stream that breaks is resumed after the last event, when the upstream numbers them. Ends when the upstream offers
    no such stream (MCP allows HTTP 405); its lists are then only read at intervals.
    """
    wait = FIRST_WAIT
    last_event: str | None = None
    while True:
        retry: float | None = None
        try:
            answer = await transport.listen(session.headers, last_event)
            if answer is None:
                if last_event is None:
                    return
                last_event = None  # too old to be resumed: begin anew
            else:
                stream = EventStream(transport, answer)
                try:
                    async for raw, message in stream:
                        wait = FIRST_WAIT
                        if "method" not in message:
                            continue
                        if "id" in message:
                            inbound.request(message)
                        else:
                            await inbound.notification(raw, message)
                finally:
                    answer.close()
                    last_event, retry = stream.last_event or last_event, stream.retry
        except UpstreamError:
            pass  # the upstream's health is judged by its answers to requests, not by this stream
        await asyncio.sleep((wait if retry is None else max(retry, 0.05)) * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing
        wait = min(wait * 2, LONGEST_WAIT)
        if last_event is None:
            changed()
