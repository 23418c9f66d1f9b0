# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAPI v3 documents, one for each group and version, and a stub of v2.

kubectl reads them for ``explain``, and to see that fieldValidation and strategic merge patches are served. Built-in
kinds come from the definitions file with their descriptions, which are not kept in memory.
"""

from __future__ import annotations

import hashlib
from typing import Any

from .definitions import OBJECT_META, Definitions, document
from .objects import Object, encode
from .resources import Catalog, Resource

VERSION = "v1.36.2"
_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_PREFIX = "#/components/schemas/"
_PARAMETERS = {
    "get": ("pretty",),
    "list": ("labelSelector", "fieldSelector", "limit", "continue", "watch", "resourceVersion"),
    "post": ("dryRun", "fieldManager", "fieldValidation"),
    "put": ("dryRun", "fieldManager", "fieldValidation"),
    "patch": ("dryRun", "fieldManager", "fieldValidation", "force"),
    "delete": ("dryRun", "gracePeriodSeconds", "propagationPolicy"),
}
_PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)


class OpenApi:
    """OpenAPI documents of what the catalog holds."""

    def __init__(self, catalog: Catalog, definitions: Definitions) -> None:
        self._catalog = catalog
        self._definitions = definitions

    def v2(self, accept: str) -> tuple[bytes, str]:
        """A Swagger document without content, and its media type.

        kubectl asks for it, in protobuf, when v3 does not have a kind (``List``, or one that is not served), and takes
        the kind as it is when it is not there either.
        """
        if _PROTOBUF in accept:
            info = _field(2, _field(1, b"Kubernetes") + _field(2, VERSION.encode()))
            return _field(1, b"2.0") + info + _field(8, b""), _PROTOBUF.replace("@", ".")
        body = {"swagger": "2.0", "info": {"title": "Kubernetes", "version": VERSION}, "paths": {}, "definitions": {}}
        return encode(body), "application/json"

    def index(self) -> Object:
        """/openapi/v3: the documents, with a hash of the state of each."""
        paths: Object = {}
        for group, versions in self._catalog.groups().items():
            for version in versions:
                name = f"apis/{group}/{version}" if group else f"api/{version}"
                state = [(r.plural, r.schema_revision) for r in self._catalog.of_version(group, version)]
                digest = hashlib.sha256(encode(state)).hexdigest()[:32].upper()
                paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
        return {"paths": paths}

    def v3(self, group: str, version: str) -> Object | None:
        """The document of one version of one group."""
        resources = list(self._catalog.of_version(group, version))
        if not resources:
            return None
        schemas = _Schemas()
        paths: Object = {}
        for resource in resources:
            gvk = {"group": group, "version": version, "kind": resource.kind}
            if resource.custom:
                name = schemas.custom(resource, gvk)
            else:
                name = schemas.builtin(self._definitions.names[group, version, resource.kind])
            paths.update(_paths(resource, name, gvk))
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": VERSION},
            "paths": paths,
            "components": {"schemas": schemas.found},
        }


def _field(number: int, content: bytes) -> bytes:
    """A field of a protobuf message that is text or a message, of less than 128 bytes."""
    return bytes((number << 3 | 2, len(content))) + content


class _Schemas:
    """The component schemas of one document, collected from what they refer to."""

    def __init__(self) -> None:
        self.found: Object = {}
        self._document = document()

    def builtin(self, name: str) -> str:
        if name not in self.found:
            self.found[name] = {}
            self.found[name] = self._convert(self._document[name])
        return name

    def custom(self, resource: Resource, gvk: Object) -> str:
        name = ".".join(reversed(resource.group.split("."))) + f".{resource.version}.{resource.kind}"
        node = resource.schema.source
        properties = {
            **node["properties"],
            "apiVersion": {"type": "string", "description": _API_VERSION},
            "kind": {"type": "string", "description": _KIND},
            "metadata": {"$ref": f"#/$defs/{OBJECT_META}", "description": "Standard object's metadata."},
        }
        shown = self._convert({**node, "properties": properties})
        self.found[name] = {**shown, "x-kubernetes-group-version-kind": [gvk]}
        return name

    def _convert(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._convert(item) for item in node]
        if not isinstance(node, dict):
            return node
        reference = node.get("$ref")
        if isinstance(reference, str):
            target = {"$ref": _PREFIX + self.builtin(reference.rsplit("/", 1)[1])}
            rest = {key: value for key, value in node.items() if key != "$ref"}
            return {"allOf": [target], **rest} if rest else target
        shown: Object = {}
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                shown[key] = {name: self._convert(child) for name, child in value.items()}
            elif key == "type" and isinstance(value, list):
                shown[key] = next(item for item in value if item != "null")
            elif key == "default":
                shown[key] = value
            else:
                shown[key] = self._convert(value)
        return shown


_API_VERSION = (
    "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized "
    "schemas to the latest internal value, and may reject unrecognized values."
)
_KIND = "Kind is a string value representing the REST resource this object represents. Cannot be updated. In CamelCase."


def _paths(resource: Resource, name: str, gvk: Object) -> Object:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    collection = root + ("/namespaces/{namespace}/" if resource.namespaced else "/") + resource.plural
    one = collection + "/{name}"
    found = {
        collection: {"get": _operation("list", name, gvk), "post": _operation("post", name, gvk)},
        one: {verb: _operation(verb, name, gvk, resource.custom) for verb in ("get", "put", "patch", "delete")},
    }
    if "status" in resource.subresources:
        found[f"{one}/status"] = {
            verb: _operation(verb, name, gvk, resource.custom) for verb in ("get", "put", "patch")
        }
    return found


def _operation(verb: str, name: str, gvk: Object, custom: bool = False) -> Object:
    reference = {"schema": {"$ref": _PREFIX + name}}
    operation: Object = {
        "responses": {"200": {"description": "OK", "content": {"application/json": reference}}},
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": gvk,
        "parameters": [
            {"name": parameter, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for parameter in _PARAMETERS[verb]
        ],
    }
    if verb == "patch":
        types = _PATCH_TYPES[:3] if custom else _PATCH_TYPES
        operation["requestBody"] = {"content": {kind: {"schema": {"type": "object"}} for kind in types}}
    elif verb in ("post", "put"):
        operation["requestBody"] = {"content": {"application/json": reference}}
    return operation
