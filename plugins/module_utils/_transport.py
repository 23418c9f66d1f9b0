# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The light transport: HTTP/1.1 over TLS with kept-alive connections, from the standard library alone.

Importing the full Kubernetes client costs 0.65 s a task; a token or a certificate needs none of it.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import socket
import ssl
import tempfile
import threading
import typing as t
import urllib.parse
import zlib

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, ConnectionFailed
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
USER_AGENT = "mcpops.gateway"

BROKEN = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, ssl.SSLEOFError, http.client.IncompleteRead)
"""How a connection ends that was there (RemoteDisconnected of http.client is a ConnectionResetError)."""

Query = t.Sequence[tuple[str, str]]


class Answer(t.NamedTuple):
    """An HTTP answer; header names in lower case, repeated headers as a list."""

    status: int
    headers: dict[str, list[str]]
    body: bytes


class Stream(t.Protocol):
    """Lines of an open answer. ``close`` may be called from another thread and ends the iteration."""

    status: int

    def __iter__(self) -> t.Iterator[bytes]: ...

    def read(self) -> bytes:
        """The whole rest, for an answer that is an error."""

    def close(self) -> None: ...


class Transport(t.Protocol):
    """All that the API client asks of a connection. Raises ConnectionFailed."""

    host: str

    def request(
        self, method: str, path: str, *, query: Query = (), body: t.Any = None, content_type: str = "", accept: str = ""
    ) -> Answer: ...

    def stream(self, path: str, *, query: Query = (), timeout: float = READ_TIMEOUT) -> Stream: ...

    def close(self) -> None: ...


def failure(host: str, error: BaseException) -> ConnectionFailed:
    """One sentence for why the API server cannot be reached."""
    broke = isinstance(error, BROKEN)
    said = f"The connection to the API server {host} broke" if broke else f"The API server {host} cannot be reached"
    return ConnectionFailed(f"{said}: {_reason(error)}.", broke=broke)


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved; check the host in the kubeconfig or the option host"
    if isinstance(error, ConnectionRefusedError):
        return (
            "nothing accepts connections there (connection refused); check the address and that the cluster is running"
        )
    if isinstance(error, TimeoutError):
        return "it did not answer in time; check the address and the network"
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message
        return f"its TLS certificate is not trusted ({why}); give the right CA in ca_cert or the kubeconfig"
    if isinstance(error, BROKEN):
        return "it was closed before the answer was complete; the API server, or a proxy before it, may be restarting"
    if isinstance(error, ssl.SSLError):
        hint = "; does it speak plain HTTP?" if error.reason == "WRONG_VERSION_NUMBER" else ""
        return f"TLS failed ({(error.reason or str(error)).replace('_', ' ').lower()}){hint}"
    if isinstance(error, http.client.HTTPException):
        return f"it does not answer in HTTP ({type(error).__name__})"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


class LightTransport:
    """Connections to one API server, kept alive and shared by threads."""

    def __init__(self, settings: Settings) -> None:
        url = urllib.parse.urlsplit(settings.host)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ConfigError(
                f"The API server address {settings.host} is not a URL such as https://api.example.com:6443."
            )
        self.host = settings.host
        self._settings = settings
        self._name = url.hostname
        try:
            self._port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError as error:
            raise ConfigError(f"The API server address {settings.host} has no valid port.") from error
        self._prefix = url.path.rstrip("/")
        self._context = tls_context(settings) if url.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def request(
        self, method: str, path: str, *, query: Query = (), body: t.Any = None, content_type: str = "", accept: str = ""
    ) -> Answer:
        """Send one request and read its answer; a kept-alive connection that turns out dead is replaced once."""
        payload = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        while True:
            connection, reused = self._take(READ_TIMEOUT)
            try:
                self._send(connection, method, path, query, payload=payload, content_type=content_type, accept=accept)
                response = connection.getresponse()
                content = _plain(response)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if reused and not isinstance(error, TimeoutError):
                    continue
                raise failure(self.host, error) from error
            except BaseException:
                connection.close()
                raise
            if response.will_close:
                connection.close()
            else:
                with self._lock:
                    self._idle.append(connection)
            return Answer(response.status, _headers(response), content)

    def stream(self, path: str, *, query: Query = (), timeout: float = READ_TIMEOUT) -> Stream:
        """Open an answer that keeps coming; ``timeout`` is the longest silence in seconds."""
        connection = self._open(timeout)
        try:
            self._send(connection, "GET", path, query)
            return _LightStream(self.host, connection, connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise failure(self.host, error) from error

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self._open(timeout), False

    def _open(self, timeout: float) -> http.client.HTTPConnection:
        connection = _Connection(self._name, self._port, self._context, self._settings.server_name or self._name)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise failure(self.host, error) from error
        connection.sock.settimeout(timeout)
        return connection

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        query: Query,
        *,
        payload: bytes | None = None,
        content_type: str = "",
        accept: str = "",
    ) -> None:
        target = self._prefix + path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection.putrequest(method, target, skip_accept_encoding=True)
        connection.putheader("User-Agent", USER_AGENT)
        connection.putheader("Accept", accept or "application/json")
        credentials = authorization(self._settings)
        if credentials:
            connection.putheader("Authorization", credentials)
        for name, value in self._settings.headers:
            connection.putheader(name, value)
        if payload is not None:
            connection.putheader("Content-Type", content_type or "application/json")
            connection.putheader("Content-Length", str(len(payload)))
        connection.endheaders(payload)


