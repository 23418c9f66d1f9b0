# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From an HTTP request to its principal: who makes it, or the refusal of who may not come in.

MCP basic/authorization: the broker is an OAuth resource server. API keys and certificates that a proxy has checked are
the simpler ways. Credentials that are wrong are refused even where none are needed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mcpops_broker import logs
from mcpops_broker.access.access_tokens import AccessTokens
from mcpops_broker.access.api_keys import ApiKeys
from mcpops_broker.access.certificates import Certificates
from mcpops_broker.access.issuer_keys import KeysUnavailableError
from mcpops_broker.access.kept import Kept
from mcpops_broker.access.resource import ENDPOINT, Resource
from mcpops_broker.access.token import TokenError
from mcpops_broker.background import Background
from mcpops_broker.config.auth import AuthOptions
from mcpops_broker.net.client import HttpClient
from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.protocol.jsonrpc import RefusalError

API_KEY = b"x-api-key"
MAX_KEPT = 8 << 20
"""Bytes of tokens whose principals are kept."""
LONGEST_TIMER = 86_400.0
"""Seconds after which a stream whose end is far away is looked at again."""
RETRY_AFTER = 5
"""Seconds after which a client may try again when the keys of its issuer cannot be had."""
TELL_AGAIN = 10.0
"""Seconds between two log lines about the same reason for a refusal."""
_AUTHORIZATION = b"authorization"
_CHALLENGE = b"www-authenticate"


