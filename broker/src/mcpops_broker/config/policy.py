# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The key `broker.policy`: which principal may use what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcpops_broker.access.expression import Expression, ExpressionError
from mcpops_broker.config.fields import Fields
from mcpops_broker.protocol.kinds import Kind

_KEYS = frozenset({"rules"})
_RULE_KEYS = frozenset({"name", "allow", "deny", "scopes"})
_KINDS = {
    "tool": frozenset({Kind.TOOLS}),
    "prompt": frozenset({Kind.PROMPTS}),
    "resource": frozenset({Kind.RESOURCES, Kind.TEMPLATES}),
}
_EVERY_KIND = frozenset(Kind)
_SCOPE = frozenset(map(chr, (0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))
"""Characters of a scope (RFC 6749, section 3.3)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: who may, or may not, use what."""

    name: str
    allows: bool
    """Whether it allows or denies."""
    when: Expression
    kinds: frozenset[Kind] = _EVERY_KIND
    """What it is about: the kind whose variable its expression uses, or all."""
    looks_at_items: bool = True
    """Whether it depends on what is used, and not on the principal and the virtual server alone."""
    scopes: frozenset[str] = frozenset()
    """What a token must be good for, beside the expression, that the rule allows."""


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """The rules. What none of them allows is denied, and what one of them denies is, whatever the others say."""

    rules: tuple[Rule, ...] = ()

    def fingerprint(self) -> str:
        """Return a text that is equal in all processes for equal rules."""
        return repr([(rule.name, rule.allows, rule.when.text, sorted(rule.scopes)) for rule in self.rules])


def parse_policy(fields: Fields) -> PolicyOptions | None:
    """Read the mapping `broker`; None: there is no policy, so everything is allowed."""
    if not fields.given("policy"):
        return None
    policy = fields.inside("policy")
    policy.refuse_unknown(_KEYS)
    rules = tuple(_rules(policy))
    if not policy.items("rules"):
        policy.problem("rules", policy.raw("rules"), "it must have a rule; without the key 'policy' all is allowed")
    return PolicyOptions(rules)


def _rules(policy: Fields) -> Iterator[Rule]:
    seen: set[str] = set()
    for fields in policy.elements("rules"):
        name = fields.text("name")
        if not name or name in seen:
            fields.problem("name", name, "every rule needs a name, and no other may have the same: it is told in logs")
        else:
            fields.place += f" ({name})"
        seen.add(name)
        fields.refuse_unknown(_RULE_KEYS)
        rule = _rule(name, fields)
        if rule is not None:
            yield rule


def _rule(name: str, fields: Fields) -> Rule | None:
    allows = fields.has("allow")
    if allows == fields.has("deny"):
        fields.problem("allow", fields.raw("allow"), "a rule has either 'allow' or 'deny', with an expression")
        return None
    scopes = fields.texts("scopes")
    if scopes and not allows:
        fields.problem("scopes", list(scopes), "only a rule with 'allow' can ask for scopes")
    for scope in scopes:
        if not _SCOPE.issuperset(scope):
            fields.problem("scopes", scope, "a scope is printable ASCII without blanks, quotes and backslashes")
    key = "allow" if allows else "deny"
    value = fields.raw(key)
    text = str(value).lower() if isinstance(value, bool) else fields.text(key)
    try:
        when = Expression(text)
    except ExpressionError as error:
        fields.problem(key, text, f"the expression {error}")
        return None
    about = [variable for variable in _KINDS if variable in when.uses]
    if len(about) > 1:
        fields.problem(key, text, f"it is about {' and '.join(about)} at once, and nothing is both: write two rules")
        return None
    looks_at_items = bool(about) or "server" in when.uses
    return Rule(name, allows, when, _KINDS[about[0]] if about else _EVERY_KIND, looks_at_items, frozenset(scopes))
