# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who makes a request, by everything that it may carry; what is refused, and what clients are told then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from broker.issuer import Issuer
from mcpops_broker.access.api_keys import hashed
from mcpops_broker.access.authentication import Authentication, authorization_for_upstreams
from mcpops_broker.access.certificates import nearest
from mcpops_broker.access.resource import Resource
from mcpops_broker.access.token import TokenError
from mcpops_broker.background import Background
from mcpops_broker.config.auth import ApiKey, AuthOptions, CertificateOptions, IssuerOptions
from mcpops_broker.mcp.task_ids import TaskIds
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.protocol.jsonrpc import RefusalError

KEY = b"mcpk_" + b"0123456789abcdef" * 2
KEYS = AuthOptions(api_keys=(ApiKey("ci", hashed(KEY), frozenset({"mcp"}), frozenset({"robots"})),))
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
XFCC = AuthOptions(certificates=CertificateOptions(b"x-forwarded-client-cert", PROXIES, "URI"))
ALICE = Principal("key:alice", How.KEY, "alice")


class Door:
    """The authentication of one broker."""

    def __init__(self, options: AuthOptions, http: Http1Client) -> None:
        self.authentication = Authentication(options, http, Background())

    async def enter(self, path: str = "/mcp", peer: Any = ("192.0.2.1", 4711), **headers: bytes) -> Principal:
        sent = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return await self.authentication.authenticate(sent, {"path": path, "client": peer})

    async def refused(self, path: str = "/mcp", **headers: Any) -> tuple[int, str]:
        """Return status and challenge of the refusal."""
        with pytest.raises(RefusalError) as caught:
            await self.enter(path, **headers)
        return caught.value.status, dict(caught.value.headers).get(b"www-authenticate", b"").decode()


@pytest.fixture
async def http() -> AsyncIterator[Http1Client]:
    client = Http1Client()
    yield client
    await client.close()


async def test_nobody_is_asked_when_nothing_is_configured(http: Http1Client) -> None:
    door = Door(AuthOptions(), http)

    assert await door.enter() is ANONYMOUS
    assert await door.enter(authorization=b"Bearer for-an-upstream") is ANONYMOUS


async def test_keys_come_by_either_header(http: Http1Client) -> None:
    door = Door(KEYS, http)

    for headers in ({"x_api_key": KEY}, {"authorization": b"Bearer " + KEY}, {"authorization": b"bearer  " + KEY}):
        principal = await door.enter(**headers)
        assert (principal.id, principal.how, principal.name) == ("key:ci", How.KEY, "ci")
        assert (principal.scopes, principal.groups) == (frozenset({"mcp"}), frozenset({"robots"}))


async def test_wrong_keys_are_refused_even_where_none_is_needed(http: Http1Client) -> None:
    for options in (KEYS, replace(KEYS, anonymous=True)):
        door = Door(options, http)
        for headers in (
            {"x_api_key": b""},
            {"x_api_key": KEY + b"x"},
            {"x_api_key": KEY + b"," + KEY},
            {"authorization": b"Bearer " + KEY[:-1]},
            {"authorization": b"Basic " + KEY},
            {"authorization": b"Bearer"},
            {"authorization": b"Bearer a.b.c"},
            {"authorization": b""},
        ):
            status, challenge = await door.refused(**headers)
            assert (status, challenge[:29]) == (401, 'Bearer error="invalid_token",'), headers
            assert KEY.decode() not in challenge
    assert await Door(replace(KEYS, anonymous=True), http).enter() is ANONYMOUS
    assert await Door(KEYS, http).refused() == (401, 'Bearer realm="mcp"')


