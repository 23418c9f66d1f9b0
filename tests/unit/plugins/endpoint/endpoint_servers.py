# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for the endpoint tests that answer whatever a test wants, and certificates for them."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "raw", "version": "1"}}


class RawServer:
    """Answers each request with what ``respond`` makes of it, byte for byte, and remembers the requests."""

    def __init__(self, respond: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self._respond = respond
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/mcp"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # shutdown() wakes the thread in accept(); close() alone would leave it waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                with (
                    connection,
                    self._tls.wrap_socket(connection, server_side=True) if self._tls else connection as sock,
                ):
                    sock.settimeout(5)
                    request = read_request(sock)
                    self.requests.append(request)
                    sock.sendall(self._respond(request))
            except OSError:
                continue  # a client that gives up is part of the tests


def read_request(sock: socket.socket) -> bytes:
    """A whole HTTP request; what came of it when the connection ends."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        data += piece
        if not piece or data.startswith(b"\x16"):  # the end, or a TLS handshake on a plain port
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    wanted = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length:")), 0)
    while len(body) < wanted:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def http_answer(
    body: str | dict[str, Any] | list[Any], status: str = "200 OK", kind: str = "application/json", **headers: str
) -> bytes:
    """An HTTP/1.1 answer; ``_`` in a header's name stands for ``-``."""
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def message_of(request: bytes) -> dict[str, Any]:
    """The JSON-RPC message in a request, ``{}`` for DELETE."""
    body = request.partition(b"\r\n\r\n")[2]
    message: dict[str, Any] = json.loads(body) if body else {}
    return message


def mcp_responder(methods: dict[str, Any] | None = None, **headers: str) -> Callable[[bytes], bytes]:
    """A little MCP server: ``methods`` maps a method to its result, or to a function of the params."""
    answers = {"initialize": HELLO, "ping": {}, "tools/list": {"tools": []}, **(methods or {})}

    def respond(request: bytes) -> bytes:
        message = message_of(request)
        if "id" not in message:
            return http_answer("", "202 Accepted")
        result = answers[message["method"]]
        if callable(result):
            result = result(message.get("params") or {})
        if isinstance(result, bytes):
            return result
        return http_answer({"jsonrpc": "2.0", "id": message["id"], "result": result}, **headers)

    return respond


class Certificate:
    """A certificate with its key in one PEM file, and a context that serves it."""

    def __init__(
        self, path: Path, issuer: Certificate | None = None, *, names: tuple[str, ...] = (), days: int = 1
    ) -> None:
        self.path = path
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, path.stem)])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name if issuer else self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if issuer is not None:
            authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
            builder = builder.add_extension(authority, critical=False)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(x) for x in names]), critical=False
            )
        signed = builder.sign(issuer.key if issuer else self.key, hashes.SHA256())
        self.pem = signed.public_bytes(serialization.Encoding.PEM).decode()
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_text(private.decode() + self.pem)

    @property
    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
