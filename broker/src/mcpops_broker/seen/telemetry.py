# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Everything that observes requests in one worker, as the configuration wants it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.config.seen import AuditOptions
from mcpops_broker.seen import metrics
from mcpops_broker.seen.audit import AuditLog
from mcpops_broker.seen.live import Live
from mcpops_broker.seen.meters import Counter, Histogram, meters
from mcpops_broker.seen.observers import Observer, Observers
from mcpops_broker.seen.record import Record


class Telemetry:
    """The observers of one worker."""

    def __init__(self, observers: Observers, background: Background, settings: BrokerOptions) -> None:
        self._observers = observers
        self._background = background
        self.live = Live()
        """The last requests, for the page."""
        self._audit_options = AuditOptions()
        self._audit: AuditLog | None = None
        self.configure(settings)

    def configure(self, settings: BrokerOptions) -> None:
        """Take other settings."""
        if settings.audit != self._audit_options:
            if self._audit is not None:
                self._background.start(self._audit.close(), "close audit log")
            self._audit_options = settings.audit
            self._audit = AuditLog(settings.audit) if settings.audit.output else None
        observers: list[Observer] = []
        if settings.telemetry.metrics:
            observers.append(metrics.observe)
        if settings.ui:
            observers.append(self.live.observe)
        if self._audit is not None:
            observers.append(self._audit.observe)
        if logs.shows_debug():
            observers.append(_log)
        self._observers.observe(*observers)

    def audit(self, event: str, **values: Any) -> None:
        """Write something other than a request into the audit log, if there is one: who did what as an administrator.
        Values are JSON and no secrets."""
        if self._audit is not None:
            self._audit.write(event, values)

    def keep_servers(self, names: Collection[str]) -> None:
        """Forget the figures of all servers but these."""
        for meter in meters():
            if isinstance(meter, Counter | Histogram) and "server" in meter.labels:
                meter.keep("server", names)
        self.live.keep_servers(names)

    async def close(self) -> None:
        """Write what has not been written yet."""
        if self._audit is not None:
            await self._audit.close()


def _log(record: Record) -> None:
    logs.debug(
        "request",
        method=record.method or None,
        name=record.name or None,
        server=record.upstream or None,
        principal=record.principal.id,
        outcome=record.outcome,
        reason=record.reason or None,
        ms=round(record.seconds * 1000, 2),
    )
