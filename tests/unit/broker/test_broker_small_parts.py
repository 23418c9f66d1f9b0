# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Origins, tool checks, log lines, waiting messages, proxies."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from mcpops_broker import logs
from mcpops_broker.config.watch import signature, watch
from mcpops_broker.mcp.outbox import Outbox
from mcpops_broker.net.target import address_of, target_for
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import problems, sort_out
from mcpops_broker.upstream.peer import Era
from mcpops_broker.web import asgi
from mcpops_broker.web.origin import OriginPolicy


def test_any_origin_is_accepted_only_when_asked_for() -> None:
    assert OriginPolicy(["*"], None).accepts(b"https://anything.example")
    assert not OriginPolicy([], None).accepts(b"https://anything.example")
    assert not OriginPolicy(["https://a.example"], "b.example").accepts(b"http://a.example")
    assert OriginPolicy(["https://A.example/"], None).accepts(b"https://a.example")


@pytest.mark.parametrize(
    ("tool", "problem"),
    [
        ({"name": "t", "inputSchema": {"type": "object"}}, ()),
        ({"name": "t", "inputSchema": {"type": "object"}, "outputSchema": {}}, ()),
        (5, ("a tool must be an object",)),
        ({"name": "", "inputSchema": {"type": "object"}}, ("the name must be non-empty text",)),
        ({"name": "t"}, ('inputSchema must be an object with "type": "object"',)),
        ({"name": "t", "inputSchema": {"type": "object"}, "outputSchema": 1}, ("outputSchema must be an object",)),
    ],
)
def test_tools_that_clients_would_refuse_are_told_apart(tool: object, problem: tuple[str, ...]) -> None:
    assert problems(Kind.TOOLS, tool) == problem


def test_a_name_listed_twice_counts_once() -> None:
    tool = {"name": "t", "inputSchema": {"type": "object"}}

    found = sort_out(Kind.TOOLS, [tool, {**tool, "description": "second"}])

    assert found.valid == (tool,)
    assert [one.name for one in found.invalid] == ["t"]


def test_a_tool_that_needs_impossible_headers_is_of_no_use_at_an_upstream_without_sessions() -> None:
    schema = {"type": "object", "properties": {"list": {"type": "array", "x-mcp-header": "List"}}}
    tool = {"name": "t", "inputSchema": schema}

    in_a_session = sort_out(Kind.TOOLS, [tool], era=Era.SESSION)
    without = sort_out(Kind.TOOLS, [tool], era=Era.STATELESS)

    assert in_a_session.valid == (tool,)
    assert without.valid == ()
    assert "x-mcp-header" in without.invalid[0].errors[0]


def test_a_log_line_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.setup("info", "text")
        logs.warning(
            "upstream.failed", problem='bad\n2026-01-01T00:00:00Z error "forged"', upstream="a/b", empty="", no=None
        )
        logs.debug("not.shown")
    finally:
        root.handlers[:], root.level = before
    (line,) = capsys.readouterr().err.splitlines()

    assert line.endswith(
        'warning upstream.failed problem="bad\\n2026-01-01T00:00:00Z error \\"forged\\"" upstream=a/b empty=""'
    )


def test_an_unexpected_error_is_logged_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        logs.setup("info", "json")
        try:
            raise KeyError("a secret")
        except KeyError as error:
            logs.failure("task.failed", error, task="t")
    finally:
        root.handlers[:], root.level = before
    record = json.loads(capsys.readouterr().err)

    assert record["error"] == "KeyError"
    assert record["at"].startswith("test_broker_small_parts.py:")
    assert "secret" not in str(record)


@pytest.mark.parametrize(
    ("level", "number"), [("debug", 10), ("WARNING", 30), ("-4", 10), ("0", 20), ("4", 30), ("8", 40), ("-1", 10)]
)
def test_levels(level: str, number: int) -> None:
    assert logs.level_number(level) == number


async def test_messages_that_wait_are_not_repeated() -> None:
    outbox = Outbox()
    outbox.put(b"news")
    outbox.put(b"news")

    assert await outbox.take(0) == [b"news"]
    assert await outbox.take(0) == []


async def test_a_closed_outbox_gives_what_waits_and_does_not_wait() -> None:
    outbox = Outbox()
    outbox.put(b"last")
    outbox.close()

    assert await asyncio.wait_for(outbox.take(60), 1) == [b"last"]
    assert await asyncio.wait_for(outbox.take(60), 1) == []


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://far.test:9090/mcp", "http://proxy.test:1"),
        ("https://far.test/mcp", "http://proxy.test:2"),
        ("http://near.test/mcp", None),
        ("http://127.0.0.1:8080/mcp", None),
    ],
)
def test_the_environment_says_which_proxy(monkeypatch: pytest.MonkeyPatch, url: str, proxy: str | None) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:1")
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:2")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost,near.test")

    target = target_for(url, connect_timeout=1)

    assert target.proxy == proxy
    assert (target.tls is not None) is url.startswith("https")


def test_addresses_are_shown_without_their_query() -> None:
    assert address_of("https://h:1/mcp?key=secret#part") == "https://h:1/mcp"


async def test_a_change_of_the_file_is_seen_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpops_broker.config.watch.INTERVAL", 0.01)
    monkeypatch.setattr("mcpops_broker.config.watch.SETTLE", 0.01)
    file = tmp_path / "config.yaml"
    file.write_text("a")
    changes = 0
    seen = asyncio.Event()

    async def changed() -> None:
        nonlocal changes
        changes += 1
        seen.set()
        raise RuntimeError("a bug")  # which must not keep the next change from being seen

    known = {file: signature(file)}
    task = asyncio.create_task(watch(lambda: known, changed))
    await asyncio.sleep(0.05)
    assert changes == 0

    file.write_text("longer")
    await asyncio.wait_for(seen.wait(), 5)
    seen.clear()
    file.unlink()
    await asyncio.wait_for(seen.wait(), 5)
    await asyncio.sleep(0.05)
    task.cancel()

    assert changes == 2


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "BODY_TIMEOUT", 0.02)
    events: list[dict[str, Any]] = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if events:
            return events.pop()
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(asgi.BodyError) as caught:
        await asgi.read_body(receive, {}, 1000)

    assert caught.value.status == 408


async def test_a_client_that_leaves_while_it_sends_is_told_apart() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(asgi.ClientGoneError):
        await asgi.read_body(receive, {}, 1000)


def test_values_of_a_repeated_header_are_joined() -> None:
    scope = {"headers": [(b"a", b" 1 "), (b"b", b"2\t"), (b"a", b"3")]}

    assert asgi.read_headers(scope) == {b"a": b"1,3", b"b": b"2"}
