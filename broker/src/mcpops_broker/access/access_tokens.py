# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From an OAuth access token to its principal: JWT of the configured issuers (RFC 9068 as far as issuers keep to it).

A token is for this broker, of an issuer that is trusted, signed with one of its keys, and valid now; every one of these
is checked before anything that it says is used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from mcpops_broker.access.issuer_keys import IssuerKeys
from mcpops_broker.access.token import TokenError, check_time, claims_of, header_of, verified
from mcpops_broker.config.auth import IssuerOptions
from mcpops_broker.net.client import HttpClient
from mcpops_broker.principal import How, Principal

LONGEST_ID = 512
"""Characters of the claim that names a principal."""
_TYPES = frozenset({None, "jwt", "at+jwt", "application/at+jwt"})
"""What a token may say that it is (RFC 9068 section 2.1; many issuers write `JWT`). ID tokens, logout tokens and the
like are no access tokens."""


class AccessTokens:
    """Checks the tokens of some issuers."""

    def __init__(
        self,
        issuers: Collection[IssuerOptions],
        clock_skew: float,
        http: HttpClient,
        withdrawn: Callable[[str], object],
        before: AccessTokens | None = None,
    ) -> None:
        """`withdrawn` is called with an issuer that does not have a key any more that it had; `before` is what checked
        tokens until now: it is not used any more, and keys that it has need not be fetched again."""
        self._issuers = {options.issuer: options for options in issuers}
        self._keys: dict[str, IssuerKeys] = {}
        for options in issuers:
            keys = before.hand_over(options) if before is not None else None
            self._keys[options.issuer] = keys or IssuerKeys(options, http, withdrawn)
        self._clock_skew = clock_skew

    def prepare(self) -> None:
        """Begin to fetch the keys, so that the first request does not wait for them."""
        for keys in self._keys.values():
            keys.refresh()

    async def close(self) -> None:
        """Stop what is under way."""
        for keys in self._keys.values():
            await keys.close()

    def hand_over(self, options: IssuerOptions) -> IssuerKeys | None:
        """Give the keys of an issuer away; None: there are none that these options mean."""
        keys = self._keys.get(options.issuer)
        if keys is None or not keys.go_on(options):
            return None
        return self._keys.pop(options.issuer)

    def good_for(self, issuer: str) -> float:
        """Return for how many seconds a token of an issuer need not be checked again, unless it expires before."""
        return self._keys[issuer].good_for()

    async def principal(self, token: str, audiences: Collection[str]) -> Principal:
        """Return whose token it is; raise `TokenError` unless it is for one of the audiences and can be trusted, and
        `KeysUnavailableError` when that cannot be found out now."""
        header = header_of(token)
        issuer = claims_of(token).get("iss")
        options = self._issuers.get(issuer) if isinstance(issuer, str) else None
        if options is None:
            raise TokenError("is of an issuer that is not trusted here")
        claims = await self._checked(token, header, options)
        self._check_claims(claims, options, audiences)
        return principal_of(claims, options, token, self._clock_skew)

    async def _checked(self, token: str, header: Mapping[str, Any], options: IssuerOptions) -> dict[str, Any]:
        """Return the claims of a token that one of its issuer's keys has signed."""
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if algorithm not in options.algorithms:
            raise TokenError(f"is not signed with one of {', '.join(options.algorithms)}")
        if (kind.lower() if isinstance(kind, str) else kind) not in _TYPES:
            raise TokenError("is no access token")
        keys = await self._keys[options.issuer].find(key_id, algorithm)
        if not keys:
            raise TokenError("is signed with a key that its issuer does not have")
        for key in keys[:-1]:
            try:
                return verified(token, key.key, (algorithm,))
            except TokenError:
                continue  # it names no key, so it may be another one of the issuer's
        return verified(token, keys[-1].key, (algorithm,))

    def _check_claims(self, claims: Mapping[str, Any], options: IssuerOptions, audiences: Collection[str]) -> None:
        if "exp" not in claims:
            raise TokenError("does not say when it expires")
        check_time(claims, self._clock_skew)
        said = claims.get("aud")
        meant = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        if not any(one in audiences or one in options.audiences for one in meant if isinstance(one, str)):
            raise TokenError("is for somebody else (its audience is not this server)")
        if "cnf" in claims:
            # Bound to a key of the client (RFC 9449, RFC 8705): whoever else sends it has stolen it.
            raise TokenError("must come with a proof of its key, which this server does not take")


def principal_of(claims: dict[str, Any], options: IssuerOptions, token: str, skew: float) -> Principal:
    """Return whom a token is about; raise `TokenError` when it names nobody."""
    subject = claims.get(options.principal_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_ID or not subject.isprintable():
        raise TokenError(f"does not name its subject (claim {options.principal_claim!r})")
    name = claims.get(options.name_claim)
    client = claims.get("client_id", claims.get("azp"))
    return Principal(
        # An issuer has no fragment, so that no two pairs look the same.
        id=f"token:{options.issuer}#{subject}",
        how=How.TOKEN,
        name=name if isinstance(name, str) and name.isprintable() else subject,
        issuer=options.issuer,
        client_id=client if isinstance(client, str) else "",
        scopes=_words(_scopes(claims, options.scopes_claim)),
        groups=_words(_claim(claims, options.groups_claim), split=False),
        claims=claims,
        token=token,
        expires=claims["exp"] + skew,
    )


def _scopes(claims: Mapping[str, Any], name: str) -> Any:
    if name:
        return _claim(claims, name)
    return claims.get("scope", claims.get("scp"))


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the names of those that it is inside of."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _words(value: Any, *, split: bool = True) -> frozenset[str]:
    """Return the words of a claim: a list, or one text that holds them."""
    if isinstance(value, str):
        value = value.split() if split else [value]
    return frozenset(one for one in value if isinstance(one, str)) if isinstance(value, list) else frozenset()