async def test_keys_expire(http: Http1Client) -> None:
    gone = replace(KEYS, api_keys=(replace(KEYS.api_keys[0], expires=time.time()),))

    assert (await Door(gone, http).refused(x_api_key=KEY))[0] == 401


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"])
async def test_a_proxy_tells_whose_certificate_it_has_seen(peer: str, http: Http1Client) -> None:
    door = Door(XFCC, http)
    told = (
        b'By=spiffe://gw;Hash=00;URI=spiffe://evil,By=spiffe://gw;Hash=11;Subject="CN=a\\", O=b;c";URI=spiffe://a/robot'
    )

    principal = await door.enter(peer=(peer, 1), x_forwarded_client_cert=told)

    assert (principal.id, principal.how) == ("certificate:spiffe://a/robot", How.CERTIFICATE)


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), ("127.0.0.1", 1), None, ("proxy", 1)])
async def test_nobody_else_can_tell(peer: Any, http: Http1Client) -> None:
    door = Door(XFCC, http)

    assert (await door.refused(peer=peer, x_forwarded_client_cert=b"URI=spiffe://a/robot"))[0] == 401


@pytest.mark.parametrize("told", [b"Hash=1", b"URI=", b"x", b'URI="a', b"URI=a;", b"URI=a\tb", b"URI=" + b"a" * 2000])
async def test_what_a_proxy_tells_must_name_a_client(told: bytes, http: Http1Client) -> None:
    status, challenge = await Door(XFCC, http).refused(peer=("10.0.0.1", 1), x_forwarded_client_cert=told)

    assert (status, "invalid_token" in challenge) == (401, True)


async def test_a_header_may_be_the_name_as_a_whole(http: Http1Client) -> None:
    options = AuthOptions(certificates=CertificateOptions(b"x-ssl-client-s-dn", PROXIES, groups=frozenset({"m"})))

    principal = await Door(options, http).enter(peer=("10.0.0.1", 1), x_ssl_client_s_dn=b"CN=robot,O=example")

    assert (principal.name, principal.groups) == ("CN=robot,O=example", frozenset({"m"}))


def test_the_nearest_proxy_counts() -> None:
    assert nearest('Subject="a,b";URI=x, Subject="c\\"d";URI=y') == {"subject": 'c"d', "uri": "y"}
    for wrong in ("", ",", "a=b,", 'a="b', "=", "a=b c=d;"):
        with pytest.raises(TokenError, match="malformed"):
            nearest(wrong)


async def test_tokens_are_for_a_resource(http: Http1Client) -> None:
    with Issuer() as issuer:
        us = "https://mcp.example.com/gw/mcp"
        door = Door(AuthOptions(resource=us, issuers=(IssuerOptions(issuer.url),), scopes=("mcp",)), http)
        whole, one = issuer.token(us, scope="mcp"), issuer.token(us + "/v/ns/a", scope="mcp")

        async def enter(path: str, token: str) -> str:
            return (await door.enter(path, authorization=b"Bearer " + token.encode())).name

        for path in ("/mcp", "/mcp/", "/mcp/stateful", "/mcp/v/ns/a", "/mcp/v/ns/b"):
            assert await enter(path, whole) == "alice"
        assert await enter("/mcp/v/ns/a", one) == "alice"
        for path in ("/mcp", "/mcp/v/ns/b", "/mcp/v/ns", "/mcp/v/ns/a/../b"):
            status, challenge = await door.refused(path, authorization=b"Bearer " + one.encode())
            assert (status, "its audience is not this server" in challenge) == (401, True), path
        # What was found out about one place must not be found under another by a header that looks like both.
        for between in (b" ", b"\t", b"\0", b"\xff"):
            forged = b"Bearer " + one.encode() + between + b"/mcp/v/ns/a"
            assert (await door.refused("/mcp", authorization=forged))[0] == 401

        metadata = 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/gw/mcp'
        assert await door.refused() == (401, f'Bearer scope="mcp", {metadata}"')
        assert await door.refused("/mcp/v/ns/a") == (401, f'Bearer scope="mcp", {metadata}/v/ns/a"')
        assert (await door.refused('/mcp/v/"\r\nx: y'))[1].endswith('/gw/mcp/v/%22%0D%0Ax%3A%20y"')
        lacking = issuer.token(us, scope="other").encode()
        assert await door.refused(authorization=b"Bearer " + lacking) == (
            403,
            'Bearer error="insufficient_scope", error_description="the token lacks the scope mcp", scope="mcp", '
            f'{metadata}"',
        )


