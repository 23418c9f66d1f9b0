# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison of a manifest with a live object: what differs, what is taken over, what only the server knows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._diff import compare, covers, show
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema
from ansible_collections.mcpops.gateway.plugins.module_utils._values import DIFFERENT, MAYBE, SAME, alike

Json = dict[str, Any]
ME = "mcpops.gateway"


def thing(kind: str = "Thing", **content: Any) -> Json:
    return {"apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "x", "namespace": "ns"}, **content}


def applied(tree: Json, manager: str = ME, operation: str = "Apply") -> Json:
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": tree}


def live(*entries: Json, **content: Any) -> Json:
    found = thing(**content)
    found["metadata"]["managedFields"] = list(entries)
    return found


def test_an_object_that_is_missing_differs_even_when_it_says_nothing() -> None:
    difference = compare(thing(), None, ME)

    assert difference and difference.missing and difference.fields == []


def test_what_we_own_and_state_and_the_server_has_is_no_difference() -> None:
    tree: Json = {"f:spec": {"f:a": {}, "f:b": {"f:c": {}}}}

    assert not compare(thing(spec={"a": 1, "b": {"c": "x"}}), live(applied(tree), spec={"a": 1, "b": {"c": "x"}}), ME)


def test_a_changed_value_is_named_and_shown_on_both_sides() -> None:
    tree: Json = {"f:spec": {"f:a": {}}}

    difference = compare(thing(spec={"a": 2}), live(applied(tree), spec={"a": 1, "other": True}), ME)

    assert difference.fields == ["spec.a"]
    assert (difference.before["spec"], difference.after["spec"]) == ({"a": 1}, {"a": 2})


def test_fields_of_others_are_not_looked_at() -> None:
    theirs = applied({"f:spec": {"f:b": {}}}, "other")

    assert not compare(
        thing(spec={"a": 1}), live(applied({"f:spec": {"f:a": {}}}), theirs, spec={"a": 1, "b": 2}, status={"x": 1}), ME
    )


def test_a_field_that_we_no_longer_state_is_removed() -> None:
    tree: Json = {"f:spec": {"f:a": {}, "f:b": {}}}

    difference = compare(thing(spec={"a": 1}), live(applied(tree), spec={"a": 1, "b": 2}), ME)

    assert difference.fields == ["spec.b"] and "b" not in difference.after["spec"]


def test_a_field_that_we_no_longer_state_and_others_hold_stays() -> None:
    entries = (applied({"f:spec": {"f:a": {}, "f:b": {}}}), applied({"f:spec": {"f:b": {}}}, "other"))

    difference = compare(thing(spec={"a": 1}), live(*entries, spec={"a": 1, "b": 2}), ME)

    assert difference.fields == [] and difference.taken == ["spec.b"] and difference


def test_of_a_map_that_we_no_longer_state_only_our_part_is_removed() -> None:
    entries = (
        applied({"f:spec": {"f:a": {}, "f:m": {"f:mine": {}}}}),
        applied({"f:spec": {"f:m": {"f:theirs": {}}}}, "other"),
    )

    difference = compare(thing(spec={"a": 1}), live(*entries, spec={"a": 1, "m": {"mine": 1, "theirs": 2}}), ME)

    assert difference.fields == ["spec.m.mine"]


def test_an_equal_value_of_others_is_taken_over() -> None:
    difference = compare(thing(spec={"a": 1}), live(applied({"f:spec": {"f:a": {}}}, "kubectl"), spec={"a": 1}), ME)

    assert difference.fields == [] and difference.taken == ["spec.a"]


def test_an_update_under_our_name_is_not_ownership() -> None:
    difference = compare(
        thing(spec={"a": 1}), live(applied({"f:spec": {"f:a": {}}}, operation="Update"), spec={"a": 1}), ME
    )

    assert difference.taken == ["spec.a"]


class TestKeyedLists:
    TREE: Json = {"f:spec": {"f:l": {'k:{"name":"a"}': {".": {}, "f:name": {}, "f:port": {}}}}}

    def test_items_are_found_by_key_in_any_order(self) -> None:
        seen = live(applied(self.TREE), spec={"l": [{"name": "z", "port": 9}, {"name": "a", "port": 1, "extra": True}]})

        assert not compare(thing(spec={"l": [{"name": "a", "port": 1}]}), seen, ME)

    def test_a_changed_item_is_named_by_key(self) -> None:
        seen = live(applied(self.TREE), spec={"l": [{"name": "a", "port": 1}]})

        assert compare(thing(spec={"l": [{"name": "a", "port": 2}]}), seen, ME).fields == ["spec.l[name=a].port"]

    def test_a_new_item(self) -> None:
        seen = live(applied(self.TREE), spec={"l": [{"name": "a", "port": 1}]})
        wanted = thing(spec={"l": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]})

        assert compare(wanted, seen, ME).fields == ["spec.l[name=b]"]

    def test_an_item_that_we_no_longer_state(self) -> None:
        tree: Json = {"f:spec": {"f:l": {**self.TREE["f:spec"]["f:l"], 'k:{"name":"b"}': {".": {}, "f:name": {}}}}}
        seen = live(applied(tree), spec={"l": [{"name": "a", "port": 1}, {"name": "b"}]})

        assert compare(thing(spec={"l": [{"name": "a", "port": 1}]}), seen, ME).fields == ["spec.l[name=b]"]

    def test_a_key_that_the_server_fills_in(self) -> None:
        key = 'k:{"containerPort":80,"protocol":"TCP"}'
        tree: Json = {"f:spec": {"f:l": {key: {".": {}, "f:containerPort": {}}}}}
        seen = live(applied(tree), spec={"l": [{"containerPort": 80, "protocol": "TCP"}]})

        assert not compare(thing(spec={"l": [{"containerPort": 80}]}), seen, ME)

    def test_the_type_of_the_list_is_learnt_from_others(self) -> None:
        seen = live(applied(self.TREE, "other"), spec={"l": [{"name": "a", "port": 1}]})
        wanted = thing(spec={"l": [{"name": "b", "port": 2}]})

        assert compare(wanted, seen, ME).fields == ["spec.l[name=b]"]


