# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both transports, the light one and that over the Kubernetes client: the same requests, answers and failures."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, ConnectionFailed
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport, Transport
from ansible_collections.mcpops.gateway.plugins.module_utils._transport_full import FullTransport
from unit.plugins.module_utils.scripted import (
    Handler,
    Reply,
    Server,
    breaks_off,
    closes_after,
    refuses,
    says,
    serving,
    streams,
)

Make = Callable[[Settings], Transport]
APPLY = "application/apply-patch+yaml"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(params=["light", "full"])
def make(request: pytest.FixtureRequest) -> Make:
    return LightTransport if request.param == "light" else lambda s: FullTransport(replace(s, beyond="a test"))


@pytest.fixture
def transport(make: Make, server: Server) -> Transport:
    return make(Settings(host=server.url, token="t0ken"))


def raw(head: str, body: bytes = b"") -> Reply:
    """An answer as it goes over the wire; the connection ends with it."""

    def reply(handler: Handler) -> None:
        handler.wfile.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        handler.close_connection = True

    return reply


class TestRequests:
    def test_what_is_sent(self, transport: Transport, server: Server) -> None:
        server.will(says({"a": 1}))

        answer = transport.request(
            "PATCH", "/api/v1/x", query=[("force", "true"), ("labelSelector", "a=b,c")], body={"ä": [1]},
            content_type=APPLY,
        )  # fmt: skip

        sent = server.seen[0]
        assert (sent.method, sent.path, sent.body) == ("PATCH", "/api/v1/x", {"ä": [1]})
        assert sent.query == {"force": "true", "labelSelector": "a=b,c"}
        assert sent.headers["Authorization"] == "Bearer t0ken"
        assert sent.headers["Content-Type"] == APPLY
        assert sent.headers["Accept"] == "application/json"
        assert sent.headers["User-Agent"] == "mcpops.gateway"
        assert (answer.status, json.loads(answer.body)) == (200, {"a": 1})

    @pytest.mark.parametrize("code", [404, 409, 422, 429, 500, 503])
    def test_a_refusal_is_an_answer_sent_once(self, transport: Transport, server: Server, code: int) -> None:
        server.will(refuses(code, "Why", Retry_After="7"))

        answer = transport.request("GET", "/x")

        assert (answer.status, json.loads(answer.body)["reason"]) == (code, "Why")
        assert answer.headers["retry-after"] == ["7"] and len(server.seen) == 1

    def test_the_path_of_the_address_comes_first(self, make: Make, server: Server) -> None:
        server.will(says({}))

        make(Settings(host=f"{server.url}/k8s/clusters/c-1")).request("GET", "/version")

        assert server.seen[0].path == "/k8s/clusters/c-1/version"

    def test_a_token_file_is_read_for_every_request(self, make: Make, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "token"
        transport = _with_token(make, server, file, "one")
        server.will(says({}), says({}))
        transport.request("GET", "/x")
        file.write_text("two\n")
        transport.request("GET", "/x")

        assert [seen.headers["Authorization"] for seen in server.seen] == ["Bearer one", "Bearer two"]

    def test_a_token_file_that_is_gone_is_told(self, make: Make, server: Server, tmp_path: Path) -> None:
        transport = _with_token(make, server, tmp_path / "token", "one")
        (tmp_path / "token").unlink()

        with pytest.raises(ConfigError, match="token file"):
            transport.request("GET", "/x")

    def test_name_and_password(self, make: Make, server: Server) -> None:
        server.will(says({}))

        make(Settings(host=server.url, basic="dTpw")).request("GET", "/x")

        assert server.seen[0].headers["Authorization"] == "Basic dTpw"

    def test_every_group_of_an_impersonation_is_a_header(self, make: Make, server: Server) -> None:
        headers = [("Impersonate-User", "bob"), *(("Impersonate-Group", group) for group in "abcd")]
        server.will(says({}))

        make(Settings(host=server.url, token="t", headers=headers)).request("GET", "/x")

        assert server.seen[0].headers["Impersonate-User"] == "bob"
        assert server.seen[0].headers.get_all("Impersonate-Group") == ["a", "b", "c", "d"]


class TestAnswers:
    @pytest.mark.parametrize(
        "reply",
        [
            raw("HTTP/1.0 200 OK", b'{"a": 1}'),
            raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", b'3\r\n{"a\r\n5\r\n": 1}\r\n0\r\n\r\n'),
            raw("HTTP/1.1 200 OK\nContent-Encoding: gzip", gzip.compress(b'{"a": 1}')),
            raw(f"HTTP/1.1 200 OK\nX-Long: {'x' * 60_000}", b'{"a": 1}'),
        ],
        ids=["http 1.0", "chunked", "gzip", "long header"],
    )
    def test_every_form_is_read(self, transport: Transport, server: Server, reply: Reply) -> None:
        server.will(reply)

        answer = transport.request("GET", "/x")

        assert (answer.status, json.loads(answer.body)) == (200, {"a": 1})

    def test_headers_that_repeat(self, transport: Transport, server: Server) -> None:
        server.will(raw('HTTP/1.1 200 OK\nWarning: 299 - "one"\nwarning: 299 - "two"', b"{}"))

        said = transport.request("GET", "/x").headers["warning"]

        assert ", ".join(said) == '299 - "one", 299 - "two"'

    def test_nobody_is_followed_elsewhere(self, transport: Transport, server: Server) -> None:
        server.will(raw("HTTP/1.1 302 Found\nLocation: /login\nContent-Length: 0"))

        assert transport.request("GET", "/x").status == 302
        assert len(server.seen) == 1

    def test_what_ends_too_early(self, transport: Transport, server: Server) -> None:
        server.will(breaks_off)

        with pytest.raises(ConnectionFailed, match="closed before the answer was complete") as caught:
            transport.request("GET", "/x")

        assert caught.value.broke

    def test_a_kept_connection_that_died(self, transport: Transport, server: Server) -> None:
        server.will(closes_after({"a": 1}), says({"a": 2}))
        transport.request("GET", "/x")
        server.until_closed()

        assert json.loads(transport.request("GET", "/x").body) == {"a": 2}

    def test_nobody_listens(self, make: Make) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            host = f"http://127.0.0.1:{taken.getsockname()[1]}"

            with pytest.raises(ConnectionFailed, match="connection refused"):
                make(Settings(host=host)).request("GET", "/x")


class TestStreams:
    def test_lines_as_they_come(self, transport: Transport, server: Server) -> None:
        more = threading.Event()
        server.will(streams({"type": "ADDED"}, {"type": "MODIFIED"}, then=more))

        stream = transport.stream("/x", query=[("watch", "true")])
        lines = iter(stream)

        assert [json.loads(next(lines))["type"] for _ in range(2)] == ["ADDED", "MODIFIED"]
        more.set()
        assert list(lines) == []

    def test_a_refusal(self, transport: Transport, server: Server) -> None:
        server.will(refuses(410, "Expired"))

        stream = transport.stream("/x")

        assert (stream.status, json.loads(stream.read())["reason"]) == (410, "Expired")

    def test_silence_ends_it(self, transport: Transport, server: Server) -> None:
        never = threading.Event()
        server.will(streams({"type": "ADDED"}, then=never))

        with pytest.raises(ConnectionFailed):
            list(transport.stream("/x", timeout=0.2))
        never.set()

    def test_closing_from_another_thread_ends_it(self, transport: Transport, server: Server) -> None:
        never = threading.Event()
        server.will(streams({"type": "ADDED"}, then=never))
        stream = transport.stream("/x", timeout=30)
        lines = iter(stream)
        next(lines)
        closer = threading.Thread(target=stream.close)
        closer.start()

        assert list(lines) == []
        closer.join()
        never.set()

    def test_one_that_is_cut(self, transport: Transport, server: Server) -> None:
        server.will(streams({"type": "ADDED"}, cut=True))

        with pytest.raises(ConnectionFailed, match="closed before"):
            list(transport.stream("/x"))


class TestTls:
    def test_the_given_ca_name_and_client_certificate(
        self, make: Make, secure: Server, pem: tuple[Path, str, str]
    ) -> None:
        secure.will(says({}))
        settings = Settings(
            host=secure.url, ca=pem[1], server_name="api.example.com", client_cert=pem[1], client_key=pem[2]
        )

        assert make(settings).request("GET", "/x").status == 200

    def test_without_verification(self, make: Make, secure: Server) -> None:
        secure.will(says({}))

        assert make(Settings(host=secure.url, verify=False)).request("GET", "/x").status == 200

    @pytest.mark.parametrize("more", [{}, {"server_name": "api.example.com"}], ids=["name", "ca"])
    def test_what_is_not_trusted(
        self, make: Make, secure: Server, pem: tuple[Path, str, str], more: dict[str, Any]
    ) -> None:
        settings = Settings(host=secure.url, **(more or {"ca": pem[1]}))

        with pytest.raises(ConnectionFailed, match=r"not trusted.*ca_cert"):
            make(settings).request("GET", "/x")

    def test_an_encrypted_key_asks_nobody(self, make: Make, pem: tuple[Path, str, str]) -> None:
        key = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"

        with pytest.raises(ConfigError, match="encrypted"):
            make(Settings(host="https://127.0.0.1", client_cert=pem[1], client_key=key))


def _with_token(make: Make, server: Server, file: Path, token: str) -> Transport:
    file.write_text(token + "\n")
    return make(Settings(host=server.url, token_file=str(file)))
