# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients without sessions, as upstreams with sessions know them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from mcpops_broker.mcp import stateless_clients
from mcpops_broker.mcp.stateless_clients import StatelessClients
from mcpops_broker.principal import ANONYMOUS, How, Principal


def make(capacity: int = 10) -> tuple[StatelessClients, list[str]]:
    dropped: list[str] = []
    return StatelessClients(capacity=capacity, idle=60, dropped=dropped.append), dropped


def identity(
    clients: StatelessClients,
    authorization: bytes = b"",
    capabilities: dict[str, Any] | None = None,
    principal: Principal = ANONYMOUS,
) -> str:
    return clients.find("2026-07-28", principal, authorization, capabilities or {}, None).identity


def test_clients_are_the_same_by_principal_authorization_and_capabilities() -> None:
    clients, _ = make()

    assert identity(clients, b"Bearer a") == identity(clients, b"Bearer a")
    assert identity(clients, capabilities={"a": {}, "b": {}}) == identity(clients, capabilities={"b": {}, "a": {}})
    everybody = {
        identity(clients),
        identity(clients, b"Bearer a"),
        identity(clients, b"Bearer b"),
        identity(clients, b"Bearer b", {"roots": {}}),
        identity(clients, capabilities={"roots": {}}),
        identity(clients, principal=Principal("key:ci", How.KEY, "ci")),
    }
    assert len(everybody) == 6


def test_agents_of_the_same_user_are_different_clients() -> None:
    clients, _ = make()

    def agent(client_id: str, *scopes: str) -> str:
        return identity(
            clients, principal=Principal("ann", How.TOKEN, "ann", client_id=client_id, scopes=frozenset(scopes))
        )

    assert agent("a", "read", "write") == agent("a", "write", "read")
    assert len({agent("a"), agent("b"), agent("a", "read"), agent("a", "read", "write")}) == 4


def test_workers_agree_on_who_a_client_is() -> None:
    assert identity(make()[0], b"Bearer a", {"roots": {}}) == identity(make()[0], b"Bearer a", {"roots": {}})


def test_the_log_level_is_the_requests_own() -> None:
    clients, _ = make()

    chatty = clients.find("2026-07-28", ANONYMOUS, b"", {}, "debug")

    assert (chatty.log_level, chatty.stateless) == ("debug", True)
    assert clients.find("2026-07-28", ANONYMOUS, b"", {}, None).log_level is None
    assert chatty.identity == identity(clients)
    assert len(clients) == 1


def test_the_client_idle_longest_makes_room() -> None:
    clients, dropped = make(capacity=2)
    first, second = identity(clients, b"1"), identity(clients, b"2")
    identity(clients, b"1")

    identity(clients, b"3")

    assert dropped == [second]
    assert first != second


def test_what_clients_say_of_themselves_is_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stateless_clients, "LARGEST_TOTAL", 1000)
    clients, dropped = make()
    large = [identity(clients, capabilities={"experimental": {str(number): "x" * 400}}) for number in range(4)]
    assert dropped == large[:2]

    huge = identity(clients, capabilities={"experimental": {"x": "x" * 5000}})
    assert dropped == large
    assert identity(clients, b"next") != huge
    assert dropped == [*large, huge]
    assert len(clients) == 1


def test_idle_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clients, dropped = make()
    old = identity(clients, b"1")
    now += 50
    identity(clients, b"2")
    now += 20

    clients.sweep()

    assert dropped == [old]
