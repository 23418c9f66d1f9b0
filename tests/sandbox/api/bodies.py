# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of requests: JSON and YAML in, everything else refused."""

from __future__ import annotations

import functools
import re
from typing import Any

import orjson

from .errors import ApiError, bad_request, unsupported_media_type
from .http import Request

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_OBJECTS = (JSON, YAML, "application/vnd.kubernetes.protobuf")


def media_type(request: Request) -> str:
    """The Content-Type without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def read_object(request: Request, kind: str) -> Any:
    """The object that a create or update sends; ``kind`` is what it should be.

    Raises 415 for protobuf and unknown types, 400 for broken text and for an object that does not say what it is.
    """
    media = media_type(request)
    body = request.body
    if media not in (JSON, YAML, "", "text/json"):
        raise unsupported_media_type(_OBJECTS[:2])
    try:
        obj = parse_yaml(body) if media == YAML else orjson.loads(body)
    except orjson.JSONDecodeError as error:
        why = "unexpected end of JSON input" if "end of data" in str(error) or not body else str(error)
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {why}", body) from error
    if not isinstance(obj, dict):
        why = f"json: cannot unmarshal {'array' if isinstance(obj, list) else 'string'} into Go value of type struct"
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {why}", body)
    return obj


def _unrecognized(kind: str, why: str, body: bytes) -> ApiError:
    text = body.decode("utf-8", "replace")
    summary = f"{text[:30]} ..." if len(text) > 30 else text or "<empty>"
    return bad_request(f"the object provided is unrecognized (must be of type {kind}): {why} ({summary})")


def require_kind(obj: Any, kind: str, body: bytes) -> None:
    """Refuse an object without kind, as is done for custom resources, where nothing else says what it is."""
    if not obj.get("kind"):
        text = body.decode("utf-8", "replace")
        raise _unrecognized(kind, f"Object 'Kind' is missing in '{text}'", body)


def parse_json(body: bytes) -> Any:
    """JSON text of a patch as a value. Raises 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"error decoding patch: {error}") from error


def parse_yaml(body: bytes) -> Any:
    """YAML (or JSON) text as a value of JSON types. Raises 400."""
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # YAML's flow style looks like JSON at first sight
    yaml, loader = _yaml()
    try:
        return yaml.load(body, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line}: " if error.problem_mark and error.problem_mark.line else ""
        why = f"error converting YAML to JSON: yaml: {line}{error.problem}"
        raise bad_request(f"error decoding YAML: {why}") from error


def parse_configuration(body: bytes) -> dict[str, Any]:
    """The object that an apply patch sends; an empty body is an empty one. Raises 400."""
    config = parse_yaml(body)
    if config is not None and not isinstance(config, dict):
        given = "array" if isinstance(config, list) else "string" if isinstance(config, str) else "number"
        why = f"json: cannot unmarshal {given} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    return config or {}


@functools.cache
def _yaml() -> tuple[Any, Any]:
    """The yaml module and a loader of YAML as Go reads it (times stay text, y is true); loaded when first needed."""
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("JsonLoader", (base,), {})
    loader.bool_values = {**base.bool_values, "y": True, "n": False}
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]$"), list("yYnN"))
    return yaml, loader
