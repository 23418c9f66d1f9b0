# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers that repeat parts of a request's body."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcpops_broker.protocol import headers
from mcpops_broker.protocol.headers import Mirror
from mcpops_broker.protocol.jsonrpc import HEADER_MISMATCH, RpcError

REGION = Mirror("mcp-param-region", ("region",), "string")
COUNT = Mirror("mcp-param-count", ("count",), "integer")


def prop(**schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"p": schema}}


# --- values -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("us-west1", "us-west1"),
        ("us west 1", "us west 1"),
        ("col1\tcol2", "col1\tcol2"),
        ("", ""),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ],
)
def test_values_are_written_as_the_specification_shows(text: str, value: str) -> None:
    assert headers.encode(text) == value


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_a_header(text: str) -> None:
    value = headers.encode(text).encode("ascii")

    assert headers.decode(value.strip(b" \t")) == text
    assert b"\r" not in value
    assert b"\n" not in value


@pytest.mark.parametrize("value", ["SGVsbG8=", "=?base64?SGVsbG8=", "SGVsbG8=?=", "=?base64?=", "=?BASE64?SGVsbG8=?="])
def test_what_is_not_quite_the_base64_form_is_taken_as_it_is(value: str) -> None:
    assert headers.decode(value.encode()) == value


@pytest.mark.parametrize(
    "value",
    [
        b"=?base64?SGVsbG8?=",  # padding is missing
        b"=?base64?SGVs!!!bG8=?=",
        b"=?base64?SGVsbG9=?=",  # bits that no encoder writes
        b"=?base64?/w==?=",  # no UTF-8
        "Zürich".encode(),
        b"a\x01b",
    ],
)
def test_a_malformed_value_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"characters|base64"):
        headers.decode(value)


# --- what a schema asks for ---------------------------------------------------------------------------------------


def test_annotations_are_found_down_the_properties() -> None:
    schema = {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "at": {"type": "object", "properties": {"line": {"type": "integer", "x-mcp-header": "Line-No"}}},
            "x-mcp-header": {"type": "string", "description": "a property of that name is no annotation"},
            "other": {"type": "object", "default": {"x-mcp-header": "data, no annotation"}},
        },
    }

    assert headers.find_mirrors(schema) == (
        Mirror("mcp-param-line-no", ("at", "line"), "integer"),
        Mirror("mcp-param-region", ("region",), "string"),
    )


@pytest.mark.parametrize("name", ["", "My Region", "Region:Primary", "Région", "Region\t1", "a\r\nb: c", 5, None, {}])
def test_an_annotation_must_be_usable_in_a_name(name: object) -> None:
    with pytest.raises(ValueError, match="property p must be usable"):
        headers.find_mirrors(prop(type="string", **{"x-mcp-header": name}))


@pytest.mark.parametrize("kind", ["object", "array", "null", "number", ["string", "null"], None])
def test_an_annotation_needs_a_primitive(kind: object) -> None:
    with pytest.raises(ValueError, match="property p needs the type"):
        headers.find_mirrors(prop(type=kind, **{"x-mcp-header": "P"}))


def test_two_annotations_must_differ_in_more_than_case() -> None:
    schema = {
        "properties": {
            "a": {"type": "string", "x-mcp-header": "MyField"},
            "b": {"type": "string", "x-mcp-header": "myfield"},
        }
    }

    with pytest.raises(ValueError, match="two properties: a and b"):
        headers.find_mirrors(schema)


ANNOTATED = {"type": "string", "x-mcp-header": "P"}


@pytest.mark.parametrize(
    "schema",
    [
        ANNOTATED,
        prop(type="array", items=ANNOTATED),
        prop(type="array", prefixItems=[ANNOTATED]),
        prop(anyOf=[ANNOTATED]),
        prop(**{"not": ANNOTATED}),
        {"if": prop(**ANNOTATED)},
        {"$defs": {"d": ANNOTATED}},
        {"oneOf": [{"properties": {"p": ANNOTATED}}]},
        {"additionalProperties": ANNOTATED},
    ],
)
def test_an_annotation_anywhere_else_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="it may only stand at a property"):
        headers.find_mirrors(schema)


def test_a_very_deep_schema_is_read() -> None:
    schema: dict[str, Any] = {"type": "string", "x-mcp-header": "Deep"}
    for _ in range(5000):
        schema = {"properties": {"p": schema}}

    assert len(headers.find_mirrors(schema)[0].path) == 5000


