# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the roles make of their input: the listeners of the install guide."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured

Object = dict[str, t.Any]

ALL_NAMESPACES = {"namespaces": {"from": "All"}}


def listeners(
    given: t.Any,
    *,
    hostname: str,
    port: t.Any,
    https_hostname: str,
    certificate: str,
    servers_hostname: str,
    servers: t.Any,
) -> list[Object]:
    """The listeners that the Gateway gets, as the modules take them.

    ``given`` as the user wrote them, or else those of the install guide, section 1.2, with one more for the routes of
    the MCP servers when there are any. Routes of all namespaces may attach unless a listener says otherwise.
    """
    wanted: list[t.Any] = structured(given, "list")
    if not wanted:
        wanted = [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "mcps", "hostname": hostname, "port": port, "protocol": "HTTP"},
        ]
        if certificate:
            reference = {"name": certificate, "kind": "Secret", "group": ""}
            tls = {"mode": "Terminate", "certificate_refs": [reference]}
            wanted.append({"name": "https", "hostname": https_hostname, "port": 443, "protocol": "HTTPS", "tls": tls})
        if structured(servers, "list"):
            wanted.append({"name": "mcp-servers", "hostname": servers_hostname, "port": port, "protocol": "HTTP"})
    return [{"protocol": "HTTP", "allowed_routes": ALL_NAMESPACES, **listener} for listener in wanted]


def certificate_grants(listeners: t.Sequence[t.Mapping[str, t.Any]], *, gateway: str, namespace: str) -> list[Object]:
    """ReferenceGrants for certificates in other namespaces than the Gateway's, one in each of them.

    ``listeners`` as the modules take them. Only the Secrets that are referred to are granted.
    """
    names: dict[str, list[str]] = {}
    for listener in listeners:
        for reference in (listener.get("tls") or {}).get("certificate_refs") or []:
            place = reference.get("namespace") or namespace
            plain = (reference.get("group") or "", reference.get("kind") or "Secret") == ("", "Secret")
            if plain and place != namespace and reference["name"] not in names.setdefault(place, []):
                names[place].append(reference["name"])
    return [
        {
            "apiVersion": "gateway.networking.k8s.io/v1beta1",
            "kind": "ReferenceGrant",
            "metadata": {"name": f"{namespace}-{gateway}-certificates", "namespace": place},
            "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": namespace}],
                "to": [{"group": "", "kind": "Secret", "name": name} for name in secrets],
            },
        }
        for place, secrets in names.items()
    ]
