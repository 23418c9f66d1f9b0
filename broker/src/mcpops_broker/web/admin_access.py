# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who may read `/status`, `/metrics` and `/ui`, and who may act there: `broker.admin` of the configuration.

An administrator shows the token in the Authorization header, or has signed in on the page and holds a cookie. The
cookie is a time of expiry under a MAC whose key depends on the token: any worker or replica with the same session key
knows it, nothing is stored, and another token ends it. A form that acts carries a second MAC, of the cookie, which no
other site can know.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcpops_broker.web.asgi import Headers

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

COOKIE = "mcpops_admin"
SIGNED_IN_FOR = 8 * 3600
"""Seconds that a cookie is valid."""


class AdminAccess:
    """The rules of one broker; they follow its configuration."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mcpops-broker admin cookie").derive(
            broker.options.secrets(broker.config.broker)[0]
        )

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
        said = f"{int(time.time()) + SIGNED_IN_FOR}.{os.urandom(9).hex()}"
        return f"{said}.{self._mac('cookie', said)}"

    def form_token(self, headers: Headers) -> str:
        """Return what a form must carry to act for who is signed in; empty when nobody is."""
        cookie = self._signed_in(headers)
        return self._mac("form", cookie) if cookie is not None else ""

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
                said, _, mac = value.rpartition(".")
                expires = said.partition(".")[0]
                if hmac.compare_digest(mac.encode(), self._mac("cookie", said).encode()):
                    return value if int(expires) > time.time() else None
        return None

    def _mac(self, purpose: str, text: str) -> str:
        token = self._broker.config.broker.admin.token or ""
        said = b"\0".join((purpose.encode(), _digest(token), text.encode()))
        return urlsafe_b64encode(hmac.digest(self._key, said, "sha256")).rstrip(b"=").decode()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
