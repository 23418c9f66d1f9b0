# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the API: exceptions that carry the Status object a kube-apiserver answers with.

The wording follows k8s.io/apimachinery/pkg/api/errors, because clients and people match on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .fields import FieldError


class Named(Protocol):
    """What an error message needs to know of a resource."""

    @property
    def group(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def kind(self) -> str: ...


class ApiError(Exception):
    """A request is refused; ``status()`` is the body of the answer and ``code`` its HTTP status."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.warnings: list[str] = []
        """Texts for Warning headers, which a refused request gets too."""
        self.text = ""
        """A body to answer with instead of the Status object."""
        self.continue_token = ""
        """For a list that has expired: where an inconsistent one could go on."""

    def status(self) -> dict[str, Any]:
        """The meta/v1 Status object."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def qualified(group: str, name: str) -> str:
    """``name.group``, or only the name for the core group."""
    return f"{name}.{group}" if group else name


def _details(resource: Named, name: str = "") -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def _label(resource: Named) -> str:
    return qualified(resource.group, resource.plural)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Named, name: str, why: str, causes: list[dict[str, str]] | None = None) -> ApiError:
    about = f'{_label(resource)} "{name}"' if name else _label(resource)
    details = _details(resource, name)
    if causes:
        details["causes"] = causes
    return ApiError(403, "Forbidden", f"{about} is forbidden: {why}", details)


def not_found(resource: Named, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{_label(resource)} "{name}" not found', _details(resource, name))


def unknown_path() -> ApiError:
    """404 below a group of built-in kinds."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def left_out(resource: Named, subresource: str) -> ApiError:
    """404 for what a cluster has and this server leaves out."""
    message = f"the server could not find the requested resource: {_label(resource)}/{subresource} is not served here"
    return ApiError(404, "NotFound", message, {})


def page_not_found() -> ApiError:
    """404 where nothing is served at all, as Go's own HTTP server words it."""
    error = ApiError(404, "NotFound", "404 page not found")
    error.text = "404 page not found\n"
    return error


def already_exists(resource: Named, name: str, deleting: bool = False) -> ApiError:
    message = f'{_label(resource)} "{name}" already exists'
    if deleting:
        message = f"object is being deleted: {message}"
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: Named, name: str, why: str = STALE) -> ApiError:
    message = f'Operation cannot be fulfilled on {_label(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def too_large(message: str) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: {message}", {})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(415, "UnsupportedMediaType", message + ", ".join(accepted))


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    message = "406: Not Acceptable\n\nAvailable representations: " + ", ".join(accepted)
    return ApiError(406, "NotAcceptable", message, {})


def method_not_allowed(resource: Named | None = None, action: str = "") -> ApiError:
    if resource is None:
        message = "the server does not allow this method on the requested resource"
        return ApiError(405, "MethodNotAllowed", message, {})
    message = f'{action} is not supported on resources of kind "{_label(resource)}"'
    return ApiError(405, "MethodNotAllowed", message, _details(resource))


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> ApiError:
    """422 with one cause for each field error; the message lists them all, without repetitions."""
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind}
    details = {key: value for key, value in details.items() if value}
    details["causes"] = [error.cause() for error in errors]
    message = f'{qualified(group, kind)} "{name}" is invalid'
    texts = list(dict.fromkeys(str(error) for error in errors))
    if len(texts) == 1:
        message += f": {texts[0]}"
    elif texts:
        message += f": [{', '.join(texts)}]"
    return ApiError(422, "Invalid", message, details)


def unprocessable() -> ApiError:
    """422 for a JSON patch that cannot be carried out."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def internal(why: str) -> ApiError:
    details = {"causes": [{"message": why}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {why}", details)


def too_large_resource_version(wanted: int, current: int) -> ApiError:
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})
