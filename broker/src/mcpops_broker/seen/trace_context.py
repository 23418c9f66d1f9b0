# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Where a request says which trace it belongs to (W3C Trace Context): in HTTP headers, and in `_meta` of its params."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

KEYS = ("traceparent", "tracestate")
NOTHING: Mapping[str, str] = MappingProxyType({})
LONGEST = 512
"""Characters of a value that is passed on (the specification wants at least so many of `tracestate`)."""


def of_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return what the HTTP headers say; empty when they say nothing."""
    if b"traceparent" not in headers:
        return {}
    return _sound({key: headers.get(key.encode(), b"").decode("latin-1") for key in KEYS})


def of_meta(params: Mapping[str, Any]) -> dict[str, str]:
    """Return what `_meta` says; empty when it says nothing."""
    meta = params.get("_meta")
    if not isinstance(meta, dict) or "traceparent" not in meta:
        return {}
    return _sound({key: meta.get(key, "") for key in KEYS})


def _sound(values: dict[str, Any]) -> dict[str, str]:
    """Leave out what is no short line of ASCII."""
    return {
        key: value
        for key, value in values.items()
        if isinstance(value, str) and 0 < len(value) <= LONGEST and value.isascii() and value.isprintable()
    }
