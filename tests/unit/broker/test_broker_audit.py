# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log: what is written of which requests, and what happens to its file."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from broker.harness import wait_until
from mcpops_broker.config.seen import AuditOptions
from mcpops_broker.principal import How, Principal
from mcpops_broker.protocol.jsonrpc import INVALID_REQUEST, RpcError
from mcpops_broker.seen import audit, metrics
from mcpops_broker.seen.audit import AuditLog
from mcpops_broker.seen.record import Record

ALICE = Principal("token:https://issuer#alice", How.TOKEN, "alice", client_id="desk", token="secret-token")


def record(method: str = "tools/call", **values: Any) -> Record:
    made = Record("r-1", "192.0.2.1", {b"authorization": b"Bearer secret-token"})
    made.method, made.era, made.principal = method, "session", ALICE
    for name, value in values.items():
        setattr(made, name, value)
    return made


def written(path: Path, *records: Record, **options: bool) -> list[dict[str, Any]]:
    async def write() -> None:
        log = AuditLog(AuditOptions(str(path), **options))
        for one in records:
            log.observe(one)
        await log.close()

    asyncio.run(write())
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_line_says_who_did_what_and_how_it_ended(tmp_path: Path) -> None:
    decision = SimpleNamespace(allowed=True, rule="staff", reason="")
    call = record(
        name="w_today", upstream="ns/weather", session="s-1", params={"arguments": {"city": "Ulm"}}, decision=decision
    )
    (line,) = written(tmp_path / "audit", call)
    assert line.pop("time").endswith("Z")
    assert line.pop("seconds") >= 0
    assert line == {
        "event": "request", "request": "r-1", "principal": ALICE.id, "how": "token", "who": "alice", "client": "desk",
        "address": "192.0.2.1", "session": "s-1", "method": "tools/call", "name": "w_today", "server": "ns/weather",
        "outcome": "ok", "rule": "staff",
    }  # fmt: skip


def test_arguments_are_written_only_when_asked_for(tmp_path: Path) -> None:
    long = {"text": "x" * audit.LONGEST_ARGUMENTS}
    short, cut = written(
        tmp_path / "audit",
        record(params={"arguments": {"city": "Ulm"}}),
        record(params={"arguments": long}),
        arguments=True,
    )
    assert short["arguments"] == {"city": "Ulm"}
    assert cut["arguments"] == f"{len(json.dumps(long, separators=(',', ':')))} bytes, not shown"


def test_no_secret_is_written(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    written(path, record(params={"arguments": {}}), arguments=True)
    assert "secret" not in path.read_text()


def test_who_only_looks_is_written_when_asked_for_and_who_is_refused_always(tmp_path: Path) -> None:
    refused = record("tools/list")
    refused.failed(RpcError(INVALID_REQUEST, "no", status=403))
    looks = record("tools/list")
    assert [line["outcome"] for line in written(tmp_path / "some", looks, refused)] == ["denied"]
    assert [line["outcome"] for line in written(tmp_path / "all", looks, refused, lists=True)] == ["ok", "denied"]


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    written(tmp_path / "audit", record())
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o600


def test_a_file_that_was_moved_away_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "WRITE_AFTER", 0)
    path, moved = tmp_path / "audit", tmp_path / "audit.1"

    async def write() -> None:
        log = AuditLog(AuditOptions(str(path)))
        log.observe(record(name="before"))
        await asyncio.to_thread(wait_until, lambda: path.exists() and path.read_text(), "the first line is written")
        path.rename(moved)
        log.observe(record(name="after"))
        await log.close()

    asyncio.run(write())
    assert json.loads(moved.read_text())["name"] == "before"
    assert json.loads(path.read_text())["name"] == "after"


def test_what_cannot_be_written_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = metrics.AUDIT_LOST.samples()[0][1][0]
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        written(folder, record(), record())
    assert metrics.AUDIT_LOST.samples()[0][1][0] == before + 2
    assert "audit.lost" in caplog.text


def test_more_lines_than_may_wait_are_lost_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_WAITING", 2)
    before = metrics.AUDIT_LOST.samples()[0][1][0]
    assert len(written(tmp_path / "audit", *[record() for _ in range(5)])) == 2
    assert metrics.AUDIT_LOST.samples()[0][1][0] == before + 3
