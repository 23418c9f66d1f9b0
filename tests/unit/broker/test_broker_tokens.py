# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens for upstreams: fetched once for all who wait, renewed before they end, kept sealed for each user."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from broker.token_server import TokenServer
from mcpops_broker.bus import Bus
from mcpops_broker.config.credentials import OAuthClient, UserToken
from mcpops_broker.config.credentials import UserTokens as Page
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.credentials import user_tokens
from mcpops_broker.credentials.failures import PAUSE
from mcpops_broker.credentials.given import LONGEST, BadTokenError, read_given
from mcpops_broker.credentials.keeper import MOST, UNKNOWN_LIFE, TokenKeeper
from mcpops_broker.credentials.tickets import Tickets
from mcpops_broker.credentials.token_endpoint import CredentialError, Token, TokenSource
from mcpops_broker.credentials.user_tokens import UserTokens
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.principal import How, Principal
from mcpops_broker.store.memory import MemoryStore
from mcpops_broker.upstream.exchange import Client
from mcpops_broker.upstream.user_credentials import Shared, TokenOfUser

ANN, BOB = b"a" * 16, b"b" * 16
SECRETS = [b"s" * 32]


class Issuer:
    """Gives tokens `1`, `2`, ... that are valid for `life` seconds; waits while `held`."""

    def __init__(self, life: float | None = 100.0) -> None:
        self.now = 1000.0
        self.life = life
        self.given = 0
        self.error: CredentialError | None = None
        self.held: asyncio.Event | None = None

    async def fetch(self) -> Token:
        """Give a token."""
        self.given += 1
        number = self.given
        if self.held is not None:
            await self.held.wait()
        if self.error is not None:
            raise self.error
        return Token(str(number), None if self.life is None else self.now + self.life)


def keeper(issuer: Issuer) -> TokenKeeper:
    return TokenKeeper("up", lambda: issuer.now)


async def value(tokens: TokenKeeper, issuer: Issuer, key: str = "k") -> str:
    return (await tokens.get(key, issuer.fetch)).value


async def test_many_callers_wait_for_one_fetch() -> None:
    issuer = Issuer()
    tokens = keeper(issuer)

    assert await asyncio.gather(*(value(tokens, issuer) for _ in range(50))) == ["1"] * 50
    assert await value(tokens, issuer, "another") == "2"


