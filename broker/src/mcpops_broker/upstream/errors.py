# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What can go wrong with an upstream, as sentences that name it."""

from __future__ import annotations

from typing import Any

from mcpops_broker.protocol.jsonrpc import URL_ELICITATION_REQUIRED


class UpstreamError(Exception):
    """An upstream did not do what was asked. `reason` is one word for programs: unreachable, timeout, refused, ..."""

    def __init__(self, upstream: str, reason: str, problem: str) -> None:
        super().__init__(f"upstream {upstream}: {problem}")
        self.upstream = upstream
        self.reason = reason


class StaleSessionError(UpstreamError):
    """The upstream no longer knows the session; a new one helps. The request was not carried out."""


class UnauthorizedError(UpstreamError):
    """The upstream does not accept the credential (HTTP 401); another one may help. The request was not carried out."""


class UpstreamRpcError(UpstreamError):
    """The upstream answered with a JSON-RPC error where no response to a client's request was expected or possible."""

    def __init__(self, upstream: str, code: int, message: str, data: Any) -> None:
        super().__init__(upstream, "error", f"{message} (JSON-RPC error {code})")
        self.code = code
        self.message = message
        self.data = data


class UserNeededError(UpstreamRpcError):
    """The upstream was not asked, since its user must visit a web page first: error -32042 of MCP 2025-11-25."""

    def __init__(self, upstream: str, asked: list[dict[str, str]], *, can_show: bool) -> None:
        super().__init__(upstream, URL_ELICITATION_REQUIRED, "URL elicitation required", {"elicitations": asked})
        self.can_show = can_show
        """Whether the client has declared that it can lead its user to a page."""
        self.url = asked[0]["url"]
