# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the roles make of their input: listeners of the install guide, objects of a registered MCP server."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured
from ansible_collections.mcpops.gateway.plugins.module_utils._secret_references import SECRET_LABEL

Object = dict[str, t.Any]

GATEWAY_GROUP = "gateway.networking.k8s.io"
MCP_GROUP = "mcp.kuadrant.io"
SECRET_LABELS = {SECRET_LABEL: "true"}
"""Without it the operator does not see a Secret."""

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
        reference = {"name": certificate, "kind": "Secret", "group": ""}
        wanted = [
            {"name": "http", "port": 80, "protocol": "HTTP"},
            {"name": "mcps", "hostname": hostname, "port": port, "protocol": "HTTP"},
            {
                "name": "https",
                "hostname": https_hostname,
                "port": 443,
                "protocol": "HTTPS",
                "tls": {"mode": "Terminate", "certificate_refs": [reference]},
            },
        ]
        if structured(servers, "list"):
            wanted.append({"name": "mcp-servers", "hostname": servers_hostname, "port": port, "protocol": "HTTP"})
    return [{"protocol": "HTTP", "allowed_routes": ALL_NAMESPACES, **listener} for listener in wanted]


def enabled_prefixes(servers: t.Any) -> list[str]:
    """Prefixes of the servers that must offer tools: those that are enabled and have one."""
    entries: list[Object] = structured(servers, "list")
    prefixes = [prefix_of(entry) for entry in entries if entry.get("state", "enabled") == "enabled"]
    return [prefix for prefix in prefixes if prefix]


def disabled_waits(servers: t.Any, *, namespace: str) -> list[Object]:
    """What module ``apply`` has to wait for with disabled servers (its option ``wait_for``).

    The operator reports Ready=False with the reason Disabled for them, and that is what was asked for.
    """
    entries: list[Object] = structured(servers, "list")
    return [
        {
            "kind": "MCPServerRegistration",
            "name": entry["name"],
            "namespace": entry.get("namespace") or namespace,
            "condition": "Ready=False",
        }
        for entry in entries
        if entry.get("state") == "disabled"
    ]


def prefix_of(server: t.Mapping[str, t.Any]) -> str:
    """The prefix of a server's tools: as given, ``""`` for none, or its name with an underscore."""
    given = server.get("prefix")
    if given is not None:
        return str(given)
    return re.sub(r"[^a-z0-9_]", "_", str(server["name"])) + "_"


def server_objects(
    servers: t.Any,
    virtual: t.Any,
    *,
    wanted: t.Literal["present", "absent"],
    state: str,
    namespace: str,
    virtual_namespace: str,
    gateway: str,
    gateway_namespace: str,
    listener: str,
    domain: str,
) -> list[Object]:
    """Manifests of the servers and virtual servers that are to be there, or (``wanted``) that are not to be there.

    ``state`` is the role's: with ``absent`` everything belongs to those that are not to be there. The apiVersion of the
    operator's kinds is their group alone; module ``apply`` adds the version that the cluster serves.
    """
    objects: list[Object] = []
    for entry in structured(servers, "list"):
        if (_gone(entry, state)) is (wanted == "absent"):
            settings = {
                "namespace": namespace,
                "listener": listener,
                **{k: v for k, v in entry.items() if v is not None},
            }
            objects += _server(settings, gateway=gateway, gateway_namespace=gateway_namespace, domain=domain)
    for entry in structured(virtual, "list"):
        if (_gone(entry, state)) is (wanted == "absent"):
            objects.append(_virtual_server({"namespace": virtual_namespace, **entry}))
    if wanted == "absent":
        return [_without_spec(found) for found in objects]
    return [found for found in objects if found["kind"] != "Secret" or "stringData" in found]


def _gone(entry: t.Mapping[str, t.Any], state: str) -> bool:
    return state == "absent" or entry.get("state") == "absent"


def _without_spec(found: Object) -> Object:
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}


def _server(server: Object, *, gateway: str, gateway_namespace: str, domain: str) -> list[Object]:
    name, namespace = server["name"], server["namespace"]
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-mcp-credential", "namespace": namespace, "labels": SECRET_LABELS},
        "type": "Opaque",
    }
    if server.get("credential"):
        secret["stringData"] = {"token": server["credential"]}
    parent = {
        "group": GATEWAY_GROUP,
        "kind": "Gateway",
        "name": gateway,
        "namespace": gateway_namespace,
        "sectionName": server["listener"],
    }
    backend: Object = {"group": "", "kind": "Service", "name": server.get("service") or name}
    if server.get("port"):
        backend["port"] = int(server["port"])
    route = {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [parent],
            "hostnames": [hostname_of(server, domain)],
            "rules": [{"backendRefs": [backend]}],
        },
    }
    registration = {
        "apiVersion": MCP_GROUP,
        "kind": "MCPServerRegistration",
        "metadata": {"name": name, "namespace": namespace},
        "spec": _registration_spec(server, secret["metadata"]["name"]),
    }
    return [secret, route, registration]


def hostname_of(server: t.Mapping[str, t.Any], domain: str) -> str:
    """The host name of a server's route: as given, or its name under the domain."""
    return str(server.get("hostname") or f"{server['name']}.{domain}")


def _registration_spec(server: Object, secret_name: str) -> Object:
    spec: Object = {"targetRef": {"group": GATEWAY_GROUP, "kind": "HTTPRoute", "name": server["name"]}}
    if prefix_of(server):
        spec["prefix"] = prefix_of(server)
    if server.get("path"):
        spec["path"] = server["path"]
    if server.get("credential"):
        spec["credentialRef"] = {"name": secret_name, "key": "token"}
    elif server.get("credential_secret"):
        spec["credentialRef"] = structured(server["credential_secret"], "dict")
    if server.get("ca_cert_secret"):
        spec["caCertSecretRef"] = structured(server["ca_cert_secret"], "dict")
    if server.get("state") == "disabled":
        spec["state"] = "Disabled"
    if "user_specific_list" in server:
        spec["userSpecificList"] = "Enabled" if _true(server["user_specific_list"]) else "Disabled"
    for field in ("category", "tags"):
        if server.get(field):
            spec[field] = structured(server[field], "list")
    if server.get("hint"):
        spec["hint"] = server["hint"]
    return spec


def _true(value: t.Any) -> bool:
    return str(value).strip().lower() in ("1", "true", "t", "yes", "y", "on")


def _virtual_server(server: Object) -> Object:
    spec = {field: structured(server[field], "list") for field in ("tools", "prompts") if server.get(field)}
    if server.get("description"):
        spec["description"] = server["description"]
    return {
        "apiVersion": MCP_GROUP,
        "kind": "MCPVirtualServer",
        "metadata": {"name": server["name"], "namespace": server["namespace"]},
        "spec": spec,
    }