async def test_a_caller_that_goes_away_ends_nobodys_fetch() -> None:
    issuer = Issuer()
    issuer.held = asyncio.Event()
    tokens = keeper(issuer)
    first, second = (asyncio.create_task(value(tokens, issuer)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    issuer.held.set()

    assert await second == "1"
    assert issuer.given == 1


async def test_a_token_that_ends_soon_is_used_while_the_next_is_fetched() -> None:
    issuer = Issuer(life=100)
    tokens = keeper(issuer)
    await value(tokens, issuer)

    issuer.now += 79
    assert await value(tokens, issuer) == "1"
    assert issuer.given == 1
    issuer.now += 2  # a fifth of its life is left
    issuer.held = asyncio.Event()
    assert [await value(tokens, issuer) for _ in range(3)] == ["1", "1", "1"]
    issuer.held.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await value(tokens, issuer) == "2"
    assert issuer.given == 2


async def test_a_token_that_has_ended_is_waited_for() -> None:
    issuer = Issuer(life=100)
    tokens = keeper(issuer)
    await value(tokens, issuer)

    issuer.now += 100

    assert await value(tokens, issuer) == "2"


async def test_a_token_of_unknown_life_is_used_for_a_while() -> None:
    issuer = Issuer(life=None)
    tokens = keeper(issuer)
    await value(tokens, issuer)

    issuer.now += UNKNOWN_LIFE - 61
    assert await value(tokens, issuer) == "1"
    issuer.now += 61
    assert await value(tokens, issuer) == "2"


async def test_a_server_in_trouble_is_not_asked_by_each_call() -> None:
    issuer = Issuer()
    issuer.error = CredentialError("no")
    tokens = keeper(issuer)

    for _ in range(3):
        with pytest.raises(CredentialError, match="no"):
            await value(tokens, issuer)
    assert issuer.given == 1
    issuer.now += PAUSE
    issuer.error = None
    assert await value(tokens, issuer) == "2"


async def test_a_failed_renewal_does_not_take_a_token_that_still_holds() -> None:
    issuer = Issuer(life=100)
    tokens = keeper(issuer)
    await value(tokens, issuer)

    issuer.now += 90
    issuer.error = CredentialError("no")

    assert await value(tokens, issuer) == "1"
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await value(tokens, issuer) == "1"
    assert issuer.given == 2


async def test_a_refused_token_is_forgotten_unless_it_is_new() -> None:
    issuer = Issuer()
    tokens = keeper(issuer)
    await value(tokens, issuer)

    assert not tokens.refused("k", "1")
    assert await value(tokens, issuer) == "1"
    issuer.now += PAUSE
    assert tokens.refused("k", "1")
    assert tokens.refused("k", "1")  # by another call that was sent with it
    assert await value(tokens, issuer) == "2"
    assert tokens.refused("k", "1")
    assert await value(tokens, issuer) == "2"


async def test_the_number_of_tokens_is_bounded() -> None:
    issuer = Issuer()
    tokens = keeper(issuer)

    for number in range(MOST + 5):
        await value(tokens, issuer, str(number))

    assert len(tokens) == MOST


async def test_a_users_token_is_for_one_user_and_one_server_and_unreadable_in_the_store() -> None:
    store = MemoryStore(Bus())
    tokens = UserTokens(SECRETS, store)
    await tokens.put(ANN, "up", Token("hush", None, "refresh"), 60)

    assert await tokens.get(ANN, "up") == Token("hush", None, "refresh")
    assert await tokens.get(BOB, "up") is None
    assert await tokens.get(ANN, "other") is None
    (key,) = await store.keys("token:")
    sealed = await store.get(key)
    assert sealed is not None
    assert b"hush" not in sealed
    await store.set(f"token:{BOB.hex()}:up", sealed, 60)  # who can write to the store cannot hand it to another user
    assert await tokens.get(BOB, "up") is None
    assert await UserTokens([b"t" * 32], store).get(ANN, "up") is None


async def test_a_token_that_has_expired_is_none() -> None:
    tokens = UserTokens(SECRETS, MemoryStore(Bus()))

    await tokens.put(ANN, "up", Token("old", time.time() - 1), 60)
    await tokens.put(BOB, "up", Token("old", time.time() - 1, "refresh"), 60)

    assert await tokens.get(ANN, "up") is None
    assert (await tokens.get(BOB, "up") or Token("")).refresh == "refresh"


async def test_only_the_refused_token_is_forgotten() -> None:
    tokens = UserTokens(SECRETS, MemoryStore(Bus()))
    await tokens.put(ANN, "up", Token("new"), 60)

    await tokens.forget(ANN, "up", "old")
    assert await tokens.get(ANN, "up") == Token("new")
    await tokens.forget(ANN, "up", "new")
    assert await tokens.get(ANN, "up") is None


async def sharing(number: int) -> tuple[list[UserTokens], Token]:
    """So many workers with one store, and a token of Ann's in it that ends soon."""
    store = MemoryStore(Bus())
    workers = [UserTokens(SECRETS, store) for _ in range(number)]
    old = Token("old", time.time() + 5, "r1")
    await workers[0].put(ANN, "up", old, 60)
    return workers, old


async def test_a_refresh_token_is_used_once_by_all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_tokens, "_LOOK_AGAIN", 0.001)
    workers, old = await sharing(3)
    used: list[str] = []

    async def refresh(by: str) -> Token:
        used.append(by)
        await asyncio.sleep(0.01)
        return Token("new", time.time() + 600)

    new = await asyncio.gather(*(worker.renewed(ANN, "up", old, refresh, 60) for worker in workers for _ in range(4)))

    assert used == ["r1"]
    assert {token.value for token in new if token} == {"new"}
    kept = await workers[1].get(ANN, "up")
    assert kept is not None
    assert (kept.value, kept.refresh) == ("new", "r1")


@pytest.mark.parametrize("final", [True, False])
async def test_a_token_that_cannot_be_renewed_is_forgotten_only_when_it_never_can(final: bool) -> None:
    tokens = UserTokens(SECRETS, MemoryStore(Bus()))
    old = Token("old", time.time() + 5, "r1")
    await tokens.put(ANN, "up", old, 60)

    async def refresh(by: str) -> Token:
        raise CredentialError("no", final=final)

    if final:
        assert await tokens.renewed(ANN, "up", old, refresh, 60) is None
        assert await tokens.get(ANN, "up") is None
    else:
        with pytest.raises(CredentialError):
            await tokens.renewed(ANN, "up", old, refresh, 60)
        assert await tokens.get(ANN, "up") == old


async def test_a_renewal_that_fails_is_another_workers_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_tokens, "_LOOK_AGAIN", 0.001)
    workers, old = await sharing(2)
    waits = asyncio.Event()

    async def throttled(by: str) -> Token:
        await waits.wait()
        raise CredentialError("too many")

    async def given(by: str) -> Token:
        return Token("new", time.time() + 600)

    first = asyncio.create_task(workers[0].renewed(ANN, "up", old, throttled, 60))
    await asyncio.sleep(0)
    second = asyncio.create_task(workers[1].renewed(ANN, "up", old, given, 60))
    await asyncio.sleep(0)
    waits.set()

    with pytest.raises(CredentialError, match="too many"):
        await first
    assert (await second or Token("")).value == "new"
    with pytest.raises(CredentialError, match="too many"):  # who has just failed does not ask again
        await workers[0].renewed(ANN, "up", old, given, 60)


