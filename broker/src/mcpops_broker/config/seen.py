# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker shows of its work: the mappings `telemetry` and `audit` under `broker`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.secrets import secret, spellings

STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """Where spans go (`telemetry.traces`)."""

    endpoint: str = ""
    """Where OTLP over HTTP is taken; empty: nothing is traced."""
    authorization: str | None = field(default=None, repr=False)
    """The whole Authorization header for the collector."""
    ratio: float = 1.0
    """Share of the requests without a trace of their client that is traced; a client's decision holds for its own."""


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """The mapping `telemetry`."""

    metrics: bool = True
    """Whether `/metrics` is served."""
    traces: TraceOptions = TraceOptions()


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """The mapping `audit`."""

    output: str = ""
    """`stderr`, or the path of a file; empty: nothing is written."""
    arguments: bool = False
    """Whether what tools and prompts are called with is written, too."""
    lists: bool = False
    """Whether requests that only look are written, too, and notifications."""


def parse_telemetry(fields: Fields) -> TelemetryOptions:
    """Read the mapping; problems are noted in the fields."""
    fields.refuse_unknown({"metrics", "traces"})
    return TelemetryOptions(
        metrics=fields.switch("metrics", True),
        traces=_traces(fields.inside("traces")),
    )


def parse_audit(fields: Fields) -> AuditOptions:
    """Read the mapping; problems are noted in the fields."""
    fields.refuse_unknown({"output", "arguments", "lists"})
    output = fields.text("output")
    if output not in ("", STDERR) and not Path(output).is_absolute():
        fields.problem("output", output, f"it must be {STDERR} or an absolute path")
    return AuditOptions(output, fields.switch("arguments", False), fields.switch("lists", False))


def _traces(fields: Fields) -> TraceOptions:
    fields.refuse_unknown({"endpoint", "ratio", *spellings("authorization")})
    endpoint = fields.text("endpoint")
    if endpoint:
        try:
            parts = urlsplit(endpoint)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # a port that is no number
            valid = False
        if not valid or "@" in endpoint:
            why = "it must be an http:// or https:// address without a password, such as http://host:4318/v1/traces"
            fields.problem("endpoint", "(not shown)" if "@" in endpoint else endpoint, why)
    return TraceOptions(
        endpoint=endpoint,
        authorization=secret(fields, "authorization"),
        ratio=fields.number("ratio", 1.0, low=0, high=1),
    )
