# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""With what the broker shows itself to upstreams, and where it may connect to: `auth` of a server,
`broker.userTokens`, `broker.upstreamAddresses`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mcpops_broker.config.auth import address_problem
from mcpops_broker.config.fields import Fields
from mcpops_broker.config.secrets import secret, spellings
from mcpops_broker.net.guard import GROUPS, Guard, is_rule

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693, no token
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*\Z")
_NOT_OURS = frozenset({"host", "content-length", "content-type", "accept", "connection", "transfer-encoding"})
"""Headers that the broker writes itself, beside those that begin with `mcp-`."""
_LEGACY = frozenset({"type", "token", "username", "password"})
"""Keys of `auth` in the operator's file, where it has no effect."""
_CLIENT_KEYS = frozenset({
    "tokenUrl", "clientId", *spellings("clientSecret"), "clientAuthentication", "scopes", "resource", "audience",
})  # fmt: skip
_WAYS = ("basic", "post", "none")


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What the broker is to an authorization server."""

    token_url: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    authentication: str = "basic"
    """How it shows itself (RFC 6749 section 2.3): `basic` (header), `post` (in the body), `none` (a public client)."""
    scopes: tuple[str, ...] = ()
    resource: str | None = None
    """The upstream's own identifier, for which tokens are wanted (RFC 8707)."""
    audience: str | None = None
    """The same in the words of RFC 8693, and of authorization servers that do not know `resource`."""
    authorization_url: str | None = None
    """Where people are sent to log in or to agree; None where nobody is."""


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """One header with the same value for everybody."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A token for the broker itself (RFC 6749 section 4.4), used for everybody."""

    client: OAuthClient


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """The client's token is exchanged for one of the upstream (RFC 8693): each user has an own one."""

    client: OAuthClient
    subject_type: str = ACCESS_TOKEN
    requested_type: str = ACCESS_TOKEN


@dataclass(frozen=True, slots=True)
class UserToken:
    """Each user gives the broker a token, on a web page that their client shows them the way to."""

    oauth: OAuthClient | None = None
    """The upstream's authorization server, where the user agrees; None: the user enters a token."""
    url: str | None = None
    """The page, when it is another one than the broker's own."""


@dataclass(frozen=True, slots=True)
class Passthrough:
    """The client's own Authorization header is passed on as it is."""


ServerAuth = StaticHeader | ClientCredentials | TokenExchange | UserToken | Passthrough


@dataclass(frozen=True, slots=True)
class UserTokens:
    """The page where users give tokens: `broker.userTokens`."""

    url: str
    """The broker's own address as browsers know it, without a path."""
    lifetime: float = 30 * 86_400.0
    """Seconds that a token is kept which does not say how long it is valid."""
    login: OAuthClient | None = None
    """How the broker finds out who opens the page, when no proxy in front of it says so."""


def parse_server_auth(server: Fields, warnings: list[str], *, asks_users: bool) -> ServerAuth | None:
    """Read `auth` of a server, and the operator's `tokenURLElicitation`; `asks_users`: there is a page for users."""
    if not server.has("auth"):
        return _operators_user_token(server, warnings, asks_users=asks_users)
    fields = Fields(f"{server.place}: auth", server.raw("auth"), server.problems)
    kind = fields.text("type")
    read = _KINDS.get(kind)
    if read is None:
        if not fields.unknown(_LEGACY):
            warnings.append(f"{server.place}: key 'auth' has no effect with type {kind!r}, as in the operator's broker")
        else:
            fields.problem("type", kind, f"it must be one of {', '.join(_KINDS)}")
        return None
    if kind == "userToken" and not asks_users:
        fields.problem("type", kind, "it needs broker.userTokens, the page where users give their tokens")
    if server.has("tokenURLElicitation"):
        server.problem(
            "tokenURLElicitation", server.raw("tokenURLElicitation"), "'auth' is given, too; give one of them"
        )
    return read(fields)


def parse_user_tokens(broker: Fields) -> UserTokens | None:
    """Read `broker.userTokens`."""
    if not broker.has("userTokens"):
        return None
    fields = broker.inside("userTokens")
    fields.refuse_unknown({"url", "lifetime", "login"})
    default = UserTokens("")
    url = _address(fields, "url", required=True)
    if url and urlsplit(url).path not in ("", "/"):
        fields.problem(
            "url", url, "it must be the broker's address without a path, such as https://gateway.example.com"
        )
    login = None
    if fields.has("login"):
        inner = fields.inside("login")
        inner.refuse_unknown({"authorizationUrl", *_CLIENT_KEYS})
        login = _client(inner, with_page=True)
    lifetime = fields.number("lifetime", default.lifetime, low=60, high=366 * 86_400)
    return UserTokens(url.rstrip("/"), lifetime, login)


def parse_addresses(broker: Fields) -> Guard:
    """Read `broker.upstreamAddresses`."""
    fields = broker.inside("upstreamAddresses")
    fields.refuse_unknown({"allow", "deny"})
    rules = {key: fields.texts(key) for key in ("allow", "deny")}
    for key, names in rules.items():
        for name in names:
            if not is_rule(name):
                fields.problem(key, name, f"it must be a network such as 10.0.0.0/8, or one of {', '.join(GROUPS)}")
    return Guard(**rules)


