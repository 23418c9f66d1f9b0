# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Arguments of a tool as HTTP headers: the schema keyword ``x-mcp-header`` of revision 2026-07-28."""

from __future__ import annotations

import base64
import re
import typing as t

Schema = t.Mapping[str, t.Any]

KEYWORD = "x-mcp-header"
PREFIX = "Mcp-Param-"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, section 5.6.2
_PLAIN = re.compile(r"[\x20-\x7e]*")
_ENCODED = re.compile(r"=\?base64\?.*\?=")
_TYPES = frozenset({"string", "integer", "boolean"})

# Keywords of JSON Schema 2020-12 that hold schemas. Only `properties` leads to a value with a fixed place; a keyword
# such as `const` holds data, which is not looked into.
_ONE = frozenset({"items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames", "not", "if"})
_ONE |= {"unevaluatedProperties", "then", "else", "contentSchema"}
_SEVERAL = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("patternProperties", "dependentSchemas", "$defs", "definitions")


def header_value(value: str) -> str:
    """A text as a header's value: as it is, or in Base64 where a header could not carry it unchanged."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def wrong_keyword(schema: t.Any) -> str | None:
    """Why a tool with this input schema must not be used (2026-07-28, custom headers), None when it may."""
    seen = set()
    for path, part in _positions(schema, ()):
        if KEYWORD not in part:
            continue
        header = part[KEYWORD]
        where = ".".join(path or ()) or "the schema"
        if not path:
            return f"{KEYWORD} at a place that is no plain property"
        if not isinstance(header, str) or not _TOKEN.fullmatch(header):
            return f"{KEYWORD} of {where} is no name of a header"
        if part.get("type") not in _TYPES:
            return f"{KEYWORD} of {where}, whose type is neither string nor integer nor boolean"
        if header.lower() in seen:
            return f"{KEYWORD} {header} twice"
        seen.add(header.lower())
    return None


def param_headers(schema: t.Any, arguments: Schema) -> dict[str, str]:
    """The headers for a call with these arguments; those without a value have none."""
    headers = {}
    for path, part in _positions(schema, ()):
        if not path or not isinstance(part.get(KEYWORD), str):
            continue
        value: t.Any = arguments
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, bool):
            headers[PREFIX + part[KEYWORD]] = "true" if value else "false"
        elif isinstance(value, (str, int)):
            headers[PREFIX + part[KEYWORD]] = header_value(str(value))
    return headers


def _positions(schema: t.Any, path: tuple[str, ...] | None) -> t.Iterator[tuple[tuple[str, ...] | None, Schema]]:
    """Every schema inside a schema with its way through ``properties``, None where another keyword led there."""
    if not isinstance(schema, dict):
        return
    yield path, schema
    for keyword, held in schema.items():
        if keyword == "properties" and isinstance(held, dict):
            for name, part in held.items():
                yield from _positions(part, None if path is None else (*path, name))
        elif keyword in _ONE:
            yield from _positions(held, None)
        elif keyword in _SEVERAL and isinstance(held, list):
            for part in held:
                yield from _positions(part, None)
        elif keyword in _NAMED and isinstance(held, dict):
            for part in held.values():
                yield from _positions(part, None)
