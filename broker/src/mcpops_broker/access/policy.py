# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which principal may use which tool, prompt or resource, by the rules of the configuration.

What no rule allows is denied; what one denies is denied, whatever others say (as in Cedar). A rule without a value, for
example because a token lacks a claim, allows nothing, and if it denies, it denies.

Rules see only what they name. Principals in whom they see no difference share what was decided, so that a thousand
users of three groups cost as much as three users, and a call of what was decided before costs one look-up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mcpops_broker import logs
from mcpops_broker.access.expression import HINTS, Expression, ExpressionError, engine
from mcpops_broker.catalogue.scope import Decision, Scope
from mcpops_broker.catalogue.source import OWN, Item
from mcpops_broker.config.model import Server, VirtualServer
from mcpops_broker.config.policy import PolicyOptions, Rule
from mcpops_broker.principal import How, Principal
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.protocol.uris import is_plain

MAX_PRINCIPALS = 2000
"""Principals whose grants are found at once; then all are looked up again."""
MAX_GRANTS = 1000
"""Grants that are kept; those used longest ago make room."""
MAX_DECISIONS = 50_000
"""Decisions that one of them keeps."""
MAX_TOLD = 1000
"""Different failures of rules that are logged."""

_OWN = Decision(True, "own", "the broker's own tools show and take only what may be used")
_NO_RULE = Decision(False, "no-rule", "no rule of the policy allows it")
_ODD_URI = Decision(
    False, "odd-uri", "the URI is not written in the simplest way, so rules cannot tell what it leads to"
)
_VARIABLES = {Kind.TOOLS: "tool", Kind.PROMPTS: "prompt", Kind.RESOURCES: "resource", Kind.TEMPLATES: "resource"}
_Key = tuple[str, str, str, bytes]


class Policy:
    """The rules of one configuration."""

    def __init__(
        self, options: PolicyOptions, servers: Iterable[Server], virtual_servers: Iterable[VirtualServer]
    ) -> None:
        self.rules = options.rules
        self._virtual_servers = frozenset(server.name for server in virtual_servers)
        self._servers = {server.name: _server(server) for server in servers}
        self._uses = _used(rule.when for rule in options.rules)
        self._claims = _used_claims(rule.when for rule in options.rules)
        self._scopes: frozenset[str] = frozenset().union(*(rule.scopes for rule in options.rules))
        self._known: dict[tuple[int, str | None], tuple[Principal, Grants]] = {}
        """By the principal's address: who is recognized once is the same object while its token is remembered."""
        self._grants: dict[str, Grants] = {}
        """By all that rules see of principals."""
        self._told: set[tuple[str, str]] = set()

    def grants(self, principal: Principal, virtual_server: str | None) -> Grants:
        """Return what a principal may use. For a virtual server that does not exist nothing is remembered: its name is
        any text of a client's."""
        if virtual_server is not None and virtual_server not in self._virtual_servers:
            return self._find(principal, virtual_server, keep=False)
        key = (id(principal), virtual_server)
        known = self._known.get(key)
        if known is not None and known[0] is principal:
            return known[1]
        grants = self._find(principal, virtual_server, keep=True)
        if len(self._known) >= MAX_PRINCIPALS:
            self._known.clear()
        self._known[key] = (principal, grants)
        return grants

    def look_at(self, item: Item, context: Any, server: str | None) -> None:
        """Set the engine's variables for something that an upstream offers; `server` is the upstream for which they are
        set already, since setting them costs more than all rules do."""
        variable = _VARIABLES[item.kind]
        fields = self._uses.get(variable)
        if fields:
            context.add_variable(variable, {name: _FIELDS[name](item) for name in fields})
        fields = self._uses.get("server")
        if fields and item.upstream != server:
            values = self._servers.get(item.upstream, {})
            context.add_variable("server", {name: values[name] for name in fields if name in values})

    def odd(self, item: Item) -> bool:
        """Tell whether rules look at a URI that its upstream may read in another way. Of one that the upstream lists
        there is no doubt, so this is for others."""
        return "resource" in self._uses and item.kind is Kind.RESOURCES and not is_plain(item.id)

    def failed(self, rule: Rule, problem: ExpressionError, item: Item) -> None:
        """Log that a rule has no value; each way once."""
        told = (rule.name, str(problem))
        if told not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(told)
            logs.warning(
                "policy.failed", rule=rule.name, upstream=item.upstream, name=item.id, problem=f"the rule {problem}"
            )

    def _find(self, principal: Principal, virtual_server: str | None, *, keep: bool) -> Grants:
        seen = self._seen(principal, virtual_server)
        scopes = principal.scopes & self._scopes
        more = principal.how is How.TOKEN  # nobody else can ask for more scopes
        key = json.dumps([seen, sorted(scopes), more], sort_keys=True, default=str)
        grants = self._grants.pop(key, None)
        if grants is None:
            grants = Grants(self, _context(seen), scopes, more_scopes=more)
            if not keep:
                return grants
            if len(self._grants) >= MAX_GRANTS:
                del self._grants[next(iter(self._grants))]
        self._grants[key] = grants
        return grants

    def _seen(self, principal: Principal, virtual_server: str | None) -> dict[str, Any]:
        """Return the variables for a principal, with the fields that rules name and no others."""
        seen: dict[str, Any] = {}
        if "virtualServer" in self._uses:
            seen["virtualServer"] = virtual_server or ""
        fields = self._uses.get("principal")
        if fields:
            claims = principal.claims
            wanted = claims.keys() if self._claims is None else claims.keys() & self._claims
            values: dict[str, Any] = {
                "id": principal.id,
                "how": principal.how.value,
                "name": principal.name,
                "issuer": principal.issuer,
                "clientId": principal.client_id,
                "scopes": sorted(principal.scopes),
                "groups": sorted(principal.groups),
                "claims": {name: claims[name] for name in wanted},
            }
            seen["principal"] = {name: values[name] for name in fields}
        return seen


