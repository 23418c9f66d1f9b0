# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instruments of the broker's benchmark: the load generator, the upstreams, the plot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import orjson
from bench.broker.load import Job, Load, run
from bench.broker.plot import Panel, draw
from bench.broker.upstream import Server, names

LISTED = orjson.dumps({"tools": []})
ANSWERS = {
    "sized": lambda body: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
    "chunked": lambda body: (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    ),
}


class Written(list[bytes]):
    """A transport that keeps what is written."""

    write = list.append


def request(message: dict[str, Any], *, chunks: int = 0) -> bytes:
    """A POST of a message, its body in so many chunks or with its length."""
    body = orjson.dumps(message)
    if not chunks:
        return b"POST /0/mcp HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    size = len(body) // chunks + 1
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"POST /0/mcp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def served(pieces: list[bytes]) -> bytes:
    """What an upstream writes when it gets these pieces of a connection's bytes."""
    server, written = Server(LISTED), Written()
    server.connection_made(written)  # type: ignore[arg-type]
    for piece in pieces:
        server.data_received(piece)
    return b"".join(written)


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """A server that gives every request on its connections `answer(id)`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(65536):
                connection.sendall(answer(b"%d" % orjson.loads(data.partition(b"\r\n\r\n")[2])["id"]))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed: the test is over
                return
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def loaded(port: int, connections: int = 3) -> Load:
    """The shortest load: one request on every connection, and perhaps more."""
    return run(Job("127.0.0.1", port, "/mcp", [{}] * connections, "ping", {}, 0.0))


def test_every_right_answer_counts_however_its_end_is_told() -> None:
    for frame in ANSWERS.values():
        with answering(lambda own, frame=frame: frame(b'{"jsonrpc":"2.0","id":%s,"result":{}}' % own)) as port:
            load = loaded(port)
        assert (load.answers, load.errors) == (3, 0)
        assert 0 < load.p50 <= load.p99


def test_an_error_and_the_answer_to_another_request_are_no_answers() -> None:
    wrong: list[Callable[[bytes], bytes]] = [
        lambda own: b'{"jsonrpc":"2.0","id":%s,"error":{}}' % own,
        lambda own: b'{"jsonrpc":"2.0","id":1,"result":{}}',
    ]
    for body in wrong:
        with answering(lambda own, body=body: ANSWERS["sized"](body(own))) as port:
            load = loaded(port)
        assert (load.answers, load.errors) == (0, 3)
        assert load.first_error.startswith("HTTP/1.1 200")


def test_an_upstream_understands_a_request_in_any_pieces() -> None:
    call = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "echo", "arguments": {"text": "x"}}}
    for sent in (request(call), request(call, chunks=1), request(call, chunks=3)):
        whole = served([sent])
        assert whole.startswith(b"HTTP/1.1 200 OK")
        assert orjson.loads(whole.partition(b"\r\n\r\n")[2])["result"]["content"] == [{"type": "text", "text": "x"}]
        assert served([sent[at : at + 7] for at in range(0, len(sent), 7)]) == whole
        assert served([sent + sent]) == whole + whole


def test_an_upstream_has_as_many_tools_as_asked_for() -> None:
    assert names(1) == ["echo"]
    assert len(set(names(1000))) == 1000


def test_a_plot_is_xml_with_every_value() -> None:
    drawn = draw("Title", "5 < 6", [Panel("Memory", "tools", [(1, 40.0), (10, 45.0), (1000, 130.0)])])
    root = ElementTree.fromstring(drawn)
    texts = [element.text for element in root.iter() if element.text]
    assert {"Title", "5 < 6", "40", "45", "130", "1,000"} <= set(texts)
