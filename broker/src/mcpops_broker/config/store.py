# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The store that replicas share: the mapping `store` under `broker`, or CACHE_CONNECTION_STRING in the environment."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.secrets import secret, spellings

VARIABLE = "CACHE_CONNECTION_STRING"
"""As the operator's broker has it; wins over the file."""
_KEYS = frozenset({*spellings("url"), *spellings("password"), "prefix", "caCert"})
_PORT = 6379
_DEFAULT_PREFIX = "mcpops"
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """Where the store is. Without a host there is none: every replica is for itself."""

    host: str = ""
    port: int = _PORT
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_cert: str | None = field(default=None, repr=False)
    """PEM of authorities trusted for the store beside the system's."""
    prefix: str = _DEFAULT_PREFIX
    """Begins all keys and channels. Brokers that are not replicas of each other need different ones in one store."""


def parse_store(fields: Fields) -> StoreOptions:
    """Read the mapping; problems are noted in the fields."""
    fields.refuse_unknown(_KEYS)
    prefix = fields.text("prefix") or _DEFAULT_PREFIX
    if not _PREFIX.match(prefix):
        fields.problem("prefix", prefix, "it must be 1 to 64 letters, digits and _ . : -")
    given, variable = secret(fields, "url"), os.environ.get(VARIABLE, "").strip()
    if not variable and not given:
        return StoreOptions(prefix=prefix)
    try:
        options = _address(variable or given or "")
    except ValueError as error:
        if variable:
            fields.problems.append(f"the environment variable {VARIABLE} cannot be used: {error}")
        else:
            fields.secret_problem("url", str(error))
        return StoreOptions(prefix=prefix)
    return StoreOptions(
        options.host,
        options.port,
        options.database,
        options.username,
        secret(fields, "password") or options.password,
        options.tls,
        _authorities(fields),
        prefix,
    )


def _address(url: str) -> StoreOptions:
    """Take a URL apart; raise ValueError with a sentence. What follows a `?` is for other clients and ignored."""
    form = "it must be like redis://host:6379/0, or rediss://... for TLS"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(form) from None
    database = parts.path.strip("/") or "0"
    if parts.scheme not in ("redis", "rediss", "valkey", "valkeys") or not host or not database.isdecimal():
        raise ValueError(form)
    return StoreOptions(
        host,
        port or _PORT,
        int(database),
        unquote(parts.username) if parts.username else None,
        unquote(parts.password) if parts.password else None,
        tls=parts.scheme in ("rediss", "valkeys"),
    )


def _authorities(fields: Fields) -> str | None:
    pem = fields.optional_text("caCert")
    if pem:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
        except (ssl.SSLError, ValueError, TypeError):  # the last when it is not ASCII
            fields.problem("caCert", None, "it must be one or more certificates in PEM form")
    return pem
