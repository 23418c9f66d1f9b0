# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Traces by OpenTelemetry: a span for each request of a client, and one for what a server has of it.

Names and attributes are those of OpenTelemetry's conventions for MCP. A client says by `traceparent` in `_meta` of its
request (MCP 2026-07-28, basic) or in the HTTP header (W3C Trace Context) which trace a request belongs to; servers are
told both ways. With both, `_meta` is of the client and the header of a proxy on the way, which is linked to.

Only this module needs OpenTelemetry, and it is loaded only when something is traced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from time import perf_counter
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import CarrierT
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mcpops_broker import __version__
from mcpops_broker.config.seen import TraceOptions
from mcpops_broker.seen.record import Outcome, Record
from mcpops_broker.seen.trace_context import KEYS, of_headers, of_meta

LAST = 3.0
"""Seconds that the collector gets to take the last spans: OpenTelemetry would wait for it for 30."""
_WELL = frozenset({Outcome.OK, Outcome.INPUT_REQUIRED})
_TARGETS = {"tools/call": "gen_ai.tool.name", "prompts/get": "gen_ai.prompt.name"}
"""Attributes for what a request names, of which there are few enough for names of spans."""
_URIS = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})


class Traces:
    """Makes the spans of one worker, and sends them in the background."""

    def __init__(self, options: TraceOptions, *, instance: str, exporter: SpanExporter | None = None) -> None:
        authorization = {"authorization": options.authorization} if options.authorization else None
        resource = {"service.name": "mcpops-broker", "service.version": __version__, "service.instance.id": instance}
        self._provider = TracerProvider(
            resource=Resource.create(resource), sampler=ParentBasedTraceIdRatio(options.ratio), shutdown_on_exit=False
        )
        exporter = exporter or OTLPSpanExporter(endpoint=options.endpoint, headers=authorization)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("mcpops_broker", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def send(self, record: Record, server: str, params: dict[str, Any]) -> Mapping[str, str]:
        """Begin the span of what a server has to do, tell it so in `params`, and return headers that say the same."""
        span = record.sent = self._tracer.start_span(
            _name(record), set_span_in_context(self._span(record)), SpanKind.CLIENT, {"mcpops.server": server}
        )
        context: dict[str, str] = {}
        self._propagator.inject(context, set_span_in_context(span))
        own = params.get("_meta")
        rest = {key: value for key, value in own.items() if key not in KEYS} if isinstance(own, dict) else {}
        params["_meta"] = {**rest, **context}
        return context

    def received(self, record: Record) -> None:
        """End the span of what a server had to do."""
        if record.sent is not None:
            _end(record.sent, record)
            record.sent = None

    def observe(self, record: Record) -> None:
        """End the span of a request."""
        if not record.stream:
            _end(self._span(record), record)

    def close(self) -> None:
        """Send what has not been sent, as far as the collector takes it within `LAST` seconds; blocks as long."""
        ending = threading.Thread(target=self._provider.shutdown, name="send last spans", daemon=True)
        ending.start()
        ending.join(LAST)

    def _span(self, record: Record) -> Span:
        """Return the span of a request, begun when the request was."""
        if record.trace is None:
            parent, on_the_way = of_meta(record.params), of_headers(record.headers)
            links = None
            if parent and on_the_way and parent != on_the_way:
                links = [Link(get_current_span(self._extract(on_the_way)).get_span_context())]
            record.trace = self._tracer.start_span(
                _name(record),
                self._extract(parent or on_the_way),
                SpanKind.SERVER,
                _attributes(record),
                links,
                start_time=time.time_ns() - int((perf_counter() - record.began) * 1e9),
            )
        span: Span = record.trace
        return span

    def _extract(self, carrier: CarrierT) -> Any:
        return self._propagator.extract(carrier)


def _name(record: Record) -> str:
    """Return a span's name: of few values, so of what a client names only what it was found to be."""
    return f"{record.method} {record.name}" if record.upstream and record.method in _TARGETS else record.method or "mcp"


def _attributes(record: Record) -> dict[str, str]:
    found = {
        "mcp.method.name": record.method,
        "mcp.session.id": record.session,
        "client.address": record.address,
        "enduser.id": record.principal.id,
        "http.request.header.x-request-id": record.id,
        "gen_ai.operation.name": "execute_tool" if record.method == "tools/call" else "",
        _TARGETS.get(record.method, "mcp.resource.uri" if record.method in _URIS else ""): record.name,
    }
    return {key: value for key, value in found.items() if key and value}


def _end(span: Span, record: Record) -> None:
    if record.outcome not in _WELL:
        span.set_attribute("error.type", record.reason or record.outcome)
        span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("mcpops.outcome", record.outcome)
    span.end()
