# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Rate limits and quotas: who may make how many requests of which kind.

They are asked twice: for every request, about the limits that need no more than its method and its principal; and for
what goes to a server, after the policy, about those of servers and tools. Nothing waits: a request that comes too soon
is refused and told when to come again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase

from mcpops_broker import logs
from mcpops_broker.access.counters import Counters
from mcpops_broker.config.limits import ANY, METHODS, Per, RateLimit
from mcpops_broker.principal import Principal
from mcpops_broker.protocol.jsonrpc import RefusalError
from mcpops_broker.seen import metrics

TOO_MANY = 429
"""HTTP status of a refusal (RFC 6585 section 4), and the code of its JSON-RPC error: MCP 2026-07-28 (basic, error
codes) wants codes of one's own outside of JSON-RPC's range."""
MOST_KINDS = 10_000
"""Kinds of calls whose limits are remembered."""

Limits = tuple[RateLimit, ...]
Kind = tuple[str, str, str]
"""Method, server and tool; the last two may be empty."""
Concerned = tuple[tuple[RateLimit, bool, str, str], ...]
"""Limits, whether each counts principals apart, and the server and the tool that it counts apart."""


class RateLimits:
    """The limits of one broker."""

    def __init__(self, counters: Counters, limits: Limits) -> None:
        self.counters = counters
        self.refused: dict[str, int] = {}
        """Refusals since the start, by limit."""
        self._of_requests: Limits = ()
        self._of_calls: Limits = ()
        self.configure(limits)

    def configure(self, limits: Limits) -> None:
        """Take other limits."""
        self.counters.configure({limit.name: limit for limit in limits})
        self.refused = {limit.name: self.refused.get(limit.name, 0) for limit in limits}
        self._of_calls = tuple(limit for limit in limits if _is_of_calls(limit))
        self._of_requests = tuple(limit for limit in limits if not _is_of_calls(limit))
        self._by_kind: dict[Kind, Concerned] = {}

    def request(self, principal: Principal, method: str) -> None:
        """Count a request of a client; raise `RefusalError` (HTTP 429) when a limit does not allow it."""
        if self._of_requests:
            self._count(principal, (method if method in METHODS else "", "", ""), self._of_requests)

    def call(self, principal: Principal, method: str, server: str, tool: str) -> None:
        """Count a request that goes to a server; raise `RefusalError` (HTTP 429) when a limit does not allow it.

        `tool` is its name as clients see it, empty for other methods than `tools/call`.
        """
        if self._of_calls:
            self._count(principal, (method, server, tool[: metrics.MAX_NAME]), self._of_calls)

    def _count(self, principal: Principal, kind: Kind, limits: Limits) -> None:
        """Count one for each limit that it concerns, or for none when one of them is used up."""
        concerned = self._by_kind.get(kind)
        if concerned is None:
            if len(self._by_kind) >= MOST_KINDS:
                self._by_kind.clear()
            concerned = self._by_kind[kind] = tuple(_concerned(limit, kind) for limit in limits if _is_for(limit, kind))
        counters, uses, refusing = self.counters, [], []
        for limit, by_principal, server, tool in concerned:
            if limit.for_some and not _is_for_principal(limit, principal):
                continue
            key = (limit.name, principal.id if by_principal else "", server, tool)
            uses.append((limit, key))
            wait = counters.wait(limit, key)
            if wait > 0:
                refusing.append((wait, limit))
        if refusing:
            self._refuse(principal, kind, refusing)
        for limit, key in uses:
            counters.use(limit, key)

    def _refuse(self, principal: Principal, kind: Kind, refusing: list[tuple[float, RateLimit]]) -> None:
        for _, limit in refusing:
            self.refused[limit.name] += 1
            metrics.RATE_LIMITED.add(limit.name)
        wait, limit = max(refusing, key=lambda one: one[0])
        seconds = max(1, math.ceil(wait))
        logs.debug("rate.limited", limit=limit.name, principal=principal.id, method=kind[0], tool=kind[2])
        raise RefusalError(
            limit.status,
            f"Too many requests: limit '{limit.name}' allows {limit.allowance}{_apart(limit.per)}; "
            f"try again in {seconds} s",
            (b"retry-after", b"%d" % seconds),
            code=TOO_MANY,
            data={"limit": limit.name, "retryAfter": seconds},
        )


def _is_of_calls(limit: RateLimit) -> bool:
    return bool(limit.tools or limit.servers or limit.per & {Per.SERVER, Per.TOOL})


def _is_for(limit: RateLimit, kind: Kind) -> bool:
    method, server, tool = kind
    return (
        (method in limit.methods or ANY in limit.methods)
        and (not limit.servers or server in limit.servers)
        and (not limit.tools or _matches(tool, limit.tools))
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Compare a name with patterns of which only `*` is special."""
    return any(fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern in patterns)


def _is_for_principal(limit: RateLimit, principal: Principal) -> bool:
    return (not limit.principals or principal.id in limit.principals) and (
        not limit.groups or not limit.groups.isdisjoint(principal.groups)
    )


def _concerned(limit: RateLimit, kind: Kind) -> tuple[RateLimit, bool, str, str]:
    method, server, tool = kind
    per = limit.per
    return limit, Per.PRINCIPAL in per, server if Per.SERVER in per else "", (tool or method) if Per.TOOL in per else ""


def _apart(per: Iterable[Per]) -> str:
    words = sorted(per)
    return f" for each {' and '.join(words)}" if words else ""
