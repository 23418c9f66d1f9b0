# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Headers that repeat parts of a request's body (`Mcp-Method`, `Mcp-Name`, `Mcp-Param-*`): made for what is sent,
checked for what is received. Pure functions.

Rules: MCP 2026-07-28 basic/transports/streamable-http, "Request Metadata".
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcpops_broker.protocol.jsonrpc import HEADER_MISMATCH, RpcError, excerpt

VERSION = "mcp-protocol-version"
METHOD = "mcp-method"
NAME = "mcp-name"
PARAM = "mcp-param-"
"""What the names of all headers begin with that repeat an argument of a tool."""
ANNOTATION = "x-mcp-header"
"""The key of a property's schema that gives the rest of the header's name."""

NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""The methods whose requests have `Mcp-Name`, and the parameter that it repeats (tasks: the tasks extension)."""

_PLAIN = re.compile(r"[\x20-\x7e\t]*")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DECIMAL = re.compile(r"(-?\d{1,320})(\.0+)?")
_HEAD, _TAIL = "=?base64?", "?="
_PRIMITIVES = frozenset({"string", "integer", "boolean"})

# Keywords of JSON Schema 2020-12 (and their older names) under which schemas stand. Those that hold data (const,
# default, enum, examples) are not among them: what stands there is no annotation.
_SCHEMA_IN = frozenset(
    {"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not"}
    | {"propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
)
_SCHEMAS_IN_LIST = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_SCHEMAS_BY_NAME = frozenset({"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties"})


@dataclass(frozen=True, slots=True)
class Mirror:
    """A header that repeats an argument of a tool."""

    header: str
    """Lower-case: `mcp-param-region`."""
    path: tuple[str, ...]
    """Where the argument is: property names from `arguments` downwards."""
    type: str
    """`string`, `integer` or `boolean`."""


def encode(text: str) -> str:
    """Write text as a header value: as it is when that is safe, else in the base64 form."""
    looks_encoded = text.startswith(_HEAD) and text.endswith(_TAIL)
    if _PLAIN.fullmatch(text) and text == text.strip(" \t") and not looks_encoded:
        return text
    return _HEAD + b64encode(text.encode()).decode() + _TAIL


def decode(value: bytes) -> str:
    """Read a header value, blanks around it already removed; raise `ValueError`, a sentence, when it is malformed."""
    text = value.decode("latin-1")
    if not _PLAIN.fullmatch(text):
        raise ValueError("has characters that a header cannot have")
    if len(text) < len(_HEAD) + len(_TAIL) or not (text.startswith(_HEAD) and text.endswith(_TAIL)):
        return text
    encoded = text[len(_HEAD) : -len(_TAIL)]
    try:
        plain = b64decode(encoded, validate=True)
        if b64encode(plain).decode() == encoded:  # one spelling only: Python's decoder ignores surplus bits
            return plain.decode()
    except ValueError:  # not base64, or no UTF-8 inside
        pass
    raise ValueError("is not valid base64 of UTF-8 text")


def standard_headers(version: str, method: str, params: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that every request without a session must have, by lower-case name."""
    headers = {VERSION: version, METHOD: method}
    key = NAMED.get(method)
    if key is not None and isinstance(name := params.get(key), str):
        headers[NAME] = encode(name)
    return headers


def param_headers(mirrors: Iterable[Mirror], arguments: object) -> dict[str, str]:
    """Return the headers that repeat a tool's arguments; none for an argument that is missing, null or no primitive."""
    headers: dict[str, str] = {}
    for mirror in mirrors:
        text = _text(_value(arguments, mirror.path))
        if text is not None:
            headers[mirror.header] = encode(text)
    return headers


def check_standard(headers: Mapping[bytes, bytes], method: str, params: Mapping[str, Any]) -> None:
    """Compare `Mcp-Method` and `Mcp-Name` with the body; raise `RpcError` -32020 (HTTP 400) when they differ."""
    _compare(headers, METHOD, method)
    key = NAMED.get(method)
    if key is not None:
        name = params.get(key)
        if isinstance(name, str):
            _compare(headers, NAME, name)
        elif NAME.encode() in headers:
            raise _mismatch(f"there is an {NAME} header but no text in params.{key}")


