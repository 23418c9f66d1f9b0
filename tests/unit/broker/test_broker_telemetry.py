# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which observers the configuration asks for, and what its keys may be."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.config.seen import TelemetryOptions, TraceOptions
from mcpops_broker.seen.observers import Observers
from mcpops_broker.seen.record import Record
from mcpops_broker.seen.telemetry import Telemetry

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
