# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The full transport: the dynamic client of the ``openshift`` package, set up by kubernetes.core.

Used only when the settings ask for more than the light transport can do: exec plugins, OIDC and other
auth providers, proxies, user name and password. Discovery of the dynamic client is switched off; only
its ``request`` is used, so both transports look the same from above.
"""

from __future__ import annotations

import http.client
import os
import socket
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings, auth_values
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Answer,
    Query,
    Stream,
    failure,
    tls_context,
)


class _NoDiscovery:
    def __init__(self, client: t.Any, cache_file: t.Any) -> None:
        del client, cache_file


class FullTransport:
    """Requests through the Kubernetes client libraries."""

    def __init__(self, params: t.Mapping[str, t.Any], settings: Settings) -> None:
        try:
            import kubernetes  # noqa: PLC0415 - importing these takes 0.65 s
            import openshift.dynamic  # noqa: PLC0415
            from kubernetes.dynamic import exceptions  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"The cluster settings use {settings.beyond}, which needs the Python libraries kubernetes and "
                f"openshift, and {error.name} is missing; install it, or use a token or a client certificate."
            ) from error
        from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as core  # noqa: PLC0415

        auth = auth_values(params, os.environ)
        try:
            configuration = core._create_configuration(core._create_auth_spec(None, **auth))
        except Exception as error:  # the libraries raise their own, yaml's, subprocess' and plain exceptions here
            raise ConfigError(f"The cluster settings ({settings.beyond}) cannot be used: {error}") from error
        configuration.retries = False  # repeating is the API client's business
        if settings.beyond.startswith("exec ") and not configuration.api_key and not configuration.cert_file:
            raise ConfigError(
                f"The command of {settings.beyond} gave no credentials; run it by hand to see why, or use a token."
            )
        api_client = kubernetes.client.ApiClient(configuration)
        if str(configuration.host).startswith("https:"):
            # The same TLS as the light transport's: the library's own is stricter about CAs since Python 3.13.
            api_client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls_context(_tls(configuration))
        for name, value in core._create_headers(None, **auth).items():
            core._set_header(api_client, name, value)
        self.host = str(configuration.host)
        self._client = openshift.dynamic.DynamicClient(api_client, discoverer=_NoDiscovery)
        self._refused: type[Exception] = exceptions.DynamicApiError

    def request(
        self, method: str, path: str, *, query: Query = (), body: t.Any = None, content_type: str = "", accept: str = ""
    ) -> Answer:
        """Send one request and read its answer."""
        return self._call(
            method, path, query, body, content_type, accept, timeout=READ_TIMEOUT, read=lambda answer: answer.data
        )

    def stream(self, path: str, *, query: Query = (), timeout: float = READ_TIMEOUT) -> Stream:
        """Open an answer that keeps coming; ``timeout`` is the longest silence in seconds."""
        holder: list[t.Any] = []

        def keep(raw: t.Any) -> bytes:
            holder.append(raw)
            return b""

        answer = self._call("GET", path, query, None, "", "", timeout=timeout, read=keep)
        return _FullStream(self.host, answer, holder[0] if holder else None)

    def close(self) -> None:
        """Close the pooled connections."""
        self._client.client.rest_client.pool_manager.clear()

    def _call(  # noqa: PLR0917 - the request, in the order of the protocol
        self,
        method: str,
        path: str,
        query: Query,
        body: t.Any,
        content_type: str,
        accept: str,
        *,
        timeout: float,
        read: t.Callable[[t.Any], t.Any],
    ) -> Answer:
        try:
            raw = self._client.request(
                method,
                path,
                body=body,
                serialize=False,
                query_params=list(query),
                header_params={"Accept": accept or "application/json"},
                content_type=content_type or "application/json",
                _request_timeout=(CONNECT_TIMEOUT, timeout),
            )
            return Answer(raw.status, _headers(raw.headers), read(raw))
        except self._refused as error:
            if not getattr(error, "status", 0):
                raise failure(self.host, _cause(error)) from error
            content = getattr(error, "body", b"") or b""
            content = content if isinstance(content, bytes) else str(content).encode()
            return Answer(int(getattr(error, "status", 0) or 0), _headers(getattr(error, "headers", None)), content)
        except Exception as error:  # urllib3's and the auth plugins' exceptions; no import of them here
            raise failure(self.host, _cause(error)) from error


class _FullStream:
    def __init__(self, host: str, answer: Answer, raw: t.Any) -> None:
        self._host = host
        self._answer = answer
        self._raw = raw
        self._closed = False
        self.status = answer.status

    def __iter__(self) -> t.Iterator[bytes]:
        pending = b""
        try:
            for chunk in self._raw.stream(amt=None, decode_content=True):
                *lines, pending = (pending + chunk).split(b"\n")
                yield from (line + b"\n" for line in lines)
        except Exception as error:  # urllib3's exceptions; also how a closed connection ends
            if not self._closed:
                raise failure(self._host, _cause(error)) from error

    def read(self) -> bytes:
        return self._answer.body

    def close(self) -> None:
        self._closed = True
        # Closing the answer would wait for the thread that reads it; taking the socket away wakes that thread.
        sock = getattr(getattr(self._raw, "_connection", None), "sock", None)
        if isinstance(sock, socket.socket):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                return  # the server was faster


def _tls(configuration: t.Any) -> Settings:
    def text(path: str | None) -> str | None:
        if not path:
            return None
        with open(path, encoding="utf-8") as file:
            return file.read()

    try:
        return Settings(
            ca=text(configuration.ssl_ca_cert),
            client_cert=text(configuration.cert_file),
            client_key=text(configuration.key_file),
            verify=bool(configuration.verify_ssl),
        )
    except OSError as error:
        raise ConfigError(
            f"The file {error.filename} of the cluster settings cannot be read: {error.strerror}."
        ) from error


def _cause(error: BaseException) -> BaseException:
    """What is at the bottom of urllib3's nested exceptions, when it is one that can be told in words."""
    seen: BaseException | None = error
    for _step in range(8):
        if seen is None or isinstance(seen, OSError | http.client.IncompleteRead):
            break
        inner = [getattr(seen, "reason", None), *seen.args, seen.__cause__, seen.__context__]
        seen = next((one for one in inner if isinstance(one, BaseException)), None)
    if type(error).__name__ == "ProxyError" or type(getattr(error, "reason", None)).__name__ == "ProxyError":
        return ConnectionError("the proxy cannot be reached; check the option proxy or proxy-url of the kubeconfig")
    return seen or error


def _headers(headers: t.Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in headers.items() if headers else ():
        found.setdefault(str(name).lower(), []).append(str(value))
    return found
