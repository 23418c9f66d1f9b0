# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who may read `/status`, `/metrics` and `/ui`, and who may act there: `broker.admin` of the configuration.

An administrator shows the token in the Authorization header, or has signed in on the page and holds a cookie. The
cookie is a ticket: any worker or replica with the same keys knows it, nothing is stored, and another token ends it. A
form that acts carries a digest of the cookie, which no other site can know.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from mcpops_broker.web.asgi import Headers

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

COOKIE = "mcpops_admin"
SIGNED_IN_FOR = 8 * 3600
"""Seconds that a cookie is valid."""
_PURPOSE = "administrator"


class AdminAccess:
    """The rules of one broker; they follow its configuration."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._tickets = broker.user_tokens.tickets

    @property
    def enabled(self) -> bool:
        """Tell whether there is a token, so that somebody can be an administrator."""
        return self._broker.config.broker.admin.token is not None

    def may_read(self, area: str, headers: Headers) -> bool:
        """Tell whether a request may read an area (`config.admin.AREAS`)."""
        public = self._broker.config.broker.admin.public
        # `web.hosts` keeps pages of other sites out, whose names are made to point at loopback
        allowed = area in public if public is not None else self._broker.options.loopback
        return allowed or self.is_admin(headers)

    def is_admin(self, headers: Headers) -> bool:
        """Tell whether an administrator makes a request."""
        return self._has_token(headers) or self._signed_in(headers) is not None

    def is_token(self, token: str) -> bool:
        """Tell whether this is the token. The time that takes says nothing about it."""
        wanted = self._broker.config.broker.admin.token
        return wanted is not None and hmac.compare_digest(_digest(token), _digest(wanted))

    def sign_in(self) -> str:
        """Return the value of a cookie for who has shown the token."""
        return self._tickets.make(_PURPOSE, self._digest_of_token(), SIGNED_IN_FOR)

    def form_token(self, headers: Headers) -> str:
        """Return what a form must carry to act for who is signed in; empty when nobody is."""
        cookie = self._signed_in(headers)
        return hashlib.sha256(f"form {cookie}".encode()).hexdigest() if cookie is not None else ""

    def may_act(self, headers: Headers, form_token: str) -> bool:
        """Tell whether a request may act: it has the token, or comes from a page of ours that a signed-in
        administrator looks at."""
        if self._has_token(headers):
            return True
        wanted = self.form_token(headers)
        return bool(wanted) and hmac.compare_digest(wanted.encode(), form_token.encode())

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(token.strip())

    def _signed_in(self, headers: Headers) -> str | None:
        """Return the cookie if it is ours and has not expired."""
        if not self.enabled:
            return None
        for part in headers.get(b"cookie", b"").decode("latin-1").replace(",", ";").split(";"):
            name, _, value = part.strip().partition("=")
            if name == COOKIE:
                value = value.strip('"')  # around values with `=`
                return value if self._tickets.open(_PURPOSE, value) == self._digest_of_token() else None
        return None

    def _digest_of_token(self) -> str:
        return _digest(self._broker.config.broker.admin.token or "").hex()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
