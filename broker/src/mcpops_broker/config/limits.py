# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Rate limits and quotas: the list `rateLimits` under `broker`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from mcpops_broker.config.fields import Fields

ANY = "*"
"""Stands for all methods, and in names of tools for any characters."""
STREAM = "GET"
"""Stands for opening a stream of notifications, or going on with one, which has no method of MCP (up to 2025-11-25)."""
METHODS = frozenset(
    {
        STREAM, "completion/complete", "initialize", "logging/setLevel", "ping", "prompts/get", "prompts/list",
        "resources/list", "resources/read", "resources/subscribe", "resources/templates/list",
        "resources/unsubscribe", "server/discover", "subscriptions/listen", "tasks/cancel", "tasks/get",
        "tasks/update", "tools/call", "tools/list",
    }
)  # fmt: skip
"""Those that a limit can name."""
_KEYS = frozenset(
    {"name", "per", "methods", "tools", "servers", "principals", "groups", "rate", "burst", "quota", "period", "status"}
)
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_MANY = 1_000_000_000


class Per(StrEnum):
    """What is counted apart."""

    PRINCIPAL = "principal"
    SERVER = "server"
    TOOL = "tool"


class Period(StrEnum):
    """What a quota is for. Periods begin on the clock and in the calendar, in UTC."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One limit: how many requests of what kind. It has a rate or a quota."""

    name: str
    """Told in refusals, `/status` and metrics."""
    per: frozenset[Per] = frozenset({Per.PRINCIPAL})
    """Empty: all requests that it is for are counted together."""
    methods: frozenset[str] = frozenset({"tools/call"})
    tools: tuple[str, ...] = ()
    """Names as clients see them, `*` for any characters; empty: all."""
    servers: frozenset[str] = frozenset()
    """Empty: all, also requests that go to no server."""
    principals: frozenset[str] = frozenset()
    """Ids; empty: everybody."""
    groups: frozenset[str] = frozenset()
    """Of principals that have one of them; empty: everybody."""
    rate: float = 0.0
    """Requests a second, on average; 0: it has a quota."""
    burst: int = 1
    """Requests at once, when none came for a while."""
    quota: int = 0
    """Requests in a period."""
    period: Period = Period.DAY
    status: int = 429
    """HTTP status of a refusal, for clients that do not stand 429."""

    @property
    def for_some(self) -> bool:
        """Whether it is for some principals only."""
        return bool(self.principals or self.groups)

    @property
    def allowance(self) -> str:
        """What it allows, for people."""
        if self.quota:
            return f"{self.quota} request{'s' if self.quota > 1 else ''} a {self.period}"
        return f"{self.rate:g} requests a second, {self.burst} at once"


def parse_rate_limits(fields: Fields) -> tuple[RateLimit, ...]:
    """Read the list; problems are noted in the fields."""
    return tuple(_limits(fields))


def _limits(broker: Fields) -> Iterator[RateLimit]:
    seen: set[str] = set()
    for fields in broker.elements("rateLimits"):
        fields.refuse_unknown(_KEYS)
        name = fields.text("name")
        if not _NAME.match(name):
            fields.problem("name", fields.raw("name"), "every limit needs a name of 1 to 64 letters, digits and _ . -")
        elif name in seen:
            fields.problem("name", name, "another limit has this name; names must be unique")
        seen.add(name)
        fields.place += f" ({name})" if name else ""
        tools = fields.texts("tools")
        rate = fields.number("rate", 0.0, low=1e-6, high=_MANY)
        quota = fields.integer("quota", 0, low=1, high=_MANY)
        if bool(rate) == bool(quota):
            fields.problem("rate", fields.raw("rate"), "a limit has either a 'rate' (a second) or a 'quota' (a period)")
        for key, other in (("burst", "rate"), ("period", "quota")):
            if fields.has(key) and not fields.has(other):
                fields.problem(key, fields.raw(key), f"it has a meaning together with '{other}' only")
        yield RateLimit(
            name,
            per=frozenset(Per(word) for word in _words(fields, "per", frozenset(Per), ("principal",))),
            methods=_methods(fields, tools),
            tools=tools,
            servers=frozenset(fields.texts("servers")),
            principals=frozenset(fields.texts("principals")),
            groups=frozenset(fields.texts("groups")),
            rate=rate,
            burst=fields.integer("burst", max(1, round(rate)), low=1, high=_MANY),
            quota=quota,
            period=_period(fields),
            status=_status(fields),
        )


def _methods(fields: Fields, tools: tuple[str, ...]) -> frozenset[str]:
    methods = _words(fields, "methods", {*METHODS, ANY}, ("tools/call",))
    if not methods:
        fields.problem("methods", [], f"it must name methods, or be left out, or be '{ANY}' for all")
    if tools and methods != {"tools/call"}:
        fields.problem("tools", list(tools), "it is for the method tools/call only; make a limit of its own for others")
    return methods


def _period(fields: Fields) -> Period:
    word = fields.text("period") or Period.DAY
    if word not in set(Period):
        fields.problem("period", word, f"it must be one of {', '.join(Period)}")
        return Period.DAY
    return Period(word)


def _status(fields: Fields) -> int:
    status = fields.integer("status", 429, low=200, high=429)
    if status not in (200, 429):
        fields.problem("status", status, "it must be 429 (RFC 6585), or 200 for clients that do not stand 429")
    return status


def _words(fields: Fields, key: str, known: Collection[str], default: tuple[str, ...]) -> frozenset[str]:
    """Return the words of a list, or the one word of a text, that must be among those known."""
    raw = fields.raw(key)
    words = default if raw is None else (raw,) if isinstance(raw, str) else fields.texts(key)
    wrong = [word for word in words if word not in known]
    if wrong:
        fields.problem(key, raw, f"it must be of {', '.join(sorted(known))}")
        return frozenset(default)
    return frozenset(words)
