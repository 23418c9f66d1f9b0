# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What those who listen are told when the catalogue changes: what differs for them, and in time."""

from __future__ import annotations

import pytest
from mcpops_broker.catalogue import changes as changes_module
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.changes import Changes
from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.catalogue.source import Source
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.kinds import Kind

TOOLS = frozenset({Kind.TOOLS})


def catalogue(*tools: str) -> Catalogue:
    definitions = [{"name": name, "inputSchema": {"type": "object"}} for name in tools]
    servers = [VirtualServer("one", frozenset({"a"})), VirtualServer("two", frozenset({"b"}))]
    return Catalogue([Source("ns/up", "", {Kind.TOOLS: definitions})], servers[: len(tools)])


@pytest.mark.parametrize("stateless", [False, True])
def test_only_what_differs_for_a_scope(stateless: bool) -> None:
    changes = Changes(catalogue("a"), catalogue("a", "b"), stateless=stateless)

    assert changes.kinds(EVERYTHING, EVERYTHING) == TOOLS
    assert changes.kinds(Scope("one"), Scope("one")) == frozenset()
    assert changes.kinds(Scope("two"), Scope("two")) == frozenset(Kind), "it did not exist before"
    assert changes.kinds(Scope("one"), EVERYTHING) == TOOLS, "the scope is another one"


def test_many_scopes_are_not_compared_but_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes_module, "MOST_COMPARED", 2)
    changes = Changes(catalogue("a"), catalogue("a", "b"), stateless=False)
    scopes = [Scope(selection=frozenset({f"{number}"})) for number in range(4)]

    assert [changes.kinds(scope, scope) for scope in scopes] == [frozenset(), frozenset(), *[frozenset(Kind)] * 2]
    assert changes.kinds(scopes[0], scopes[0]) == frozenset()
