# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request asks for, read from its method, path and query (the rules of RequestInfo in k8s.io/apiserver)."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import bad_request
from .http import Request

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = {"status", "finalize"}


@dataclass(frozen=True)
class RequestInfo:
    """A request's meaning. ``resource`` is empty for paths that name none (/version, /openapi/v3 …)."""

    verb: str
    target: str
    path: str
    group: str = ""
    version: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    extra: tuple[str, ...] = ()
    """Path segments after the subresource."""
    only: str = ""
    """The one object that the field selector of a list names: a right to that object is enough for it."""

    @classmethod
    def of(cls, request: Request) -> RequestInfo:
        """Read method, path and query; nothing is checked against what is served."""
        path = request.path
        parts = path.strip("/").split("/")
        group, version, rest = _api(parts)
        if not rest:
            return cls(request.method.lower(), request.target, path, group, version)
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 1:
            namespace = rest[1]
            if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
                rest = rest[2:]
        name = rest[1] if len(rest) > 1 else ""
        subresource = rest[2] if len(rest) > 2 else ""
        verb = _VERBS.get(request.method, request.method.lower())
        only = ""
        if not name:
            only = _only(request.query.get("fieldSelector", ""))
            verb = {"get": "list", "delete": "deletecollection"}.get(verb, verb)
            if verb == "list" and flag(request.query, "watch"):
                verb = "watch"
        return cls(
            verb, request.target, path, group, version, rest[0], namespace, name, subresource, tuple(rest[3:]), only
        )


def _only(selector: str) -> str:
    for part in selector.split(","):
        field, _, name = part.replace("==", "=").partition("=")
        if field == "metadata.name":
            return name
    return ""


def _api(parts: list[str]) -> tuple[str, str, list[str]]:
    """Group, version and the remaining segments; empty strings when the path is not below /api or /apis."""
    if parts[0] == "api" and len(parts) > 1:
        return "", parts[1], parts[2:]
    if parts[0] == "apis" and len(parts) > 2:
        return parts[1], parts[2], parts[3:]
    return "", "", []


def flag(query: dict[str, str], name: str) -> bool:
    """A boolean query parameter: anything but false and 0 means true, as apimachinery converts it."""
    return name in query and query[name].lower() not in ("false", "0")


def integer(query: dict[str, str], name: str) -> int | None:
    """An integer query parameter, or None when it is not given."""
    value = query.get(name, "")
    if not value:
        return None
    try:
        return int(value)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None