class TestSets:
    def test_members_are_compared_without_order(self) -> None:
        tree: Json = {"f:spec": {"f:s": {'v:"a"': {}, 'v:"b"': {}}}}
        seen = live(applied(tree), spec={"s": ["c", "b", "a"]})

        assert not compare(thing(spec={"s": ["a", "b"]}), seen, ME)
        assert compare(thing(spec={"s": ["a"]}), seen, ME).fields == ["spec.s"]
        assert compare(thing(spec={"s": ["a", "b", "d"]}), seen, ME).fields == ["spec.s"]

    def test_members_are_compared_by_value_not_by_how_json_spells_them(self) -> None:
        seen = live(applied({"f:spec": {"f:s": {'v:"ü\\u003c"': {}}}}), spec={"s": ["ü<"]})

        assert not compare(thing(spec={"s": ["ü<"]}), seen, ME)

    def test_a_member_that_somebody_else_holds_too_stays(self) -> None:
        tree: Json = {"f:spec": {"f:s": {'v:"a"': {}, 'v:"b"': {}}}}
        theirs = applied({"f:spec": {"f:s": {'v:"b"': {}}}}, "other")

        difference = compare(thing(spec={"s": ["a"]}), live(applied(tree), theirs, spec={"s": ["a", "b"]}), ME)

        assert (difference.fields, difference.taken) == ([], ["spec.s"])
        assert difference.before["spec"] == difference.after["spec"] == {"s": ["a", "b"]}


class TestOneValue:
    """Lists and maps that the schema treats as one value: the server may have filled in defaults."""

    TREE: Json = {"f:spec": {"f:l": {}}}

    def test_equal(self) -> None:
        assert not compare(thing(spec={"l": [1, 2]}), live(applied(self.TREE), spec={"l": [1, 2]}), ME)

    def test_shorter_or_reordered_is_different(self) -> None:
        seen = live(applied(self.TREE), spec={"l": [1, 2]})

        assert compare(thing(spec={"l": [1]}), seen, ME).fields == ["spec.l"]
        assert compare(thing(spec={"l": [2, 1]}), seen, ME).fields == ["spec.l"]

    def test_more_in_the_cluster_is_uncertain(self) -> None:
        seen = live(applied(self.TREE), spec={"l": [{"name": "a", "kind": "Secret"}]})

        assert compare(thing(spec={"l": [{"name": "a"}]}), seen, ME).uncertain == ["spec.l"]

    @pytest.mark.parametrize(("more", "fields"), [({"kind": "Secret"}, []), ({"kind": "Other"}, ["spec.l"])])
    def test_defaults_of_the_schema_settle_it(self, more: Json, fields: list[str]) -> None:
        item = {"type": "object", "properties": {"name": {"type": "string"}, "kind": {"default": "Secret"}}}
        spec = {"type": "object", "properties": {"l": {"type": "array", "items": {"$ref": "#/components/schemas/I"}}}}
        schema = Schema({"properties": {"spec": spec}}, {"I": item})
        seen = live(applied(self.TREE), spec={"l": [{"name": "a", **more}]})

        difference = compare(thing(spec={"l": [{"name": "a"}]}), seen, ME, schema)

        assert difference.fields == fields and difference.uncertain == []


