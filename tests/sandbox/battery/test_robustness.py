# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that do not behave: what they send is refused in words, and the server goes on."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.battery.support import APPLY_PATCH, Cluster, Object, Space

LIMIT = 3 * 1024 * 1024


@pytest.fixture(autouse=True)
def _survives(cluster: Cluster) -> Iterator[None]:
    """Whatever a test does, the server answers afterwards."""
    yield
    assert cluster.get("/readyz").text == "ok"


def connect(cluster: Cluster, tls: bool = True) -> socket.socket:
    """A connection of our own."""
    host, port = cluster.server.removeprefix("https://").split(":")
    plain = socket.create_connection((host, int(port)), timeout=20)
    if not tls:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


def send(cluster: Cluster, head: str, body: bytes = b"", tls: bool = True) -> bytes:
    """What the server answers to bytes on a connection of their own."""
    lines = [head, "Host: x", f"Authorization: Bearer {cluster.token}", "Connection: close"]
    with connect(cluster, tls) as connection:
        # A server that has seen enough closes while we still write, and what it said can be read all the same.
        with contextlib.suppress(OSError):
            connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
        found = b""
        with contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                found += piece
    return found


def post(space: Space, *headers: str) -> str:
    return "\r\n".join((f"POST {space.core('configmaps')} HTTP/1.1", "Content-Type: application/json", *headers))


def test_plain_http_on_the_port_of_tls(cluster: Cluster) -> None:
    answer = send(cluster, "GET /version HTTP/1.1", tls=False)
    assert answer == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"


def test_something_that_looks_like_tls(cluster: Cluster) -> None:
    with connect(cluster, tls=False) as connection:
        connection.sendall(b"\x16\x03\x01\x00\x05hello" + b"x" * 300)
        with contextlib.suppress(OSError):
            assert b"HTTP" not in connection.recv(65536)


def test_something_that_is_no_http(cluster: Cluster) -> None:
    with connect(cluster) as connection:
        connection.sendall(b"hello hello\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("length", ["abc", "-5", "1e3"])
def test_lengths_that_are_none(space: Space, length: str) -> None:
    answer = send(space.cluster, post(space, f"Content-Length: {length}"))
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_headers_without_end(cluster: Cluster) -> None:
    answer = send(cluster, f"GET /version HTTP/1.1\r\nX-Large: {'x' * 2_000_000}")
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_a_path_without_end(cluster: Cluster) -> None:
    assert send(cluster, f"GET /api/{'x' * 2_000_000} HTTP/1.1").startswith(b"HTTP/1.1 431 ")


def test_broken_escapes_in_a_path(cluster: Cluster) -> None:
    assert send(cluster, "GET /api/v1/namespaces/%zz HTTP/1.1").startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_names_that_are_no_text(cluster: Cluster) -> None:
    assert send(cluster, "GET /api/v1/namespaces/%ff%fe HTTP/1.1").startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_bodies_of_20_megabytes(space: Space) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"' + b"x" * 20_000_000 + b'"}}'
    answer = send(space.cluster, post(space, f"Content-Length: {len(body)}"), body)
    assert answer.startswith(b"HTTP/1.1 413 ")
    status: Object = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert status["message"] == f"Request entity too large: limit is {LIMIT}"
    assert status["reason"] == "RequestEntityTooLarge"


def test_uploads_that_are_broken_off(space: Space) -> None:
    with connect(space.cluster) as connection:
        head = post(space, "Content-Length: 1000", "Host: x", f"Authorization: Bearer {space.cluster.token}")
        connection.sendall(f"{head}\r\n\r\n".encode() + b'{"apiVersion":"v1"')


def test_clients_that_send_byte_by_byte(cluster: Cluster) -> None:
    with connect(cluster) as connection:
        for byte in b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"apiVersion"', "unexpected end of JSON input"),
        (b"", "unexpected end of JSON input"),
        (b"[]", "json: cannot unmarshal array into Go value"),
        (b'"text"', "json: cannot unmarshal string into Go value"),
        (b"[" * 100_000, "the object provided is unrecognized"),
        (b'{"a":' * 100_000, "the object provided is unrecognized"),
        (b'{"a": \xff}', "json parse error"),
    ],
)
def test_broken_json(space: Space, body: bytes, message: str) -> None:
    refused = space.cluster.post(space.core("configmaps"), body)
    assert (refused.status, refused.body["reason"]) == (400, "BadRequest")
    assert message in refused.body["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a: [", "did not find expected node content"),
        (b"{a: b: c}", "did not find expected ',' or '}'"),
        (b"a: &a [*a]", "yaml:"),
        (b"- " * 100_000, "exceeded max depth"),
        (b"{a: " * 100_000, "exceeded max depth"),
        (b"- a", "json: cannot unmarshal array into Go value"),
    ],
)
def test_broken_yaml(space: Space, body: bytes, message: str) -> None:
    refused = space.cluster.post(space.core("configmaps"), body, Content_Type="application/yaml")
    assert (refused.status, refused.body["reason"]) == (400, "BadRequest")
    assert message in refused.body["message"]


