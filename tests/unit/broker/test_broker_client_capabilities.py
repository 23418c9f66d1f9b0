# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients can do, kept in their session ids."""

from __future__ import annotations

from typing import Any

import pytest
from mcpops_broker.sessions.capabilities import ALL, capabilities_of, flags_of


@pytest.mark.parametrize(
    ("declared", "kept"),
    [
        ({}, {}),
        (None, {}),
        (5, {}),
        ({"elicitation": {}}, {"elicitation": {}}),
        ({"elicitation": {"form": {}}}, {"elicitation": {}}),
        ({"elicitation": {"url": {}}}, {"elicitation": {"url": {}}}),
        ({"elicitation": {"form": {}, "url": {}}}, {"elicitation": {"form": {}, "url": {}}}),
        ({"sampling": {}}, {"sampling": {}}),
        ({"sampling": {"tools": {}, "context": {}}}, {"sampling": {"tools": {}, "context": {}}}),
        ({"roots": {}}, {"roots": {}}),
        ({"roots": {"listChanged": True}}, {"roots": {"listChanged": True}}),
        ({"roots": {"listChanged": "yes"}, "sampling": 1, "experimental": {"x": {}}}, {"roots": {}}),
    ],
)
def test_what_a_client_declares_comes_back_out_of_its_number(declared: object, kept: dict[str, Any]) -> None:
    assert capabilities_of(flags_of(declared)) == kept


def test_every_number_stands_for_capabilities_of_its_own() -> None:
    reachable = {flags_of(capabilities_of(flags)) for flags in range(ALL + 1)}

    assert all(flags_of(capabilities_of(flags)) == flags for flags in reachable)
