# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RateLimitPolicy rules as Envoy's local rate limit: one token bucket a limit, rate and counter value.

Lua decides which limits concern a request and what their counters say; it notes that in the request's
metadata, from which the descriptors are made. Unlike Limitador, which counts in fixed windows, Envoy fills its buckets
evenly over the window, and each match of a route counts for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.controllers.envoy_routes import seconds
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import UnenforceableError
from sandbox.controllers.kuadrant_cel import UnsupportedCelError, quoted, to_lua
from sandbox.controllers.kuadrant_patterns import all_of
from sandbox.controllers.kuadrant_policies import Rule, Rules, of_part

METADATA = "sandbox.limits"
COUNTERS = 1000
"""How many values of one limit's counters are told apart at a time."""
SHORTEST_WINDOW = 0.05
PLENTY = {"max_tokens": 4_294_967_295, "tokens_per_fill": 4_294_967_295, "fill_interval": "1s"}
ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


@dataclass(frozen=True, slots=True)
class Limits:
    """The body of a Lua function that notes which limits apply, and the filter's configuration for the route."""

    body: str
    config: Json


def limits(rules: Rules) -> Limits:
    """What effective rules ask of the data plane. Raises `UnenforceableError`."""
    lines = ["local notes=handle:streamInfo():dynamicMetadata()"]
    for rule in of_part(rules, "conditions").values():
        lines.append(f"if not holds(function() return {_when(rule, rule.spec['when'])} end) then return end")
    actions, descriptors = [], []
    for name, rule in of_part(rules, "limits").items():
        counters = [_counter(rule, index, entry) for index, entry in enumerate(rule.spec.get("counters") or [])]
        value = "..'|'..".join(counters) or "'1'"
        when = _when(rule, rule.spec.get("when") or [])
        note = f"notes:set({quoted(METADATA)},{quoted(name)},{value})"
        lines.append(f"if holds(function() return {when} end) then {note} end")
        for index, rate in enumerate(rule.spec.get("rates") or []):
            key = f"{name}#{index}"
            place = {"key": METADATA, "path": [{"key": name}]}
            action = {"descriptor_key": key, "metadata_key": place, "source": "DYNAMIC", "skip_if_absent": True}
            actions.append({"actions": [{"metadata": action}]})
            entry = {"key": key} if counters else {"key": key, "value": "1"}
            descriptors.append({"entries": [entry], "token_bucket": _bucket(rule, index, rate)})
    config = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limit",
        "token_bucket": PLENTY,
        "filter_enabled": ALWAYS,
        "filter_enforced": ALWAYS,
        "rate_limits": actions,
        "descriptors": descriptors,
        "always_consume_default_token_bucket": False,
        "max_dynamic_descriptors": COUNTERS,
    }
    return Limits("\n  ".join(lines), config)


def _bucket(rule: Rule, index: int, rate: Json) -> Json:
    window, count = seconds(rate["window"]), int(rate["limit"])
    if window < SHORTEST_WINDOW or count < 1:
        raise UnenforceableError(
            rule, f".rates[{index}]", "needs a limit of at least 1 and a window of at least 50ms in this data plane"
        )
    return {"max_tokens": count, "tokens_per_fill": count, "fill_interval": f"{window:g}s"}


def _when(rule: Rule, items: list[Json]) -> str:
    try:
        return all_of(items, {})
    except UnsupportedCelError as error:
        raise UnenforceableError(rule, ".when", str(error)) from error


def _counter(rule: Rule, index: int, entry: Json) -> str:
    try:
        return f"shown(function() return {to_lua(entry['expression'])} end)"
    except UnsupportedCelError as error:
        raise UnenforceableError(rule, f".counters[{index}].expression", str(error)) from error
