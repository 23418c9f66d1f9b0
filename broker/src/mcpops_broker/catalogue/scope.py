# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a request may see of the catalogue, as a value. `access` makes scopes, the catalogue keeps to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcpops_broker.catalogue.source import Item

Pairs = frozenset[tuple[str, str]]
"""Pairs of an upstream and a name there. Of resources the name is the URI or its authority (`host` of `ui://host/x`)."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """What a client is authorized to use; None: everything of that kind."""

    tools: Pairs | None = None
    prompts: Pairs | None = None
    resources: Pairs | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something may be used, and why."""

    allowed: bool
    rule: str
    """What decided: the name of a rule of the policy, or a word for another reason (`no-policy`, `no-rule`, `unknown`,
    `virtual-server`, `authorization`, `selection`). Few different ones, so it may be a label of metrics."""
    reason: str
    """The same in a sentence, for people who run the broker; never for its clients."""
    needs_scopes: tuple[str, ...] = ()
    """Scopes of OAuth with which it would be allowed, with those of the principal that other rules ask for, sorted;
    empty: no scope would help."""

    @property
    def listed(self) -> bool:
        """Whether lists show it: a client must know of what it can ask more scopes for."""
        return self.allowed or bool(self.needs_scopes)


ALLOWED = Decision(True, "no-policy", "no policy is configured")


class Grants(Protocol):
    """What a policy lets a principal use. Equal only when they are the same object."""

    def decide(self, item: Item, *, keep: bool) -> Decision:
        """Decide about something that an upstream offers. `keep`: it may be remembered, since the catalogue has it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the catalogue that a request may see and use. Equal scopes see the same."""

    virtual_server: str | None = None
    authorized: Authorized | None = None
    selection: frozenset[str] | None = None
    """Tools that the session has chosen, as clients see their names; None: it has not."""
    grants: Grants | None = None
    """What the policy lets the principal use; None: there is no policy."""


EVERYTHING = Scope()