@pytest.fixture
async def source() -> AsyncIterator[tuple[TokenServer, TokenSource]]:
    http = Http1Client()
    with TokenServer() as server:
        client = OAuthClient(f"{server.url}/token", "br:oker", "s&cret")
        yield server, TokenSource.build(client, http, BrokerOptions(), None)
    await http.close()


@pytest.mark.parametrize(
    ("status", "error", "final"),
    [
        (400, "invalid_grant", True),
        (401, "invalid_grant", True),
        (200, "bad_refresh_token", True),
        (500, "invalid_grant", False),
        (429, "slow_down", False),
        (408, "", False),
        (401, "invalid_client", False),
        (400, "invalid_client", False),
        (503, "temporarily_unavailable", False),
        (400, ["invalid_grant"], False),
    ],
)
async def test_only_a_grant_that_is_worth_nothing_is_given_up(
    source: tuple[TokenServer, TokenSource], status: int, error: object, final: bool
) -> None:
    server, asked = source
    server.refuse, server.refuse_status = {"error": error}, status

    with pytest.raises(CredentialError, match=rf"refused: .*HTTP {status}") as caught:
        await asked.fetch({"grant_type": "refresh_token", "refresh_token": "r1"})

    assert caught.value.final is final


async def test_a_users_token_is_used_to_its_end_while_its_server_gives_no_other(
    source: tuple[TokenServer, TokenSource],
) -> None:
    server, asked = source
    server.refuse, server.refuse_status = {"error": "slow_down"}, 429
    ann = Principal("key:ann", How.KEY, "ann")
    tokens = UserTokens(SECRETS, MemoryStore(Bus()))
    page = Page("https://gw.test")
    way = TokenOfUser("up", {}, UserToken(asked.client), page, Shared(tokens, Tickets(SECRETS)), source=asked)
    client = Client("session", "2025-11-25")
    await way.give(ann.digest, Token("old", time.time() + 50, "r1"))

    assert await way.of_user(client, ann) == "Bearer old"
    with pytest.raises(CredentialError, match="HTTP 429"):  # an upstream that refuses it waits for another one
        await way.user_refused(client, ann, "Bearer old")
    for _ in range(3):
        assert await way.of_user(client, ann) == "Bearer old"
    assert len(server.asked) == 1
    await way.give(ann.digest, Token("old", time.time() - 1, "r1"))
    with pytest.raises(CredentialError, match="HTTP 429"):
        await way.of_user(client, ann)
    kept = await tokens.get(ann.digest, "up")
    assert kept is not None and kept.refresh == "r1"


def test_a_ticket_is_for_one_purpose_and_a_short_time() -> None:
    tickets = Tickets(SECRETS)
    ticket = tickets.make("visit", ["a", 1], 60)

    assert tickets.open("visit", ticket) == ["a", 1]
    assert tickets.open("login", ticket) is None
    assert tickets.open("visit", tickets.make("visit", "a", 0)) is None
    assert Tickets([b"t" * 32]).open("visit", ticket) is None
    other = "B" if ticket[20] == "A" else "A"
    for broken in ("", "x", ticket[:-2], ticket + "AA", "é", "A" * 5000, ticket[:20] + other + ticket[21:]):
        assert tickets.open("visit", broken) is None


async def test_the_key_can_be_changed_and_nothing_is_lost() -> None:
    store = MemoryStore(Bus())
    tokens, tickets = UserTokens(SECRETS, store), Tickets(SECRETS)
    await tokens.put(ANN, "up", Token("kept"), 60)
    ticket = tickets.make("visit", 1, 60)

    for sealer in (tokens, tickets):
        sealer.use([b"t" * 32, *SECRETS])

    assert await tokens.get(ANN, "up") == Token("kept")
    assert tickets.open("visit", ticket) == 1


def test_a_token_may_be_typed_with_what_is_around_it() -> None:
    assert read_given("  Bearer abc \n") == Token("abc")
    assert read_given("a.b.c") == Token("a.b.c")
    assert read_given("x.eyJleHAiOjEyM30.y") == Token("x.eyJleHAiOjEyM30.y", 123.0)


@pytest.mark.parametrize("text", ["", " ", "Bearer ", "a b", "a\nb", "ä", "x" * (LONGEST + 1)])
def test_what_no_token_can_be_is_refused(text: str) -> None:
    with pytest.raises(BadTokenError, match=r"^The token .*\.$"):
        read_given(text)
