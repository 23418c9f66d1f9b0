# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""May this principal use this, and why? The question as the page asks it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.access import access_tokens, api_keys, certificates
from mcpops_broker.access.explain import explain
from mcpops_broker.catalogue.scope import EVERYTHING, Decision
from mcpops_broker.config.auth import ApiKey, AuthOptions, CertificateOptions, IssuerOptions
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
    """Decide as for a request of that principal: about the name, or about everything of the kind.

    Raises `TokenError` when claims name nobody.
    """
    kind = KINDS[asked.kind]
    principal = principal_of(asked, broker.config.broker.auth)
    virtual_server = asked.virtual_server or None
    names = [asked.name] if asked.name else _names(broker, kind)
    return [Answer(name, explain(broker, principal, kind, name, virtual_server=virtual_server)) for name in names]


def principal_of(asked: Asked, auth: AuthOptions) -> Principal:
    """Return the principal that the question is about: as the configuration makes it of a key, a certificate or claims,
    and with the scopes and groups that were asked for beside those. Raises `TokenError`."""
    if asked.how is How.ANONYMOUS:
        return ANONYMOUS
    if asked.how is How.KEY:
        key = next((key for key in auth.api_keys if key.name == asked.who), ApiKey(asked.who, hash=""))
        principal = api_keys.principal_of(key)
    elif asked.how is How.CERTIFICATE:
        options = auth.certificates or CertificateOptions(b"", ())
        principal = certificates.principal_of(asked.who, options)
    else:
        principal = _of_claims(asked, auth)
    return replace(
        principal,
        scopes=principal.scopes | frozenset(asked.scopes.replace(",", " ").split()),
        groups=principal.groups | frozenset(part.strip() for part in asked.groups.split(",") if part.strip()),
    )


def _of_claims(asked: Asked, auth: AuthOptions) -> Principal:
    said = asked.parsed_claims.get("iss")
    name = said if isinstance(said, str) else auth.issuers[0].issuer if auth.issuers else ""
    issuer = next((one for one in auth.issuers if one.issuer == name), IssuerOptions(name))
    subject = {issuer.principal_claim: asked.who} if asked.who else {}
    claims = {"exp": time.time() + 3600, "iss": name, **subject, **asked.parsed_claims}
    return access_tokens.principal_of(claims, issuer, "", 0)


def _names(broker: Broker, kind: Kind) -> list[str]:
    return sorted(item.id for item in broker.catalogue.view(EVERYTHING).items(kind))[:MOST]
