# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session at an upstream for a client session, whichever of several workers carries its requests."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from broker.conftest import StartBroker, StartUpstream
from broker.harness import Json, rpc, server, wait_until


def test_all_workers_use_one_session_of_a_client_at_an_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]}, "--workers", "3")
    wait_until(lambda: raw.initialized == 3, "every worker has a session of its own for lists")
    running.initialize()
    wait_until(lambda: "echo" in running.tools(), "the tool is listed")

    def call(number: int) -> Json:
        answer: Json = running.post(rpc("tools/call", {"name": "echo"}, number)).json
        return answer

    with ThreadPoolExecutor(8) as clients:
        first = list(clients.map(call, range(60)))
        raw.expire_sessions()
        second = list(clients.map(call, range(60, 120)))

    assert all("result" in answer for answer in first + second)
    sessions = [recorded["session"] for recorded in raw.calls]
    used = set(sessions)
    assert len(used) == 2, "one session, and one after it had expired"
    running.request("DELETE", headers={"mcp-session-id": str(running.session)})
    wait_until(lambda: used & set(raw.deleted), "the session has ended at the upstream")
    assert len([one for one in raw.deleted if one in used]) == 1, "its home alone ends it"
