# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthPolicy rules as filters of Envoy: jwt_authn checks tokens, Lua decides and answers.

As far as the two can: JWT and anonymous identities, patternMatching, plain and templated headers, denials. All
else raises `UnenforceableError`, which names the field. Answers are Authorino's: 401 with ``WWW-Authenticate``,
403, each with the reason in ``x-ext-auth-reason``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.kuadrant_cel import UnsupportedCelError, quoted, to_lua
from sandbox.controllers.kuadrant_patterns import all_of as patterns_to_lua
from sandbox.controllers.kuadrant_patterns import selector
from sandbox.controllers.kuadrant_policies import Rule, Rules, of_part


class UnenforceableError(ValueError):
    """A rule that this data plane cannot enforce; ``source`` is the policy that it comes from."""

    def __init__(self, rule: Rule, field: str, why: str) -> None:
        super().__init__(f"{rule.field}{field} {why}")
        self.source: Key = rule.source


@dataclass(frozen=True, slots=True)
class Authorization:
    """The body of a Lua function that answers and returns true when it denies, and the token checks behind it.

    ``waiting``: the policies whose issuers have not answered yet.
    """

    body: str
    providers: dict[str, Json] = field(default_factory=dict)
    waiting: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class IssuerKeys:
    """What is known of an issuer: its name (None: any), its JWKS, or why that is not to be had."""

    issuer: str | None = None
    jwks: str | None = None
    problem: str = ""

    @property
    def pending(self) -> bool:
        """Whether there is neither an answer nor a failure yet."""
        return not self.jwks and not self.problem


Keys = Callable[[Json], IssuerKeys]
"""From ``jwt`` of a rule to the keys of its issuer."""


def closed(reason: str) -> Authorization:
    """Denies every request, as Authorino does for what it has no valid AuthConfig for."""
    return Authorization(f"return deny(handle,403,{{['x-ext-auth-reason']={quoted(reason)}}},'')")


def authorization(rules: Rules, keys: Keys) -> Authorization:
    """What effective rules ask of a request. Raises `UnenforceableError`."""
    for part in ("metadata", "callbacks", "response.success.filters"):
        for rule in of_part(rules, part).values():
            raise UnenforceableError(rule, "", "has no counterpart in the sandbox's data plane")
    patterns = {name: rule.spec.get("allOf") or [] for name, rule in of_part(rules, "patterns").items()}
    providers: dict[str, Json] = {}
    lines = []
    for rule in of_part(rules, "conditions").values():
        # A condition that cannot be evaluated does not open the door.
        condition = _condition(rule, rule.spec["when"], "", patterns)
        lines.append(f"if not applies(function() return {condition} end) then return false end")
    lines += _authentication(rules, keys, patterns, providers)
    for rule in of_part(rules, "authorization").values():
        lines.append(_authorization(rule, patterns, _denial(rules, "unauthorized")))
    for name, rule in of_part(rules, "response.success.headers").items():
        header = rule.spec.get("key") or name
        lines.append(f"handle:headers():replace({quoted(header.lower())},{_value(rule, name)})")
    identities = of_part(rules, "authentication").values()
    waiting = frozenset(rule.source for rule in identities if rule.spec.get("jwt") and keys(rule.spec["jwt"]).pending)
    return Authorization("\n  ".join(lines), providers, waiting)


def _authentication(
    rules: Rules, keys: Keys, patterns: Mapping[str, list[Json]], providers: dict[str, Json]
) -> list[str]:
    """Identities in the order of their priority; the first that is found counts."""
    identities = of_part(rules, "authentication")
    if not identities:
        return ["auth.identity={anonymous=true}"]  # Authorino: without a rule everybody is anonymous
    lines = ["local seen=handle:streamInfo():dynamicMetadata():get('envoy.filters.http.jwt_authn') or {}"]
    lines += ["local identity,reasons=nil,{}"]
    ordered = sorted(identities.items(), key=lambda entry: (entry[1].spec.get("priority") or 0, entry[0]))
    for name, rule in ordered:
        found = _identity(rule, keys, providers)
        when = _condition(rule, rule.spec.get("when") or [], ".when", patterns)
        lines.append(
            f"if identity==nil and holds(function() return {when} end) then "
            f"identity={found[0]} if identity==nil then reasons[#reasons+1]={{{quoted(name)},{found[1]}}} end end"
        )
    challenge = quoted(f'Bearer realm="{ordered[0][0]}"')
    lines += [
        "auth.identity=identity or {}",
        "if identity==nil then",
        "  local reason=reasons[1] and reasons[1][2] or 'credential not found'",
        "  if #reasons>1 then",
        "    local parts={}",
        "    for _,r in ipairs(reasons) do parts[#parts+1]=string.format('%q:%q',r[1],r[2]) end",
        "    reason='{'..table.concat(parts,',')..'}'",
        "  end",
        f"  return {_denial(rules, 'unauthenticated')(401, 'reason', {'www-authenticate': challenge})}",
        "end",
    ]
    return lines