class Authentication:
    """Recognizes the principals of one broker. Use it inside one event loop."""

    def __init__(self, options: AuthOptions, http: HttpClient, background: Background) -> None:
        self._http = http
        self._background = background
        self._known: Kept[tuple[Principal, float]] = Kept(MAX_KEPT)
        """Who was recognized, and until when (seconds since 1970) without another check: by the Authorization header,
        for a virtual server followed by a line end, which no header has, and the path. Nobody can write a header that
        looks like another one at another path."""
        self._streams: set[_Stream] = set()
        self._told: dict[str, float] = {}
        """When each reason for a refusal was logged last, in monotonic seconds. There are few of them."""
        self._tokens: AccessTokens | None = None
        self._configure(options)

    def configure(self, options: AuthOptions) -> None:
        """Take other options. All streams end: their clients come back and are recognized anew, or are not."""
        if options == self._options:
            return
        before = self._tokens
        self._known.clear()
        self._configure(options)
        if before is not None:
            self._background.start(before.close(), "close issuers")
        for stream in list(self._streams):
            stream.end()

    def _configure(self, options: AuthOptions) -> None:
        self._options = options
        self.resource = Resource(options)
        self._keys = ApiKeys(options.api_keys)
        self._certificates = Certificates(options.certificates) if options.certificates else None
        before, self._tokens = self._tokens, None
        if options.issuers:
            skew = options.clock_skew
            self._tokens = AccessTokens(options.issuers, skew, self._http, self._key_withdrawn, before)
            self._tokens.prepare()

    async def close(self) -> None:
        """Stop what is under way."""
        if self._tokens is not None:
            await self._tokens.close()

    async def authenticate(self, headers: Mapping[bytes, bytes], scope: Mapping[str, Any]) -> Principal:
        """Return who makes a request, by its headers and its ASGI scope (path, address of the peer).

        Raises `RefusalError` for who may not come in: 401, 403 for a token without the scopes that all need, or 503
        when that cannot be found out now.
        """
        options = self._options
        if not options.recognizes:
            return ANONYMOUS
        path: str = scope["path"]
        try:
            if self._keys and (key := headers.get(API_KEY)) is not None:
                return self._keys.principal(key)
            authorization = headers.get(_AUTHORIZATION)
            if authorization is not None and (self._tokens is not None or self._keys):
                place = authorization if path == ENDPOINT else authorization + b"\n" + path.encode()
                known = self._known.get(place)
                if known is not None and time.time() < known[1]:
                    return known[0]
                self._known.drop(place)
                principal = await self._by_authorization(authorization, path)
                if options is self._options:  # they may have changed while keys were fetched
                    self._known.put(place, (principal, self._known_until(principal)))
                return principal
            if self._certificates is not None:
                peer = scope.get("client")
                found = self._certificates.principal(headers, peer[0] if peer else None)
                if found is not None:
                    return found
        except TokenError as error:
            self._tell(str(error))
            raise self._unauthorized(path, f"the credential {error}", "invalid_token") from None
        except KeysUnavailableError as error:
            text = f"Service unavailable: {error}; try again"
            raise RefusalError(503, text, (b"retry-after", b"%d" % RETRY_AFTER)) from None
        if options.anonymous:
            return ANONYMOUS
        raise self._unauthorized(path, "say who you are")

    def insufficient_scope(self, scopes: Iterable[str], why: str, path: str = ENDPOINT) -> RefusalError:
        """Build the refusal of a request whose token lacks scopes: its client may get a token with all of these, and
        those that every request needs, and try again (MCP basic/authorization, "Runtime Insufficient Scope Errors")."""
        wanted = dict.fromkeys((*self._options.scopes, *scopes))
        challenge = self.resource.challenge(path, "insufficient_scope", why, wanted)
        return RefusalError(403, f"Forbidden: {why}", (_CHALLENGE, challenge))

    @contextmanager
    def while_valid(self, principal: Principal, end: Callable[[], object]) -> Iterator[None]:
        """Call `end` when the principal is not recognized any more while the block runs (a stream): its token expires,
        its issuer withdraws a key, or the configuration changes. May be called more than once."""
        stream = _Stream(principal, end)
        self._streams.add(stream)
        try:
            stream.wait()
            yield
        finally:
            self._streams.discard(stream)
            stream.close()

    async def _by_authorization(self, authorization: bytes, path: str) -> Principal:
        scheme, _, credential = authorization.partition(b" ")
        credential = credential.strip()
        if scheme.lower() != b"bearer" or not credential:
            raise TokenError("is no Bearer token")
        if self._keys and credential.count(b".") != 2:
            return self._keys.principal(credential)
        if self._tokens is None:
            raise TokenError("is not known here")
        principal = await self._tokens.principal(credential.decode("latin-1"), self.resource.audiences(path))
        if lacking := [scope for scope in self._options.scopes if scope not in principal.scopes]:
            why = f"the token lacks the scope {' '.join(lacking)}"
            raise self.insufficient_scope(self._options.scopes, why, path)
        return principal

    def _known_until(self, principal: Principal) -> float:
        """Return when somebody must be recognized anew, in seconds since 1970."""
        expires = math.inf if principal.expires is None else principal.expires
        if principal.how is How.TOKEN and self._tokens is not None:
            return min(expires, time.time() + self._tokens.good_for(principal.issuer))
        return expires

    def _key_withdrawn(self, issuer: str) -> None:
        """Recognize everybody anew: whose token is signed with the key is not any more. Streams of the issuer's users
        end, and their clients come back."""
        self._known.clear()
        for stream in list(self._streams):
            if stream.issuer == issuer:
                stream.end()

    def _tell(self, why: str) -> None:
        """Log that a credential was refused: each reason now and then, since whoever wants to can cause any number."""
        now = time.monotonic()
        if now - self._told.get(why, -TELL_AGAIN) >= TELL_AGAIN:
            self._told[why] = now
            logs.info("auth.refused", problem=why)

    def _unauthorized(self, path: str, why: str, error: str = "") -> RefusalError:
        """Build the refusal of a request that nobody is known to make. Who sends no credentials is told of no error
        (RFC 6750 section 3.1)."""
        challenge = self.resource.challenge(path, error, why if error else "", self._options.scopes)
        return RefusalError(401, f"Unauthorized: {why}", (_CHALLENGE, challenge))


class _Stream:
    """A stream that ends with the recognition of its principal."""

    __slots__ = ("_expires", "_timer", "end", "issuer")

    def __init__(self, principal: Principal, end: Callable[[], object]) -> None:
        self._expires = principal.expires
        self.issuer = principal.issuer
        self.end = end
        self._timer: asyncio.TimerHandle | None = None

    def wait(self) -> None:
        """End the stream in time. The clock may be set meanwhile, so it is read again at the end."""
        if self._expires is not None:
            left = self._expires - time.time()
            if left <= 0:
                self.end()
            else:
                self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_TIMER), self.wait)

    def close(self) -> None:
        """Forget the stream."""
        if self._timer is not None:
            self._timer.cancel()


def authorization_for_upstreams(headers: Mapping[bytes, bytes], principal: Principal) -> bytes | None:
    """Return the client's Authorization header, for an upstream that wants to know its users; None when the broker
    itself knows the client by it: then it is for the broker and for nobody else."""
    if principal.how is How.TOKEN or (principal.how is How.KEY and API_KEY not in headers):
        return None
    return headers.get(_AUTHORIZATION)