# --- sent -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "lookup"}, "lookup"),
        ("prompts/get", {"name": "grüßen"}, "=?base64?Z3LDvMOfZW4=?="),
        ("resources/read", {"uri": "file:///a b"}, "file:///a b"),
        ("tasks/get", {"taskId": "t-1"}, "t-1"),
        ("tools/list", {"name": "no name here"}, None),
    ],
)
def test_requests_have_the_standard_headers(method: str, params: dict[str, Any], name: str | None) -> None:
    sent = headers.standard_headers("2026-07-28", method, params)

    assert sent.pop("mcp-name", None) == name
    assert sent == {"mcp-protocol-version": "2026-07-28", "mcp-method": method}


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (-7, "-7"), (42.0, "42"), (True, "true"), (False, "false"), (None, None), ({}, None), ([1], None)],
)
def test_arguments_are_repeated(value: object, text: str | None) -> None:
    sent = headers.param_headers([REGION], {"region": value})

    assert sent == ({} if text is None else {"mcp-param-region": text})


def test_arguments_are_taken_from_their_exact_place() -> None:
    mirror = Mirror("mcp-param-line", ("at", "line"), "integer")

    assert headers.param_headers([mirror], {"at": {"line": 3}, "line": 4}) == {"mcp-param-line": "3"}
    assert headers.param_headers([mirror], {"at": "here"}) == {}
    assert headers.param_headers([mirror], None) == {}


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-(2**53), 2**53), st.booleans()))
def test_what_is_sent_is_accepted(value: object) -> None:
    kind = "string" if isinstance(value, str) else "integer"
    mirror = Mirror("mcp-param-p", ("p",), kind)
    sent = headers.param_headers([mirror], {"p": value})

    headers.check_params({name.encode(): text.encode() for name, text in sent.items()}, [mirror], {"p": value})


# --- received ---------------------------------------------------------------------------------------------------


def refused(check: Any, *arguments: Any) -> str:
    with pytest.raises(RpcError) as caught:
        check(*arguments)
    assert (caught.value.code, caught.value.status) == (HEADER_MISMATCH, 400)
    return caught.value.message


def test_standard_headers_are_compared_with_the_body() -> None:
    good = {b"mcp-method": b"tools/call", b"mcp-name": b"=?base64?bG9va3Vw?="}

    headers.check_standard(good, "tools/call", {"name": "lookup"})
    headers.check_standard({b"mcp-method": b"tools/list"}, "tools/list", {})


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ({}, "the mcp-method header is missing"),
        ({b"mcp-method": b"TOOLS/CALL"}, "'TOOLS/CALL' but the body says 'tools/call'"),
        ({b"mcp-method": b"tools/call"}, "the mcp-name header is missing"),
        ({b"mcp-method": b"tools/call", b"mcp-name": b"other"}, "'other' but the body says 'lookup'"),
        ({b"mcp-method": b"tools/call", b"mcp-name": b"lookup,lookup"}, "'lookup,lookup'"),
        ({b"mcp-method": b"tools/call", b"mcp-name": b"=?base64?bG9va3Vw=?="}, "not valid base64"),
    ],
)
def test_standard_headers_that_differ_are_refused(sent: dict[bytes, bytes], why: str) -> None:
    assert why in refused(headers.check_standard, sent, "tools/call", {"name": "lookup"})


def test_a_name_without_one_in_the_body_is_refused() -> None:
    sent = {b"mcp-method": b"tools/call", b"mcp-name": b"lookup"}

    assert "no text in params.name" in refused(headers.check_standard, sent, "tools/call", {})


def test_integers_are_compared_as_numbers() -> None:
    for text in (b"42", b"42.0", b"042", b"=?base64?NDI=?="):
        headers.check_params({b"mcp-param-count": text}, [COUNT], {"count": 42})
    headers.check_params({b"mcp-param-count": b"42"}, [COUNT], {"count": 42.0})


@pytest.mark.parametrize("text", [b"43", b"42.5", b"4.2e1", b"true", b"", b"NaN", b"9" * 5000])
def test_another_integer_is_refused(text: bytes) -> None:
    refused(headers.check_params, {b"mcp-param-count": text}, [COUNT], {"count": 42})


def test_text_that_looks_like_a_number_is_compared_as_text() -> None:
    assert "says '42.0'" in refused(headers.check_params, {b"mcp-param-region": b"42.0"}, [REGION], {"region": "42"})


@pytest.mark.parametrize("arguments", [None, {}, {"region": None}, {"region": {}}, []])
def test_a_header_without_its_argument_is_refused(arguments: object) -> None:
    headers.check_params({}, [REGION], arguments)
    assert "no value in params.arguments.region" in refused(
        headers.check_params, {b"mcp-param-region": b"x"}, [REGION], arguments
    )


def test_a_missing_header_is_refused() -> None:
    assert "is missing" in refused(headers.check_params, {}, [REGION], {"region": "eu"})


def test_headers_that_no_schema_asks_for_are_passed_on() -> None:
    sent = {b"mcp-param-region": b"eu", b"mcp-param-else": b"x y", b"mcp-name": b"lookup"}

    assert headers.unknown_params(sent, [REGION]) == {"mcp-param-else": "x y"}
