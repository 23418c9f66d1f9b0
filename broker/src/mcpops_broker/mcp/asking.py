# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which of several upstreams has asked a client for input: its state, which comes back with the retry, says so.

The mark, `<digest of its name>.`, needs no memory, so it holds at every worker and after a restart. Clients can change
it: it chooses among the upstreams that they may use anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from mcpops_broker.mcp.task_ids import tag_of
from mcpops_broker.upstream.exchange import Reply
from mcpops_broker.upstream.upstream import Upstream

_STATE = "requestState"


def with_marked_state(reply: Reply, upstream: Upstream) -> Reply:
    """Return a response in which a client that is asked for input is given a state that leads its retry to the same
    upstream (MCP 2026-07-28 basic/patterns/mrtr); other responses as they are."""
    result = reply.message.get("result")
    if not isinstance(result, dict) or result.get("resultType") != "input_required":
        return reply
    state = result.get(_STATE, "")
    message = {**reply.message, "result": {**result, _STATE: f"{tag_of(upstream.server.name)}.{state}"}}
    return Reply(orjson.dumps(message), message)


def take_asking(params: dict[str, Any], upstreams: Iterable[Upstream]) -> Upstream | None:
    """Return the upstream that has asked for what a retry brings, and give the state back its form; None: it is no
    retry, or nobody else could have asked."""
    state = params.get(_STATE)
    tag, dot, rest = state.partition(".") if isinstance(state, str) else ("", "", "")
    for upstream in upstreams:
        if dot and tag_of(upstream.server.name) == tag:
            params[_STATE] = rest
            if not rest:
                del params[_STATE]
            return upstream
    return None
