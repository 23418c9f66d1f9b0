# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages and values between replicas, over a real Valkey that is killed, hangs and comes back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from broker.scripted import until
from broker.valkey_server import Valkey, running
from mcpops_broker.access.counters import Counters
from mcpops_broker.bus import GONE, STARTED, Bus, make_buses
from mcpops_broker.config.limits import RateLimit
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.replicas import Replicas
from mcpops_broker.store import redis_link, wide_bus
from mcpops_broker.store.store import Store
from sandbox.seed import self_signed

SECRET = b"of all replicas, thirty-two bytes"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for the tests of this file."""
    with running(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def server(shared_server: Valkey, monkeypatch: pytest.MonkeyPatch) -> Valkey:
    """The server, empty; replicas are less patient than in production."""
    with shared_server.client() as client:
        client.flushall()
    monkeypatch.setattr(wide_bus, "BEAT", 0.05)
    monkeypatch.setattr(wide_bus, "LEASE", 1.0)
    monkeypatch.setattr(redis_link, "CHECK_EVERY", 0.05)
    monkeypatch.setattr(redis_link, "TIMEOUT", 0.5)
    return shared_server


class Member:
    """A worker of a replica, with what it hears."""

    def __init__(self, replicas: Replicas) -> None:
        self.replicas = replicas
        self.bus: Bus = replicas.bus
        self.store: Store = replicas.store
        self.heard: list[tuple[str, Any, str]] = []
        for kind in (STARTED, GONE, "said"):
            self.bus.on(kind, lambda value, sender, kind=kind: self.heard.append((kind, value, sender)))
        self.bus.connect()

    def said(self) -> list[Any]:
        """What others said."""
        return [value for kind, value, _ in self.heard if kind == "said"]

    async def connected(self, is_connected: bool = True) -> None:
        """Wait until the store can be reached, or cannot."""
        await until(lambda: self.store.health.connected is is_connected, f"connected: {is_connected}")


Join = Callable[..., Any]


@asynccontextmanager
async def joining(server: Valkey) -> AsyncIterator[Join]:
    """Give what adds a worker of a replica of its own."""
    async with AsyncExitStack() as stack:

        async def join(name: str, secret: bytes = SECRET, local: Bus | None = None) -> Member:
            options = StoreOptions("127.0.0.1", server.port)
            replicas = Replicas(options, [secret], local or Bus(name))
            stack.push_async_callback(replicas.close)
            member = Member(replicas)
            await member.connected()
            return member

        yield join


async def met(*members: Member) -> None:
    """Wait until all know each other."""
    everybody = {member.bus.here for member in members}
    await until(lambda: all({*one.bus.others, one.bus.here} == everybody for one in members), "all know each other")


async def test_workers_of_several_replicas_meet_and_hear_each_other(server: Valkey) -> None:
    async with joining(server) as join:
        two_workers = make_buses(2, "b")
        members = [await join("a"), await join("b0", local=two_workers[0]), await join("b1", local=two_workers[1])]
        await met(*members)
        one, two, three = members

        one.bus.send("said", "to all")
        two.bus.send("said", "to b1", "b1")
        three.bus.send("said", "x" * 3_000_000, "a")
        three.bus.send("said", "after it", "a")

        await until(lambda: one.said() == ["x" * 3_000_000, "after it"], "the large one, and in order")
        await until(lambda: sorted(three.said()) == ["to all", "to b1"], "one to all and one to it")
        await until(lambda: two.said() == ["to all"], "one to all")
        assert {sender for kind, _, sender in one.heard if kind == STARTED} == {"b0", "b1"}


async def test_who_leaves_is_known_to_have_gone_and_who_dies_soon_after(server: Valkey) -> None:
    async with joining(server) as join:
        one, two, three = [await join("a"), await join("b"), await join("c")]
        await met(one, two, three)

        await two.replicas.close()
        await until(lambda: ("gone", None, "b") in one.heard, "it said goodbye")
        await three.replicas._background.close()  # as if it was killed
        await until(lambda: ("gone", None, "c") in one.heard, "it was not heard of for long")

        assert (list(one.bus.others), one.bus.knows("b")) == ([], False)
        one.bus.send("said", "to nobody", "b")


async def test_nothing_is_lost_while_the_store_is_away(server: Valkey) -> None:
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        await met(one, two)
        sent = [f"message {number} {'x' * 10_000}" for number in range(300)]
        for number, text in enumerate(sent):
            one.bus.send("said", text)
            if number == 100:
                server.kill()
                await one.connected(False)
                assert (list(one.bus.others), one.bus.knows("b")) == ([], True)
            if number == 200:
                server.start()
                await one.connected()

        await until(lambda: len(two.said()) >= 300, "everything has arrived")
        assert two.said() == sent
        assert not [kind for kind, _, _ in one.heard + two.heard if kind == GONE]


async def test_a_store_that_hangs_is_one_that_is_away(server: Valkey) -> None:
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        await met(one, two)
        server.freeze()
        try:
            one.bus.send("said", "into the void")
            await one.connected(False)
            assert "did not answer" in one.store.health.problem
            assert await one.store.get("anything") is None
        finally:
            server.thaw()
        await until(lambda: two.said() == ["into the void"], "it has arrived after all")


async def test_a_broker_with_another_key_is_nobody(server: Valkey) -> None:
    async with joining(server) as join:
        one = await join("a")
        other = await join("b", secret=b"of another deployment, with a key")
        await other.store.set("token:a", b"theirs", 60)
        third = await join("c")
        await met(one, third)
        other.bus.send("said", "let me in")
        one.bus.send("said", "hello")

        await until(lambda: third.said() == ["hello"], "its own replicas hear each other")
        assert (one.said(), other.said(), await one.store.get("token:a")) == ([], [], None)


async def test_a_value_is_found_by_all_replicas_and_sealed_in_the_store(server: Valkey) -> None:
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        await one.store.set("token:a", b"a secret value", 60)
        assert await two.store.get("token:a") == b"a secret value"
        assert await one.store.add("lock:a", b"mine", 60) is None
        assert await two.store.add("lock:a", b"yours", 60) == b"mine"
        assert sorted(await two.store.keys("")) == ["lock:a", "token:a"]
        assert await two.store.keys("tok*") == []
        with server.client() as client:
            kept = {key: client.get(key) for key in client.keys("mcpops:kept:*")}
            assert len(kept) == 2 and not any(b"secret" in value for value in kept.values())
            assert 0 < client.pttl("mcpops:kept:token:a") <= 60_000

        assert await two.store.take("token:a") == b"a secret value"
        assert (await one.store.take("token:a"), await one.store.get("token:a")) == (None, None)
        await two.store.delete("lock:a")
        assert await one.store.get("lock:a") is None


async def test_without_the_store_a_replica_goes_on_with_what_it_knows(server: Valkey) -> None:
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        await met(one, two)
        await one.store.set("token:a", b"1", 60)
        await one.store.set("token:deleted", b"1", 60)
        assert await two.store.get("token:a") == b"1"
        server.kill()
        await one.connected(False)
        await two.connected(False)

        assert (await one.store.get("token:a"), await two.store.get("token:a")) == (b"1", b"1")
        await one.store.set("token:b", b"2", 60)
        await one.store.delete("token:deleted")
        assert await one.store.add("lock:a", b"3", 60) is None
        assert await one.store.add("lock:a", b"4", 60) == b"3"
        assert sorted(await one.store.keys("token:")) == ["token:a", "token:b"]

        server.start()
        await one.connected()
        await two.connected()
        assert await two.store.get("token:b") == b"2"
        assert await two.store.get("lock:a") == b"3"
        assert await one.store.get("token:a") == b"1", "what the store has lost came back"
        assert await two.store.get("token:deleted") is None


async def test_what_another_replica_took_does_not_come_back(server: Valkey) -> None:
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        await met(one, two)
        await one.store.set("state:a", b"once", 60)
        assert await two.store.take("state:a") == b"once"
        two.bus.send("said", "after that")
        await until(lambda: one.said() == ["after that"], "it has heard")
        server.kill()
        await one.connected(False)

        assert await one.store.take("state:a") is None
        server.start()
        await one.connected()
        await two.connected()
        assert await two.store.take("state:a") is None


@asynccontextmanager
async def behind_tls(server: Valkey, directory: Path) -> AsyncIterator[tuple[int, str]]:
    """Give the port of an end of TLS in front of a server (the one of the tests has none built in), and its
    certificate."""
    certificate, key = self_signed("localhost")
    both = directory / "tls.pem"
    both.write_bytes(certificate + key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(both)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", server.port)
        await asyncio.gather(pump(reader, forth), pump(back, writer), return_exceptions=True)

    end = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    try:
        yield end.sockets[0].getsockname()[1], certificate.decode()
    finally:
        end.close()


async def test_a_store_is_used_by_tls_and_with_a_password(server: Valkey, tmp_path: Path) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "rich", "on", ">right", "~*", "&*", "+@all")
    async with behind_tls(server, tmp_path) as (port, certificate):
        right = StoreOptions("localhost", port, username="rich", password="right", tls=True, ca_cert=certificate)
        for wrong, problem in (
            (replace(right, password="wrong"), "it refuses the user name or password"),
            (replace(right, ca_cert=None), "is its certificate from an authority that is trusted"),
            (replace(right, host="127.0.0.1"), "is its certificate from an authority that is trusted"),
        ):
            refused = Replicas(wrong, [SECRET], Bus("a"))
            refused.bus.connect()
            await until(lambda refused=refused, problem=problem: problem in refused.store.health.problem, problem)  # type: ignore[misc]
            assert await refused.store.get("token:a") is None
            await refused.close()
        accepted = Replicas(right, [SECRET], Bus("a"))
        accepted.bus.connect()
        await until(lambda: accepted.store.health.connected, "it is connected")
        await accepted.store.set("token:a", b"1", 60)
        assert await accepted.store.get("token:a") == b"1"
        await accepted.close()


async def test_a_store_that_refuses_a_command_is_said_to_and_done_without(server: Valkey) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "poor", "on", "nopass", "~*", "&*", "+@all", "-getdel", "-set")
    options = StoreOptions("127.0.0.1", server.port, username="poor", password="any")
    replicas = Replicas(options, [SECRET], Bus("a"))
    replicas.bus.connect()
    try:
        await replicas.store.set("token:a", b"1", 60)

        assert await replicas.store.take("token:a") == b"1"
        assert replicas.store.health.problem == "its user may not run a command that the broker needs"
    finally:
        await replicas.close()


async def test_many_commands_at_once_are_no_failure_of_the_store(server: Valkey) -> None:
    async with joining(server) as join:
        one = await join("a")
        lost: list[bool] = []
        one.replicas.link.when_lost(lambda: lost.append(True))

        done = await asyncio.gather(*(one.store.add(f"lock:{number}", b"mine", 60) for number in range(500)))

        assert (set(done), lost) == ({None}, [])
        with server.client() as client:
            assert len(client.keys("mcpops:kept:lock:*")) == 500


async def test_a_store_that_refuses_to_write_is_looked_at_now_and_then(
    server: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "CHECK_EVERY", 3600.0)
    with server.client() as client:
        client.config_set("maxmemory", 1)
        client.config_resetstat()
        replicas = Replicas(StoreOptions("127.0.0.1", server.port), [SECRET], Bus("a"))
        replicas.bus.connect()
        try:
            await until(lambda: "OOM" in replicas.store.health.problem, "it has looked")
            for _ in range(20):
                await replicas.link.client.ping()
            assert client.info("commandstats")["cmdstat_set"]["rejected_calls"] == 1
        finally:
            client.config_set("maxmemory", 0)
            await replicas.close()


async def test_use_that_is_told_late_counts_as_what_it_is_by_then(server: Valkey) -> None:
    rate, quota = RateLimit("rate", rate=5.0, burst=20), RateLimit("daily", quota=1000)
    of_rate, of_quota, now = ("rate", "ann"), ("daily", "ann"), [1000.0]
    async with joining(server) as join:
        one, two = [await join("a"), await join("b")]
        here, there = [Counters(member.bus, lambda: now[0], lambda: now[0]) for member in (one, two)]
        for counters in (here, there):
            counters.configure({"rate": rate, "daily": quota})
        await met(one, two)
        server.kill()
        await one.connected(False)
        await two.connected(False)
        for _ in range(200):  # within the limit: four a second
            now[0] += 0.25
            assert here.wait(rate, of_rate) == 0
            here.use(rate, of_rate)
            here.use(quota, of_quota)
            here._tell()
        server.start()
        await one.connected()
        await two.connected()
        await until(lambda: [use[2] for use in there.quotas()] == [200], "all of the quota is told")
        assert there.wait(rate, of_rate) == 0

        for _ in range(30):
            here.use(rate, of_rate)
        here._tell()
        await until(lambda: there.wait(rate, of_rate) > 0, "what is used now is told again")
        assert there.wait(rate, of_rate) == pytest.approx(here.wait(rate, of_rate))
