# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching the stream (GET) of the broker's own session for changes of an upstream's lists and resources."""

from __future__ import annotations

from collections.abc import Callable

from mcpops_broker.upstream.backoff import Backoff
from mcpops_broker.upstream.errors import StaleSessionError, UpstreamError
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.streams import EventStream, Inbound
from mcpops_broker.upstream.transport import Transport


async def watch(transport: Transport, session: UpstreamSession, inbound: Inbound, changed: Callable[[], None]) -> None:
    """Hand every message of the stream to `inbound`; `changed` is called when it is open again after a gap.

    A stream that breaks is resumed after the last event, when the upstream numbers them. Ends when the upstream offers
    no such stream (MCP allows HTTP 405); its lists are then only read at intervals.
    """
    backoff = Backoff()
    last_event: str | None = None
    gap = False
    while True:
        retry = 0.0
        backoff.begin()
        try:
            answer = await transport.listen(session.headers, last_event)
            if answer is None and last_event is None:
                return
            if answer is None:
                last_event = None  # too old to be resumed: begin anew
            else:
                if gap and last_event is None:
                    changed()
                gap, stream = True, EventStream(transport, answer)
                try:
                    await _take(stream, inbound)
                finally:
                    answer.close()
                    last_event, retry = stream.last_event or last_event, stream.retry or 0.0
        except StaleSessionError:
            changed()  # whoever reads the lists now opens another session, and with it another stream
            return
        except UpstreamError:
            pass  # its health is judged by its answers to requests, not by this stream
        await backoff.wait(retry)


async def _take(stream: EventStream, inbound: Inbound) -> None:
    async for raw, message in stream:
        if "method" not in message:
            continue
        if "id" in message:
            inbound.request(message)
        else:
            await inbound.notification(raw, message)
