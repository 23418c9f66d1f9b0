# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which addresses the broker connects to, whatever a name stands for in the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from mcpops_broker.cluster.registrations import Reader, World
from mcpops_broker.config.cluster import ClusterOptions
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.net.client import HttpClient, HttpError
from mcpops_broker.net.guard import GROUPS, Guard, is_rule
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.net.target import target_for
from mcpops_broker.upstream.credentials import Credentials
from mcpops_broker.upstream.transport import Transport


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("fd00:ec2::254", "metadata"),
        ("100.100.100.200", "metadata"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "multicast"),
    ],
)
def test_what_holds_no_server_is_refused_by_default(address: str, group: str) -> None:
    refusal = Guard().refusal(address)

    assert refusal is not None
    assert refusal.endswith(f"({group})")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "fd12::1", "93.184.215.14", "2606::1"]
)
def test_what_servers_have_is_allowed_by_default(address: str) -> None:
    assert Guard().refusal(address) is None


@pytest.mark.parametrize(
    ("guard", "address", "allowed"),
    [
        (Guard(deny=("loopback",)), "127.8.9.1", False),
        (Guard(deny=("loopback",)), "::ffff:127.0.0.1", False),
        (Guard(deny=("loopback",), allow=("127.0.0.2/32",)), "127.0.0.2", True),
        (Guard(deny=("loopback",), allow=("127.0.0.2/32",)), "127.0.0.3", False),
        (Guard(deny=("private",)), "10.0.0.1", False),
        (Guard(deny=("0.0.0.0/0", "::/0"), allow=("private",)), "10.0.0.1", True),
        (Guard(deny=("0.0.0.0/0", "::/0"), allow=("private",)), "93.184.215.14", False),
        (Guard(allow=("private",)), "fd00:ec2::254", False),
        (Guard(allow=("link-local",)), "169.254.1.1", True),
        (Guard(allow=("169.254.7.0/24",)), "169.254.7.1", True),
    ],
)
def test_rules_and_exceptions(guard: Guard, address: str, allowed: bool) -> None:
    assert (guard.refusal(address) is None) is allowed


def test_addresses_that_others_give_are_not_the_brokers_own_machine() -> None:
    assert Guard().for_foreign().refusal("127.0.0.1") is not None
    assert Guard(allow=("loopback",)).for_foreign().refusal("127.0.0.1") is None
    assert Guard().for_foreign().refusal("10.0.0.1") is None


def test_a_registration_cannot_name_the_brokers_own_machine() -> None:
    place = {"namespace": "team", "name": "up"}
    backend = {"name": "up", "port": 80}
    world = World(
        registrations=[{"metadata": place, "spec": {"prefix": "a_", "targetRef": {"name": "up"}}}],
        routes={
            ("team", "up"): {"metadata": place, "spec": {"hostnames": ["h"], "rules": [{"backendRefs": [backend]}]}}
        },
        services={("team", "up"): {"metadata": place, "spec": {"type": "ExternalName", "externalName": "localhost"}}},
    )

    found = Reader().read(world, ClusterOptions(), ())

    assert (found.refused, [(server.url, server.foreign) for server in found.servers]) == (
        {},
        [("http://localhost:80/mcp", True)],
    )
    http = cast(HttpClient, None)
    transport = Transport(found.servers[0], Credentials({}), http, BrokerOptions(), None)
    assert transport.target.guard.refusal("127.0.0.1") is not None


def test_rules_are_groups_and_networks() -> None:
    assert all(map(is_rule, [*GROUPS, "10.0.0.0/8", "fd00::/8", "192.0.2.7"]))
    assert not any(map(is_rule, ["", "localhost", "10.0.0.1/8", "10.0.0.0/33"]))


Resolve = Callable[..., Awaitable[list[Any]]]


async def reached(monkeypatch: pytest.MonkeyPatch, guard: Guard, *turns: list[str]) -> list[bytes]:
    """Ask a name that stands for other addresses in each turn; return what the server heard of each."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    loop, answers = asyncio.get_running_loop(), iter(turns)
    original = loop.getaddrinfo

    async def resolve(host: str, *rest: Any, **more: Any) -> list[Any]:
        if host != "rebound.test":
            return await original(host, *rest, **more)
        return [(2, 1, 6, "", (address, port)) for address in next(answers)]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)
    client = Http1Client()
    target = target_for(f"http://rebound.test:{port}/", connect_timeout=5, guard=guard)
    try:
        for _ in turns:
            (await client.request("GET", target, {}, None, first_byte=5, idle=5)).close()
    finally:
        await client.close()
        server.close()
        await server.wait_closed()
    return heard


async def test_a_name_that_means_another_address_the_next_time_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HttpError, match=r"rebound.test:\d+: 169.254.169.254 is .* \(link-local\); see upstreamAddr"):
        await reached(monkeypatch, Guard(), ["127.0.0.1"], ["169.254.169.254"])


async def test_of_several_addresses_only_those_that_are_allowed_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(await reached(monkeypatch, Guard(), ["169.254.169.254", "0.0.0.0", "127.0.0.1"])) == 1


async def test_without_an_allowed_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HttpError, match=r"127\.0\.0\.1 is an address that may not be connected to"):
        await reached(monkeypatch, Guard(deny=("loopback",)), ["127.0.0.1"])


async def test_an_address_is_judged_before_a_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = Http1Client()

    target = target_for("http://169.254.169.254/latest", connect_timeout=5)
    with pytest.raises(HttpError, match="link-local"):
        await client.request("GET", target, {}, None, first_byte=5, idle=5)
    await client.close()
