# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What role extension makes of its input: one extension or several, their Secrets and grants, and what they leave."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import GROUP, KIND, ROUTE, envoy_filter
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true, structured
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import (
    GATEWAY_GROUP,
    SECRET_LABELS,
    without_spec,
)

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

SECTIONS = ("trusted_headers_key", "session_store", "oauth_protected_resource", "ca_cert_bundle_ref")
"""Options that are dictionaries, or YAML text of them."""
CONTENTS = {
    "trusted_headers_key": "public_key",
    "session_store": "connection_string",
    "ca_cert_bundle_ref": "certificates",
}
"""Options with the content of a Secret, which the role makes when it is given."""
CONFIG, SIGNING_KEY, BROKER = "mcp-gateway-config", "mcp-gateway-session-signing-key", "mcp-gateway"
"""Names that the operator gives (0.6 to 0.9)."""


def extensions(given: t.Any, defaults: Settings) -> list[Object]:
    """The extensions as ``given``, each with the ``defaults`` for what it does not say; or one of the defaults alone.

    Both have the role's variables without their prefix.
    """
    entries = structured(given, "list") or [{}]
    found = []
    for entry in entries:
        own = {key: value for key, value in entry.items() if value not in (None, "")}
        one = {**defaults, **own}
        if defaults.get("state") == "absent":
            one["state"] = "absent"
        if "reference_grant_name" not in own and own.get("namespace"):
            one["reference_grant_name"] = f"allow-{own['namespace']}"
        for section in SECTIONS:
            one[section] = structured(one.get(section), "dict")
        found.append(one)
    return found


def without_contents(extension: Settings) -> Object:
    """An extension without the contents of Secrets, which may be shown."""
    shown = {**extension}
    for section, content in CONTENTS.items():
        shown[section] = {key: value for key, value in extension[section].items() if key != content}
    return shown


def objects(found: t.Sequence[Settings], part: str) -> list[Object]:
    """Manifests: ``namespaces``, ``secrets`` and ``grants`` to be made; custom ``routes``, by name only; the extension
    ``itself``, ``leftovers`` of it when it goes, and ``remains``, all that belongs to it and must be gone then."""
    makers: dict[str, t.Callable[[Settings], list[Object]]] = {
        "namespaces": _namespaces,
        "secrets": _secrets,
        "grants": _grants,
        "routes": _routes,
        "itself": _itself,
        "leftovers": _leftovers,
        "remains": _remains,
    }
    unique: dict[tuple[str, str, str], Object] = {}
    for extension in found:
        for one in makers[part](extension):
            metadata = one["metadata"]
            unique.setdefault((one["kind"], metadata.get("namespace", ""), metadata["name"]), one)
    return list(unique.values())


def _namespaces(extension: Settings) -> list[Object]:
    labels = {"app.kubernetes.io/managed-by": "mcpops.gateway"}
    metadata = {"name": extension["namespace"], "labels": labels}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}]


def _secrets(extension: Settings) -> list[Object]:
    """Only a Secret of trusted headers needs no label."""
    found = []
    for section, key, labels in (
        ("trusted_headers_key", "key", {}),
        ("session_store", "CACHE_CONNECTION_STRING", SECRET_LABELS),
        ("ca_cert_bundle_ref", extension["ca_cert_bundle_ref"].get("key") or "ca.crt", SECRET_LABELS),
    ):
        content = extension[section].get(CONTENTS[section])
        if content:
            name = extension[section].get("secret_name") or extension[section].get("name")
            secret = _object("v1", "Secret", str(name), extension["namespace"])
            if labels:
                secret["metadata"]["labels"] = dict(labels)
            found.append({**secret, "type": "Opaque", "stringData": {key: content}})
    return found


def _grants(extension: Settings) -> list[Object]:
    place = extension["gateway_namespace"]
    if extension["namespace"] == place or not is_true(extension["reference_grant"]):
        return []
    grant = _object(f"{GATEWAY_GROUP}/v1beta1", "ReferenceGrant", extension["reference_grant_name"], place)
    source = {"group": GROUP, "kind": KIND, "namespace": extension["namespace"]}
    return [{**grant, "spec": {"from": [source], "to": [{"group": GATEWAY_GROUP, "kind": "Gateway"}]}}]


def _routes(extension: Settings) -> list[Object]:
    return [_object(f"{GATEWAY_GROUP}/v1", "HTTPRoute", extension["route_name"], extension["namespace"])]


def _itself(extension: Settings) -> list[Object]:
    return [_object(GROUP, KIND, extension["name"], extension["namespace"])]


def _filter(extension: Settings) -> Object:
    name = envoy_filter(extension["namespace"])
    return _object("networking.istio.io", "EnvoyFilter", name, extension["gateway_namespace"])


def _leftovers(extension: Settings) -> list[Object]:
    """The operator's Secret, which has no owner, and its filter, when no operator removes it; the role's Secrets."""
    config = _object("v1", "Secret", CONFIG, extension["namespace"])
    return [_filter(extension), config, *(without_spec(secret) for secret in _secrets(extension))]


def _remains(extension: Settings) -> list[Object]:
    namespace = extension["namespace"]
    return [
        *_itself(extension),
        _object(f"{GATEWAY_GROUP}/v1", "HTTPRoute", ROUTE, namespace),
        _filter(extension),
        _object("apps/v1", "Deployment", BROKER, namespace),
        _object("v1", "Service", BROKER, namespace),
        _object("v1", "Secret", CONFIG, namespace),
        _object("v1", "Secret", SIGNING_KEY, namespace),
    ]


def _object(api_version: str, kind: str, name: str, namespace: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}}
