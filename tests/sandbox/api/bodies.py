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

_MAX_DEPTH = 500
"""Levels of YAML that are read."""
_OBJECTS = (JSON, YAML)


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
        raise unsupported_media_type(_OBJECTS)
    try:
        obj = _load_yaml(body) if media == YAML else _load_json(body)
    except _YamlError as error:
        raise _unrecognized(kind, str(error), body) from error
    except orjson.JSONDecodeError as error:
        why = "unexpected end of JSON input" if "end of data" in str(error) or not body else str(error)
        raise _unrecognized(kind, f"couldn't get version/kind; json parse error: {why}", body) from error
    if obj is None:
        return {}
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


def parse_json(body: bytes, prefix: str) -> Any:
    """JSON text of a patch as a value. Raises 400; ``prefix`` is how its message begins."""
    try:
        return _load_json(body)
    except orjson.JSONDecodeError as error:
        ended = "end of data" in str(error) or not body
        raise bad_request(prefix + ("unexpected end of JSON input" if ended else str(error))) from error


def _load_json(body: bytes) -> Any:
    """JSON as a value; what is no UTF-8 becomes question marks, as in Go."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
        if "\ufffd" not in text:
            raise
        return orjson.loads(text)


def parse_yaml(body: bytes) -> Any:
    """YAML (or JSON) text as a value of JSON types. Raises 400."""
    try:
        return _load_yaml(body)
    except _YamlError as error:
        raise bad_request(f"error decoding YAML: error converting YAML to JSON: {error}") from error


class _YamlError(ValueError):
    """Text that is no YAML, or YAML that is no JSON; the message says why."""


def _load_yaml(body: bytes) -> Any:
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # YAML's flow style looks like JSON at first sight
    if _is_too_deep(body):
        raise _YamlError(f"yaml: exceeded max depth of {_MAX_DEPTH}")
    yaml, loader = _yaml()
    try:
        # The way over JSON refuses what JSON does not have, such as values that contain themselves.
        return orjson.loads(orjson.dumps(yaml.load(body, Loader=loader), option=orjson.OPT_NON_STR_KEYS))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line}: " if error.problem_mark and error.problem_mark.line else ""
        raise _YamlError(f"yaml: {line}{error.problem}") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise _YamlError(f"yaml: {error}") from error


def parse_configuration(body: bytes) -> dict[str, Any]:
    """The object that an apply patch sends; an empty body is an empty one. Raises 400."""
    config = parse_yaml(body)
    if config is not None and not isinstance(config, dict):
        given = "array" if isinstance(config, list) else "string" if isinstance(config, str) else "number"
        why = f"json: cannot unmarshal {given} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    return config or {}


def _is_too_deep(body: bytes) -> bool:
    """Whether YAML text nests so deeply that its parser, which is recursive, would not come back."""
    if re.search(rb"(?:[-?:][ \t]+){%d}" % _MAX_DEPTH, body):
        return True
    depth = 0
    for bracket in re.findall(rb"[\[{}\]]", body):
        depth += 1 if bracket in b"[{" else -1
        if depth > _MAX_DEPTH:
            return True
    return False


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
