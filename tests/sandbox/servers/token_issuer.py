# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OpenID Connect issuer on 127.0.0.1: discovery, JWKS, and tokens signed with RSA or EC keys.

    python -m sandbox.servers.token_issuer --dir .sandbox [--claims JSON]

serves one until SIGTERM. ``DIR/outside/issuer.json`` gets its address and a token with these claims, valid for a day.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sandbox.processes import write_private

Json = dict[str, Any]
DAY = 86400.0
"""Seconds."""


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _number(value: int, length: int) -> str:
    return _b64(value.to_bytes(length, "big"))


class TokenIssuer:
    """Use it with ``async with``; ``url`` is the issuer."""

    def __init__(self, path: str = "/realms/mcp") -> None:
        self.path = path
        self.url = ""
        self.rsa = rsa.generate_private_key(65537, 2048)
        self.ec = ec.generate_private_key(ec.SECP256R1())
        app = web.Application()
        app.router.add_get(f"{path}/.well-known/openid-configuration", self._discovery)
        app.router.add_get(f"{path}/keys", self._keys)
        self._runner = web.AppRunner(app)

    async def __aenter__(self) -> TokenIssuer:
        await self._runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, listening).start()
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}{self.path}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/keys"

    async def _discovery(self, _: web.Request) -> web.Response:
        return web.json_response({"issuer": self.url, "jwks_uri": self.jwks_url})

    async def _keys(self, _: web.Request) -> web.Response:
        public, point = self.rsa.public_key().public_numbers(), self.ec.public_key().public_numbers()
        one = {"kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig"}
        one |= {"n": _number(public.n, 256), "e": _number(public.e, 3)}
        two = {"kty": "EC", "kid": "ec", "alg": "ES256", "use": "sig", "crv": "P-256"}
        two |= {"x": _number(point.x, 32), "y": _number(point.y, 32)}
        return web.json_response({"keys": [one, two]})

    def token(self, kind: str = "rsa", *, lifetime: float = 300, **claims: Any) -> str:
        """A token signed with the key of that kind; it expires after ``lifetime`` seconds."""
        now = int(time.time())
        body = {"iss": self.url, "sub": "alice", "iat": now, "exp": int(now + lifetime), **claims}
        header = {"alg": "RS256" if kind == "rsa" else "ES256", "kid": kind, "typ": "JWT"}
        text = ".".join(_b64(json.dumps(part).encode()) for part in (header, body))
        if kind == "rsa":
            signature = self.rsa.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = decode_dss_signature(self.ec.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return f"{text}.{_b64(signature)}"


async def serve(file: Path, claims: Json) -> None:
    """An issuer until SIGTERM; its address and a token with the claims are in ``file``."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with TokenIssuer() as issuer:
        told = {"url": issuer.url, "token": issuer.token(lifetime=DAY, **claims)}
        write_private(file, json.dumps(told) + "\n")
        await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="An issuer of tokens (OpenID Connect) for a sandbox")
    parser.add_argument("--dir", type=Path, required=True, help="the sandbox's state directory")
    parser.add_argument("--claims", type=json.loads, default={}, help="claims of the token, as a JSON object")
    options = parser.parse_args()
    outside = options.dir / "outside"
    outside.mkdir(exist_ok=True)
    asyncio.run(serve(outside / "issuer.json", options.claims))


if __name__ == "__main__":
    main()
