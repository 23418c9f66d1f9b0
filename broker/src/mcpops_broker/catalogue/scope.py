# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a request may see of the catalogue, as a value. `access` makes scopes, the catalogue keeps to them."""

from __future__ import annotations

from dataclasses import dataclass

Pairs = frozenset[tuple[str, str]]
"""Pairs of an upstream and a name there. Of resources the name is the URI or its authority (`host` of `ui://host/x`)."""


@dataclass(frozen=True, slots=True)
class Authorized:
    """What a client is authorized to use; None: everything of that kind."""

    tools: Pairs | None = None
    prompts: Pairs | None = None
    resources: Pairs | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of the catalogue that a request may see and use. Equal scopes see the same."""

    virtual_server: str | None = None
    authorized: Authorized | None = None
    selection: frozenset[str] | None = None
    """Tools that the session has chosen, as clients see their names; None: it has not."""


EVERYTHING = Scope()
