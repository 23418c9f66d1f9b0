# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which observers the configuration asks for, and what its keys may be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from mcpops_broker.background import Background
from mcpops_broker.broker import Broker
from mcpops_broker.bus import Bus
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.config.seen import TelemetryOptions, TraceOptions
from mcpops_broker.seen import traces
from mcpops_broker.seen.observers import Observers
from mcpops_broker.seen.record import Record
from mcpops_broker.seen.telemetry import Telemetry
from mcpops_broker.settings import Options
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

TRACED = TelemetryOptions(traces=TraceOptions("http://127.0.0.1:9/v1/traces"))


def problems(**broker: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(f"broker: {broker!r}")
    return caught.value.problems


def test_traces_without_their_packages_are_a_problem_that_status_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    monkeypatch.delitem(sys.modules, "mcpops_broker.seen.traces", raising=False)
    settings = replace(BrokerOptions(), telemetry=TRACED)
    telemetry = Telemetry(Observers(), Background(), settings)
    assert not telemetry.traces
    assert telemetry.problem.startswith("broker.telemetry.traces needs the package opentelemetry")
    telemetry.configure(BrokerOptions())
    assert not telemetry.problem


def test_a_request_that_is_not_traced_keeps_the_trace_of_its_client() -> None:
    telemetry = Telemetry(Observers(), Background(), BrokerOptions())
    params: dict[str, Any] = {"_meta": {"traceparent": "from-the-client"}}
    with_one = Record("1", "", {b"traceparent": b"00-1-2-01", b"tracestate": b"a=b", b"baggage": b"secret"})
    assert telemetry.send(with_one, params) == {"traceparent": "00-1-2-01", "tracestate": "a=b"}
    assert params == {"_meta": {"traceparent": "from-the-client"}}
    assert not telemetry.send(Record("1", "", {}), params)
    assert not telemetry.send(Record("1", "", {b"traceparent": b"x" * 600}), params)


@pytest.mark.parametrize(
    ("telemetry", "problem"),
    [
        (
            {"traces": {"endpoint": "collector:4317"}},
            "key 'endpoint' has the value 'collector:4317': it must be an http",
        ),
        (
            {"traces": {"endpoint": "http://u:secret@c/v1"}},
            "it must be an http:// or https:// address without a password",
        ),
        ({"traces": {"ratio": 2}}, "key 'ratio' has the value 2: it must be a number from 0 to 1"),
        ({"trace": {}}, "key 'trace' is not known"),
        ({"metrics": "on"}, "key 'metrics' has the value 'on'"),
    ],
)
def test_telemetry_that_cannot_be(telemetry: dict[str, Any], problem: str) -> None:
    (found,) = problems(telemetry=telemetry)
    assert problem in found
    assert "secret" not in found


def test_an_audit_log_needs_a_place() -> None:
    assert problems(audit={"output": "audit.log"}) == [
        "broker.audit: key 'output' has the value 'audit.log': it must be stderr or an absolute path"
    ]


def test_the_collectors_credential_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECTOR", "Bearer secret")
    traces = {"endpoint": "http://c:4318/v1/traces", "authorizationEnv": "COLLECTOR"}
    options = parse(f"broker: {{telemetry: {{traces: {traces!r}}}}}").broker.telemetry.traces
    assert options.authorization == "Bearer secret"
    assert "secret" not in repr(options)


def test_a_collector_that_hangs_does_not_delay_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "LAST", 0.1)
    asked, answers = Event(), Event()

    class Hanging(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            asked.set()
            return SpanExportResult.SUCCESS if answers.wait(60) else SpanExportResult.FAILURE

    hung = traces.Traces(TRACED.traces, instance="one", exporter=Hanging())
    hung.observe(Record("1", "", {}))
    ending = Thread(target=hung.close)
    ending.start()
    assert asked.wait(60)

    ending.join(20)  # OpenTelemetry alone waits for 30 seconds

    assert not ending.is_alive()
    answers.set()


async def test_other_replicas_hear_of_the_end_before_the_collector_gets_the_last_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    class Closing:
        def __init__(self, name: str) -> None:
            self.name = name

        async def close(self) -> None:
            closed.append(self.name)

    broker = Broker(Options(tmp_path / "config.yaml", b"x" * 32), parse("servers: []"), Bus())
    monkeypatch.setattr(broker, "replicas", Closing("replicas"))
    monkeypatch.setattr(broker, "telemetry", Closing("telemetry"))

    await broker.close()

    assert closed == ["replicas", "telemetry"]