def check_params(headers: Mapping[bytes, bytes], mirrors: Iterable[Mirror], arguments: object) -> None:
    """Compare the headers that repeat a tool's arguments with them; raise `RpcError` -32020 (HTTP 400).

    A header without its argument is refused as well: somebody on the way may have acted on a value that the call
    does not have.
    """
    for mirror in mirrors:
        value = _value(arguments, mirror.path)
        text = _text(value)
        where = "params.arguments." + ".".join(mirror.path)
        if text is None:
            if mirror.header.encode() in headers:
                raise _mismatch(f"there is an {mirror.header} header but no value in {where} that it could repeat")
        elif mirror.type == "integer" and not isinstance(value, str):
            _compare(headers, mirror.header, text, numeric=True)
        else:
            _compare(headers, mirror.header, text)


def unknown_params(headers: Mapping[bytes, bytes], mirrors: Iterable[Mirror]) -> dict[str, str]:
    """Return the `Mcp-Param-*` headers that no schema asks for. They are passed on as they are."""
    known = {mirror.header.encode() for mirror in mirrors}
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name.startswith(PARAM.encode()) and name not in known
    }


def find_mirrors(schema: object) -> tuple[Mirror, ...]:
    """Return the headers that a tool's input schema asks for.

    Raises `ValueError`, a sentence, for an annotation that breaks a rule; such a tool must not be offered to clients
    without sessions (they would have to refuse it).
    """
    found: dict[str, Mirror] = {}
    waiting: list[tuple[object, tuple[str, ...] | None]] = [(schema, ())]
    while waiting:
        node, path = waiting.pop()
        if not isinstance(node, dict):
            continue
        if ANNOTATION in node:
            mirror = _mirror(node, path)
            other = found.setdefault(mirror.header, mirror)
            if other is not mirror:
                both = " and ".join(sorted((".".join(other.path), ".".join(mirror.path))))
                raise ValueError(f'{ANNOTATION} "{node[ANNOTATION]}" stands at two properties: {both}')
        for keyword, value in node.items():
            if keyword == "properties":
                if isinstance(value, dict):
                    waiting += [(part, None if path is None else (*path, name)) for name, part in value.items()]
            elif keyword in _SCHEMAS_BY_NAME:
                waiting += [(part, None) for part in value.values()] if isinstance(value, dict) else []
            else:
                if keyword in _SCHEMA_IN:
                    waiting.append((value, None))
                if keyword in _SCHEMAS_IN_LIST and isinstance(value, list):
                    waiting += [(part, None) for part in value]
    return tuple(sorted(found.values(), key=lambda mirror: mirror.path))


def _mirror(node: dict[str, Any], path: tuple[str, ...] | None) -> Mirror:
    name = node[ANNOTATION]
    if not path:
        where = "the schema itself" if path == () else 'a schema that is not reached by "properties" alone'
        raise ValueError(f"{ANNOTATION} stands at {where}: it may only stand at a property")
    where = ".".join(path)
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ValueError(f"{ANNOTATION} of property {where} must be usable in a header's name, not {excerpt(name)!r}")
    kind = node.get("type")
    if not isinstance(kind, str) or kind not in _PRIMITIVES:
        raise ValueError(
            f"{ANNOTATION} of property {where} needs the type string, integer or boolean, not {excerpt(kind)}"
        )
    return Mirror(PARAM + name.lower(), path, kind)


def _value(arguments: object, path: tuple[str, ...]) -> object:
    value = arguments
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _text(value: object) -> str | None:
    """Return a primitive value as headers spell it; None when there is no value to repeat."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON's 42.0 and 42 are the same integer
    return str(value) if isinstance(value, int | float) else None


def _compare(headers: Mapping[bytes, bytes], name: str, text: str, *, numeric: bool = False) -> None:
    raw = headers.get(name.encode())
    if raw is None:
        raise _mismatch(f"the {name} header is missing: it must repeat {excerpt(text)!r} of the body")
    if name == METHOD:
        value = raw.decode("latin-1")
    else:
        try:
            value = decode(raw)
        except ValueError as error:
            raise _mismatch(f"the {name} header {error}") from None
    if numeric and (number := _DECIMAL.fullmatch(value)):
        value = str(int(number[1]))
    if value != text:
        raise _mismatch(f"the {name} header says {excerpt(value)!r} but the body says {excerpt(text)!r}")


def _mismatch(why: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"Header mismatch: {why}", status=400)
