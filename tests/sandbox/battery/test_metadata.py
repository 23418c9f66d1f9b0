# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metadata: names, labels, annotations, finalizers, owners, and what a caller may not decide."""

from __future__ import annotations

import pytest
from sandbox.battery.support import Object, Space

UID = "00000000-0000-0000-0000-000000000001"
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": UID}
QUALIFIED = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
        ({"name": "Upper"}, 'metadata.name: Invalid value: "Upper": a lowercase RFC 1123 subdomain must consist of'),
        ({"name": "a" * 254}, "must be no more than 253 characters"),
        ({"labels": {"a b": "c"}}, f'metadata.labels: Invalid value: "a b": {QUALIFIED}'),
        ({"labels": {"a/b/c": "d"}}, 'metadata.labels: Invalid value: "a/b/c": a valid label key must consist of'),
        ({"labels": {"/a": "b"}}, 'metadata.labels: Invalid value: "/a": prefix part must be non-empty'),
        ({"labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": a valid label must be an empty string or'),
        ({"labels": {"a": "b" * 64}}, "must be no more than 63 bytes"),
        ({"annotations": {"a b": "c"}}, f'metadata.annotations: Invalid value: "a b": {QUALIFIED}'),
        ({"annotations": {"a": "b" * 262145}}, "metadata.annotations: Too long: may not be more than 262144 bytes"),
        ({"finalizers": ["plain"]}, 'metadata.finalizers[0]: Invalid value: "plain": name is neither a standard'),
        ({"finalizers": ["a b"]}, f'metadata.finalizers: Invalid value: "a b": {QUALIFIED}'),
        (
            {"finalizers": ["orphan", "foregroundDeletion"]},
            "finalizer orphan and foregroundDeletion cannot be both set",
        ),
        ({"ownerReferences": [{**OWNER, "uid": ""}]}, 'metadata.ownerReferences.uid: Invalid value: "": must not be'),
        ({"ownerReferences": [{**OWNER, "apiVersion": ""}]}, "metadata.ownerReferences.apiVersion: Invalid value"),
        (
            {"ownerReferences": [{**OWNER, "controller": True}, {**OWNER, "name": "two", "controller": True}]},
            'Only one reference can have Controller set to true. Found "true" in references for ConfigMap/owner and',
        ),
    ],
)
def test_metadata_that_is_refused(space: Space, metadata: Object, message: str) -> None:
    body = space.config_map("refused", {})
    body["metadata"] |= metadata
    answer = space.cluster.post(space.core("configmaps"), body)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("x", "json: cannot unmarshal string into Go struct field ConfigMap.metadata of type v1.ObjectMeta"),
        ({"labels": []}, "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map"),
        ({"labels": {"a": 5}}, "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type"),
        ({"creationTimestamp": "x"}, 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'),
    ],
)
def test_metadata_of_a_wrong_type(space: Space, metadata: object, message: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    answer = space.cluster.post(space.core("configmaps"), body)
    assert answer.status == 400
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("x", "json: cannot unmarshal string into Go value of type v1.ObjectMeta"),
        ({"labels": {"a": 5}}, "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"),
        (
            {"finalizers": "x"},
            "json: cannot unmarshal string into Go struct field ObjectMeta.finalizers of type []string",
        ),
    ],
)
def test_metadata_of_a_wrong_type_in_custom_resources(space: Space, metadata: object, message: str) -> None:
    answer = space.cluster.post(space.widgets, {**space.widget("typed", {"size": 1}), "metadata": metadata})
    assert answer.status == 400
    assert answer.body["message"].startswith('Widget in version "v1" cannot be handled as a Widget: ')
    assert message in answer.body["message"]


def test_system_fields_are_the_servers(space: Space) -> None:
    stated = {"uid": UID, "creationTimestamp": "2020-01-01T00:00:00Z", "selfLink": "x", "deletionGracePeriodSeconds": 5}
    made = space.cluster.post(space.core("configmaps"), space.config_map("system", {}, **stated)).ok()["metadata"]
    assert made["uid"] != UID
    assert not made["creationTimestamp"].startswith("2020")
    assert "selfLink" not in made
    assert "deletionGracePeriodSeconds" not in made


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"uid": UID}, "Precondition failed: UID in precondition: "),
        ({"resourceVersion": "1"}, "the object has been modified; please apply your changes to the latest version"),
    ],
)
def test_updates_with_stale_metadata(space: Space, metadata: Object, message: str) -> None:
    path = f"{space.core('configmaps')}/stale"
    space.cluster.post(space.core("configmaps"), space.config_map("stale", {}))
    answer = space.cluster.put(path, space.config_map("stale", {}, **metadata))
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert message in answer.body["message"]


def test_a_deletion_timestamp_cannot_be_set(space: Space) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("alive", {})).ok()
    body = {"metadata": {"deletionTimestamp": "2020-01-01T00:00:00Z"}}
    answer = space.cluster.patch(f"{space.core('configmaps')}/alive", body)
    assert answer.status == 422
    assert "metadata.deletionTimestamp: Invalid value: " in answer.body["message"]


def test_names_are_generated_and_not_too_long(space: Space) -> None:
    base = "b" * 70
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": base}}
    first, second = (space.cluster.post(space.core("configmaps"), body).ok()["metadata"]["name"] for _ in range(2))
    assert first != second
    assert len(first) == 63
    assert first[:58] == base[:58]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metadata": {"name": "other"}}, "the name of the object (other) does not match the name on the URL (same)"),
        ({"metadata": {}}, "the name of the object (same based on URL) was undeterminable: name must be provided"),
        ({"kind": "Secret"}, 'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to'),
        ({"kind": "Foo"}, 'no kind "Foo" is registered for version "v1" in scheme'),
        ({"apiVersion": "apps/v1"}, 'no kind "ConfigMap" is registered for version "apps/v1" in scheme'),
    ],
)
def test_updates_of_another_object(space: Space, change: Object, message: str) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("same", {}))
    answer = space.cluster.put(f"{space.core('configmaps')}/same", {**space.config_map("same", {}), **change})
    assert answer.status == 400
    assert message in answer.body["message"]
