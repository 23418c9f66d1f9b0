# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The schema of a kind as the cluster serves it, read from the API server's own OpenAPI document when it is needed."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import CRD, Resource


class Schema:
    """One node of a schema; references are followed."""

    def __init__(self, node: Object, components: Object) -> None:
        self._components = components
        self._node = node
        for _step in range(8):  # a reference to a reference to ...; never that deep in practice
            target = self._node.get("$ref") or next((part.get("$ref") for part in self._node.get("allOf") or []), None)
            if target is None:
                break
            self._node = components.get(str(target).rpartition("/")[2], {})

    def field(self, name: str) -> Schema | None:
        """The node of a field of an object."""
        node = (self._node.get("properties") or {}).get(name)
        if node is None:
            node = self._node.get("additionalProperties")
        return Schema(node, self._components) if isinstance(node, dict) else None

    def items(self) -> Schema | None:
        """The node of the items of a list."""
        node = self._node.get("items")
        return Schema(node, self._components) if isinstance(node, dict) else None

    @property
    def is_associative(self) -> bool:
        """A list of which every item is owned for itself, so that an empty one is as good as none."""
        return self._node.get("x-kubernetes-list-type") in {"map", "set"}

    def with_defaults(self, value: t.Any) -> t.Any:
        """A copy of a value with the defaults that the API server fills in (structural defaulting)."""
        if isinstance(value, list):
            items = self.items()
            return [items.with_defaults(item) for item in value] if items else value
        if not isinstance(value, dict):
            return value
        filled = dict(value)
        for name, node in (self._node.get("properties") or {}).items():
            if name not in filled and node.get("default") is not None:
                filled[name] = copy.deepcopy(node["default"])
        for name, item in filled.items():
            field = self.field(name)
            filled[name] = field.with_defaults(item) if field else item
        return filled

    def unknown_fields(self, wanted: t.Mapping[str, t.Any], path: str) -> list[str]:
        """Paths in ``wanted`` that the schema does not have; whatever is below an open node is known."""
        properties = self._node.get("properties")
        if properties is None or self._node.get("x-kubernetes-preserve-unknown-fields"):
            return []
        found = []
        for name, value in wanted.items():
            if name not in properties:
                found.append(f"{path}.{name}")
                continue
            below = Schema(properties[name], self._components)
            if isinstance(value, dict):
                found += below.unknown_fields(value, f"{path}.{name}")
            elif isinstance(value, list) and (items := below.items()):
                for number, item in enumerate(value):
                    found += items.unknown_fields(item, f"{path}.{name}[{number}]") if isinstance(item, dict) else []
        return found


def read_schema(client: ApiClient, resource: Resource) -> Schema | None:
    """The schema of a kind, or None when this user can read neither OpenAPI nor the CRD."""
    prefix = f"apis/{resource.group}" if resource.group else "api"
    try:
        document = client.read_path(f"/openapi/v3/{prefix}/{resource.version}") or {}
    except Forbidden:
        document = {}
    components = (document.get("components") or {}).get("schemas") or {}
    wanted = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    for node in components.values():
        if wanted in (node.get("x-kubernetes-group-version-kind") or []) and "properties" in node:
            return Schema(node, components)
    return _from_crd(client, resource)


def _from_crd(client: ApiClient, resource: Resource) -> Schema | None:
    try:
        crd = client.get(CRD, resource.qualified) if resource.group else None
    except Forbidden:
        return None
    for version in ((crd or {}).get("spec") or {}).get("versions") or []:
        if version.get("name") == resource.version:
            return Schema((version.get("schema") or {}).get("openAPIV3Schema") or {}, {})
    return None
