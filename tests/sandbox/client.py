# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small asynchronous Kubernetes API client for the sandbox's controllers.

It speaks plain JSON to any Kubernetes API server (the embedded one, envtest, a cluster) and imports
nothing heavy, because the controllers share one small process.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp
import yaml

Object = dict[str, Any]

APPLY_PATCH = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
LIST_PAGE = 500
"""Objects asked for in one LIST request; longer lists are read page by page."""
WATCH_SECONDS = 290
"""How long one watch request may last before the server ends it and the caller opens the next one."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API: where it is served and what its objects are called."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """``group/version``, or only the version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def crd_name(self) -> str:
        """Name of the CustomResourceDefinition that serves it, if one does."""
        return f"{self.plural}.{self.group}"

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path of the collection, of one object, or of a subresource of one object."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


class ApiError(Exception):
    """The API server refused a request (``code`` is the HTTP status) or was not reached (``code`` is 0)."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{message} ({code} {reason})" if code else f"{message} ({reason})")
        self.code = code
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        """The object, or the resource itself, is not there."""
        return self.code == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        """A stale resourceVersion, a field owned by somebody else, or a name that is taken."""
        return self.code == HTTPStatus.CONFLICT

    @property
    def gone(self) -> bool:
        """The resourceVersion is too old to watch from: list again."""
        return self.code == HTTPStatus.GONE


def _error_from(code: int, text: str) -> ApiError:
    """The typed error for an answer: a Status object, or the plain text that a missing path gets."""
    try:
        status = json.loads(text)
    except ValueError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return ApiError(int(status.get("code") or code), status.get("reason") or "", status.get("message") or "")
    reason = http.client.responses.get(code, "Unknown").replace(" ", "")
    return ApiError(code, reason, text.strip()[:300] or reason)


class Client:
    """Requests to one API server. Every method raises `ApiError`; objects are plain dictionaries."""

    def __init__(
        self,
        server: str,
        *,
        tls: ssl.SSLContext | None = None,
        token: str | None = None,
        user_agent: str = "mcpops-sandbox",
    ) -> None:
        self.server = server.rstrip("/")
        self._tls = tls
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(
        cls, path: str | Path, *, context: str | None = None, user_agent: str = "mcpops-sandbox"
    ) -> Client:
        """A client for the kubeconfig's current (or named) context: bearer token or client certificate.

        Raises ValueError when the file lacks the context or asks for a way of signing in that is not
        supported here.
        """
        base = Path(path).resolve().parent
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        wanted = context or config.get("current-context")
        chosen = _named(config, "contexts", wanted, path).get("context", {})
        cluster = _named(config, "clusters", chosen.get("cluster"), path).get("cluster", {})
        user = _named(config, "users", chosen.get("user"), path).get("user") or {}
        token = user.get("token")
        if not token and user.get("tokenFile"):
            token = (base / user["tokenFile"]).read_text(encoding="utf-8").strip()
        has_certificate = "client-certificate" in user or "client-certificate-data" in user
        if not token and not has_certificate and ({"exec", "auth-provider", "username"} & set(user)):
            raise ValueError(
                f"{path}: user {chosen.get('user')!r} signs in by {', '.join(sorted(user))}; "
                "the sandbox's controllers need a token or a client certificate"
            )
        tls = _tls_context(cluster, user, base) if str(cluster.get("server", "")).startswith("https") else None
        return cls(cluster["server"], tls=tls, token=token, user_agent=user_agent)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection, watches included."""
        if self._session:
            await self._session.close()
            self._session = None

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls or True, limit=0),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=10),
            )
        return self._session

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float = 30,  # noqa: ASYNC109  (handed to aiohttp, which ends the whole request)
    ) -> Object:
        """Sends one request and returns the decoded answer; ``timeout`` is in seconds."""
        url = self._url(path, query)
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Content-Type": content_type} if data is not None else None
        limit = aiohttp.ClientTimeout(total=timeout, connect=10)
        try:
            async with self._http().request(method, url, data=data, headers=headers, timeout=limit) as answer:
                text = await answer.text(encoding="utf-8")
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ApiError(0, "Unreachable", f"{method} {url}: {error or type(error).__name__}") from error
        if answer.status >= 400:
            raise _error_from(answer.status, text)
        return dict(json.loads(text))

    def _url(self, path: str, query: Mapping[str, str | None] | None) -> str:
        pairs = {key: value for key, value in (query or {}).items() if value is not None}
        return f"{self.server}{path}?{urlencode(pairs)}" if pairs else f"{self.server}{path}"

    async def get(self, res: Resource, name: str, ns: str | None = None) -> Object | None:
        """The object, or None when it (or its resource) does not exist."""
        try:
            return await self.request("GET", res.path(ns, name))
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def list(
        self, res: Resource, ns: str | None = None, label_selector: str | None = None
    ) -> tuple[list[Object], str]:
        """All objects of a namespace (or of every namespace) and the resourceVersion to watch from."""
        items: list[Object] = []
        query: dict[str, str | None] = {"labelSelector": label_selector, "limit": str(LIST_PAGE)}
        while True:
            page = await self.request("GET", res.path(ns), query=query)
            for item in page.get("items") or []:
                items.append({"apiVersion": res.api_version, "kind": res.kind, **item})
            meta = page.get("metadata", {})
            if not meta.get("continue"):
                return items, str(meta.get("resourceVersion", ""))
            query["continue"] = meta["continue"]

    async def create(self, res: Resource, obj: Object, *, field_manager: str | None = None) -> Object:
        """Creates the object in the namespace that its metadata names."""
        body = {"apiVersion": res.api_version, "kind": res.kind, **obj}
        path = res.path(obj["metadata"].get("namespace"))
        return await self.request("POST", path, query={"fieldManager": field_manager}, body=body)

    async def replace(
        self, res: Resource, obj: Object, *, subresource: str | None = None, field_manager: str | None = None
    ) -> Object:
        """Replaces the object; a stale metadata.resourceVersion is a conflict (409)."""
        body = {"apiVersion": res.api_version, "kind": res.kind, **obj}
        meta = obj["metadata"]
        path = res.path(meta.get("namespace"), meta["name"], subresource)
        return await self.request("PUT", path, query={"fieldManager": field_manager}, body=body)

    async def apply(
        self,
        res: Resource,
        obj: Object,
        *,
        field_manager: str,
        force: bool = True,
        subresource: str | None = None,
    ) -> Object:
        """Server-side apply: states the fields that ``field_manager`` wants; creates an absent object."""
        body = {"apiVersion": res.api_version, "kind": res.kind, **obj}
        meta = obj["metadata"]
        path = res.path(meta.get("namespace"), meta["name"], subresource)
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        return await self.request("PATCH", path, query=query, body=body, content_type=APPLY_PATCH)

    async def merge_patch(
        self,
        res: Resource,
        name: str,
        ns: str | None,
        body: Object,
        subresource: str | None = None,
        *,
        field_manager: str | None = None,
    ) -> Object:
        """JSON merge patch (RFC 7386): None removes a field, lists are replaced whole."""
        path = res.path(ns, name, subresource)
        query = {"fieldManager": field_manager}
        return await self.request("PATCH", path, query=query, body=body, content_type=MERGE_PATCH)

    async def delete(
        self,
        res: Resource,
        name: str,
        ns: str | None = None,
        *,
        uid: str | None = None,
        propagation: str = "Background",
        grace: int | None = None,
    ) -> Object | None:
        """Deletes the object (only the one with ``uid``, if given); None when it was already gone.

        ``grace`` is the time in seconds that a pod has to end; 0 removes it at once.
        """
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            return await self.request("DELETE", res.path(ns, name), body=options)
        except ApiError as error:
            if error.not_found:
                return None
            raise

    async def watch(self, res: Resource, ns: str | None, resource_version: str) -> AsyncIterator[Object]:
        """Events (``type`` and ``object``) after ``resource_version`` until the server ends the watch.

        Bookmarks are passed on, so that the caller can keep its resourceVersion fresh. An ERROR event
        (for example 410, the version is too old) is raised as `ApiError`.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        url = self._url(res.path(ns), query)
        limit = aiohttp.ClientTimeout(total=None, connect=10, sock_read=WATCH_SECONDS + 30)
        try:
            async with self._http().get(url, timeout=limit) as answer:
                if answer.status >= 400:
                    raise _error_from(answer.status, await answer.text())
                rest = b""
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in filter(None, lines):
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            raise _error_from(0, json.dumps(event["object"]))
                        yield event
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ApiError(0, "Unreachable", f"GET {url}: {error or type(error).__name__}") from error


def _named(config: Object, section: str, name: str | None, path: str | Path) -> Object:
    """The entry called ``name`` in a kubeconfig's section."""
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return dict(entry)
    raise ValueError(f"{path}: {section} has no entry named {name!r}")


def _tls_context(cluster: Object, user: Object, base: Path) -> ssl.SSLContext:
    """The TLS settings that a kubeconfig's cluster and user entries ask for."""

    def pem(entry: Object, key: str) -> str | None:
        if entry.get(f"{key}-data"):
            return base64.b64decode(entry[f"{key}-data"]).decode()
        return (base / entry[key]).read_text(encoding="utf-8") if entry.get(key) else None

    context = ssl.create_default_context(cadata=pem(cluster, "certificate-authority"))
    # Python 3.13 refuses authorities without a key usage extension; Kubernetes' own clients accept them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = pem(user, "client-certificate"), pem(user, "client-key")
    if certificate and key:
        # The ssl module reads certificates from files only; the directory is private and gone right after.
        with tempfile.TemporaryDirectory(prefix="sandbox-client-") as folder:
            joined = Path(folder) / "client.pem"
            joined.touch(mode=0o600)
            joined.write_text(f"{certificate}\n{key}\n", encoding="utf-8")
            context.load_cert_chain(joined)
    return context
