# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""May this principal use this, and why? The question as the page asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.access.explain import explain
from mcpops_broker.catalogue.scope import EVERYTHING, Decision
from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.ui.tools import KINDS

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

MOST = 500
"""Elements that are judged at once."""
HOW = {How.TOKEN: "an OAuth token", How.KEY: "an API key", How.CERTIFICATE: "a certificate", How.ANONYMOUS: "nothing"}


@dataclass(slots=True)
class Asked:
    """A question."""

    kind: str = "tools"
    name: str = ""
    """Name or URI as clients see it; empty: everything of the kind."""
    how: How = How.TOKEN
    who: str = ""
    scopes: str = ""
    groups: str = ""
    claims: str = ""
    """JSON."""
    virtual_server: str = ""
    complete: bool = False
    """Whether it was asked, and not just the page opened."""
    problem: str = ""
    """Why it cannot be answered, in a sentence."""
    parsed_claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided for one name."""

    name: str
    decision: Decision


def read(query: Mapping[str, str]) -> Asked:
    """Read the question out of the arguments of an address."""
    kind, how = query.get("kind", ""), query.get("how", "")
    asked = Asked(
        kind=kind if kind in KINDS else "tools",
        name=query.get("name", "").strip(),
        how=How(how) if how in list(How) else How.TOKEN,
        who=query.get("who", "").strip(),
        scopes=query.get("scopes", ""),
        groups=query.get("groups", ""),
        claims=query.get("claims", "").strip(),
        virtual_server=query.get("virtual", ""),
        complete="how" in query,
    )
    if asked.claims:
        try:
            claims = orjson.loads(asked.claims)
        except ValueError:
            claims = None
        if isinstance(claims, dict):
            asked.parsed_claims = claims
        else:
            asked.problem = 'The claims must be a JSON object, such as {"department": "sales"}.'
    return asked


def answer(broker: Broker, asked: Asked) -> list[Answer]:
    """Decide as for a request of that principal: about the name, or about everything of the kind."""
    kind = KINDS[asked.kind]
    principal = _principal(asked)
    virtual_server = asked.virtual_server or None
    names = [asked.name] if asked.name else _names(broker, kind)
    return [Answer(name, explain(broker, principal, kind, name, virtual_server=virtual_server)) for name in names]


def _names(broker: Broker, kind: Kind) -> list[str]:
    return sorted(item.id for item in broker.catalogue.view(EVERYTHING).items(kind))[:MOST]


def _principal(asked: Asked) -> Principal:
    if asked.how is How.ANONYMOUS:
        return ANONYMOUS
    claims = dict(asked.parsed_claims)
    issuer = claims.get("iss")
    client = claims.get("client_id", claims.get("azp"))
    return Principal(
        id=f"{asked.how}:{asked.who}",
        how=asked.how,
        name=asked.who,
        issuer=issuer if isinstance(issuer, str) else "",
        client_id=client if isinstance(client, str) else "",
        scopes=frozenset(asked.scopes.replace(",", " ").split()),
        groups=frozenset(part.strip() for part in asked.groups.split(",") if part.strip()),
        claims={**({"sub": asked.who} if asked.how is How.TOKEN and asked.who else {}), **claims},
    )
