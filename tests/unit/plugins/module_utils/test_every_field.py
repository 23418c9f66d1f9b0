# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every field of the operator's kinds, in every version, can be set by an option of a module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import SINCE, extension_manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._registration_job import registration_manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._virtual_server_job import virtual_server_manifest
from ansible_collections.mcpops.gateway.plugins.modules import extension, server_registration, virtual_server
from sandbox.catalog.crds import operator_crds

Json = dict[str, Any]
IGNORED = {"MCPServerRegistration": {"targetRef.namespace"}}
"""Declared, and never read by the operator."""
OLD_NAMES = {"toolPrefix": "prefix"}
SAMPLES = {"str": "x", "int": 1, "bool": False, "list": ["x"], "float": 1.0}


def full(options: Mapping[str, Any]) -> Json:
    """A value for every option."""
    found: Json = {}
    for name, spec in options.items():
        found[name] = full(spec["options"]) if "options" in spec else SAMPLES.get(spec["type"], "x")
    return found


def present(options: Mapping[str, Any]) -> Json:
    return {**full(options), "state": "present"}


MADE = {
    "MCPGatewayExtension": lambda: extension_manifest(present(extension.OPTIONS), "v1"),
    "MCPServerRegistration": lambda: registration_manifest(present(server_registration.OPTIONS)),
    "MCPVirtualServer": lambda: virtual_server_manifest(present(virtual_server.OPTIONS)),
}


def declared(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The leaves of a schema."""
    for name, below in schema.get("properties", {}).items():
        path = f"{above}{name}"
        if below.get("properties"):
            yield from declared(below, f"{path}.")
        else:
            yield path


def written(value: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, below in value.items():
        if isinstance(below, dict):
            yield from written(below, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def spec_fields(kind: str, version: str) -> set[str]:
    crd = next(one for one in operator_crds(version) if one["spec"]["names"]["kind"] == kind)
    fields: set[str] = set()
    for one in crd["spec"]["versions"]:
        fields |= set(declared(one["schema"]["openAPIV3Schema"]["properties"]["spec"]))
    return {OLD_NAMES.get(field, field) for field in fields} - IGNORED.get(kind, set())


@pytest.mark.parametrize("kind", list(MADE))
def test_every_field_has_an_option_and_every_option_a_field(kind: str) -> None:
    made = set(written(MADE[kind]()["spec"]))

    assert spec_fields(kind, "0.6.0") <= made
    assert spec_fields(kind, "0.9.0") == made


def test_fields_that_came_later_are_known_with_their_version() -> None:
    later = spec_fields("MCPGatewayExtension", "0.9.0") - spec_fields("MCPGatewayExtension", "0.6.0")

    assert {field.partition(".")[0] for field in later} == set(SINCE)
