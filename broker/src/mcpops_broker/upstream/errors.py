# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What can go wrong with an upstream, as sentences that name it."""

from __future__ import annotations

from typing import Any


class UpstreamError(Exception):
    """An upstream did not do what was asked. `reason` is one word for programs: unreachable, timeout, refused, ..."""

    def __init__(self, upstream: str, reason: str, problem: str) -> None:
        super().__init__(f"upstream {upstream}: {problem}")
        self.upstream = upstream
        self.reason = reason


class StaleSessionError(UpstreamError):
    """The upstream no longer knows the session; a new one helps. The request was not carried out."""


class UpstreamRpcError(UpstreamError):
    """The upstream answered with a JSON-RPC error where no response to a client's request was expected or possible."""

    def __init__(self, upstream: str, code: int, message: str, data: Any) -> None:
        super().__init__(upstream, "error", f"{message} (JSON-RPC error {code})")
        self.code = code
        self.message = message
        self.data = data
