# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access tokens of real issuers on this machine: which are accepted, and how their keys are found."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from broker.issuer import Issuer, jwk, new_key, signed
from mcpops_broker.access import issuer_keys
from mcpops_broker.access.access_tokens import AccessTokens
from mcpops_broker.access.issuer_keys import KeysUnavailableError, metadata_addresses
from mcpops_broker.access.token import TokenError
from mcpops_broker.config.auth import IssuerOptions
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.principal import How

US = "https://mcp.example.com/mcp"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer("/realms/a") as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[Http1Client]:
    client = Http1Client()
    yield client
    await client.close()


def tokens(http: Http1Client, *issuers: Issuer, **options: Any) -> AccessTokens:
    options = {"keys_cooldown": 0.0, **options}
    return AccessTokens([IssuerOptions(one.url, **options) for one in issuers], 60, http, print)


async def test_a_token_says_who_makes_the_request(issuer: Issuer, http: Http1Client) -> None:
    token = issuer.token(
        [US, "x"], client_id="cli", scope="mcp files:read", groups=["dev"], realm_access={"roles": ["admin"]}
    )

    principal = await tokens(http, issuer).principal(token, [US])

    assert (principal.id, principal.how, principal.name) == (f"token:{issuer.url}#alice", How.TOKEN, "alice")
    assert (principal.issuer, principal.client_id) == (issuer.url, "cli")
    assert (principal.scopes, principal.groups) == (frozenset({"mcp", "files:read"}), frozenset({"dev"}))
    assert principal.claims["realm_access"] == {"roles": ["admin"]}
    assert principal.expires == principal.claims["exp"] + 60
    assert principal.token == token and token not in repr(principal)


async def test_the_claims_that_matter_can_be_named(issuer: Issuer, http: Http1Client) -> None:
    token = issuer.token(US, sub=None, oid="7", name="Alice", scp=["a"], realm_access={"roles": ["admin"]})
    named = {"principal_claim": "oid", "name_claim": "name", "groups_claim": "realm_access.roles"}

    principal = await tokens(http, issuer, **named).principal(token, [US])

    assert (principal.id, principal.name) == (f"token:{issuer.url}#7", "Alice")
    assert (principal.groups, principal.scopes) == (frozenset({"admin"}), frozenset({"a"}))


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "EdDSA"])
async def test_every_signature_of_a_key_pair_can_be_checked(algorithm: str, http: Http1Client) -> None:
    with Issuer(algorithm=algorithm) as one:
        accepted = tokens(http, one)

        assert (await accepted.principal(one.token(US), [US])).name == "alice"

        head, body, signature = one.token(US).split(".")
        changed = ("A" if signature[5] != "A" else "B").join((signature[:5], signature[6:]))
        with pytest.raises(TokenError, match="is not signed with the trusted key"):
            await accepted.principal(f"{head}.{body}.{changed}", [US])


async def test_tokens_that_are_not_for_us_are_refused(issuer: Issuer, http: Http1Client) -> None:
    now = int(time.time())
    claims = {"iss": issuer.url, "sub": "alice", "aud": US, "exp": now + 300}
    public = str(issuer.keys[0])
    with Issuer() as stranger:
        refused = {
            "is no JWT": [
                "",
                "a.b",
                "a.b.c",
                "\xff.\xff.\xff",
                "e30.e30",
                "mcpk_" + "k" * 40,
                signed(claims, "ES256", issuer.key, kid={"a": 1}),
                signed(claims, "ES256", issuer.key, kid="one", crit=["exp"]),
            ],
            "is of an issuer that is not trusted": [
                stranger.token(US),
                issuer.token(US, iss=issuer.url + "/"),
                issuer.token(US, iss=None),
                issuer.token(US, iss=["x"]),
            ],
            "is not signed with the trusted key": [stranger.token(US, iss=issuer.url)],
            "is not signed with one of RS256,": [
                signed(claims, "none", None),
                signed(claims, "None", None),
                signed(claims, "HS256", public.encode(), kid="one"),
            ],
            "is signed with a key that its issuer does not have": [
                signed(claims, "ES256", issuer.key, kid="two"),
                signed(claims, "RS256", new_key("RS256"), kid="one"),
            ],
            "is no access token": [signed(claims, "ES256", issuer.key, kid="one", typ="logout+jwt")],
            "is for somebody else": [
                issuer.token("https://mcp.example.com"),
                issuer.token(US + "/v/a"),
                issuer.token([]),
                issuer.token(None),
                issuer.token({US: US}),
                issuer.token([[US]]),
            ],
            "has expired": [issuer.token(US, lifetime=-61)],
            "is not valid yet": [issuer.token(US, nbf=now + 100)],
            "does not say when it expires": [issuer.token(US, exp=None)],
            "has the claim 'exp'": [issuer.token(US, exp=True), issuer.token(US, exp="9"), issuer.token(US, exp=1e400)],
            "does not name its subject": [
                issuer.token(US, sub=None),
                issuer.token(US, sub=""),
                issuer.token(US, sub=7),
                issuer.token(US, sub="a\nb"),
                issuer.token(US, sub="a" * 513),
            ],
            "must come with a proof": [issuer.token(US, cnf={"jkt": "x"})],
        }
        accepted = tokens(http, issuer)
        for why, bad in refused.items():
            for token in bad:
                with pytest.raises(TokenError, match=why):
                    await accepted.principal(token, [US])


async def test_clocks_may_differ_a_little(issuer: Issuer, http: Http1Client) -> None:
    accepted = tokens(http, issuer)

    for token in (issuer.token(US, lifetime=-50), issuer.token(US, nbf=int(time.time()) + 50)):
        assert (await accepted.principal(token, [US])).name == "alice"


