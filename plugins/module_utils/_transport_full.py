# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The full transport: the dynamic client of the ``openshift`` package over the ``kubernetes`` package.

Used only when the settings ask for more than the light transport can do: exec plugins, OIDC and other auth providers,
proxies. Of the libraries, it uses the public part: ``Configuration`` with its hook for renewed credentials,
``load_kube_config``, and the dynamic client's ``request`` (its discovery is switched off), so both transports look the
same from above. Everything else comes from the same settings as with the light transport.
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import socket
import typing as t
from dataclasses import replace

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Login, Settings
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    USER_AGENT,
    Answer,
    Query,
    Stream,
    authorization,
    failure,
    tls_context,
)


class _NoDiscovery:
    def __init__(self, client: t.Any, cache_file: t.Any) -> None:
        del client, cache_file


class FullTransport:
    """Requests through the Kubernetes client libraries."""

    def __init__(self, settings: Settings) -> None:
        try:  # imported here: these take 0.65 s
            import kubernetes  # noqa: PLC0415
            import openshift.dynamic  # noqa: PLC0415
            import urllib3  # noqa: PLC0415
            from kubernetes.dynamic import exceptions  # noqa: PLC0415
        except ImportError as error:
            raise ConfigError(
                f"The cluster settings use {settings.beyond}, which needs the Python libraries kubernetes and "
                f"openshift, and {error.name} is missing; install it, or use a token or a client certificate."
            ) from error
        if not settings.verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.host = settings.host
        self._settings = settings
        self._proxy_headers = urllib3.util.make_headers(**settings.proxy.headers) if settings.proxy else None
        configuration = kubernetes.client.Configuration()
        if settings.login:
            _log_in(kubernetes.config, configuration, settings.login, settings.beyond)
        self._renew = configuration.refresh_api_key_hook
        self._own_settings(configuration)
        api_client = kubernetes.client.ApiClient(configuration)
        if settings.host.startswith("https:"):
            # The same TLS as the light transport's: the library's own is stricter about CAs since Python 3.13.
            api_client.rest_client.pool_manager.connection_pool_kw["ssl_context"] = tls_context(
                _with_certificate_of(configuration, settings)
            )
        api_client.user_agent = USER_AGENT
        self._client = openshift.dynamic.DynamicClient(api_client, discoverer=_NoDiscovery)
        self._refused: type[Exception] = exceptions.DynamicApiError

    def _own_settings(self, configuration: t.Any) -> None:
        """The library asks for fresh credentials before every request; what else it then resets is set again."""
        settings = self._settings
        if self._renew is not None:
            self._renew(configuration)
        credentials = authorization(settings)
        if credentials:
            configuration.api_key["BearerToken"] = credentials
        configuration.host = settings.host
        configuration.retries = False  # repeating is the API client's business
        configuration.verify_ssl = settings.verify
        configuration.tls_server_name = settings.server_name
        # Empty, not None, which would mean the variables of the environment; they are in the settings already.
        configuration.proxy = settings.proxy.url if settings.proxy else ""
        configuration.no_proxy = ""
        configuration.proxy_headers = self._proxy_headers
        configuration.refresh_api_key_hook = self._own_settings

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
                header_params={"Accept": accept or "application/json", **_spelled(self._settings.headers)},
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
        except ConfigError:
            raise
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
            if pending:
                raise http.client.IncompleteRead(pending)
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


def _log_in(config: t.Any, configuration: t.Any, login: Login, way: str) -> None:
    """Let the library get the credentials. What it logs instead of raising is the reason when there are none."""
    options = {"context": login.context, "client_configuration": configuration, "persist_config": login.persist}
    with _heard() as said:
        try:
            if isinstance(login.kubeconfig, dict):
                config.load_kube_config_from_dict(login.kubeconfig, **options)
            else:
                config.load_kube_config(os.path.expanduser(login.kubeconfig), **options)
        except Exception as error:  # the libraries raise their own, yaml's, subprocess' and plain exceptions here
            raise ConfigError(f"The cluster settings ({way}) cannot be used: {error}") from error
    if not configuration.api_key and not configuration.cert_file:
        why = f": {' '.join(' '.join(said).split())}" if said else ""
        raise ConfigError(
            f"The command or provider of {way} gave no credentials{why}; run it by hand to see why, or use a token."
        )


@contextlib.contextmanager
def _heard() -> t.Iterator[list[str]]:
    """What is logged meanwhile, for the message of a failure."""
    said: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]  # a subclass would say no more
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield said
    finally:
        root.removeHandler(handler)


def _with_certificate_of(configuration: t.Any, settings: Settings) -> Settings:
    """With the client certificate that an exec plugin gave, which the library keeps in files."""
    if settings.client_cert or not configuration.cert_file:
        return settings
    try:
        with (
            open(configuration.cert_file, encoding="utf-8") as certificate,
            open(configuration.key_file, encoding="utf-8") as key,
        ):
            return replace(settings, client_cert=certificate.read(), client_key=key.read())
    except OSError as error:
        raise ConfigError(
            f"The file {error.filename} of the cluster settings cannot be read: {error.strerror}."
        ) from error


def _spelled(headers: t.Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers as the library takes them, in a dict. A name that repeats is spelled in another case there, which is the
    same to HTTP.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        spelled, place = name, 0
        while spelled in found:
            spelled = "".join(letter.swapcase() if place >> bit & 1 else letter for bit, letter in enumerate(name))
            place += 1
        found[spelled] = value
    return found


def _cause(error: BaseException) -> BaseException:
    """What is at the bottom of urllib3's nested exceptions, when it is one that can be told in words."""
    if type(error).__name__ in {"InvalidChunkLength", "ProtocolError"} and "premature" in str(error):
        return http.client.IncompleteRead(b"")
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
