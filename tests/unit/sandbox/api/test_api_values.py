# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantities, formats, patterns, and objects as Go decodes them."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.builtins import load_definitions
from sandbox.api.decoding import DecodingError, shape
from sandbox.api.defaults import fill
from sandbox.api.definitions import Definitions
from sandbox.api.formats import duration, fits, regex
from sandbox.api.quantities import canonical


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("2000", "2k"),
        ("1e3", "1e3"),
        (2, "2"),
        (0.1, "100m"),
        ("0", "0"),
        ("0.5Gi", "512Mi"),
        ("100Mi", "100Mi"),
        ("1e-10", "1e-9"),
    ],
)
def test_quantities(written: str | float, kept: str) -> None:
    assert canonical(written) == kept


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1KiB", "--1"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        canonical(text)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T25:00:00Z"),
        ("date", "2026-01-02", "2026-13-02"),
        ("duration", "1h30m", "1 hour"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", "10.0.0.1"),
        ("cidr", "10.0.0.0/8", "10.0.0.0"),
        ("uri", "https://a.example/b", "nothing"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
        ("byte", "aGk=", "???"),
        ("email", "a@b.example", "a"),
        ("hostname", "a.example", "-a"),
    ],
)
def test_formats(name: str, good: str, bad: str) -> None:
    assert fits(good, name)
    assert not fits(bad, name)


def test_unknown_formats_fit() -> None:
    assert fits("anything", "color-of-the-sky")


def test_durations_are_nanoseconds() -> None:
    assert duration("1m0.5s") == 60_500_000_000
    assert duration("-1ms") == -1_000_000


def test_patterns_are_those_of_go() -> None:
    assert not regex("^a$").search("a\n")
    assert not regex(r"^\d$").search("٣")
    assert regex("^[[:alpha:]]+$").search("abc")


def of(definitions: Definitions, group: str, kind: str, **fields: Any) -> tuple[dict[str, Any], list[str]]:
    obj = {"apiVersion": f"{group}/v1".lstrip("/"), "kind": kind, "metadata": {"name": "x"}, **fields}
    return obj, shape(obj, definitions.kind(group, "v1", kind), fill)


def test_unknown_fields_of_built_in_kinds_are_dropped(definitions: Definitions) -> None:
    template = {"metadata": {}, "spec": {"containers": [{"name": "c", "imgae": "x"}]}}
    deployment, unknown = of(definitions, "apps", "Deployment", spec={"selector": {}, "template": template, "no": 1})
    assert unknown == ["spec.no", "spec.template.spec.containers[0].imgae"]
    assert "no" not in deployment["spec"]


def test_unknown_fields_below_maps_have_their_keys(definitions: Definitions) -> None:
    schema = {"type": "object", "properties": {"spec": {"type": "object", "zzz": 1}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "xs", "kind": "X"}
    spec = {"group": "g.example", "scope": "Cluster", "names": names, "versions": [version]}
    _, unknown = of(definitions, "apiextensions.k8s.io", "CustomResourceDefinition", spec=spec)
    assert unknown == ["spec.versions[0].schema.openAPIV3Schema.properties.spec.zzz"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"replicas": "3"}, "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type"),
        ({"template": []}, "json: cannot unmarshal array into Go struct field DeploymentSpec.spec.template of type"),
        ({"paused": 1}, "json: cannot unmarshal number into Go struct field DeploymentSpec.spec.paused of type bool"),
    ],
)
def test_wrong_types_are_the_errors_of_go(definitions: Definitions, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(DecodingError) as caught:
        of(definitions, "apps", "Deployment", spec=spec)
    assert str(caught.value).startswith(message)


def test_nulls_and_empty_lists_are_left_out(definitions: Definitions) -> None:
    service, unknown = of(definitions, "", "Service", spec={"ports": [], "selector": None, "type": "ClusterIP"})
    assert service["spec"].keys() == {"type", "internalTrafficPolicy", "sessionAffinity"}
    assert service["status"] == {"loadBalancer": {}}
    assert unknown == []


def test_secrets_hold_base64(definitions: Definitions) -> None:
    with pytest.raises(DecodingError, match=r"^illegal base64 data at input byte 2$"):
        of(definitions, "", "Secret", data={"k": "aa??"})
