# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which fields a kind has in the version that the cluster serves, read from the API server's own OpenAPI document."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import CRD, Resource


def spec_schema(client: ApiClient, resource: Resource) -> Object | None:
    """The schema of ``spec``, or None when this user can read neither OpenAPI nor the CRD."""
    path = f"/openapi/v3/apis/{resource.group}/{resource.version}"
    try:
        schema = _from_openapi(client.read_path(path) or {}, resource)
    except Forbidden:
        schema = None
    if schema is None:
        schema = _from_crd(client, resource)
    found: Object | None = (schema or {}).get("properties", {}).get("spec")
    return found


def _from_openapi(document: Object, resource: Resource) -> Object | None:
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    for schema in ((document.get("components") or {}).get("schemas") or {}).values():
        if wanted in (schema.get("x-kubernetes-group-version-kind") or []) and "spec" in (
            schema.get("properties") or {}
        ):
            return dict(schema)
    return None


def _from_crd(client: ApiClient, resource: Resource) -> Object | None:
    try:
        crd = client.get(CRD, resource.qualified)
    except Forbidden:
        return None
    for version in ((crd or {}).get("spec") or {}).get("versions") or []:
        if version.get("name") == resource.version:
            found: Object | None = (version.get("schema") or {}).get("openAPIV3Schema")
            return found
    return None


def unknown_fields(schema: t.Mapping[str, t.Any], wanted: t.Mapping[str, t.Any], path: str = "spec") -> list[str]:
    """Paths in ``wanted`` that the schema does not have; whatever is below an open schema is known."""
    properties = schema.get("properties")
    if properties is None or schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    found = []
    for key, value in wanted.items():
        if key not in properties:
            found.append(f"{path}.{key}")
        elif isinstance(value, dict):
            found += unknown_fields(properties[key], value, f"{path}.{key}")
    return found
