# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/metrics`, for Prometheus: a raw endpoint, as collectors ask every few seconds."""

from __future__ import annotations

from mcpops_broker.broker import Broker
from mcpops_broker.seen.exposition import Exposition
from mcpops_broker.web.admin_access import AdminAccess
from mcpops_broker.web.asgi import Receive, Scope, Send, read_headers, respond

PATH = "/metrics"
_NOT_PUBLIC = b"Send the token of broker.admin.token as a bearer token, or name metrics in broker.admin.public\n"


class MetricsEndpoint:
    """Serves the metrics of one broker."""

    def __init__(self, broker: Broker, access: AdminAccess) -> None:
        self._broker = broker
        self._access = access
        self._exposition = Exposition(broker)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the metrics of all workers; 401 for who may not read them, 404 when they are switched off."""
        headers, head = read_headers(scope), scope["method"] == "HEAD"
        plain = (b"content-type", b"text/plain; charset=utf-8")
        if not self._access.may_read("metrics", headers):
            await respond(send, 401, _NOT_PUBLIC, plain, (b"www-authenticate", b"Bearer"), head=head)
            return
        if not self._broker.config.broker.telemetry.metrics:
            await respond(send, 404, b"broker.telemetry.metrics is switched off\n", plain, head=head)
            return
        text, content_type = await self._exposition.text(headers.get(b"accept", b"").decode("latin-1"))
        await respond(send, 200, text, (b"content-type", content_type.encode()), head=head)
