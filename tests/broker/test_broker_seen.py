# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running broker shows of its work: metrics of all workers, audit log, log lines of a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from broker.conftest import StartBroker
from broker.harness import BrokerProcess, Json, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

Labels = dict[str, str]


def samples(broker: BrokerProcess, name: str, **labels: str) -> list[tuple[Labels, float]]:
    """The series of a metric that have these labels, with all their labels."""
    reply = broker.request("GET", "/metrics")
    assert reply.status == 200, reply.body
    return [
        (sample.labels, sample.value)
        for family in parse_text(reply.body.decode())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def total(broker: BrokerProcess, name: str, **labels: str) -> float:
    return sum(value for _, value in samples(broker, name, **labels))


def workers(broker: BrokerProcess) -> list[psutil.Process]:
    return psutil.Process(broker.process.pid).children()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrokerProcess, Path]]:
    """A broker with two workers and an audit log, and the file of that."""
    folder = tmp_path_factory.mktemp("seen")
    audit = folder / "audit.jsonl"
    policy = {
        "rules": [
            {"name": "everything", "allow": "true"},
            {"name": "nothing locked", "deny": 'tool.originalName == "locked"'},
        ]
    }
    key = "sha256:" + hashlib.sha256(b"the right key").hexdigest()
    with RawUpstream("echo", "locked") as upstream:
        config: Json = {
            "servers": [server("ns/raw", upstream.url, "r_"), server("ns/gone", "http://127.0.0.1:9/mcp", "g_")],
            "broker": {
                "audit": {"output": str(audit)},
                "policy": policy,
                "auth": {"anonymous": True, "apiKeys": [{"name": "robot", "hash": key}]},
            },
        }
        with run_broker(folder, config, "--workers", "2", "--log-level", "debug") as running:
            running.wait_ready("ns/raw")
            wait_until(lambda: running.server("ns/gone")["state"] == "failed", "the other has failed")
            yield running, audit


@pytest.fixture
def running(shared: tuple[BrokerProcess, Path]) -> BrokerProcess:
    """A session of one's own."""
    shared[0].initialize()
    return shared[0]


def test_calls_are_counted_wherever_they_were_made(running: BrokerProcess) -> None:
    before = total(running, "mcpops_broker_tool_calls_total", tool="r_echo", server="ns/raw", outcome="ok")
    for _ in range(20):
        running.call("r_echo", {"text": "x"})
    calls = samples(running, "mcpops_broker_tool_calls_total", tool="r_echo", server="ns/raw", outcome="ok")
    assert sum(value for _, value in calls) == before + 20
    assert total(running, "mcpops_broker_upstream_duration_seconds_count", server="ns/raw") >= before + 20
    assert {labels["worker"] for labels, _ in samples(running, "mcpops_broker_worker_up")} == {"0", "1"}


def test_servers_are_up_or_not(running: BrokerProcess) -> None:
    up = {(labels["server"], value) for labels, value in samples(running, "mcpops_broker_server_up")}
    assert up == {("ns/raw", 1), ("ns/gone", 0)}
    assert total(running, "mcpops_broker_server_offers", server="ns/raw", kind="tools", worker="0") == 2


def test_a_worker_that_hangs_is_told_and_hides_nothing_else(running: BrokerProcess) -> None:
    def up() -> dict[str, float]:
        return {labels["worker"]: value for labels, value in samples(running, "mcpops_broker_worker_up")}

    hangs = workers(running)[0]
    hangs.suspend()
    try:
        assert sorted(up().values()) == [0, 1]
    finally:
        hangs.resume()
    assert up() == {"0": 1, "1": 1}


def test_metrics_can_be_read_as_openmetrics(running: BrokerProcess) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    reply = running.request("GET", "/metrics", headers={"accept": accept})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in parse_openmetrics(reply.body.decode())}
    assert {"mcpops_broker_requests", "process_resident_memory_bytes"} <= names


def audited(path: Path, **values: str) -> Json:
    """The line of the audit log that has these values, once it is there."""

    def find() -> Json | None:
        for line in path.read_text().splitlines() if path.exists() else ():
            found: Json = json.loads(line)
            if values.items() <= found.items():
                return found
        return None

    line: Json = wait_until(find, f"the audit log has a line with {values}")
    return line


