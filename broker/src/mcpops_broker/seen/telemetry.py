# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Everything that observes requests in one worker, as the configuration wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.config.seen import AuditOptions, TraceOptions
from mcpops_broker.seen import metrics
from mcpops_broker.seen.audit import AuditLog
from mcpops_broker.seen.live import Live
from mcpops_broker.seen.observers import Observer, Observers
from mcpops_broker.seen.record import Record
from mcpops_broker.seen.trace_context import NOTHING, of_headers

if TYPE_CHECKING:
    from mcpops_broker.seen.traces import Traces


class Telemetry:
    """The observers of one worker."""

    def __init__(self, observers: Observers, background: Background, settings: BrokerOptions) -> None:
        self._observers = observers
        self._background = background
        self.live = Live()
        """The last requests, for the page."""
        self._audit_options = AuditOptions()
        self._audit: AuditLog | None = None
        self._trace_options = TraceOptions()
        self._traces: Traces | None = None
        self._instance = token_hex(8)
        self.problem = ""
        """Why something that is configured is not done, in a sentence; empty: all is."""
        self.configure(settings)

    @property
    def traces(self) -> bool:
        """Tell whether requests are traced."""
        return self._traces is not None

    def configure(self, settings: BrokerOptions) -> None:
        """Take other settings."""
        if settings.audit != self._audit_options:
            if self._audit is not None:
                self._background.start(self._audit.close(), "close audit log")
            self._audit_options = settings.audit
            self._audit = AuditLog(settings.audit) if settings.audit.output else None
        if settings.telemetry.traces != self._trace_options:
            self._trace_options = settings.telemetry.traces
            self._end_traces()
            self._begin_traces()
        observers: list[Observer] = []
        if settings.telemetry.metrics:
            observers.append(metrics.observe)
        if settings.ui:
            observers.append(self.live.observe)
        if self._audit is not None:
            observers.append(self._audit.observe)
        if self._traces is not None:
            observers.append(self._traces.observe)
        if logs.shows_debug():
            observers.append(_log)
        self._observers.observe(*observers)

    def send(self, record: Record, params: dict[str, Any]) -> Mapping[str, str]:
        """Take note that a request goes to its upstream; return headers that say which trace it belongs to, which
        `params` say afterwards, too. What is not traced here keeps the trace of its client."""
        if self._traces is not None:
            return self._traces.send(record, record.upstream, params)
        return of_headers(record.headers) if b"traceparent" in record.headers else NOTHING

    def received(self, record: Record) -> None:
        """Take note that a request comes back from its upstream."""
        if self._traces is not None:
            self._traces.received(record)

    def audit(self, event: str, **values: Any) -> None:
        """Write something other than a request into the audit log, if there is one: who did what as an administrator.
        Values are JSON and no secrets."""
        if self._audit is not None:
            self._audit.write(event, values)

    def keep_servers(self, names: Collection[str]) -> None:
        """Forget the figures of all servers but these."""
        metrics.keep_servers(names)
        self.live.keep_servers(names)

    async def close(self) -> None:
        """Write what has not been written yet, and send what has not been sent, as far as the collector takes it."""
        if self._audit is not None:
            await self._audit.close()
        if self._traces is not None:
            await asyncio.to_thread(self._traces.close)

    def _begin_traces(self) -> None:
        self.problem = ""
        if not self._trace_options.endpoint:
            return
        try:
            from mcpops_broker.seen.traces import Traces  # noqa: PLC0415 - most brokers trace nothing
        except ImportError as error:
            self.problem = f"broker.telemetry.traces needs the package {error.name}: pip install 'mcpops-broker[otel]'"
            logs.error("traces.missing", problem=self.problem)
        else:
            self._traces = Traces(self._trace_options, instance=self._instance)

    def _end_traces(self) -> None:
        traces, self._traces = self._traces, None
        if traces is not None:
            self._background.start(asyncio.to_thread(traces.close), "send last spans")


def _log(record: Record) -> None:
    logs.debug(
        "request",
        method=record.method or None,
        name=record.name or None,
        server=record.upstream or None,
        principal=record.principal.id,
        outcome=record.outcome,
        reason=record.reason or None,
        ms=round(record.duration * 1000, 2),
    )
