# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of token issuers: OpenID discovery and JWKS, fetched in the background and refreshed."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import aiohttp
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import IssuerKeys
from sandbox.controllers.outside import Outside, Resolver

log = logging.getLogger("sandbox.kuadrant")

REFRESH_SECONDS = 15.0
"""How often keys are fetched again, so that a rotated key is found; Authorino fetches when it meets an unknown key."""
RETRY_SECONDS = 1.0
"""How soon after a failure."""
TIMEOUT_SECONDS = 5.0
LARGEST_ANSWER = 1 << 20
KINDS = ("RSA", "EC", "OKP")
"""Kinds of keys that are looked at: a secret has no place in a published set."""
_NOBODY = {"kty": "oct", "alg": "HS256", "kid": "nobody", "k": secrets.token_urlsafe(32)}
"""A key that nobody knows."""

Issuer = tuple[str, str]
"""Field and URL: ``("issuerUrl", …)`` or ``("jwksUrl", …)``."""


class FetchError(Exception):
    """What an issuer answered is not what OpenID Connect discovery asks for."""


def jwks_text(keys: Iterable[Json]) -> str:
    """A JWKS of the keys that sign, and of nobody's: Envoy refuses a configuration in which an issuer has none."""
    signing = [key for key in keys if key.get("use") in (None, "sig") and key.get("kty") in KINDS]
    return json.dumps({"keys": [*signing, _NOBODY]}, sort_keys=True)


class Issuers:
    """The issuers that policies name; ``changed`` is called when other keys are known than before."""

    def __init__(self, outside: Outside, mesh_port: int, changed: Callable[[], None]) -> None:
        self._outside = outside
        self._proxy = f"http://127.0.0.1:{mesh_port}"
        self._changed = changed
        self._found: dict[Issuer, IssuerKeys] = {}
        self._tasks: dict[Issuer, asyncio.Task[None]] = {}

    def get(self, jwt: Json) -> IssuerKeys:
        """What is known of the issuer of an authentication rule's ``jwt``; asking makes it known in a while."""
        which = _issuer(jwt)
        if which not in self._tasks:
            self._tasks[which] = asyncio.create_task(self._keep(which), name=f"issuer {which[1]}")
        return self._found.get(which, IssuerKeys())

    def keep(self, used: Iterable[Json]) -> None:
        """Forgets all issuers but those of the given ``jwt`` entries."""
        wanted = {_issuer(jwt) for jwt in used}
        for which in set(self._tasks) - wanted:
            self._tasks.pop(which).cancel()
            self._found.pop(which, None)

    async def stop(self) -> None:
        """Ends the background work."""
        tasks = list(self._tasks.values())
        self.keep([])
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, which: Issuer) -> None:
        while True:
            try:
                found = await self._fetch(which)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, FetchError) as error:
                before = self._found.get(which)
                # What was fetched once stays good while the issuer is away, as with Authorino.
                kept = before or IssuerKeys()
                found = IssuerKeys(kept.issuer, kept.jwks, f"{type(error).__name__}: {error}")
            if found != self._found.get(which):
                self._found[which] = found
                if found.problem:
                    log.warning("the keys of %s %s cannot be fetched: %s", *which, found.problem)
                self._changed()
            await asyncio.sleep(RETRY_SECONDS if found.problem else REFRESH_SECONDS)

    async def _fetch(self, which: Issuer) -> IssuerKeys:
        field, url = which
        connector = aiohttp.TCPConnector(resolver=Resolver(self._outside))
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            if field == "jwksUrl":
                return IssuerKeys(None, await self._keys(session, url))
            document = await self._json(session, f"{url.rstrip('/')}/.well-known/openid-configuration")
            issuer = document.get("issuer")
            if issuer != url:
                raise FetchError(f'issuer did not match: expected "{url}", got "{issuer}"')
            return IssuerKeys(url, await self._keys(session, document.get("jwks_uri") or ""))

    async def _keys(self, session: aiohttp.ClientSession, url: str) -> str:
        found = await self._json(session, url)
        keys = found.get("keys")
        if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
            raise FetchError(f"{url} holds no keys")
        return jwks_text(keys)

    async def _json(self, session: aiohttp.ClientSession, url: str) -> Json:
        parts = urlsplit(url)
        # Names of the cluster lead through the mesh, as for every pod.
        inside = (parts.hostname or "").endswith((".svc", ".svc.cluster.local"))
        trust = self._outside.context() if parts.scheme == "https" else True
        async with session.get(url, proxy=self._proxy if inside else None, ssl=trust) as answer:
            if answer.status != 200:
                raise FetchError(f"{url} answers {answer.status}")
            found = json.loads(await answer.content.read(LARGEST_ANSWER))
        if not isinstance(found, dict):
            raise FetchError(f"{url} is no JSON object")
        return found


def _issuer(jwt: Json) -> Issuer:
    field = "jwksUrl" if jwt.get("jwksUrl") else "issuerUrl"
    return field, str(jwt.get(field) or "")