class _Connection(http.client.HTTPConnection):
    """A connection that may verify another TLS name than the one it dials (kubeconfig: tls-server-name)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, server_name: str) -> None:
        super().__init__(host, port, timeout=CONNECT_TIMEOUT)
        self._tls = context
        self._server_name = server_name

    def connect(self) -> None:
        super().connect()
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


class _LightStream:
    def __init__(self, host: str, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._host = host
        self._connection = connection
        self._response = response
        self._closed = False
        self.status = response.status

    def __iter__(self) -> t.Iterator[bytes]:
        try:
            while line := self._response.readline():
                if not line.endswith(b"\n"):
                    raise http.client.IncompleteRead(line)
                yield line
        except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
            # ValueError and AttributeError are how http.client and ssl report a socket that close() took away.
            if not self._closed:
                raise failure(self._host, error) from error

    def read(self) -> bytes:
        try:
            return self._response.read()
        except (OSError, http.client.HTTPException) as error:
            raise failure(self._host, error) from error

    def close(self) -> None:
        self._closed = True
        sock = self._connection.sock
        if sock is not None:
            try:
                # Below the TLS layer: wakes a thread that is reading, without touching its TLS state.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                return  # the server was faster


def _plain(response: http.client.HTTPResponse) -> bytes:
    """The body; it was not asked to be compressed, yet a proxy may do so."""
    content = response.read()
    if response.headers.get("content-encoding", "").lower() != "gzip":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error) as error:
        raise http.client.IncompleteRead(content) from error


def _headers(response: http.client.HTTPResponse) -> dict[str, list[str]]:
    headers: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        headers.setdefault(name.lower(), []).append(value)
    return headers


def authorization(settings: Settings) -> str:
    """The header of that name, empty without token or password. A token's file is read anew. Raises ConfigError."""
    token = settings.token
    if settings.token_file is not None:
        try:
            with open(settings.token_file, encoding="utf-8") as file:
                token = file.read().strip()
        except OSError as error:
            raise ConfigError(f"The token file {settings.token_file} cannot be read: {error.strerror}.") from error
    if token:
        return f"Bearer {token}"
    return f"Basic {settings.basic}" if settings.basic else ""


def tls_context(settings: Settings) -> ssl.SSLContext:
    """TLS as the settings ask: the given CA, or the system's when there is none.

    Not ``create_default_context``: since Python 3.13 that also asks for certificate extensions which
    the CAs of many clusters do not have. Raises ConfigError on material that is not PEM.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif settings.ca:
        try:
            context.load_verify_locations(cadata=settings.ca)
        except ssl.SSLError as error:
            raise ConfigError("The CA certificate given for the API server is not PEM certificates.") from error
    else:
        context.load_default_certs()
    if settings.client_cert:
        _load_client_certificate(context, settings.client_cert, settings.client_key)
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    if key and "ENCRYPTED" in key:
        raise ConfigError(
            "The client key given for the API server is encrypted, and nobody can be asked for its passphrase "
            "here; give a key without one (openssl pkey -in KEY -out PLAIN)."
        )
    # ssl reads certificate and key from files only; the file lives for this one call and is readable by us alone.
    handle, path = tempfile.mkstemp(prefix="mcpops-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(certificate.rstrip("\n") + "\n" + (key or ""))
        context.load_cert_chain(path)
    except ssl.SSLError as error:
        raise ConfigError(
            "The client certificate and client key given for the API server do not fit together."
        ) from error
    finally:
        os.unlink(path)
