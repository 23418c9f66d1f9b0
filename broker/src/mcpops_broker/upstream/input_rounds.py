# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Answering `input_required` results for clients of the session era, who know only questions.

Rules: MCP 2026-07-28 basic/patterns/mrtr.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.capabilities import ASKED
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.deadline import Deadline
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Exchange, Reply
from mcpops_broker.upstream.transport import error_reply

MAX_ROUNDS = 20
"""Times that one request may need input. More is taken for an upstream that asks without end."""
MAX_QUESTIONS = 20
"""Questions of one round."""
FIRST_PAUSE = 0.1
"""Seconds before a retry that needs no answers (an upstream sheds load so); doubled each time up to LONGEST_PAUSE."""
LONGEST_PAUSE = 5.0


class InputRounds:
    """The rounds of one request."""

    def __init__(self, upstream: str, exchange: Exchange, deadline: Deadline) -> None:
        self._upstream = upstream
        self._exchange = exchange
        self._deadline = deadline
        self._rounds = 0
        self._pause = FIRST_PAUSE

    async def answers(self, result: dict[str, Any]) -> dict[str, Any] | Reply:
        """Ask the client what the upstream wants to know; return the parameters that the retry has in addition, or
        an error response when the client refuses to answer."""
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise self._invalid(f"asked for input {MAX_ROUNDS} times for one request")
        questions, state = result.get("inputRequests"), result.get("requestState")
        more: dict[str, Any] = {}
        if isinstance(state, str):
            more["requestState"] = state
        if not questions:
            if not more:
                raise self._invalid("needs input but does not say which")
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            return more
        try:
            more["inputResponses"] = await self._ask_all(self._checked(questions))
        except RpcError as error:
            problem = UpstreamRpcError(self._upstream, error.code, error.message, error.data)
            return error_reply(self._exchange.request_id, problem)
        return more

    def _checked(self, questions: object) -> dict[str, tuple[str, dict[str, Any]]]:
        if not isinstance(questions, dict) or len(questions) > MAX_QUESTIONS:
            raise self._invalid(f"needs input but its inputRequests are no object of at most {MAX_QUESTIONS} requests")
        checked: dict[str, tuple[str, dict[str, Any]]] = {}
        for key, question in questions.items():
            method = question.get("method") if isinstance(question, dict) else None
            params = question.get("params", {}) if isinstance(question, dict) else None
            if method not in ASKED or not isinstance(params, dict):
                raise self._invalid(f"needs input that no client can give: {jsonrpc.excerpt(method)}")
            checked[key] = (method, params)
        return checked

    async def _ask_all(self, questions: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        """Ask everything at once. The time that people need does not count as the upstream's."""
        tasks = [asyncio.ensure_future(self._ask(method, params)) for method, params in questions.values()]
        self._deadline.pause()
        try:
            return dict(zip(questions, await asyncio.gather(*tasks), strict=True))
        finally:
            self._deadline.resume()
            for task in tasks:
                task.cancel()  # those that still wait when another one has failed

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "elicitation/create" and params.get("mode") == "url" and "elicitationId" not in params:
            params = {**params, "elicitationId": str(uuid.uuid4())}  # required by 2025-11-25, gone in 2026-07-28
        try:
            return await self._exchange.ask(method, params)
        except RpcError:
            if method == "elicitation/create":
                return {"action": "cancel"}  # what a client says when nobody has answered
            raise

    def _invalid(self, problem: str) -> UpstreamError:
        return UpstreamError(self._upstream, "invalid", problem)