async def test_several_issuers_have_users_of_the_same_name(issuer: Issuer, http: Http1Client) -> None:
    with Issuer("/other", "RS256") as other:
        accepted = tokens(http, issuer, other)

        ids = {(await accepted.principal(one.token(US), [US])).id for one in (issuer, other)}

        assert len(ids) == 2
        with pytest.raises(TokenError, match="key"):  # one issuer's key is nothing to the other
            await accepted.principal(other.token(US, iss=issuer.url), [US])


async def test_an_issuer_may_mean_us_by_another_name(issuer: Issuer, http: Http1Client) -> None:
    accepted = tokens(http, issuer, audiences=("api://mcp",))

    assert (await accepted.principal(issuer.token("api://mcp"), [US])).name == "alice"


async def test_keys_are_fetched_once_for_all(issuer: Issuer, http: Http1Client) -> None:
    accepted = tokens(http, issuer)

    await asyncio.gather(*(accepted.principal(issuer.token(US, jti=str(n)), [US]) for n in range(20)))

    assert issuer.asked == ["/.well-known/oauth-authorization-server/realms/a", "/realms/a/keys"]


async def test_a_new_key_is_found_and_an_old_one_forgotten(issuer: Issuer, http: Http1Client) -> None:
    accepted = tokens(http, issuer)
    old = issuer.token(US)
    await accepted.principal(old, [US])

    issuer.rotate("two")

    assert (await accepted.principal(issuer.token(US), [US])).name == "alice"
    with pytest.raises(TokenError, match="does not have"):
        await accepted.principal(old, [US])


async def test_a_flood_of_unknown_keys_is_one_question(issuer: Issuer, http: Http1Client) -> None:
    accepted = tokens(http, issuer, keys_cooldown=3600)
    await accepted.principal(issuer.token(US), [US])
    asked = len(issuer.asked)

    for number in range(20):
        with pytest.raises(TokenError, match="does not have"):
            issuer.key_id = f"unknown-{number}"
            await accepted.principal(issuer.token(US), [US])

    assert len(issuer.asked) == asked


async def test_keys_grow_old(issuer: Issuer, http: Http1Client, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = tokens(http, issuer, keys_max_age=0.0)
    token = issuer.token(US)
    await accepted.principal(token, [US])
    issuer.broken = True

    assert (await accepted.principal(token, [US])).name == "alice"  # the old ones serve while no newer ones can be had

    monkeypatch.setattr(issuer_keys, "LONGEST_USE", 0.0)
    with pytest.raises(KeysUnavailableError, match=r"the keys of .* cannot be fetched now"):
        await accepted.principal(token, [US])
    issuer.broken = False
    monkeypatch.setattr(issuer_keys, "LONGEST_USE", 60)
    assert (await accepted.principal(token, [US])).name == "alice"


async def test_without_keys_nothing_can_be_said_of_a_token(issuer: Issuer, http: Http1Client) -> None:
    with Issuer() as closed:
        token = closed.token(US)
    with pytest.raises(KeysUnavailableError):
        await tokens(http, closed).principal(token, [US])

    issuer.keys = [{"kty": "oct", "kid": "one", "k": "AAAA"}]
    with pytest.raises(KeysUnavailableError):
        await tokens(http, issuer).principal(issuer.token(US), [US])


async def test_only_keys_for_signatures_are_used(issuer: Issuer, http: Http1Client) -> None:
    good = issuer.keys[0]
    weak = {"kty": "RSA", "kid": "weak", "n": "AQAB" * 32, "e": "AQAB"}
    odd: list[Any] = ["x", {}, {"kty": "EC", "crv": "P-256", "x": "A", "y": "A"}, {"kty": "OKP", "crv": "X25519"}]
    issuer.keys = [
        *odd,
        weak,
        {"kty": "oct", "k": "AAAA", "kid": "one"},
        {**good, "alg": "ES256", "key_ops": ["verify"]},
    ]
    accepted = tokens(http, issuer)

    assert (await accepted.principal(issuer.token(US), [US])).name == "alice"

    for unfit in ({"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}):
        issuer.keys = [{**good, **unfit}, jwk(new_key("ES256"), "two")]
        with pytest.raises(TokenError, match="does not have"):
            await tokens(http, issuer).principal(issuer.token(US), [US])


async def test_a_token_without_a_key_id_is_tried_with_all_of_its_kind(issuer: Issuer, http: Http1Client) -> None:
    issuer.keys = [jwk(new_key("ES256"), "other"), jwk(new_key("RS256"), "rsa"), *issuer.keys]
    issuer.key_id = None  # type: ignore[assignment]  # as some issuers write it

    assert (await tokens(http, issuer).principal(issuer.token(US), [US])).name == "alice"


async def test_metadata_of_another_issuer_is_not_believed(issuer: Issuer, http: Http1Client) -> None:
    url, issuer.url = issuer.url, "https://elsewhere.example.com"
    token = issuer.token(US, iss=url)
    options = IssuerOptions(url, keys_cooldown=0.0)

    with pytest.raises(KeysUnavailableError):
        await AccessTokens([options], 60, http, print).principal(token, [US])
    keys = IssuerOptions(url, jwks_uri=url + "/keys")
    assert (await AccessTokens([keys], 60, http, print).principal(token, [US])).issuer == url


def test_where_metadata_may_be() -> None:
    assert metadata_addresses("https://idp.example.com/a/") == [
        "https://idp.example.com/.well-known/oauth-authorization-server/a",
        "https://idp.example.com/.well-known/openid-configuration/a",
        "https://idp.example.com/a/.well-known/openid-configuration",
    ]
    assert metadata_addresses("https://idp.example.com") == [
        "https://idp.example.com/.well-known/oauth-authorization-server",
        "https://idp.example.com/.well-known/openid-configuration",
    ]
