# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers at paths that name no resource: health, version, discovery, OpenAPI."""

from __future__ import annotations

from .discovery import AGGREGATED, Discovery
from .errors import ApiError, method_not_allowed, page_not_found, unknown_path
from .http import Request, Response
from .objects import Object, encode
from .openapi import VERSION, OpenApi
from .requests import RequestInfo
from .resources import Catalog

_HEALTH = ("/healthz", "/livez", "/readyz")
_KNOWN = ("/api", "/apis", "/version", "/openapi/v2", "/openapi/v3")


class Pages:
    """What is found at such paths."""

    def __init__(self, catalog: Catalog, openapi: OpenApi) -> None:
        self._openapi = openapi
        self._discovery = Discovery(catalog)
        self._builtin_groups = {resource.group for resource in catalog if not resource.custom}

    def answer(self, request: Request, info: RequestInfo) -> Response:
        """The page at a path. Raises 404, and 405 for methods other than GET."""
        path = info.path.rstrip("/")
        if request.method != "GET" and (path in _KNOWN or info.version):
            raise method_not_allowed()
        if path in _HEALTH:
            return Response(200, b"ok", "text/plain; charset=utf-8")
        if path == "/openapi/v2":
            return Response(200, *self._openapi.v2(request.headers.get("accept", "")))
        if path in ("/api", "/apis"):
            return self._groups(request, core=path == "/api")
        found = self._document(path, info)
        if found is None:
            raise self.nothing(info)
        return Response(200, encode(found))

    def nothing(self, info: RequestInfo) -> ApiError:
        """404: groups of built-in kinds answer with a Status, everything else with the plain text of a web server."""
        return unknown_path() if info.version and info.group in self._builtin_groups else page_not_found()

    def has_version(self, group: str, version: str) -> bool:
        """Whether a version of a group is served."""
        return self._discovery.resource_list(group, version) is not None

    def _document(self, path: str, info: RequestInfo) -> Object | None:
        match path.strip("/").split("/"):
            case ["version"]:
                return _version()
            case ["openapi", "v3"]:
                return self._openapi.index()
            case ["openapi", "v3", "api", version]:
                return self._openapi.v3("", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._openapi.v3(group, version)
            case ["apis", group]:
                return self._discovery.group(group)
        return self._discovery.resource_list(info.group, info.version) if info.version else None

    def _groups(self, request: Request, core: bool) -> Response:
        accept = request.headers.get("accept", "").replace(" ", "")
        if f"g={AGGREGATED}" in accept and "v=v2;" in f"{accept};".replace(",", ";"):
            media = f"application/json;g={AGGREGATED};v=v2;as=APIGroupDiscoveryList"
            return Response(200, encode(self._discovery.aggregated(core)), media)
        body = self._discovery.core_versions(request.headers.get("host", "")) if core else self._discovery.group_list()
        return Response(200, encode(body))


def _version() -> Object:
    major, minor, _ = VERSION.removeprefix("v").split(".")
    known = {"major": major, "minor": minor, "gitVersion": VERSION, "gitTreeState": "clean", "platform": "linux/amd64"}
    return {**known, "gitCommit": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": ""}