def test_broken_patches(space: Space) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("patched", {})).ok()
    path = f"{space.core('configmaps')}/patched"
    for kind in ("application/merge-patch+json", "application/json-patch+json", APPLY_PATCH):
        query = "?fieldManager=x" if kind == APPLY_PATCH else ""
        for body in (b"{", b"[" * 100_000, b'"x"'):
            refused = space.cluster.patch(path + query, body, kind)
            assert refused.status in (400, 422), (kind, body[:5], refused)


def test_text_that_is_no_utf_8(space: Space) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"no-text"},"data":{"a":"\xff"}}'
    assert space.cluster.post(space.core("configmaps"), body).ok()["data"] == {"a": "\ufffd"}


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_media_that_nobody_reads(space: Space, media: str) -> None:
    refused = space.cluster.post(space.core("configmaps"), {}, Content_Type=media)
    assert (refused.status, refused.body["reason"]) == (415, "UnsupportedMediaType")
    message = "the body of the request was in an unknown format - accepted media types include: application/json"
    assert refused.body["message"].startswith(message)


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "application/json;as=Nothing;v=v1;g=meta.k8s.io"])
def test_media_that_nobody_writes(space: Space, accept: str) -> None:
    refused = space.cluster.get(space.core("configmaps"), Accept=accept)
    assert refused.status == 406


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/namespaces/x/configmaps"),
        ("PATCH", "/api/v1/namespaces/x/configmaps"),
        ("POST", "/api/v1/namespaces/x/configmaps/y"),
        ("DELETE", "/api/v1/namespaces"),
        ("OPTIONS", "/api/v1/namespaces/x/configmaps"),
        ("HEAD", "/api/v1/namespaces/x/configmaps/y"),
        ("POST", "/api/v1/configmaps"),
        ("PUT", "/version"),
        ("POST", "/api"),
        ("GET", "/apis/authorization.k8s.io/v1/subjectaccessreviews"),
        ("POST", "/apis/apps/v1/namespaces/x/deployments/y/scale"),
    ],
)
def test_verbs_that_a_path_does_not_have(cluster: Cluster, method: str, path: str) -> None:
    body: Any = {} if method in ("PUT", "PATCH", "POST") else None
    refused = cluster.request(method, path, body)
    assert refused.status == 405
    if method != "HEAD":
        assert refused.body["reason"] == "MethodNotAllowed"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/v1/things", "the server could not find the requested resource"),
        ("/apis/apps/v1/namespaces/x/deployments/y/nothing", "the server could not find the requested resource"),
        ("/api/v1/namespaces/default/pods/nobody/exec", 'pods "nobody" not found'),
        ("/apis/nobody.example.com/v1/things", ""),
        ("/apis/nobody.example.com", ""),
        ("/nothing", ""),
        ("/api/v2/pods", "the server could not find the requested resource"),
    ],
)
def test_paths_that_nothing_is_at(cluster: Cluster, path: str, message: str) -> None:
    refused = cluster.get(path)
    assert refused.status == 404
    if message:
        assert refused.body["message"] == message
    else:
        assert refused.text == "404 page not found\n"


def test_many_watches_at_once(space: Space) -> None:
    head = f"GET {space.core('configmaps')}?watch=1&allowWatchBookmarks=1 HTTP/1.1\r\nHost: x\r\n"
    request = f"{head}Authorization: Bearer {space.cluster.token}\r\n\r\n".encode()
    with contextlib.ExitStack() as open_ones:
        watches = [open_ones.enter_context(connect(space.cluster)) for _ in range(200)]
        for watch in watches:
            watch.sendall(request)
        for watch in watches:
            assert watch.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        space.cluster.post(space.core("configmaps"), space.config_map("news", {})).ok()
        for watch in watches:
            seen = b""
            while b'"news"' not in seen:
                seen += watch.recv(65536)


def test_watches_that_nobody_reads(space: Space) -> None:
    path, large = f"{space.core('configmaps')}/unread", "x" * 500_000
    space.cluster.post(space.core("configmaps"), space.config_map("unread", {})).ok()
    with connect(space.cluster) as watch:
        head = f"GET {space.core('configmaps')}?watch=1 HTTP/1.1\r\nHost: x\r\n"
        watch.sendall(f"{head}Authorization: Bearer {space.cluster.token}\r\n\r\n".encode())
        for number in range(20):
            space.cluster.patch(path, {"data": {"a": f"{number}{large}"}}).ok()
