# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostnames: matching, intersection and ownership, by the Gateway API's rules."""

from __future__ import annotations

import pytest
from sandbox.controllers.gateway_hostnames import intersection, matches, most_specific


@pytest.mark.parametrize(
    ("pattern", "hostname", "expected"),
    [
        ("*", "a.example.com", True),
        ("a.example.com", "a.example.com", True),
        ("A.example.com", "a.EXAMPLE.com", True),
        ("a.example.com", "b.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*.example.com", "*.b.example.com", True),
        ("*.b.example.com", "*.example.com", False),
        ("*.example.com", "*", False),
    ],
)
def test_pattern_covers_hostname(pattern: str, hostname: str, expected: bool) -> None:
    assert matches(pattern, hostname) is expected


@pytest.mark.parametrize(
    ("listener", "route", "expected"),
    [
        ("*", "a.example.com", "a.example.com"),
        ("a.example.com", "*", "a.example.com"),
        ("*.example.com", "a.example.com", "a.example.com"),
        ("a.example.com", "*.example.com", "a.example.com"),
        ("*.example.com", "*.b.example.com", "*.b.example.com"),
        ("*.example.com", "*.example.org", None),
        ("a.example.com", "b.example.com", None),
    ],
)
def test_intersection_is_the_narrower_name(listener: str, route: str, expected: str | None) -> None:
    assert intersection(listener, route) == expected


def test_the_most_specific_listener_owns_a_hostname() -> None:
    listeners = ["*", "*.example.com", "*.b.example.com", "c.b.example.com"]
    assert most_specific(listeners, "c.b.example.com") == "c.b.example.com"
    assert most_specific(listeners, "x.b.example.com") == "*.b.example.com"
    assert most_specific(listeners, "x.example.com") == "*.example.com"
    assert most_specific(listeners, "example.com") == "*"
    assert most_specific(listeners[1:], "example.org") is None
