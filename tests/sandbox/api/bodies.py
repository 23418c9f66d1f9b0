# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of requests: JSON and YAML in, everything else refused."""

from __future__ import annotations

import functools
from typing import Any

import orjson

from .errors import bad_request, unsupported_media_type
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


def read_object(request: Request) -> Any:
    """The object that a create or update sends. Raises 415 for protobuf and unknown types, 400 for broken text."""
    media = media_type(request)
    if media in (JSON, "", "text/json"):
        return parse_json(request.body)
    if media == YAML:
        return parse_yaml(request.body)
    raise unsupported_media_type(_OBJECTS[:2])


def parse_json(body: bytes) -> Any:
    """JSON text as a value. Raises 400."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


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
    except yaml.YAMLError as error:
        raise bad_request(f"error decoding YAML: {error}") from error


@functools.cache
def _yaml() -> tuple[Any, Any]:
    """The yaml module and a loader that leaves times as text; loaded when first needed."""
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader = type("JsonLoader", (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in base.yaml_implicit_resolvers.items()
    }
    return yaml, loader
