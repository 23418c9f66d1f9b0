# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The MCPGatewayExtension that the options describe, and the address at which it is reached. Pure functions."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest

GROUP = "mcp.kuadrant.io"
KIND = "MCPGatewayExtension"
VERSIONS = ("v1", "v1alpha1")
ROUTE = "mcp-gateway-route"
FIELDS_SINCE_06 = frozenset(
    {
        "targetRef",
        "publicHost",
        "privateHost",
        "backendPingIntervalSeconds",
        "trustedHeadersKey",
        "httpRouteManagement",
        "sessionStore",
    }
)
"""Fields of every version of the operator; others have to be looked up in the schema."""
SINCE = {"logLevel": "0.8", "caCertBundleRef": "0.8", "urlElicitation": "0.7", "oauthProtectedResource": "0.7"}


def extension_manifest(params: t.Mapping[str, t.Any], api_version: str) -> Manifest:
    """The object; ``targetRef.namespace`` is always set, since the operator does not default it."""
    metadata = {"name": params["name"], "namespace": params["namespace"]}
    manifest: Manifest = {"apiVersion": api_version, "kind": KIND, "metadata": metadata}
    if params["state"] == "absent":
        return manifest
    spec: dict[str, t.Any] = {
        "targetRef": {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": params["gateway"],
            "namespace": params["gateway_namespace"] or params["namespace"],
            "sectionName": params["listener"],
        },
        "publicHost": params["public_host"],
        "privateHost": params["private_host"],
        "backendPingIntervalSeconds": params["backend_ping_interval"],
        "httpRouteManagement": params["http_route_management"],
        "logLevel": params["log_level"],
        "urlElicitation": params["url_elicitation"],
        "trustedHeadersKey": _section(params["trusted_headers_key"], secretName="secret_name", generate="generate"),
        "sessionStore": _section(params["session_store"], secretName="secret_name"),
        "caCertBundleRef": _section(params["ca_cert_bundle_ref"], name="name", key="key"),
        "oauthProtectedResource": _section(
            params["oauth_protected_resource"],
            authorizationServers="authorization_servers",
            resourceName="resource_name",
            resource="resource",
            bearerMethodsSupported="bearer_methods_supported",
            scopesSupported="scopes_supported",
        ),
    }
    manifest["spec"] = {key: value for key, value in spec.items() if value is not None and value != ""}
    return manifest


def _section(options: t.Mapping[str, t.Any] | None, **names: str) -> dict[str, t.Any] | None:
    if not options:
        return None
    return {field: options[option] for field, option in names.items() if options.get(option) not in (None, "")}


def envoy_filter(namespace: str) -> str:
    """The name of the EnvoyFilter that the operator makes in the Gateway's namespace for an extension's namespace."""
    return f"mcp-ext-proc-{namespace}-gateway"


def private_host(gateway: t.Mapping[str, t.Any], listener: t.Mapping[str, t.Any]) -> str | None:
    """What ``privateHost`` must be for operators older than 0.8, which assume the class ``istio``; None if right.

    The Service that a Gateway gets is named after the Gateway and its class.
    """
    class_name = (gateway.get("spec") or {}).get("gatewayClassName")
    if class_name in {None, "istio"}:
        return None
    metadata = gateway["metadata"]
    return f"{metadata['name']}-{class_name}.{metadata.get('namespace')}.svc.cluster.local:{listener.get('port')}"
