# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# ruff: noqa: N818 - named in the words of the API: Forbidden, NotFound, Conflict
# This module_util is PRIVATE to the collection: it may change at any time.

"""Typed failures, each one sentence that a person can act on.

Raised wherever something is found wrong, turned into ``fail_json`` in one place (``_module.run``).
"""

from __future__ import annotations

import typing as t


class McpopsError(Exception):
    """Base of all failures: ``message`` is one sentence (object, field, value, why, what to do)."""

    def __init__(self, message: str, **details: t.Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ConfigError(McpopsError):
    """The connection settings or a module option cannot be used."""


class ManifestError(McpopsError):
    """A manifest given by the user is not a usable Kubernetes object."""


class Refused(McpopsError):
    """A check before writing found that the API or a controller would refuse the wish."""


class ConnectionFailed(McpopsError):
    """The API server could not be reached, or the connection broke and retries did not help.

    ``broke``: there was a connection, and it ended before the answer did.
    """

    def __init__(self, message: str, *, broke: bool = False, **details: t.Any) -> None:
        super().__init__(message, **details)
        self.broke = broke


class KindNotServed(McpopsError):
    """The cluster does not serve the kind (its CustomResourceDefinition is not installed)."""


class WaitTimeout(McpopsError):
    """What was waited for did not happen before the deadline."""


class WaitFailed(McpopsError):
    """What was waited for can no longer happen without a change."""


class ApiError(McpopsError):
    """The API server answered with a failure Status."""

    def __init__(self, message: str, *, status: int = 0, reason: str = "", **details: t.Any) -> None:
        super().__init__(message, **details)
        self.status = status
        self.reason = reason
        self.retry_after: float | None = None
        """Seconds after which the API server asks to try again."""


class Unauthorized(ApiError):
    """401: the credentials were not accepted."""


class Forbidden(ApiError):
    """403: the user may not do this, or admission refused it."""


class NotFound(ApiError):
    """404: the object (or its namespace) does not exist."""


class PathMissing(NotFound):
    """404 without a Status: the API server has nothing at all at this address, not even the kind."""


class Outdated(McpopsError):
    """What was remembered from an earlier task about a kind is not true any more: the job has to begin again."""


class NamespaceMissing(NotFound):
    """404 on a write because the namespace does not exist."""


class NamespaceTerminating(ApiError):
    """403 on a write because the namespace is being deleted."""


class Conflict(ApiError):
    """409 that goes away when the request is repeated on the newest state."""

    @property
    def of_precondition(self) -> bool:
        """Whether the object is another one than the request was for (its uid differs): repeating does not help."""
        return "Precondition failed" in self.message


class FieldConflict(ApiError):
    """409 of server-side apply: another field manager owns a field with another value.

    ``details["conflicts"]``: one a manager, with its ``fields``; ``declared`` when it uses server-side apply itself.
    """


class Invalid(ApiError):
    """400 or 422: the API server refused the object's content."""


class Gone(ApiError):
    """410: the resourceVersion or continue token is too old."""


class Throttled(ApiError):
    """429 that did not go away."""


class ServerError(ApiError):
    """5xx that did not go away."""
