# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The public keys of an issuer of tokens: found by its metadata, kept, and fetched again when it changes them.

Metadata: RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4; the order of addresses is that of MCP
basic/authorization, "Authorization Server Metadata Discovery". Keys: RFC 7517.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from mcpops_broker import logs
from mcpops_broker.config.auth import IssuerOptions, address_problem
from mcpops_broker.net.client import HttpClient, HttpError
from mcpops_broker.net.target import target_for

PATIENCE = 10.0
"""Seconds that an issuer gets to answer, and again for each pause in its answer."""
LARGEST = 1 << 20
"""Bytes of a document of an issuer."""
MOST_KEYS = 100
"""Keys of an issuer that are looked at."""
LONGEST_USE = 86_400.0
"""Seconds for which keys are used when no newer ones can be had: an issuer that is down for an hour must not stop all
calls, and one that is down for longer may have withdrawn keys."""
_SMALLEST_RSA = 2048
"""Bits (RFC 7518 section 3.3)."""
_OF_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "EdDSA"}
_OF_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be had now, so that no token of it can be checked."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key, and what it may be used for."""

    id: str | None
    algorithms: frozenset[str]
    key: Any
    """As the library `cryptography` has it."""


class IssuerKeys:
    """The keys of one issuer. Use it inside one event loop."""

    def __init__(self, options: IssuerOptions, http: HttpClient, withdrawn: Callable[[str], object]) -> None:
        """`withdrawn` is called with the issuer when it does not have a key any more that it had."""
        self._options = options
        self._http = http
        self._withdrawn = withdrawn
        self._keys: list[PublicKey] = []
        self._fetched = float("-inf")
        """Monotonic seconds of the last successful fetch, as the event loop counts them."""
        self._tried = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """Return the keys that a token may be signed with: the one that it names, or all of its kind when it names
        none. Raises `KeysUnavailableError`."""
        age = self._now() - self._fetched
        if age > LONGEST_USE:
            await self._fetched_again()
            if self._now() - self._fetched > LONGEST_USE:
                raise KeysUnavailableError(f"the keys of {self._options.issuer} cannot be fetched now")
        elif age > self._options.keys_max_age:
            self.refresh()  # the old ones serve until then
        found = self._matching(key_id, algorithm)
        if not found and key_id is not None:
            await self._fetched_again()
            found = self._matching(key_id, algorithm)
        return found

    def good_for(self) -> float:
        """Return for how many seconds what a key has shown may be relied on before it is looked at again: until newer
        keys are wanted, or, while none can be had, until they may be asked for again."""
        left = self._fetched + self._options.keys_max_age - self._now()
        return max(left, self._options.keys_cooldown)

    def go_on(self, options: IssuerOptions) -> bool:
        """Take other options when the keys come from the same place with them; tell whether they do."""
        old = self._options
        if (old.issuer, old.jwks_uri, old.ca_cert) != (options.issuer, options.jwks_uri, options.ca_cert):
            return False
        self._options = options
        return True

    def refresh(self) -> asyncio.Task[None] | None:
        """Begin to fetch the keys, unless that was done just now; return the fetch that is under way."""
        if self._fetch is None and self._now() - self._tried >= self._options.keys_cooldown:
            self._tried = self._now()
            self._fetch = asyncio.create_task(self._run(), name="fetch keys")
        return self._fetch

    async def close(self) -> None:
        """Stop what is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait({self._fetch})

    async def _fetched_again(self) -> None:
        """Await a fetch, if one may be made now; whether it succeeded is to be seen."""
        if (fetch := self.refresh()) is not None:
            await asyncio.wait({fetch})  # whoever waits may go away, the fetch is for all

    async def _run(self) -> None:
        try:
            keys = list(_usable(await self._key_set()))
            if not keys:
                raise HttpError("it has no key that can be used for signatures")
            before, self._keys, self._fetched = self._keys, keys, self._now()
            logs.debug("auth.keys", issuer=self._options.issuer, keys=len(keys))
            if any(key not in keys for key in before):
                self._withdrawn(self._options.issuer)
        except HttpError as error:
            logs.warning("auth.keys.failed", issuer=self._options.issuer, problem=error)
        except Exception as error:  # a bug; the next fetch must be made all the same
            logs.failure("auth.keys.bug", error, issuer=self._options.issuer)
        finally:
            self._fetch = None

    async def _key_set(self) -> Any:
        uri = self._options.jwks_uri or await self._discovered()
        keys = (await self._get(uri)).get("keys")
        if not isinstance(keys, list):
            raise HttpError(f"{uri} is no set of keys: it has no list 'keys'")
        return keys

    async def _discovered(self) -> str:
        """Return where the keys are, as the issuer's metadata says."""
        problems = []
        for address in metadata_addresses(self._options.issuer):
            try:
                metadata = await self._get(address)
            except HttpError as error:
                problems.append(str(error))
                continue
            if metadata.get("issuer") != self._options.issuer:  # RFC 8414 section 3.3
                problems.append(f"{address} is about another issuer")
                continue
            uri = metadata.get("jwks_uri")
            if isinstance(uri, str) and address_problem(uri) is None:
                return uri
            problems.append(f"{address} has no usable 'jwks_uri'")
        raise HttpError("no metadata was found: " + "; ".join(problems))

    async def _get(self, url: str) -> dict[str, Any]:
        authorities = (self._options.ca_cert,) if self._options.ca_cert else ()
        target = target_for(url, connect_timeout=PATIENCE, authorities=authorities)
        accept = {"accept": "application/json"}
        answer = await self._http.request("GET", target, accept, None, first_byte=PATIENCE, idle=PATIENCE)
        try:
            if answer.status != 200:
                raise HttpError(f"{url} answers {answer.status}")
            document = orjson.loads(await answer.read(LARGEST))
        except orjson.JSONDecodeError:
            raise HttpError(f"{url} is no JSON") from None
        except HttpError as error:
            raise HttpError(f"{url}: {error}") from None
        finally:
            answer.close()
        if not isinstance(document, dict):
            raise HttpError(f"{url} is no JSON object")
        return document

    def _matching(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        fitting = [key for key in self._keys if algorithm in key.algorithms]
        return fitting if key_id is None else [key for key in fitting if key.id == key_id]

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def metadata_addresses(issuer: str) -> list[str]:
    """Return where an issuer's metadata may be, the likeliest first."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    addresses = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
        f"{origin}{path}/.well-known/openid-configuration",
    ]
    return list(dict.fromkeys(addresses))


def _usable(keys: list[Any]) -> Iterator[PublicKey]:
    """Return the keys of a set with which signatures can be checked; those of other kinds are left out."""
    from jwt import PyJWK, PyJWTError  # noqa: PLC0415 - see `token`

    for jwk in keys[:MOST_KEYS]:
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        operations = jwk.get("key_ops", ["verify"])
        algorithms = _algorithms(jwk)
        if not algorithms or not isinstance(operations, list) or "verify" not in operations:
            continue
        public = {name: value for name, value in jwk.items() if name not in ("alg", "d", "p", "q", "dp", "dq", "qi")}
        try:
            key = PyJWK(public, next(iter(algorithms))).key
        except (PyJWTError, ValueError, TypeError, KeyError) as error:
            logs.debug("auth.key.unusable", problem=type(error).__name__)
            continue
        if getattr(key, "key_size", _SMALLEST_RSA) < _SMALLEST_RSA and jwk["kty"] == "RSA":
            logs.warning("auth.key.unusable", problem=f"an RSA key has less than {_SMALLEST_RSA} bits")
            continue
        key_id = jwk.get("kid")
        yield PublicKey(key_id if isinstance(key_id, str) else None, algorithms, key)


def _algorithms(jwk: dict[str, Any]) -> frozenset[str]:
    """Return the signatures that a key may be used for: those of its kind, or the one that it names."""
    kind, curve, named = jwk.get("kty"), jwk.get("crv"), jwk.get("alg")
    fitting: frozenset[str] = frozenset()
    if kind == "RSA":
        fitting = frozenset(_OF_RSA)
    elif (kind == "EC" or (kind == "OKP" and curve == "Ed25519")) and curve in _OF_CURVE:
        fitting = frozenset({_OF_CURVE[curve]})
    return fitting if named is None else fitting & {named}