def _address(fields: Fields, key: str, *, required: bool = False) -> str:
    """Return an address that is trusted with secrets; empty when it is not given. A wrong one may hold a password and
    is not repeated."""
    url = fields.text(key)
    problem = address_problem(url) if url else "given here, an https:// address" if required else None
    if problem is None and "#" in url:
        problem = "an address without a fragment"
    if problem is not None:
        fields.secret_problem(key, f"it must be {problem}")
        return ""
    return url


def _operators_user_token(server: Fields, warnings: list[str], *, asks_users: bool) -> UserToken | None:
    """Read the operator's word for it, which means nothing until there is a page, as at its own broker."""
    asked = server.raw("tokenURLElicitation")
    if not isinstance(asked, dict):
        return None
    fields = Fields(f"{server.place}: tokenURLElicitation", asked, server.problems)
    url = fields.optional_text("url")
    if url and not url.startswith(("http://", "https://")):  # the operator's rule
        fields.problem("url", url, "it must be an http:// or https:// address")
    if url and not asks_users:
        warnings.append(
            f"{server.place}: key 'tokenURLElicitation' has no effect here: users are asked with broker.userTokens"
        )
    return UserToken(url=url)


def _header(fields: Fields) -> ServerAuth | None:
    fields.refuse_unknown({"type", "name", *spellings("value")})
    name = fields.text("name", "authorization").lower()
    value = secret(fields, "value")
    if not _HEADER_NAME.match(name) or name in _NOT_OURS or name.startswith("mcp-"):
        fields.problem("name", name, "it must be the name of a header, and none that the broker itself sends")
    if value is None:
        fields.secret_problem("value", f"it is needed here, as one of {', '.join(spellings('value'))}")
    elif not _HEADER_VALUE.match(value):
        fields.secret_problem("value", "it holds a line break or control character, which no HTTP header can carry")
    else:
        return StaticHeader(name, value)
    return None


def _client_credentials(fields: Fields) -> ServerAuth | None:
    fields.refuse_unknown({"type", *_CLIENT_KEYS})
    client = _client(fields)
    return ClientCredentials(client) if client else None


def _token_exchange(fields: Fields) -> ServerAuth | None:
    fields.refuse_unknown({"type", *_CLIENT_KEYS, "subjectTokenType", "requestedTokenType"})
    client = _client(fields)
    if client is None:
        return None
    subject, requested = fields.text("subjectTokenType", ACCESS_TOKEN), fields.text("requestedTokenType", ACCESS_TOKEN)
    return TokenExchange(client, subject, requested)


def _user_token(fields: Fields) -> ServerAuth | None:
    fields.refuse_unknown({"type", "url", "authorizationUrl", *_CLIENT_KEYS})
    page = _address(fields, "url") or None
    if not any(fields.has(key) for key in ("authorizationUrl", "tokenUrl", "clientId")):
        return UserToken(url=page)
    if page:
        fields.problem("url", page, "an authorization server is given, too, to which the broker's own page leads")
    client = _client(fields, with_page=True)
    return UserToken(client) if client else None


def _passthrough(fields: Fields) -> ServerAuth | None:
    fields.refuse_unknown({"type"})
    return Passthrough()


def _client(fields: Fields, *, with_page: bool = False) -> OAuthClient | None:
    """Read what the broker is to an authorization server; `with_page` when people are sent there."""
    token_url = _address(fields, "tokenUrl", required=True)
    page = _address(fields, "authorizationUrl", required=True) if with_page else ""
    client_id = fields.text("clientId")
    if not client_id:
        fields.problem("clientId", client_id, "it is needed here: the broker's name at the authorization server")
    client_secret = secret(fields, "clientSecret")
    way = fields.text("clientAuthentication") or ("basic" if client_secret or not with_page else "none")
    if way not in (_WAYS if with_page else _WAYS[:2]):  # without a user nobody else vouches for a public client
        fields.problem("clientAuthentication", way, f"it must be one of {', '.join(_WAYS if with_page else _WAYS[:2])}")
    elif (way == "none") is (client_secret is not None):
        must = "must not be given" if client_secret else f"is needed, as one of {', '.join(spellings('clientSecret'))}"
        fields.secret_problem("clientSecret", f"with clientAuthentication {way!r} it {must}")
    scopes = fields.texts("scopes")
    if any(re.search(r"[^\x21\x23-\x5b\x5d-\x7e]", scope) for scope in scopes):
        fields.problem(
            "scopes", list(scopes), "a scope is a word of printable ASCII (RFC 6749 section 3.3); give one an element"
        )
    if not token_url or not client_id or (with_page and not page):
        return None
    return OAuthClient(
        token_url,
        client_id,
        client_secret,
        way,
        scopes,
        fields.optional_text("resource"),
        fields.optional_text("audience"),
        page or None,
    )


_KINDS: dict[str, Callable[[Fields], ServerAuth | None]] = {
    "header": _header,
    "clientCredentials": _client_credentials,
    "tokenExchange": _token_exchange,
    "userToken": _user_token,
    "passthrough": _passthrough,
}
