# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traces: what a collector gets, and what servers are told of a trace, by the header and by `_meta`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.scripted import ScriptedServer, echo, running
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from broker import stateless

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PROXY = f"00-{TRACE}-1111111111111111-01"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
"""Milliseconds that spans wait for others (a variable of OpenTelemetry)."""


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Any] = []
        self.headers: list[str | None] = []

    def span(self, name: str, kind: int, trace: str) -> Any:
        """The span of a trace with this name, once it is there."""

        def find() -> Any:
            for span in self.spans:
                if (span.name, span.kind, span.trace_id.hex()) == (name, kind, trace):
                    return span
            return None

        return wait_until(find, f"span {name} of kind {kind}; there are {[one.name for one in self.spans]}")


SERVER, CLIENT_KIND = 2, 3


def attributes(span: Any) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.headers.append(self.headers["authorization"])
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    made.spans += scope.spans
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Collector(f"http://127.0.0.1:{web.server_address[1]}/v1/traces")
    thread = threading.Thread(target=web.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        web.shutdown()
        web.server_close()


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrokerProcess, RawUpstream, Collector]]:
    """A broker that traces, a server with sessions, and the collector."""
    with collector() as collects, RawUpstream("echo") as upstream:
        options = {"endpoint": collects.url, "authorization": "Bearer for-the-collector", "ratio": 0}
        config: Json = {
            "servers": [server("ns/raw", upstream.url, "r_")],
            "broker": {"telemetry": {"traces": options}},
        }
        with run_broker(tmp_path_factory.mktemp("traced"), config, env=SOON) as broker:
            broker.wait_ready("ns/raw")
            broker.initialize()
            yield broker, upstream, collects


def call(broker: BrokerProcess, meta: Json | None = None, **headers: str) -> Json:
    params: Json = {"name": "r_echo", "arguments": {"text": "a secret"}}
    reply = broker.post(rpc("tools/call", {**params, **({"_meta": meta} if meta else {})}), headers)
    message: Json = reply.json
    return message


def is_recorded(got: Json) -> bool:
    """Whether a call came with the flag `sampled` (W3C Trace Context)."""
    return bool(int(got["headers"]["traceparent"].rpartition("-")[2], 16) & 1)


@pytest.mark.parametrize("where", ["header", "meta"])
def test_a_call_belongs_to_the_trace_of_its_client(
    traced: tuple[BrokerProcess, RawUpstream, Collector], where: str
) -> None:
    broker, upstream, collects = traced
    trace = TRACE[:-1] + ("a" if where == "meta" else "b")
    said = f"00-{trace}-00f067aa0ba902b7-01"
    call(broker, {"traceparent": said, "tracestate": "a=1"}) if where == "meta" else call(broker, traceparent=said)
    ours, theirs = collects.span("tools/call r_echo", SERVER, trace), collects.span("tools/call r_echo", 3, trace)
    assert ours.parent_span_id.hex() == "00f067aa0ba902b7"
    assert theirs.parent_span_id == ours.span_id
    assert theirs.start_time_unix_nano >= ours.start_time_unix_nano
    assert theirs.end_time_unix_nano <= ours.end_time_unix_nano
    told = f"00-{trace}-{theirs.span_id.hex()}-01"
    got = upstream.calls[-1]
    assert (got["_meta"]["traceparent"], got["headers"]["traceparent"]) == (told, told)
    assert got["_meta"].get("tracestate") == ("a=1" if where == "meta" else None)
    assert attributes(ours)["gen_ai.tool.name"] == "r_echo"
    assert attributes(theirs)["mcpops.server"] == "ns/raw"
    assert set(collects.headers) == {"Bearer for-the-collector"}
    assert not any(b"a secret" in span.SerializeToString() for span in collects.spans)


def test_a_proxy_on_the_way_is_linked_to(traced: tuple[BrokerProcess, RawUpstream, Collector]) -> None:
    broker, _, collects = traced
    trace = TRACE[:-1] + "c"
    call(broker, {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}, traceparent=PROXY)
    (link,) = collects.span("tools/call r_echo", SERVER, trace).links
    assert link.span_id.hex() == "1111111111111111"


def test_a_failed_call_is_an_error_and_a_list_has_no_server(
    traced: tuple[BrokerProcess, RawUpstream, Collector],
) -> None:
    broker, _, collects = traced
    trace = TRACE[:-1] + "d"
    said = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    broker.post(rpc("tools/call", {"name": "none"}), said)
    broker.post(rpc("tools/list"), said)
    failed = collects.span("tools/call", SERVER, trace)
    assert (failed.status.code, attributes(failed)["error.type"]) == (2, "-32602")
    assert collects.span("tools/list", SERVER, trace).status.code == 0
    assert CLIENT_KIND not in {span.kind for span in collects.spans if span.trace_id.hex() == trace}


def test_a_request_without_a_trace_is_sampled_by_the_ratio(
    traced: tuple[BrokerProcess, RawUpstream, Collector],
) -> None:
    broker, upstream, collects = traced
    call(broker)
    assert not is_recorded(upstream.calls[-1]), "servers are told so"
    trace = TRACE[:-1] + "e"
    call(broker, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    collects.span("tools/call r_echo", SERVER, trace)
    assert {span.trace_id.hex()[:-1] for span in collects.spans} == {TRACE[:-1]}


@pytest.mark.parametrize("malformed", ["", "x", "00-0-0-0", "00-" + "é" * 40])
def test_what_is_no_trace_begins_one(traced: tuple[BrokerProcess, RawUpstream, Collector], malformed: str) -> None:
    broker, upstream, _ = traced
    assert "result" in call(broker, {"traceparent": malformed})
    assert not is_recorded(upstream.calls[-1])


async def test_a_server_without_sessions_is_told_the_same_and_nothing_is_sent_without_a_collector(
    tmp_path: Path,
) -> None:
    behind = ScriptedServer("stateless")
    behind.tool("echo", echo)
    async with running(behind):
        await asyncio.to_thread(_talk_to, behind, tmp_path)


def _talk_to(behind: ScriptedServer, tmp_path: Path) -> None:
    sent = stateless.message("tools/call", {"name": "s_echo", "arguments": {"x": 1}}, meta={"traceparent": CLIENT})
    untraced: Json = {"servers": [server("ns/s", behind.url, "s_")]}
    with collector() as collects, run_broker(tmp_path, untraced, env=SOON) as broker:
        broker.wait_ready("ns/s")
        assert stateless.send(broker, sent, {"traceparent": PROXY}).status == 200
        passed_on = behind.of("tools/call")[-1]
        assert passed_on.params["_meta"]["traceparent"] == CLIENT
        assert passed_on.headers["traceparent"] == PROXY

        broker.configure({**untraced, "broker": {"telemetry": {"traces": {"endpoint": collects.url}}}})
        wait_until(lambda: "config.loaded" in broker.log, "the configuration is read again")
        assert stateless.send(broker, sent).status == 200
        theirs = collects.span("tools/call s_echo", CLIENT_KIND, TRACE)
        traced = behind.of("tools/call")[-1]
        told = f"00-{TRACE}-{theirs.span_id.hex()}-01"
        assert (traced.params["_meta"]["traceparent"], traced.headers["traceparent"]) == (told, told)

        stateless.send(broker, sent)
        broker.stop()
        ours = [span for span in collects.spans if span.kind == SERVER]
        assert len(ours) == 2, "what was not sent yet is sent at the end"
