# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What went wrong on the way to an MCP endpoint, and in which layer."""

from __future__ import annotations

import typing as t

Layer = t.Literal["input", "dns", "tcp", "tls", "http", "mcp", "assert"]
"""Where the way to the endpoint broke, from the outside in. ``assert``: it works, but an expectation does not hold."""


class EndpointError(Exception):
    """The endpoint did not answer as it should.

    The message is one sentence for a person: what was addressed, what is wrong, what to do.
    ``retry`` tells whether waiting can help (a Pod that starts) or cannot (a certificate of the wrong name).
    ``facts`` are further result values, for example ``http_status``.
    """

    def __init__(self, layer: Layer, message: str, *, retry: bool = True, **facts: t.Any) -> None:
        super().__init__(message)
        self.layer: Layer = layer
        self.retry = retry
        self.facts = facts


def excerpt(data: bytes | str, limit: int = 120) -> str:
    """The first characters of an answer on one line, for an error message."""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def wrong_url(option: str, url: str, why: str, *, credentials: str) -> EndpointError:
    """The failure for a URL that is none (``why`` completes "option URL ...").

    One that may hold a password is not shown; ``credentials`` is the option that takes them.
    """
    if "@" in url:
        text = f"{option} must not hold a user name or password; send credentials with the option {credentials}"
    else:
        text = f"{option} {url!r} {why}"
    return EndpointError("input", text, retry=False)