def _identity(rule: Rule, keys: Keys, providers: dict[str, Json]) -> tuple[str, str]:
    """Lua for the identity of a rule (nil when there is none) and for the reason of its absence."""
    spec = {name: value for name, value in rule.spec.items() if name not in ("when", "priority", "metrics")}
    spec = {name: value for name, value in spec.items() if value or name == "anonymous"}
    if "anonymous" in spec and len(spec) == 1:
        return "{anonymous=true}", "''"
    extra = sorted(set(spec) - {"jwt", "credentials"})
    if extra or "jwt" not in spec:
        names = extra or ["jwt"]
        raise UnenforceableError(rule, f".{names[0]}", "is not supported: the sandbox knows jwt and anonymous")
    found = keys(spec["jwt"])
    if found.jwks is None:
        return "nil", "'missing openid connect configuration'"
    provider = _provider(rule, found.issuer, found.jwks, spec.get("credentials") or {})
    label = hashlib.sha256(json.dumps(provider, sort_keys=True).encode()).hexdigest()[:16]
    providers[label] = provider | {"payload_in_metadata": label, "failed_status_in_metadata": f"{label}.failed"}
    failed = f"seen[{quoted(f'{label}.failed')}]"
    missing = f"({failed} and {failed}.message~='Jwt is missing' and {failed}.message or 'credential not found')"
    return f"seen[{quoted(label)}]", missing


def _provider(rule: Rule, issuer: str | None, jwks: str, credentials: Json) -> Json:
    """As strict as Authorino: a token must expire, and its audience is a matter of authorization rules."""
    provider: Json = {
        "local_jwks": {"inline_string": jwks},
        "forward": True,
        "require_expiration": True,
        "clock_skew_seconds": 1,
        **({"issuer": issuer} if issuer else {}),
    }
    kind = next(iter(credentials), "authorizationHeader")
    detail = credentials.get(kind) or {}
    if kind == "authorizationHeader":
        prefix = detail.get("prefix") or "Bearer"
        return provider | {"from_headers": [{"name": "Authorization", "value_prefix": f"{prefix} "}]}
    if kind == "customHeader":
        return provider | {"from_headers": [{"name": detail["name"]}]}
    if kind == "queryString":
        return provider | {"from_params": [detail["name"]]}
    if kind == "cookie":
        return provider | {"from_cookies": [detail["name"]]}
    raise UnenforceableError(rule, f".credentials.{kind}", "is not supported")


Denial = Callable[[int, str, Mapping[str, str]], str]
"""From the code, Lua for the reason and default headers to the Lua that answers."""


def _denial(rules: Rules, which: str) -> Denial:
    rule = next(iter(of_part(rules, f"response.{which}").values()), None)
    spec = rule.spec if rule else {}

    def answer(code: int, reason: str, defaults: Mapping[str, str]) -> str:
        headers = dict(defaults)
        body = "''"
        if rule:
            if spec.get("headers"):
                headers = {name.lower(): _text(rule, f".headers.{name}", v) for name, v in spec["headers"].items()}
            if spec.get("body"):
                body = _text(rule, ".body", spec["body"])
            if spec.get("message"):
                reason = _text(rule, ".message", spec["message"])
        headers["x-ext-auth-reason"] = reason
        pairs = ",".join(f"[{quoted(name)}]={value}" for name, value in headers.items())
        return f"deny(handle,{int(spec.get('code') or code)},{{{pairs}}},{body})"

    return answer


def _authorization(rule: Rule, patterns: Mapping[str, list[Json]], denial: Denial) -> str:
    spec = {name: value for name, value in rule.spec.items() if name not in ("when", "priority", "metrics") and value}
    extra = sorted(set(spec) - {"patternMatching"})
    if extra or not spec:
        name = extra[0] if extra else "patternMatching"
        raise UnenforceableError(rule, f".{name}", "is not supported: the sandbox knows patternMatching")
    when = _condition(rule, rule.spec.get("when") or [], ".when", patterns)
    wanted = spec["patternMatching"].get("patterns") or []
    test = _condition(rule, wanted, ".patternMatching.patterns", patterns)
    refused = denial(403, "'Unauthorized'", {})
    # `when` that fails to evaluate leaves the rule in force.
    return (
        f"if applies(function() return {when} end) and not holds(function() return {test} end) "
        f"then return {refused} end"
    )


def _condition(rule: Rule, items: list[Json], where: str, patterns: Mapping[str, list[Json]]) -> str:
    try:
        return patterns_to_lua(items, patterns)
    except UnsupportedCelError as error:
        raise UnenforceableError(rule, where, str(error)) from error


def _text(rule: Rule, where: str, value: Json) -> str:
    """Lua for a value that is given directly, by an expression or by a selector; "" when it cannot be found."""
    try:
        if value.get("expression"):
            return f"shown(function() return {to_lua(value['expression'])} end)"
        if value.get("selector"):
            return f"shown(function() return {selector(value['selector'])} end)"
    except UnsupportedCelError as error:
        raise UnenforceableError(rule, where, str(error)) from error
    return _constant(value.get("value"))


def _constant(value: Any) -> str:
    return quoted(value if isinstance(value, str) else json.dumps(value) if value is not None else "")


def _value(rule: Rule, name: str) -> str:
    if plain := rule.spec.get("plain"):
        return _text(rule, ".plain", plain)
    kind = next((kind for kind in ("wristband", "json") if rule.spec.get(kind)), name)
    raise UnenforceableError(rule, f".{kind}", "is not supported: the sandbox knows plain")
