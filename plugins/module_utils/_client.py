# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The API client: typed requests on objects, retries, counting, watching. Knows no manifest and no module."""

from __future__ import annotations

import json
import random
import threading
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    NamespaceTerminating,
    NotFound,
    Outdated,
    PathMissing,
    ServerError,
    Throttled,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource
from ansible_collections.mcpops.gateway.plugins.module_utils._status import Request, parse_status, to_error
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import Answer, Query, Stream, Transport

Object = dict[str, t.Any]
Operations = t.Sequence[Object]

ATTEMPTS = 6
FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
LONGEST_RETRY_AFTER = 30.0
PATIENCE = 60.0
"""Seconds after which a request is not repeated any more, however few attempts there were."""
RETRIED_5XX = (500, 502, 503, 504)
PAGE = 500
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"


class ApiClient:
    """Requests to one API server, safe to use from several threads.

    ``reads`` and ``writes`` count requests sent (retries included); ``warnings`` are those of the API server.
    ``remembered``: kinds known only from an earlier task; Outdated is raised when one of them is not served any more.
    Every method raises the failures of ``_errors``.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        sleep: t.Callable[[float], None] = time.sleep,
        jitter: t.Callable[[], float] = random.random,
    ) -> None:
        self.transport = transport
        self.reads = 0
        self.writes = 0
        self.warnings: list[str] = []
        self.remembered: set[Resource] = set()
        self._sleep = sleep
        self._jitter = jitter
        self._lock = threading.Lock()
        self._answered = False

    @property
    def host(self) -> str:
        """The API server's address."""
        return self.transport.host

    # ---- objects

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """One object, or None when it does not exist."""
        try:
            return self._call(
                Request("get", self.host, resource, namespace, name), "GET", resource.path(namespace, name)
            )
        except NotFound:
            return None

    def list(
        self, resource: Resource, namespace: str | None = None, *, labels: str | None = None, fields: str | None = None
    ) -> tuple[list[Object], str]:
        """Every object of a namespace (or of all) and the resourceVersion to watch from; read in pages."""
        asked = Request("list", self.host, resource, namespace)
        selectors = [("labelSelector", labels), ("fieldSelector", fields)]
        fixed = [(key, value) for key, value in selectors if value]
        items: list[Object] = []
        query = [*fixed, ("limit", str(PAGE))]
        while True:
            try:
                page = self._call(asked, "GET", resource.path(namespace), query=query)
            except Gone:
                if query is fixed:
                    raise
                # The pages took longer than the API server keeps them: take everything at once.
                items, query = [], fixed
                continue
            for item in page.get("items") or []:
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
                items.append(item)
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion") or "")
            query = [*fixed, ("limit", str(PAGE)), ("continue", metadata["continue"])]

    def apply(
        self, resource: Resource, manifest: Object, *, manager: str, force: bool = False, dry_run: bool = False
    ) -> tuple[Object, bool]:
        """Server-side apply. Returns the object as it is now and whether it was created."""
        metadata = manifest["metadata"]
        asked = Request("patch", self.host, resource, metadata.get("namespace"), metadata["name"])
        query = [("fieldManager", manager), ("force", "true" if force else "false")]
        query += [("dryRun", "All")] if dry_run else []
        path = resource.path(metadata.get("namespace"), metadata["name"])
        answer = self._send(asked, "PATCH", path, query=query, body=manifest, content_type=APPLY)
        return _object(answer), answer.status == 201

    def json_patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        operations: Operations,
        *,
        manager: str,
        dry_run: bool = False,
    ) -> Object:
        """RFC 6902 operations; a failed ``test`` raises Invalid."""
        asked = Request("patch", self.host, resource, namespace, name)
        query = [("fieldManager", manager)] + ([("dryRun", "All")] if dry_run else [])
        return self._call(
            asked, "PATCH", resource.path(namespace, name), query=query, body=list(operations), content_type=JSON_PATCH
        )

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Delete one object (only the incarnation ``uid`` when given). False when it was not there."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            options["preconditions"] = {"uid": uid}
        query = [("dryRun", "All")] if dry_run else []
        asked = Request("delete", self.host, resource, namespace, name)
        try:
            self._call(asked, "DELETE", resource.path(namespace, name), query=query, body=options)
        except NotFound:
            return False
        return True

    def watch(
        self,
        resource: Resource,
        namespace: str | None,
        resource_version: str,
        *,
        labels: str | None = None,
        fields: str | None = None,
        timeout: float = 240.0,
    ) -> Stream:
        """Open a watch: an iterator over lines of JSON, each one event. Raises Gone when the version is too old."""
        query = [
            ("watch", "true"),
            ("resourceVersion", resource_version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(max(1, int(timeout)))),
        ]
        query += [(key, value) for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value]
        asked = Request("watch", self.host, resource, namespace)
        self._count("GET")
        stream = self.transport.stream(resource.path(namespace), query=query, timeout=timeout + 15)
        if stream.status >= 300:
            error = to_error(stream.status, parse_status(stream.read()), asked)
            stream.close()
            self._doubt(error, asked)
            raise error
        return stream

    def read_path(self, path: str, accept: str = "") -> Object | None:
        """A document that is no object (discovery, OpenAPI), or None when the server has none there."""
        try:
            return self._call(Request("get", self.host, name=path), "GET", path, accept=accept)
        except NotFound:
            return None

    # ---- requests

    def _call(self, asked: Request, method: str, path: str, **options: t.Any) -> Object:
        return _object(self._send(asked, method, path, **options))

    def _send(
        self,
        asked: Request,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: t.Any = None,
        content_type: str = "",
        accept: str = "",
    ) -> Answer:
        began = time.monotonic()
        for attempt in range(1, ATTEMPTS + 1):
            self._count(method)
            delay: float | None = None
            try:
                answer = self.transport.request(
                    method, path, query=query, body=body, content_type=content_type, accept=accept
                )
                self._answered = True
                self._take_warnings(answer)
                if answer.status < 300:
                    return answer
                refusal = to_error(answer.status, parse_status(answer.body), asked)
                self._doubt(refusal, asked)
                delay = _retry_after(answer) or refusal.retry_after
                error: ApiError | ConnectionFailed = refusal
            except ConnectionFailed as failed:
                error = failed
            late = time.monotonic() - began > PATIENCE
            if attempt == ATTEMPTS or late or not self._worth_repeating(error):
                raise error
            backoff = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (attempt - 1)) * (0.5 + self._jitter() / 2)
            self._sleep(backoff if delay is None else min(delay, LONGEST_RETRY_AFTER) + self._jitter() * FIRST_DELAY)
        raise AssertionError("the loop returns or raises")

    def _worth_repeating(self, error: ApiError | ConnectionFailed) -> bool:
        """409, 429, 5xx and a connection that broke, or cannot be made to a server that has answered before.

        All requests of this client may be repeated: applying is idempotent, a deletion names its object's uid.
        """
        if isinstance(error, ConnectionFailed):
            return error.broke or self._answered
        if isinstance(error, FieldConflict | Forbidden | NamespaceTerminating | Invalid):
            return False
        if isinstance(error, Conflict):
            return not error.of_precondition
        return isinstance(error, Throttled) or (isinstance(error, ServerError) and error.status in RETRIED_5XX)

    def _doubt(self, error: ApiError, asked: Request) -> None:
        if isinstance(error, PathMissing) and asked.resource in self.remembered:
            raise Outdated(error.message)

    def _count(self, method: str) -> None:
        with self._lock:
            if method == "GET":
                self.reads += 1
            else:
                self.writes += 1

    def _take_warnings(self, answer: Answer) -> None:
        for header in answer.headers.get("warning", ()):
            text = header.partition('"')[2].rpartition('"')[0].replace('\\"', '"')
            if text and text not in self.warnings:
                self.warnings.append(text)


def _object(answer: Answer) -> Object:
    try:
        loaded = json.loads(answer.body)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict):
        raise ServerError(
            "The API server answered with something that is not a Kubernetes object; is the address right?",
            status=answer.status,
        )
    return loaded


def _retry_after(answer: Answer) -> float | None:
    value = (answer.headers.get("retry-after") or [""])[0]
    return float(value) if value.isdigit() else None
