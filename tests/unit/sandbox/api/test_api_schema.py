# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Structural schemas: defaults, nulls, pruning, validation, list types."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.coercion import coerce
from sandbox.api.schema import Schema
from sandbox.api.validation import validate, validate_lists

STRING = {"type": "string"}
SPEC = {
    "type": "object",
    "properties": {
        "mode": {"type": "string", "default": "auto"},
        "maybe": {"type": "string", "nullable": True, "default": "x"},
        "plain": STRING,
        "nested": {"type": "object", "default": {}, "properties": {"size": {"type": "integer", "default": 1}}},
        "items": {"type": "array", "items": {"type": "object", "properties": {"on": {"default": True}, "n": STRING}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {"default": 0}}}},
        "free": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"k": {"type": "object", "properties": {"a": STRING}}},
        },
        "whole": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
    },
}
ROOT = Schema({"type": "object", "properties": {"spec": SPEC}})


def defaulted(**spec: Any) -> Any:
    obj = {"spec": spec}
    coerce(obj, ROOT)
    return obj["spec"]


def pruned(**spec: Any) -> tuple[Any, list[str]]:
    obj = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec}
    unknown = coerce(obj, ROOT, defaults=False)
    return obj["spec"], unknown


def test_defaults_fill_in_what_is_missing() -> None:
    assert defaulted() == {"mode": "auto", "maybe": "x", "nested": {"size": 1}}


def test_defaults_leave_what_is_there() -> None:
    spec = {"mode": "", "maybe": None, "nested": {"size": 0}}
    assert defaulted(**spec) == spec


def test_nulls_become_defaults_or_go() -> None:
    assert defaulted(mode=None, plain=None)["mode"] == "auto"
    assert "plain" not in defaulted(plain=None)


def test_defaults_reach_into_lists_and_maps() -> None:
    spec = defaulted(items=[{}, {"on": False}], map={"k": {}})
    assert spec["items"] == [{"on": True}, {"on": False}]
    assert spec["map"] == {"k": {"a": 0}}


def test_defaults_are_copies() -> None:
    defaulted()["nested"]["size"] = 7
    assert defaulted()["nested"] == {"size": 1}


def test_unknown_fields_are_pruned_and_told() -> None:
    spec, unknown = pruned(mode="a", typo=1, items=[{"n": "x", "bad": 1}], map={"k": {"a": 1, "b": 2}})
    assert spec == {"mode": "a", "items": [{"n": "x"}], "map": {"k": {"a": 1}}}
    assert unknown == ["spec.items[0].bad", "spec.map.k.b", "spec.typo"]


def test_preserved_fields_stay_but_named_ones_are_pruned() -> None:
    spec, unknown = pruned(free={"any": {"thing": 1}, "k": {"a": "x", "b": 1}})
    assert spec == {"free": {"any": {"thing": 1}, "k": {"a": "x"}}}
    assert unknown == ["spec.free.k.b"]


def test_embedded_objects_keep_their_type_and_metadata() -> None:
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}
    assert pruned(whole={**whole, "other": 1}) == ({"whole": whole}, ["spec.whole.other"])


