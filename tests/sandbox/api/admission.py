# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object in a request must be like before its kind's own rules are asked."""

from __future__ import annotations

from typing import Any

from . import errors
from .decoding import DecodingError
from .errors import ApiError
from .fields import invalid_value
from .objects import Object, encode
from .options import WriteOptions, strict_error
from .resources import Catalog, Resource


def decode(catalog: Catalog, resource: Resource, obj: Object, options: WriteOptions, patched: bool = False) -> None:
    """Bring an object into the shape of its kind, defaults included.

    Unknown fields are removed, with a warning or an error as ``fieldValidation`` asks. Raises 400, and 422 instead
    when the object is the result of a patch.
    """
    check_kind(catalog, resource, obj)
    whole = encode(obj).decode() if patched else ""
    try:
        unknown = resource.strategy.decode(obj)
    except DecodingError as error:
        if patched:
            raise errors.invalid("", "", "", [invalid_value("patch", whole, str(error))]) from error
        kind, version = resource.kind, resource.version
        raise errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from error
    if not unknown or options.validation == "Ignore":
        return
    problems = [f'unknown field "{path}"' for path in unknown]
    if options.validation == "Warn":
        options.warnings += problems
    elif patched:
        detail = f"strict decoding error: {', '.join(problems)}"
        raise errors.invalid("", "", "", [invalid_value("patch", whole, detail)])
    else:
        raise strict_error(resource.kind, resource.version, unknown)


def check_kind(catalog: Catalog, resource: Resource, obj: Any) -> None:
    """Refuse an object of another kind or version; one that does not say gets what the path says. Raises 400."""
    check_metadata(obj)
    version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    if resource.custom:
        if version != resource.api_version:
            raise errors.bad_request(_wrong_version(resource, version))
        return  # a wrong kind is an error of validation
    if (version or resource.api_version, kind or resource.kind) != (resource.api_version, resource.kind):
        if version not in ("", resource.api_version) and kind in ("", resource.kind):
            raise errors.bad_request(_wrong_version(resource, version))
        known = catalog.of_kind(version or resource.api_version, kind) is not None
        raise errors.bad_request(_wrong_kind(resource, version, kind, known))
    obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind


def check_applied_kind(resource: Resource, obj: Any) -> None:
    """Refuse an apply configuration that does not name exactly the kind and version of the path. Raises 400."""
    check_metadata(obj)
    version, kind = obj.get("apiVersion") or "/", obj.get("kind") or ""
    if (version, kind) != (resource.api_version, resource.kind):
        group, _, number = version.rpartition("/")
        raise errors.bad_request(f"invalid object type: {group}/{number}, Kind={kind}")


def check_metadata(obj: Any) -> None:
    """Make sure that there is metadata. Raises 400 for what is no object."""
    if not isinstance(obj, dict):
        raise errors.bad_request("the body of the request is not an object")
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    if not isinstance(obj["metadata"], dict):
        raise errors.bad_request("metadata is not an object")


def match_namespace(resource: Resource, namespace: str, metadata: Object) -> None:
    """Put the namespace of the path into the object. Raises 400 when the object is in another one."""
    stated = metadata.get("namespace") or ""
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not stated:
        metadata["namespace"] = namespace
    elif stated != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def match_name(name: str, metadata: Object, required: bool = False) -> None:
    """Put the name of the path into the object. Raises 400 when it has another one, or none and must have one."""
    given = metadata.get("name") or ""
    if not given and required:
        raise errors.bad_request("name must be provided")
    if given and given != name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")
    metadata["name"] = name


def namespace_terminating(resource: Resource, name: str, namespace: str) -> ApiError:
    """403 for new objects in a namespace that is being deleted."""
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {namespace} is being terminated",
        "field": "metadata.namespace",
    }
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return errors.forbidden(resource, name, why, [cause])


def definition_terminating(resource: Resource) -> ApiError:
    """405 for new objects of a custom resource that is being deleted."""
    action = "create not allowed while custom resource definition is terminating"
    return errors.method_not_allowed(resource, action)


def _wrong_version(resource: Resource, version: str) -> str:
    return f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"


def _wrong_kind(resource: Resource, version: str, kind: str, known: bool) -> str:
    why = f"converting (v1.{kind}) to (core.{resource.kind}): unknown conversion"
    if not known:
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
    number = version.rpartition("/")[2]
    return f'{kind} in version "{number}" cannot be handled as a {resource.kind}: {why}'