async def test_a_known_token_costs_nothing_until_it_expires(http: Http1Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with Issuer() as issuer:
        door = Door(AuthOptions(resource="https://a.example", issuers=(IssuerOptions(issuer.url),)), http)
        headers = {"authorization": b"Bearer " + issuer.token("https://a.example/").encode()}

        first = await door.enter(**headers)
        issuer.rotate("two")
        assert await door.enter(**headers) is first

        later = time.time() + 361
        monkeypatch.setattr(time, "time", lambda: later)
        assert "has expired" in (await door.refused(**headers))[1]


async def test_a_key_that_is_withdrawn_ends_what_it_has_opened(http: Http1Client) -> None:
    with Issuer() as issuer, Issuer("/other") as other:
        us = "https://a.example"
        options = tuple(IssuerOptions(one.url, keys_cooldown=0.0) for one in (issuer, other))
        door = Door(AuthOptions(resource=us, issuers=options), http)
        old, others = ({"authorization": b"Bearer " + one.token(us).encode()} for one in (issuer, other))
        ended: list[str] = []
        with (
            door.authentication.while_valid(await door.enter(**old), lambda: ended.append("old")),
            door.authentication.while_valid(await door.enter(**others), lambda: ended.append("other")),
        ):
            before = issuer.keys
            issuer.rotate("two")
            issuer.keys = [*before, *issuer.keys]
            await door.enter(authorization=b"Bearer " + issuer.token(us).encode())
            assert (await door.enter(**old)).name == "alice"  # one more key takes nothing from the one before
            assert ended == []

            issuer.rotate("three")
            await door.enter(authorization=b"Bearer " + issuer.token(us).encode())

            assert "does not have" in (await door.refused(**old))[1]
            assert (await door.enter(**others)).name == "alice"
            assert ended == ["old"]
        await door.authentication.close()


async def test_a_known_token_is_checked_again_as_its_issuers_keys_grow_old(http: Http1Client) -> None:
    with Issuer() as issuer:
        options = IssuerOptions(issuer.url, keys_max_age=0.0, keys_cooldown=0.0)
        door = Door(AuthOptions(resource="https://a.example", issuers=(options,)), http)
        old = {"authorization": b"Bearer " + issuer.token("https://a.example", lifetime=3e9).encode()}
        ended = asyncio.Event()

        with door.authentication.while_valid(await door.enter(**old), ended.set):
            issuer.rotate("two")
            await door.enter(**old)  # the keys before serve while newer ones are fetched
            await asyncio.wait_for(ended.wait(), 30)

        assert "a key that its issuer does not have" in (await door.refused(**old))[1]
        await door.authentication.close()


async def test_other_options_leave_good_keys_where_they_are(http: Http1Client) -> None:
    with Issuer() as issuer:
        one = IssuerOptions(issuer.url, keys_cooldown=0.0)
        options = AuthOptions(resource="https://a.example", issuers=(one,))
        door = Door(options, http)
        sent = {"authorization": b"Bearer " + issuer.token("https://a.example", email="al@example.com").encode()}
        await door.enter(**sent)
        issuer.broken = True

        door.authentication.configure(replace(options, api_keys=KEYS.api_keys))
        assert (await door.enter(**sent)).name == "alice"
        door.authentication.configure(replace(options, issuers=(replace(one, name_claim="email"),)))
        assert (await door.enter(**sent)).name == "al@example.com"

        elsewhere = replace(one, jwks_uri=f"{issuer.url}/keys")
        door.authentication.configure(replace(options, issuers=(elsewhere,)))
        with pytest.raises(RefusalError) as caught:
            await door.enter(**sent)
        assert caught.value.status == 503
        await door.authentication.close()


async def test_an_issuer_that_is_down_is_no_reason_to_log_in_again(http: Http1Client) -> None:
    with Issuer() as issuer:
        issuer.broken = True
        door = Door(AuthOptions(resource="https://a.example", issuers=(IssuerOptions(issuer.url),)), http)

        with pytest.raises(RefusalError) as caught:
            await door.enter(authorization=b"Bearer " + issuer.token("https://a.example").encode())

        assert (caught.value.status, caught.value.headers) == (503, ((b"retry-after", b"5"),))
        await door.authentication.close()


async def test_streams_end_with_the_recognition(http: Http1Client) -> None:
    door = Door(KEYS, http)
    ended: list[str] = []
    expired = asyncio.Event()

    with door.authentication.while_valid(replace(ALICE, expires=time.time() + 0.01), expired.set):
        await asyncio.wait_for(expired.wait(), 30)
    with door.authentication.while_valid(replace(ALICE, expires=time.time() - 1), lambda: ended.append("at once")):
        assert ended == ["at once"]
    with door.authentication.while_valid(ALICE, lambda: ended.append("configuration")):
        door.authentication.configure(KEYS)
        assert ended == ["at once"]
        door.authentication.configure(AuthOptions())
    door.authentication.configure(KEYS)

    assert ended == ["at once", "configuration"]
    assert (await door.enter(x_api_key=KEY)).name == "ci"


def test_an_upstream_never_gets_what_is_for_the_broker() -> None:
    sent = {b"authorization": b"Bearer x"}
    token = Principal("token:a#b", How.TOKEN, "b")

    assert authorization_for_upstreams(sent, ANONYMOUS) == b"Bearer x"
    assert authorization_for_upstreams(sent, token) is None
    assert authorization_for_upstreams(sent, ALICE) is None
    assert authorization_for_upstreams({**sent, b"x-api-key": KEY}, ALICE) == b"Bearer x"
    assert authorization_for_upstreams(sent, Principal("certificate:a", How.CERTIFICATE, "a")) == b"Bearer x"


def test_metadata_of_each_resource() -> None:
    issuers = (IssuerOptions("https://idp.example.com"),)
    resource = Resource(AuthOptions(resource="https://h/gw/mcp", issuers=issuers, scopes=("a",), resource_name="T"))

    whole = resource.metadata("")
    assert whole == {
        "resource": "https://h/gw/mcp",
        "authorization_servers": ["https://idp.example.com"],
        "bearer_methods_supported": ["header"],
        "resource_name": "T",
        "scopes_supported": ["a"],
    }
    for suffix in ("/", "/gw/mcp", "/gw/mcp/", "/mcp"):
        assert resource.metadata(suffix) == whole
    for suffix in ("/gw/mcp/v/ns/a b", "/mcp/v/ns/a b"):
        found = resource.metadata(suffix)
        assert found is not None and found["resource"] == "https://h/gw/mcp/v/ns/a%20b"
    for suffix in ("/x", "/mcp/x", "/gw", "/v/a", "/mcpv/a"):
        assert resource.metadata(suffix) is None
    origin = Resource(AuthOptions(resource="https://h", issuers=issuers))
    assert origin.audiences("/mcp") == ("https://h", "https://h/")
    assert origin.audiences("/mcp/v/a") == ("https://h", "https://h/", "https://h/mcp/v/a")
    assert b'resource_metadata="https://h/.well-known/oauth-protected-resource"' in origin.challenge("/mcp")


def test_a_challenge_is_one_header_whatever_it_tells() -> None:
    told = Resource(AuthOptions()).challenge("/mcp", "insufficient_scope", 'a "b"\r\nx: \\ \u00e9', ["c"])

    assert told == b"""Bearer error="insufficient_scope", error_description="a 'b'??x: / ?", scope="c\""""


def test_a_task_belongs_to_who_began_it() -> None:
    old, new = b"a" * 32, b"b" * 32
    ids = TaskIds([old])
    wrapped = ids.wrap("ns/a", "t.1", ALICE)

    tag, task = ids.unwrap(wrapped, ALICE) or ("", "")
    assert (task, wrapped.startswith(tag + "."), wrapped.endswith(".t.1")) == ("t.1", True, True)
    assert TaskIds([new, old]).unwrap(wrapped, ALICE) == (tag, "t.1")
    for other in (TaskIds([new]).unwrap(wrapped, ALICE), ids.unwrap(wrapped, ANONYMOUS), ids.unwrap("t.1", ALICE)):
        assert other is None
    for changed in (wrapped + "x", "x" + wrapped, wrapped.replace(".", "..", 1), "\u00e9.\u00e9.x", ""):
        assert ids.unwrap(changed, ALICE) is None
