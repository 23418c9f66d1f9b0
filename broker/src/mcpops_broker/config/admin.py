# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Keys `broker.admin` and `broker.ui`: who may look at the broker, and who may act on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.secrets import secret, spellings

AREAS = ("status", "metrics", "ui")
"""What can be shown to everybody: `/status`, `/metrics`, `/ui`."""
MIN_TOKEN = 20
"""Characters of the shortest admin token: one that nobody can find by trying."""


@dataclass(frozen=True, slots=True)
class AdminOptions:
    """Who may look at the broker, and who may act on it."""

    token: str | None = field(default=None, repr=False)
    """What an administrator shows. None: nobody is one."""
    public: frozenset[str] | None = None
    """Areas that everybody who reaches the broker may read. None: all of them when it listens on loopback, otherwise
    none."""


def parse_admin(fields: Fields) -> AdminOptions:
    """Read the mapping `broker.admin`."""
    fields.refuse_unknown((*spellings("token"), "public"))
    token = secret(fields, "token")
    if token is not None and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token):
        fields.secret_problem(
            "token", f"it must be at least {MIN_TOKEN} visible ASCII characters, such as `openssl rand -hex 32` prints"
        )
    public = fields.texts("public")
    for area in public:
        if area not in AREAS:
            fields.problem("public", area, f"it can hold {', '.join(AREAS)}")
    return AdminOptions(token, frozenset(public) if fields.has("public") else None)
