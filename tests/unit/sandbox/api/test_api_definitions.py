# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of custom resources: what is refused, and what is served once they are there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from api_kit import DEFINITIONS, WIDGET, WIDGETS, Api, widget
from refused import CASES, causes
from refused import definition as refused_definition
from sandbox.api.strategies.structural import validate_schema

Schema = dict[str, Any]
ONE = f"{DEFINITIONS}/widgets.acme.example.com"


def definition(change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    """The definition of widgets, changed."""
    made: dict[str, Any] = copy.deepcopy(WIDGET)
    change(made)
    return made


def version(made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = made["spec"]["versions"][0]
    return found


def test_a_definition_is_served_at_once(widgets: Api) -> None:
    conditions = {c["type"]: c["status"] for c in widgets("GET", ONE).body["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    created = widgets.make(WIDGETS, widget("x", {"size": 1, "typo": 1}))
    assert created["spec"] == {"size": 1, "mode": "fast"}
    assert widgets("GET", "/apis/acme.example.com/v1").body["resources"][0]["name"] == "widgets"


def test_unknown_fields_warn_or_are_refused(widgets: Api) -> None:
    body = widget("x", {"typo": 1})
    assert widgets("POST", f"{WIDGETS}?dryRun=All", body).warnings == ['299 - "unknown field \\"spec.typo\\""']
    assert widgets("POST", f"{WIDGETS}?dryRun=All&fieldValidation=Ignore", body).warnings == []
    strict = widgets("POST", f"{WIDGETS}?fieldValidation=Strict", body)
    assert strict.code == 400
    assert strict.message.endswith('strict decoding error: unknown field "spec.typo"')


def test_schema_and_rules_are_enforced(widgets: Api) -> None:
    wrong = widgets("POST", WIDGETS, widget("x", {"size": 11}))
    assert wrong.message == (
        'Widget.acme.example.com "x" is invalid: spec.size: Invalid value: 11: '
        "spec.size in body should be less than or equal to 10"
    )
    assert widgets("POST", WIDGETS, widget("x", {"size": 7})).message == (
        'Widget.acme.example.com "x" is invalid: spec: Invalid value: not seven'
    )


def test_updates_need_a_resource_version(widgets: Api) -> None:
    created = widgets.make(WIDGETS, widget("x", {"size": 1}))
    unlocked = widgets("PUT", f"{WIDGETS}/x", widget("x", {"size": 2}))
    assert unlocked.code == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in unlocked.message
    created["spec"]["size"] = 2
    assert widgets("PUT", f"{WIDGETS}/x", created).body["metadata"]["generation"] == 2
    stale = widgets("PUT", f"{WIDGETS}/x", {**created, "spec": {"size": 3}})
    assert stale.message == (
        'Operation cannot be fulfilled on widgets.acme.example.com "x": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_status_and_spec_are_written_apart(widgets: Api) -> None:
    created = widgets.make(WIDGETS, {**widget("x", {"size": 1}), "status": {"phase": "Up"}})
    assert "status" not in created
    both = {**created, "spec": {"size": 5}, "status": {"phase": "Up"}}
    answer = widgets("PUT", f"{WIDGETS}/x/status", both).body
    assert (answer["spec"]["size"], answer["status"], answer["metadata"]["generation"]) == (1, {"phase": "Up"}, 1)
    both["metadata"] = answer["metadata"]
    both["status"] = {"phase": "Down"}
    answer = widgets("PUT", f"{WIDGETS}/x", both).body
    assert (answer["spec"]["size"], answer["status"], answer["metadata"]["generation"]) == (5, {"phase": "Up"}, 2)


def test_several_versions_show_the_same_object(api: Api) -> None:
    def more(made: dict[str, Any]) -> None:
        second = copy.deepcopy(version(made))
        second.update(name="v1beta1", storage=False, deprecated=True)
        second["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size2"] = {
            "default": 2,
            "type": "integer",
        }
        made["spec"]["versions"].append(second)

    api.make(DEFINITIONS, definition(more))
    api.make(WIDGETS, widget("x", {"size": 1}))
    answer = api("GET", f"{WIDGETS.replace('v1', 'v1beta1')}/x")
    assert answer.body["apiVersion"] == "acme.example.com/v1beta1"
    assert answer.body["spec"] == {"size": 1, "mode": "fast"}, "defaults are those of the stored version"
    assert answer.warnings == ['299 - "acme.example.com/v1beta1 Widget is deprecated; use acme.example.com/v1 Widget"']


def test_the_stored_versions_defaults_come_to_objects_of_other_versions(api: Api) -> None:
    def more(made: dict[str, Any]) -> None:
        second = copy.deepcopy(version(made))
        second.update(name="v1beta1", storage=False)
        del second["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["mode"]
        made["spec"]["versions"].append(second)

    api.make(DEFINITIONS, definition(more))
    created = api.make(WIDGETS.replace("v1", "v1beta1"), {**widget("x"), "apiVersion": "acme.example.com/v1beta1"})
    assert created["spec"] == {}, "a version shows only fields of its own"
    assert api("GET", f"{WIDGETS}/x").body["spec"] == {"mode": "fast"}


def test_a_changed_schema_counts_for_what_is_stored(widgets: Api) -> None:
    widgets.make(WIDGETS, widget("x", {"size": 1}))
    live = widgets("GET", ONE).body
    spec = live["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    spec["colour"] = {"type": "string", "default": "red"}
    assert widgets("PUT", ONE, live).code == 200
    assert widgets("GET", f"{WIDGETS}/x").body["spec"]["colour"] == "red"


def test_names_that_are_taken_are_not_accepted(widgets: Api) -> None:
    def rename(made: dict[str, Any]) -> None:
        made["metadata"]["name"] = "gadgets.acme.example.com"
        made["spec"]["names"].update(plural="gadgets")

    widgets.make(DEFINITIONS, definition(rename))
    status = widgets("GET", f"{DEFINITIONS}/gadgets.acme.example.com").body["status"]
    assert [(c["type"], c["status"], c["reason"], c["message"]) for c in status["conditions"]] == [
        ("NamesAccepted", "False", "ListKindConflict", '"WidgetList" is already in use'),
        ("Established", "False", "NotAccepted", "not all names are accepted"),
    ]
    assert status["acceptedNames"] == {"plural": "gadgets", "kind": ""}
    assert widgets("GET", WIDGETS.replace("widgets", "gadgets")).code == 404


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda made: made["metadata"].update(name="x.y"), 'must be spec.names.plural+"."+spec.group'),
        (lambda made: made["spec"].update(scope="Everywhere"), 'supported values: "Cluster", "Namespaced"'),
        (lambda made: version(made).update(storage=False), "must have exactly one version marked as storage version"),
        (lambda made: version(made).pop("schema"), "spec.versions[0].schema.openAPIV3Schema: Required value"),
        (
            lambda made: (made["spec"].update(group="x.k8s.io"), made["metadata"].update(name="widgets.x.k8s.io")),
            "protected groups must have approval annotation",
        ),
    ],
)
def test_definitions_that_are_refused(api: Api, change: Callable[[dict[str, Any]], object], message: str) -> None:
    answer = api("POST", DEFINITIONS, definition(change))
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert message in answer.message


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "s.properties[a].type: Required value: must not be empty for specified object fields"),
        ({"type": "thing"}, 's.properties[a].type: Unsupported value: "thing"'),
        ({"type": "array"}, "s.properties[a].items: Required value: must be specified"),
        ({"type": "string", "default": 5}, "s.properties[a].default: Invalid value"),
        ({"type": "string", "pattern": "["}, "s.properties[a].pattern: Invalid value"),
        ({"type": "string", "$ref": "#/x"}, "s.properties[a].$ref: Forbidden: $ref is not supported"),
        (
            {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "s.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
        ),
        (
            {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
            "s.properties[a].x-kubernetes-list-map-keys: Required value",
        ),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": "self.b"}]},
            "s.properties[a].x-kubernetes-validations[0].rule: Invalid value",
        ),
    ],
)
def test_schemas_that_are_refused(node: Schema, message: str) -> None:
    found = [str(error) for error in validate_schema({"type": "object", "properties": {"a": node}}, "s")]
    assert any(text.startswith(message) for text in found), found


def test_a_rule_beside_a_reference_is_not_compiled() -> None:
    node = {"type": "object", "$ref": "#/x", "x-kubernetes-validations": [{"rule": "self.a == 1"}]}
    (error,) = validate_schema({"type": "object", "properties": {"a": node}}, "s")
    assert str(error) == "s.properties[a].$ref: Forbidden: $ref is not supported"


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(next(iter(case.values()))))
def test_definitions_that_a_kube_apiserver_refuses(api: Api, case: dict[str, Any]) -> None:
    answer = api("POST", DEFINITIONS, refused_definition(case))
    assert answer.code == 422
    assert causes(answer.body) == sorted(case["causes"])