@pytest.mark.parametrize(
    ("node", "value", "message"),
    [
        (STRING, 1, 'spec: Invalid value: "integer": spec in body must be of type string: "integer"'),
        (STRING, None, 'spec: Invalid value: "null": spec in body must be of type string: "null"'),
        ({"type": "integer"}, True, 'spec: Invalid value: "boolean": spec in body must be of type integer: "boolean"'),
        ({**STRING, "maxLength": 2}, "abc", "spec: Too long: may not be more than 2 bytes"),
        ({**STRING, "minLength": 2}, "a", 'spec: Invalid value: "a": spec in body should be at least 2 chars long'),
        ({**STRING, "pattern": "^a+$"}, "b", "spec: Invalid value: \"b\": spec in body should match '^a+$'"),
        ({**STRING, "enum": ["a", "b"]}, "c", 'spec: Unsupported value: "c": supported values: "a", "b"'),
        (
            {**STRING, "format": "date-time"},
            "soon",
            'spec: Invalid value: "soon": spec in body must be of type date-time: "soon"',
        ),
        (
            {"type": "integer", "minimum": 1},
            0,
            "spec: Invalid value: 0: spec in body should be greater than or equal to 1",
        ),
        (
            {"type": "number", "maximum": 1, "exclusiveMaximum": True},
            1,
            "spec: Invalid value: 1: spec in body should be less than 1",
        ),
        (
            {"type": "integer", "multipleOf": 5},
            7,
            "spec: Invalid value: 7: spec in body should be a multiple of 5",
        ),
        ({"type": "array", "maxItems": 1}, [1, 2], "spec: Too many: 2: must have at most 1 item"),
        ({"type": "array", "minItems": 1}, [], "spec: Invalid value: 0: spec in body should have at least 1 items"),
        ({"type": "object", "required": ["a"]}, {}, "spec.a: Required value"),
        (
            {"type": "object", "minProperties": 1},
            {},
            "spec: Invalid value: 0: spec in body should have at least 1 properties",
        ),
    ],
)
def test_validation_speaks_as_a_real_server(node: dict[str, Any], value: Any, message: str) -> None:
    assert [str(error) for error in validate(value, node, path="spec")] == [message]


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({**STRING, "nullable": True}, None),
        ({"type": "number"}, 1),
        ({"type": "integer"}, 1.0),
        ({"x-kubernetes-int-or-string": True}, "80"),
        ({"x-kubernetes-int-or-string": True}, 80),
        ({**STRING, "format": "unheard-of"}, "x"),
        ({**STRING, "maxLength": 2}, "ää"),
        ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": 1}),
    ],
)
def test_valid_values(node: dict[str, Any], value: Any) -> None:
    assert validate(value, node, path="spec") == []


def test_alternatives() -> None:
    either = {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}
    found = [str(error) for error in validate({"a": 1, "b": 1}, either, path="spec")]
    assert found == [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert "Found none valid" in str(validate({}, either, path="spec")[0])
    assert "must not validate the schema (not)" in str(validate({"a": 1}, {"not": {"required": ["a"]}})[0])


def test_unchanged_values_are_not_validated_again() -> None:
    node = {"type": "object", "properties": {"a": {**STRING, "maxLength": 1}, "b": STRING}}
    old = {"a": "long", "b": "x"}
    assert validate({"a": "long", "b": "y"}, node, old) == []
    assert len(validate({"a": "longer", "b": "x"}, node, old)) == 1


def test_items_of_list_maps_are_unchanged_when_their_key_is() -> None:
    item = {"type": "object", "properties": {"n": STRING, "v": {**STRING, "maxLength": 1}}}
    node = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    old = [{"n": "a", "v": "long"}]
    assert validate([{"n": "b", "v": "x"}, *old], node, old, "l") == []
    assert len(validate([{"n": "c", "v": "long"}], node, old, "l")) == 1


def test_elements_are_unique_in_sets_and_list_maps() -> None:
    keyed = {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}
    schema = Schema(
        {
            "type": "object",
            "properties": {
                "set": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
                "map": {**keyed, "x-kubernetes-list-map-keys": ["port", "protocol"]},
                "any": {"type": "array", "items": STRING},
            },
        }
    )
    twice = {"port": 1, "protocol": "TCP"}
    obj = {"set": ["a", "b", "a"], "map": [twice, {**twice, "x": 1}, {"port": 1}], "any": ["a", "a"]}
    assert [str(error) for error in validate_lists(obj, schema)] == [
        'set[2]: Duplicate value: "a"',
        'map[1]: Duplicate value: {"port":1,"protocol":"TCP"}',
    ]


def test_checks_look_at_what_they_are_for_whatever_the_type() -> None:
    node = {"type": "string", "enum": ["a"]}
    wrong_type = 'spec: Invalid value: "integer": spec in body must be of type string: "integer"'
    assert [str(error) for error in validate(7, node, path="spec")] == [
        wrong_type,
        'spec: Unsupported value: 7: supported values: "a"',
    ]
    assert len(validate(None, {**node, "nullable": True}, path="spec")) == 1
    assert validate([], {"type": "string", "format": "date-time"}, path="spec") == []


def test_only_the_first_thing_wrong_with_a_text_is_told() -> None:
    node = {"type": "string", "minLength": 1, "pattern": "^a$"}
    assert [error.detail for error in validate("", node, path="spec")] == [
        "spec in body should be at least 1 chars long"
    ]


def test_integers_with_a_format_are_wrong_in_its_words() -> None:
    found = [str(error) for error in validate(1.5, {"type": "integer", "format": "int32"}, path="spec")]
    assert found == [
        'spec: Invalid value: "float64": spec in body must be of type int32: "float64"',
        '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec',
    ]
