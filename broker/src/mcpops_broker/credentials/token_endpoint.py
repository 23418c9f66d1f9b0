# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Asking an authorization server for a token (RFC 6749 section 3.2, RFC 8693, RFC 8707)."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from mcpops_broker.config.credentials import OAuthClient
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.net.client import HttpClient, HttpError, Target
from mcpops_broker.net.target import address_of, target_for
from mcpops_broker.protocol.jsonrpc import excerpt

ANSWER_TIMEOUT = 20.0
"""Seconds that an authorization server gets."""
_LARGEST = 256 << 10
"""Bytes of an answer; tokens with many groups are tens of kilobytes."""
_NO_GRANT = ("invalid_grant", "bad_refresh_token")
"""Errors that say that a code or a refresh token is worth nothing, now and later (RFC 6749 section 5.2; the second is
GitHub's, with HTTP 200). All others are about the broker, or the server has no time: a user can do nothing."""
_AGREED = ("authorization_code", "refresh_token")
"""Grants whose scopes the user has agreed to already, perhaps to fewer than were asked for."""
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")
_HEADERS = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
    "accept-encoding": "identity",
}


class CredentialError(Exception):
    """No credential could be had. The message is a sentence without secrets; `final`: asking again with the same grant
    cannot help."""

    def __init__(self, problem: str, *, final: bool = False) -> None:
        super().__init__(problem)
        self.final = final


@dataclass(frozen=True, slots=True)
class Token:
    """What an authorization server gave."""

    value: str = field(repr=False)
    expires: float | None = None
    """Seconds since 1970; None: it did not say."""
    refresh: str | None = field(default=None, repr=False)
    """With which the next one can be had without the user."""

    @property
    def header(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.value}"


@dataclass(frozen=True, slots=True)
class TokenSource:
    """An authorization server that gives tokens, what the broker is to it, and how it is reached."""

    client: OAuthClient
    http: HttpClient
    target: Target

    @classmethod
    def build(cls, client: OAuthClient, http: HttpClient, options: BrokerOptions, ca_bundle: str | None) -> TokenSource:
        """Build the source of a configured client; `ca_bundle`: PEM of authorities trusted beside the system's."""
        authorities = (ca_bundle,) if ca_bundle else ()
        connect, guard = options.timeouts.connect, options.upstream_addresses
        target = target_for(client.token_url, connect_timeout=connect, authorities=authorities, guard=guard)
        return cls(client, http, target)

    async def fetch(self, form: Mapping[str, str]) -> Token:
        """Ask for a token, `form` with what the grant needs; raise `CredentialError`."""
        return await _ask(self.http, self.target, self.client, form)


async def _ask(http: HttpClient, target: Target, client: OAuthClient, form: Mapping[str, str]) -> Token:
    fields: list[tuple[str, str]] = list(form.items())
    if form["grant_type"] not in _AGREED and client.scopes:
        fields.append(("scope", " ".join(client.scopes)))
    for name, value in (("resource", client.resource), ("audience", client.audience)):
        if value is not None:
            fields.append((name, value))
    headers = dict(_HEADERS)
    if client.authentication == "basic":
        login = f"{quote(client.client_id, '')}:{quote(client.client_secret or '', '')}"
        headers["authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    else:
        fields.append(("client_id", client.client_id))
        if client.authentication == "post":
            fields.append(("client_secret", client.client_secret or ""))
    where = address_of(client.token_url)
    body = urlencode(fields).encode()
    try:
        answer = await http.request("POST", target, headers, body, first_byte=ANSWER_TIMEOUT, idle=ANSWER_TIMEOUT)
        try:
            status, raw = answer.status, await answer.read(_LARGEST)
        finally:
            answer.close()
    except HttpError as error:
        raise CredentialError(f"the authorization server at {where} gave no token: {error}") from error
    try:
        said = orjson.loads(raw)
    except orjson.JSONDecodeError:
        said = None
    said = said if isinstance(said, dict) else {}
    if status != 200 or "error" in said:
        problem = f"the authorization server at {where} refused: {_why(said, status)}"
        raise CredentialError(problem, final=status < 500 and said.get("error") in _NO_GRANT)
    return _token(said, where)


def _token(said: Mapping[str, Any], where: str) -> Token:
    value, kind, life, refresh = (
        said.get(key) for key in ("access_token", "token_type", "expires_in", "refresh_token")
    )
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise CredentialError(f"the authorization server at {where} answered without an access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise CredentialError(f"the authorization server at {where} gave a token of type {excerpt(kind)!r}, not Bearer")
    if isinstance(life, str) and life.isdigit():  # some servers write it so
        life = int(life)
    known = type(life) in (int, float)
    expires = time.time() + float(life) if known else None  # type: ignore[arg-type]  # mypy does not see `known`
    return Token(value, expires, refresh if isinstance(refresh, str) and refresh else None)


def _why(said: Mapping[str, Any], status: int) -> str:
    """Say what an error answer says (RFC 6749 section 5.2), by printable characters only."""
    code, text = said.get("error"), said.get("error_description")
    if not isinstance(code, str):
        return f"HTTP {status}"
    told = f"{code}: {text}" if isinstance(text, str) else code
    return f"{excerpt(''.join(one if one.isprintable() else ' ' for one in told))} (HTTP {status})"
