# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One vocabulary for every version of the operator."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import (
    Resource,
    names_group_only,
    split_api_version,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema
from ansible_collections.mcpops.gateway.plugins.module_utils._versions import speak

GROUP = "mcp.kuadrant.io"


def registration(**spec: Any) -> dict[str, Any]:
    metadata = {"name": "weather", "namespace": "mcp-servers"}
    return {"apiVersion": GROUP, "kind": "MCPServerRegistration", "metadata": metadata, "spec": spec}


def served(version: str, *fields: str) -> tuple[Resource, Schema]:
    properties = {name: {"type": "string"} for name in fields}
    node = {"properties": {"spec": {"properties": properties}}}
    resource = Resource(GROUP, version, "mcpserverregistrations", "MCPServerRegistration", True)
    return resource, Schema(node, {})


@pytest.mark.parametrize(
    ("api_version", "group", "version"),
    [("v1", "", "v1"), ("apps/v1", "apps", "v1"), (f"{GROUP}/v1", GROUP, "v1"), (GROUP, GROUP, "")],
)
def test_an_api_version_without_a_version_is_a_group(api_version: str, group: str, version: str) -> None:
    assert split_api_version(api_version) == (group, version)
    assert names_group_only(api_version) == (version == "")


def test_the_newest_version_keeps_the_names() -> None:
    manifest = registration(prefix="weather_")

    speak(manifest, *served("v1", "prefix", "path"))

    assert manifest["apiVersion"] == f"{GROUP}/v1"
    assert manifest["spec"] == {"prefix": "weather_"}


def test_an_older_version_gets_its_own_name_for_the_field() -> None:
    manifest = registration(prefix="weather_", path="/mcp")

    speak(manifest, *served("v1alpha1", "toolPrefix", "path"))

    assert manifest["apiVersion"] == f"{GROUP}/v1alpha1"
    assert manifest["spec"] == {"toolPrefix": "weather_", "path": "/mcp"}


def test_a_field_that_the_version_lacks_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"mcp-servers/weather cannot have spec\.hint.*v1alpha1.*upgrade the operator"):
        speak(registration(hint="forecasts"), *served("v1alpha1", "toolPrefix", "path"))


def test_an_old_name_is_refused_with_the_new_one() -> None:
    with pytest.raises(Refused, match=r"spec\.toolPrefix is called prefix in mcp\.kuadrant\.io/v1; write spec\.prefix"):
        speak(registration(toolPrefix="weather_"), *served("v1", "prefix", "path"))


def test_without_a_schema_the_names_stay() -> None:
    manifest = registration(prefix="weather_")

    speak(manifest, served("v1alpha1")[0], None)

    assert manifest["spec"] == {"prefix": "weather_"}