class Grants:
    """What principals in whom the rules see no difference may use."""

    __slots__ = ("_context", "_decisions", "_fixed", "_more_scopes", "_policy", "_scopes", "_server", "scope")

    def __init__(self, policy: Policy, context: Any, scopes: frozenset[str], *, more_scopes: bool) -> None:
        self._policy = policy
        self._context = context
        self._scopes = scopes
        self._more_scopes = more_scopes
        self._server: str | None = None
        """The upstream whose variables the context has."""
        self._decisions: dict[_Key, Decision] = {}
        self._fixed: dict[str, Decision | None] = {}
        """What rules say that look at the principal only, by their names."""
        self.scope = Scope(grants=self)
        """The scope of requests that nothing else restricts."""

    def decide(self, item: Item, *, keep: bool) -> Decision:
        """Decide about something that an upstream offers. `keep`: it may be remembered, since the catalogue has it."""
        key = (item.kind.key, item.upstream, item.id, item.annotations)
        decision = self._decisions.get(key)
        if decision is None:
            decision = _ODD_URI if not keep and self._policy.odd(item) else self._decide(item)
            if keep:
                if len(self._decisions) >= MAX_DECISIONS:
                    self._decisions.clear()
                self._decisions[key] = decision
        return decision

    def _decide(self, item: Item) -> Decision:
        if item.upstream == OWN:
            return _OWN
        best: Decision | None = None
        seen = False
        for rule in self._policy.rules:
            if item.kind not in rule.kinds:
                continue
            if rule.looks_at_items and not seen:
                try:
                    self._look_at(item)
                except Exception as error:  # a value that the engine cannot take: nothing is known of it
                    return Decision(False, "failed", f"rules cannot look at it ({type(error).__name__})")
                seen = True
            decision = self._ask(rule, item) if rule.looks_at_items else self._ask_once(rule, item)
            if decision is None:
                continue
            if not rule.allows:
                return decision
            if best is None or not best.allowed:  # the first that allows, or else the first that would with more scopes
                best = decision if best is None or decision.allowed else best
        return best or _NO_RULE

    def _look_at(self, item: Item) -> None:
        server, self._server = self._server, None  # unknown, should it fail halfway
        self._policy.look_at(item, self._context, server)
        self._server = item.upstream

    def _ask_once(self, rule: Rule, item: Item) -> Decision | None:
        if rule.name not in self._fixed:
            self._fixed[rule.name] = self._ask(rule, item)
        return self._fixed[rule.name]

    def _ask(self, rule: Rule, item: Item) -> Decision | None:
        """Return what a rule says; None: nothing."""
        try:
            holds = rule.when.holds(self._context)
        except ExpressionError as error:
            self._policy.failed(rule, error, item)
            if rule.allows:
                return None
            return Decision(False, rule.name, f"the rule {rule.name!r} denies, and {error}: so it denies this")
        if not holds:
            return None
        if not rule.allows:
            return Decision(False, rule.name, f"the rule {rule.name!r} denies it")
        lacking = rule.scopes - self._scopes
        if not lacking:
            return Decision(True, rule.name, f"the rule {rule.name!r} allows it")
        if not self._more_scopes:
            return None
        why = f"the rule {rule.name!r} allows it with more scopes: the token lacks {' '.join(sorted(lacking))}"
        wanted = tuple(
            sorted(rule.scopes | self._scopes)
        )  # a token with new scopes only would lose what others ask for
        return Decision(False, rule.name, why, wanted)


def _server(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "prefix": server.prefix,
        "hostname": server.hostname,
        "tags": list(server.tags),
        "categories": list(server.categories),
    }


def _used(expressions: Iterable[Expression]) -> dict[str, frozenset[str]]:
    used: dict[str, frozenset[str]] = {}
    for expression in expressions:
        for variable, fields in expression.uses.items():
            used[variable] = used.get(variable, frozenset()) | fields
    return used


def _used_claims(expressions: Iterable[Expression]) -> frozenset[str] | None:
    claims: frozenset[str] = frozenset()
    for expression in expressions:
        if expression.claims is None:
            return None
        claims |= expression.claims
    return claims


def _annotations(item: Item) -> dict[str, Any]:
    said = item.definition.get("annotations")
    said = said if isinstance(said, dict) else {}
    if item.kind is not Kind.TOOLS:
        return said
    hints = {name: said[name] if isinstance(said.get(name), bool) else default for name, default in HINTS.items()}
    return {**said, **hints}


_FIELDS = {
    "name": lambda item: item.id,
    "originalName": lambda item: item.name,
    "uri": lambda item: item.id,
    "annotations": _annotations,
}


def _context(seen: Mapping[str, Any]) -> Any:
    """Return the engine's variables for a principal. Of one that the engine cannot take it knows nothing, so what needs
    to know it is denied."""
    try:
        return engine().Context(dict(seen))
    except Exception as error:
        logs.warning("policy.failed", problem=f"rules cannot look at a principal ({type(error).__name__})")
        return engine().Context({})
