# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which worker ends an upstream session that all replicas know."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from mcpops_broker.background import Background
from mcpops_broker.config.model import Server
from mcpops_broker.replica_sessions import ReplicaSessions
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.session import UpstreamSession

SERVER = Server("ns/x", "http://127.0.0.1:9/mcp", credential="Bearer old")


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        pytest.param(SERVER, True, id="its client has ended"),
        pytest.param(replace(SERVER, credential="Bearer new"), False, id="the server has a new credential"),
        pytest.param(replace(SERVER, url="http://127.0.0.2:9/mcp"), True, id="the server has another address"),
        pytest.param(None, True, id="the server has left the configuration"),
    ],
)
async def test_a_session_goes_on_while_the_replicas_can_find_it(now: Server | None, ends: bool) -> None:
    upstream: Any = SimpleNamespace(server=SERVER)
    current = {} if now is None else {"ns/x": upstream if now is SERVER else SimpleNamespace(server=now)}
    register = MagicMock(take=AsyncMock(return_value={"id": "s1"}))
    broker: Any = SimpleNamespace(draining=False, upstreams=current)
    sessions = ReplicaSessions(broker, register, MagicMock(), Background())
    session = UpstreamSession.opened("s1", Peer(Era.SESSION, "2025-11-25"), {})

    assert await sessions.may_end(upstream, "ann", session) is ends
    assert register.take.called is ends, "what is taken out of the register no replica finds"
