# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any bytes in: never a 5xx, never a hang, never a dead broker.

`make test` tries few examples, always the same. For more, chosen anew each time:

    MCPOPS_FUZZ=20000 python -m pytest tests/broker/test_broker_fuzz.py tests/broker/test_broker_owners.py
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from broker.cheap_upstreams import in_thread
from broker.fuzz import Wire, bent_headers, bodies, check, examples, messages, plausible_headers
from broker.harness import BrokerProcess, rpc, run_broker
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with in_thread(3, stateless=lambda number: number == 1) as upstreams:
        config = {
            "servers": [one.config for one in upstreams],
            "virtualServers": [{"name": "v", "tools": ["u0_echo"]}],
            "broker": {"timeouts": {"connect": 5, "firstByte": 5, "total": 10}, "limits": {"streams": 100_000}},
        }
        with run_broker(tmp_path_factory.mktemp("fuzz"), config) as broker:
            broker.wait_ready("u0", "u1", "u2")
            broker.initialize("2025-03-26")
            yield broker
            broker.initialize()
            assert broker.post(rpc("ping")).json["result"] == {}
            for unexpected in ("request.failed", "task.failed", "upstream.bug", "Traceback"):
                assert unexpected not in broker.log, broker.log[-5000:]


@pytest.fixture(scope="module")
def wire(running: BrokerProcess) -> Iterator[Wire]:
    one = Wire(running.url)
    yield one
    one.close()


@pytest.mark.parametrize("stateless", [False, True])
def test_odd_messages(running: BrokerProcess, wire: Wire, stateless: bool) -> None:
    session = None if stateless else running.session

    @examples(150)
    @given(messages(stateless=stateless).flatmap(lambda message: st.tuples(st.just(message), bodies(message))))
    def property_(drawn: tuple[Any, bytes]) -> None:
        message, body = drawn
        wire.send(b"POST", plausible_headers(message, session), body)
        check(wire.read())

    property_()


@pytest.mark.parametrize("stateless", [False, True])
def test_odd_headers(running: BrokerProcess, wire: Wire, stateless: bool) -> None:
    session = None if stateless else running.session
    both = messages(stateless=stateless).flatmap(
        lambda message: st.tuples(bent_headers(plausible_headers(message, session)), bodies(message))
    )

    @examples(150)
    @given(st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "HEAD", "PATCH", "TRACE"]), both)
    def property_(method: str, drawn: tuple[Any, bytes]) -> None:
        headers, body = drawn
        wire.send(method.encode(), headers, body if method == "POST" else b"")
        answer = wire.read(method)
        check(answer)
        if answer is not None and answer.status >= 400 and not answer.messages:
            wire.close()  # the rest of the body may be unread

    property_()


ODD_JSON = [
    *(begin * depth + "1" + end * depth for depth in (250, 260, 1030) for begin, end in ("[]", ('{"a":', "}"))),
    *("1" + more for more in ("0" * 30, "0" * 400, "e400", "e-400", "E308", ".", "." + "9" * 400)),
    *('"' + escape + '"' for escape in ("\\ud800", "\\udfff\\ud800", "\\ud83d\\ude00", "\\u0000", "\\u00", "\x01")),
    '{"name": "u0_steps", "name": "u0_echo", "": {}, "": []}',
    '"' + "x" * 1_000_000 + '"',
    "[" + "0," * 100_000 + "0]",
]
PLACES = [
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u%d_echo","arguments":{"a":ODD},META}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"u%d_echo","arguments":ODD,META}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":ODD,META}}',
    '{"jsonrpc":"2.0","id":ODD,"method":"tools/call","params":{"name":"u%d_echo",META}}',
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":ODD,META}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":ODD}',
    "ODD",
]


@pytest.mark.parametrize("upstream", [0, 1])
@pytest.mark.parametrize("stateless", [False, True])
def test_odd_json(running: BrokerProcess, wire: Wire, stateless: bool, upstream: int) -> None:
    meta = '"_meta":{"x":ODD'
    if stateless:
        meta += ',"io.modelcontextprotocol/protocolVersion":"2026-07-28"'
        meta += ',"io.modelcontextprotocol/clientCapabilities":{"experimental":ODD}'
    for place in PLACES:
        text = place.replace("META", meta + "}").replace("u%d", f"u{upstream}")
        like = {"method": text.partition('"method":"')[2].partition('"')[0], "params": {"name": f"u{upstream}_echo"}}
        for value in ODD_JSON:
            body = text.replace("ODD", value).encode()
            wire.send(b"POST", plausible_headers(like, None if stateless else running.session), body)
            check(wire.read())


def test_odd_bytes_on_the_connection(running: BrokerProcess) -> None:
    good = (
        b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        b'26\r\n{"jsonrpc":"2.0","id":1,"method":"p"} \r\n0\r\n\r\n'
    )
    address = ("127.0.0.1", int(running.url.rpartition(":")[2]))
    changes = st.lists(st.tuples(st.integers(0, len(good) - 1), st.binary(max_size=4)), min_size=1, max_size=4)

    @examples(150)
    @given(changes, st.integers(1, len(good)))
    def property_(changed: list[tuple[int, bytes]], length: int) -> None:
        raw = good
        for place, replacement in changed:
            raw = raw[:place] + replacement + raw[place + 1 :]
        with socket.create_connection(address, timeout=20) as connection:
            connection.sendall(raw[:length])
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        assert not answer.startswith(b"HTTP/1.1 5"), (raw, answer)

    property_()


def test_odd_session_ids(running: BrokerProcess, wire: Wire) -> None:
    session = running.session or ""

    @examples(150)
    @given(st.integers(0, len(session) - 1), st.characters(min_codepoint=33, max_codepoint=126), st.booleans())
    def property_(place: int, letter: str, cut: bool) -> None:
        changed = session[:place] + letter + ("" if cut else session[place + 1 :])
        headers = plausible_headers(None, changed)
        wire.send(b"POST", headers, b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
        answer = wire.read()
        assert answer is not None
        assert answer.status == (200 if changed == session else 404), answer

    property_()
