# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator from 0.6.0 to 0.9.0 while a client keeps asking. The tests run in this order."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Play, Sandbox

OLD, NEW = "mcp-gateway.v0.6.0", "mcp-gateway.v0.9.0"
MANUAL = {"mcp_gateway_install_plan_approval": "Manual", "mcp_gateway_servers": [{"name": "time", "port": 9090}]}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Host": "localhost"}


@pytest.fixture(scope="module")
def old(sandbox: Sandbox) -> Play:
    """A gateway with version 0.6.0, installed by an approved plan."""
    pinned = {"mcp_gateway_starting_csv": OLD, "mcp_gateway_approve": True}
    return sandbox.play("site", variables={**MANUAL, **pinned})


def upgrade(sandbox: Sandbox, *words: str, **variables: Any) -> Play:
    return sandbox.play("upgrade", *words, variables={**MANUAL, **variables})


def flat(play: Play) -> str:
    return " ".join(play.output.split())


class Asking:
    """A client that opens a session and lists the tools, again and again."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/mcp"
        self._end = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def _post(self, body: dict[str, Any], session: str = "") -> tuple[str, str]:
        headers = {**HEADERS, **({"Mcp-Session-Id": session} if session else {})}
        request = urllib.request.Request(self._url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.headers.get("Mcp-Session-Id", ""), answer.read().decode()

    def _ask(self) -> str:
        hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        session, _ = self._post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
        _, text = self._post({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, session)
        found = json.loads(text[text.index("{") :].splitlines()[0])
        return ",".join(sorted(tool["name"] for tool in found["result"]["tools"]))

    def run(self) -> None:
        while not self._end.is_set():
            try:
                self.answers[self._ask()] += 1
            except (OSError, ValueError, KeyError) as error:
                self.failures.append(repr(error))
            self._end.wait(0.05)

    @contextlib.contextmanager
    def meanwhile(self) -> Iterator[None]:
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join(60)


def test_check_mode_tells_what_would_be_installed_and_writes_nothing(sandbox: Sandbox, old: Play) -> None:
    assert old.exit_code == 0, old.output
    objects, requests = sandbox.snapshot(), len(sandbox.audit())

    play = upgrade(sandbox, "--check")

    assert play.exit_code == 0, play.output
    assert f"nothing was changed; {NEW} would be installed" in flat(play)
    assert sandbox.writes(requests) == []
    assert sandbox.snapshot() == objects


def test_an_upgrade_that_cannot_be_done_tells_where_and_what_still_works(sandbox: Sandbox, old: Play) -> None:
    assert old.exit_code == 0

    play = upgrade(sandbox, mcp_gateway_upgrade_to="mcp-gateway.v0.8.0")

    assert play.exit_code != 0
    for said in (
        'The upgrade stopped at the task "Stop when that is not the wanted version"',
        f"The operator is at {OLD}, not at mcp-gateway.v0.8.0",
        f"a plan for is {NEW}",
        f"operator: {OLD} (Succeeded)",
        "endpoint: works",
        "it goes on where it stopped",
    ):
        assert said in flat(play)


def test_the_upgrade_goes_on_and_no_request_of_a_client_fails(sandbox: Sandbox, old: Play) -> None:
    assert old.exit_code == 0
    client = Asking(sandbox.variables["mcp_gateway_port"])

    with client.meanwhile():
        play = upgrade(sandbox)

    assert play.exit_code == 0, play.output
    for said in (
        f"operator: {OLD} (Succeeded) -> {NEW} (Succeeded)",
        "API versions: v1alpha1 -> v1",
        "endpoint: works",
    ):
        assert said in flat(play)
    assert client.failures == []
    assert sum(client.answers.values()) > 10
    registration = sandbox.get("mcp.kuadrant.io/v1", "MCPServerRegistration", "time", "mcp-servers")
    assert registration["spec"]["prefix"] == "time_"


def test_there_is_nothing_more_to_do_afterwards(sandbox: Sandbox, old: Play) -> None:
    assert old.exit_code == 0

    again = upgrade(sandbox)
    site = sandbox.play("site", variables={**MANUAL, "mcp_gateway_starting_csv": OLD})

    assert again.exit_code == site.exit_code == 0, again.output + site.output
    assert again.recap()["changed"] == site.recap()["changed"] == 0, again.output + site.output
    assert "nothing newer in the catalog" in flat(again)


def test_without_an_operator_there_is_nothing_to_upgrade(sandbox: Sandbox, old: Play) -> None:
    assert old.exit_code == 0

    play = upgrade(sandbox, mcp_gateway_operator_manage=False)

    assert play.exit_code != 0
    assert "There is no operator to upgrade: operator_manage is false" in play.message
