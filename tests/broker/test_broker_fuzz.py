# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any bytes in: never a 5xx, never a hang, never a dead broker."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from broker.harness import BrokerProcess, rpc, run_broker, server
from broker.raw_upstream import RawUpstream

ROUNDS = 1500
SEED = 20261122


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with RawUpstream("echo", "sse") as upstream:
        config = {"servers": [server("a", upstream.url, "p_")], "virtualServers": [{"name": "v", "tools": ["p_echo"]}]}
        with run_broker(tmp_path_factory.mktemp("fuzz"), config) as broker:
            broker.wait_ready("a")
            broker.initialize("2025-03-26")
            yield broker


def alive(running: BrokerProcess) -> bool:
    return running.process.poll() is None and running.post(rpc("ping")).json["result"] == {}


def odd_value(source: random.Random, depth: int = 0) -> Any:
    choices: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        2**63,
        10**30,
        "",
        "x" * 300,
        "p_echo",
        "tools/call",
        "\u2028\x00",
        [],
        {},
    ]
    if depth < 3:
        choices += [[odd_value(source, depth + 1)], {"name": odd_value(source, depth + 1)}]
    return source.choice(choices)


def test_odd_messages(running: BrokerProcess) -> None:
    source = random.Random(SEED)
    methods = [
        "tools/call",
        "tools/list",
        "initialize",
        "ping",
        "notifications/cancelled",
        "resources/read",
        "",
        None,
        5,
    ]
    keys = ["jsonrpc", "id", "method", "params", "result", "error", "extra"]
    for _ in range(ROUNDS):
        message: Any = {"jsonrpc": "2.0", "id": source.choice([1, "a", -5]), "method": source.choice(methods)}
        message["params"] = {
            key: odd_value(source) for key in source.sample(["name", "arguments", "_meta", "cursor", "requestId"], 3)
        }
        for _ in range(source.randrange(3)):
            message[source.choice(keys)] = odd_value(source)
        if source.random() < 0.2:
            message = [message, odd_value(source)]
        reply = running.post(json.dumps(message).encode())
        assert reply.status < 500, (message, reply)
    assert alive(running)


def test_odd_bytes_in_bodies(running: BrokerProcess) -> None:
    source = random.Random(SEED)
    good = json.dumps(
        rpc("tools/call", {"name": "p_echo", "arguments": {"text": "\u00e4"}}), ensure_ascii=False
    ).encode()
    for _ in range(ROUNDS):
        body = bytearray(good)
        for _ in range(source.randrange(1, 6)):
            place = source.randrange(len(body))
            action = source.randrange(3)
            if action == 0:
                body[place] = source.randrange(256)
            elif action == 1:
                del body[place]
            else:
                body.insert(place, source.randrange(256))
        reply = running.post(bytes(body))
        assert reply.status < 500, (bytes(body), reply)
    assert alive(running)


def test_odd_headers(running: BrokerProcess) -> None:
    source = random.Random(SEED)
    names = [
        "mcp-session-id",
        "mcp-protocol-version",
        "accept",
        "origin",
        "x-mcp-virtualserver",
        "content-type",
        "host",
    ]
    letters = [chr(number) for number in range(0x20, 0x7F)] + ["\u00e9", "\t", ","]
    for _ in range(ROUNDS):
        headers = {
            source.choice(names): "".join(source.choices(letters, k=source.randrange(40))).strip() or "x"
            for _ in range(2)
        }
        method = source.choice(["POST", "DELETE", "PUT", "OPTIONS"])
        if method == "DELETE":
            headers["mcp-session-id"] = "x"
        body = rpc("tools/list") if method == "POST" else None
        reply = running.request(method, "/mcp", body, {"content-type": "application/json", **headers})
        assert reply.status < 500, (method, headers, reply)
    assert alive(running)


def test_odd_bytes_on_the_connection(running: BrokerProcess) -> None:
    source = random.Random(SEED)
    port = int(running.url.rpartition(":")[2])
    good = (
        b"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 38\r\n\r\n"
        b'{"jsonrpc":"2.0","id":1,"method":"p"} '
    )
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(source.randrange(1, 8)):
            raw[source.randrange(len(raw))] = source.randrange(256)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(bytes(raw[: source.randrange(1, len(raw) + 1)]))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
            assert not answer.startswith(b"HTTP/1.1 5"), (bytes(raw), answer)
    assert alive(running)


def test_nothing_unexpected_was_logged(running: BrokerProcess) -> None:
    assert "request.failed" not in running.log
    assert "task.failed" not in running.log
    assert "Traceback" not in running.log
