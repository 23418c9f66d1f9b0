# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostnames of the Gateway API: what matches what, and which listener a hostname belongs to.

A hostname is exact (``mcp.example.com``) or has a wildcard as its first label (``*.example.com``, which
matches one or more labels but not ``example.com`` itself); an absent one matches everything and is
written ``*`` here. Hostnames compare without case.
"""

from __future__ import annotations

from collections.abc import Iterable

ANY = "*"


def matches(pattern: str, hostname: str) -> bool:
    """Whether everything that ``hostname`` stands for is also covered by ``pattern``."""
    pattern, hostname = pattern.lower(), hostname.lower()
    if pattern in (ANY, hostname):
        return True
    return pattern.startswith("*.") and hostname != ANY and hostname.removeprefix("*").endswith(pattern[1:])


def intersection(listener: str, route: str) -> str | None:
    """The hostname under which a route is reached through a listener, or None when they have none in common."""
    if matches(listener, route):
        return route.lower()
    if matches(route, listener):
        return listener.lower()
    return None


def most_specific(patterns: Iterable[str], hostname: str) -> str | None:
    """The pattern that owns ``hostname``: an exact one, else the longest wildcard, else the one that takes all."""
    fitting = [pattern.lower() for pattern in patterns if matches(pattern, hostname)]
    return max(fitting, key=lambda pattern: (not pattern.startswith(ANY), len(pattern)), default=None)