def test_the_id_of_a_request_leads_from_the_proxy_to_the_log_and_the_audit_log(
    running: BrokerProcess, shared: tuple[BrokerProcess, Path]
) -> None:
    running.call("r_echo", {"text": "a secret"}, headers={"x-request-id": "from-the-proxy-1"})
    line = audited(shared[1], request="from-the-proxy-1")
    assert (line["method"], line["name"], line["server"], line["outcome"]) == ("tools/call", "r_echo", "ns/raw", "ok")
    assert (line["principal"], line["address"]) == ("anonymous", "127.0.0.1")
    logged = [entry for entry in running.log.splitlines() if "request=from-the-proxy-1" in entry]
    assert any(" debug request method=tools/call name=r_echo server=ns/raw" in entry for entry in logged)
    assert "a secret" not in shared[1].read_text() + running.log


@pytest.mark.parametrize(
    ("tool", "outcome", "reason"), [("r_none", "invalid", "-32602"), ("g_any", "invalid", "-32602")]
)
def test_a_call_that_fails_is_in_the_audit_log(
    running: BrokerProcess, shared: tuple[BrokerProcess, Path], tool: str, outcome: str, reason: str
) -> None:
    running.post(rpc("tools/call", {"name": tool, "arguments": {}}), {"x-request-id": f"failed-{tool}"})
    line = audited(shared[1], request=f"failed-{tool}")
    assert (line["outcome"], line["reason"]) == (outcome, reason)


def test_every_message_of_a_batch_is_seen(running: BrokerProcess, shared: tuple[BrokerProcess, Path]) -> None:
    session = running.initialize("2025-03-26")
    call = rpc("tools/call", {"name": "r_echo", "arguments": {"text": "x"}}, 2)
    running.post([rpc("ping"), call], {"x-request-id": "batch-1"}, session)
    assert audited(shared[1], request="batch-1", method="tools/call")["outcome"] == "ok"


def test_a_refused_origin_is_in_the_audit_log(running: BrokerProcess, shared: tuple[BrokerProcess, Path]) -> None:
    refused = running.post(rpc("ping"), {"origin": "https://evil.example", "x-request-id": "evil-1"})
    assert refused.status == 403
    assert audited(shared[1], request="evil-1")["outcome"] == "denied"


def test_what_a_policy_denies_is_in_the_audit_log_with_its_rule(
    running: BrokerProcess, shared: tuple[BrokerProcess, Path]
) -> None:
    reply = running.post(rpc("tools/call", {"name": "r_locked"}), {"x-request-id": "locked-1"})
    assert reply.error["code"] == -32602
    line = audited(shared[1], request="locked-1")
    assert (line["outcome"], line["rule"], line["name"]) == ("denied", "nothing locked", "r_locked")
    assert "server" not in line, "it went to none"


def test_who_comes_with_a_wrong_key_is_in_the_audit_log_without_it(
    running: BrokerProcess, shared: tuple[BrokerProcess, Path]
) -> None:
    before = total(running, "mcpops_broker_requests_total", outcome="unauthenticated")
    refused = running.post(rpc("ping"), {"x-api-key": "the wrong key", "x-request-id": "wrong-1"})
    assert refused.status == 401
    assert audited(shared[1], request="wrong-1")["outcome"] == "unauthenticated"
    assert total(running, "mcpops_broker_requests_total", outcome="unauthenticated") == before + 1
    assert "the wrong key" not in shared[1].read_text() + running.log


def test_who_is_known_is_in_the_audit_log(running: BrokerProcess, shared: tuple[BrokerProcess, Path]) -> None:
    running.post(rpc("initialize"), {"x-api-key": "the right key", "x-request-id": "robot-1"}, session="")
    line = audited(shared[1], request="robot-1")
    assert (line["how"], line["who"], line["outcome"]) == ("key", "robot", "ok")


def test_metrics_and_audit_log_follow_the_configuration(broker: StartBroker, tmp_path: Path) -> None:
    running = broker({"servers": [], "broker": {"telemetry": {"metrics": False}}})
    assert running.request("GET", "/metrics").status == 404
    running.configure({"servers": [], "broker": {"audit": {"output": "stderr"}}})
    wait_until(lambda: running.request("GET", "/metrics").status == 200, "metrics are served")
    running.initialize()
    wait_until(lambda: '"event":"request"' in running.log, "the audit log is on standard error")
    running.configure({"servers": [], "broker": {"audit": {"output": str(tmp_path / "none" / "audit")}}})
    wait_until(lambda: running.log.count("config.loaded") == 2, "the configuration is read again")
    running.initialize()
    wait_until(lambda: running.status()["telemetry"]["auditLost"], "the loss of lines is told")
    assert "audit.lost output=" in running.log
