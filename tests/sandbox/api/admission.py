# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an object in a request must be like before its kind's own rules are asked."""

from __future__ import annotations

from typing import Any

from . import errors
from .decoding import DecodingError, json_type, shape
from .errors import ApiError
from .fields import invalid_value
from .objects import Object, encode
from .options import WriteOptions, strict_error
from .resources import Catalog, Resource
from .schema import EMBEDDED_FIELDS


def decode(catalog: Catalog, resource: Resource, obj: Object, options: WriteOptions, patched: bool = False) -> None:
    """Bring an object into the shape of its kind, defaults included.

    Unknown fields are removed, with a warning or an error as ``fieldValidation`` asks. Raises 400, and 422 instead
    when the object is the result of a patch.
    """
    whole = encode(obj).decode() if patched else ""
    try:
        _check_kind(catalog, resource, obj)
        unknown = resource.strategy.decode(obj)
        if resource.custom:
            unknown += [f"metadata.{name}" for name in shape(obj["metadata"], EMBEDDED_FIELDS["metadata"])]
    except DecodingError as error:
        if patched:
            raise errors.invalid("", "", "", [invalid_value("patch", whole, str(error))]) from error
        kind, version = obj.get("kind"), (obj.get("apiVersion") or "").rpartition("/")[2]
        message = f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {error}'
        raise errors.bad_request(message) from error
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


def _check_kind(catalog: Catalog, resource: Resource, obj: Any) -> None:
    """Refuse an object of another kind or version; one that does not say gets what the path says."""
    if not isinstance(obj, dict):
        raise errors.bad_request("the body of the request is not an object")
    version, kind = obj.get("apiVersion") or "", obj.get("kind") or ""
    if resource.custom and version != resource.api_version:
        expected = f"does not match the expected API version ({resource.api_version})"
        raise errors.bad_request(f"the API version in the data ({version}) {expected}")
    if not resource.custom:  # a wrong kind of custom resource is an error of validation
        obj["apiVersion"], obj["kind"] = version or resource.api_version, kind or resource.kind
        if (obj["apiVersion"], obj["kind"]) != (resource.api_version, resource.kind):
            if catalog.of_kind(obj["apiVersion"], kind, exact=True):
                number = resource.version if version == resource.api_version else "v1"
                raise DecodingError(f"converting ({number}.{kind}) to (core.{resource.kind}): unknown conversion")
            missing = f'no kind "{kind}" is registered for version "{version}" in scheme "pkg/runtime/scheme.go:111"'
            raise DecodingError(missing)
    if obj.get("metadata") is None:
        obj["metadata"] = {}
    if not isinstance(obj["metadata"], dict):
        shown = json_type(obj["metadata"])
        place = "value" if resource.custom else f"struct field {resource.kind}.metadata"
        raise DecodingError(f"json: cannot unmarshal {shown} into Go {place} of type v1.ObjectMeta")


def check_applied_kind(resource: Resource, obj: Any) -> None:
    """Refuse an apply configuration that does not name exactly the kind and version of the path. Raises 400."""
    if not isinstance(obj.get("metadata"), dict):
        obj["metadata"] = {}
    version, kind = obj.get("apiVersion") or "/", obj.get("kind") or ""
    if (version, kind) != (resource.api_version, resource.kind):
        group, _, number = version.rpartition("/")
        raise errors.bad_request(f"invalid object type: {group}/{number}, Kind={kind}")


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


def match_name(name: str, metadata: Object) -> None:
    """Refuse an object that has not the name of the path. Raises 400."""
    given = metadata.get("name") or ""
    if not given:
        why = "undeterminable: name must be provided"
        raise errors.bad_request(f"the name of the object ({name} based on URL) was {why}")
    if given != name:
        raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")


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