class TestEmptyValues:
    @pytest.mark.parametrize("empty", [{}, [], "", 0, False])
    def test_that_we_own_and_the_server_left_out(self, empty: Any) -> None:
        assert not compare(thing(spec={"a": empty}), live(applied({"f:spec": {"f:a": {}}}), spec={}), ME)

    @pytest.mark.parametrize("empty", [{}, [], "", 0, False])
    def test_that_we_do_not_own_may_be_there(self, empty: Any) -> None:
        seen = live(applied({"f:spec": {"f:b": {}}}), spec={"b": 1})

        assert compare(thing(spec={"a": empty, "b": 1}), seen, ME).uncertain == ["spec.a"]

    @pytest.mark.parametrize(("kind", "uncertain"), [("map", []), ("set", []), ("atomic", ["spec.l"])])
    def test_an_empty_list_whose_items_are_owned_one_by_one_is_as_good_as_none(
        self, kind: str, uncertain: list[str]
    ) -> None:
        items = {"type": "array", "x-kubernetes-list-type": kind}
        schema = Schema({"properties": {"spec": {"properties": {"l": items}}}}, {})

        difference = compare(
            thing(spec={"l": [], "b": 1}), live(applied({"f:spec": {"f:b": {}}}), spec={"b": 1}), ME, schema
        )

        assert difference.uncertain == uncertain


@pytest.mark.parametrize(
    ("wanted", "seen", "path", "verdict"),
    [
        (1, 1, "", SAME),
        (1, 1.0, "", SAME),
        (True, 1, "", DIFFERENT),
        ("a", "b", "", DIFFERENT),
        ("1000m", "1", "limits", SAME),
        ("1Gi", "1024Mi", "requests", SAME),
        ("1000m", "1", "annotations", MAYBE),
        ("1m0s", "60s", "timeout", MAYBE),
        ("1m", "2m", "timeout", DIFFERENT),
        ("500m", "1", "limits", DIFFERENT),
        (80, "80", "port", MAYBE),
    ],
)
def test_scalars(wanted: Any, seen: Any, path: str, verdict: str) -> None:
    assert alike(wanted, seen, ("spec", path), built_in=True) == verdict


@pytest.mark.parametrize(("path", "built_in"), [(("spec", "max"), False), (("data", "max"), True)])
def test_text_that_looks_like_a_quantity_is_not_the_same_elsewhere(path: tuple[str, ...], built_in: bool) -> None:
    assert alike("1.10", "1.1", path, built_in=built_in) == MAYBE


@pytest.mark.parametrize(
    ("wanted", "seen", "verdict"),
    [
        ({"a": 1}, {"a": 1}, SAME),
        ({"a": 1}, {"a": 1, "b": 2}, MAYBE),
        ({"a": 1, "b": ""}, {"a": 1}, MAYBE),
        ({"a": 1, "b": 2}, {"a": 1}, DIFFERENT),
        ([{"a": 1}], [{"a": 1}, {"a": 2}], DIFFERENT),
        ({"a": 1}, [1], DIFFERENT),
    ],
)
def test_covers(wanted: Any, seen: Any, verdict: str) -> None:
    assert covers(wanted, seen) == verdict


def test_paths_are_readable() -> None:
    assert show(("spec", "listeners[name=mcps]", "port")) == "spec.listeners[name=mcps].port"
    assert show(("metadata", "labels", "app.kubernetes.io/name")) == "metadata.labels[app.kubernetes.io/name]"
