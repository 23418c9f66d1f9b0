# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What role ``servers`` makes of its list: objects of MCP servers in the cluster and outside, and of virtual servers.

A server with a ``url`` is outside. The operator reaches it through an HTTPRoute whose backend is a ``Hostname`` of
Istio, and Envoy through a ServiceEntry (the host exists) and a DestinationRule (it speaks TLS under that name).
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true, structured
from ansible_collections.mcpops.gateway.plugins.module_utils._secret_references import SECRET_LABEL

Object = dict[str, t.Any]
Server = t.Mapping[str, t.Any]
Wanted = t.Literal["present", "absent", "leftover"]

GATEWAY_GROUP = "gateway.networking.k8s.io"
ISTIO_GROUP = "networking.istio.io"
MCP_GROUP = "mcp.kuadrant.io"
_SECRETS = {"credential": "token", "ca_cert": "ca.crt"}
"""Options that go into the server's Secret, and their keys there."""
SECRET_LABELS = {SECRET_LABEL: "true"}
"""Without it the operator does not see a Secret."""


class External(t.NamedTuple):
    """Where a server outside the cluster is: host name, port, path."""

    host: str
    port: int
    path: str


def external_of(server: Server) -> External | None:
    """The place that the ``url`` of a server names; None for a server in the cluster.

    Raises ValueError with the end of a sentence about the url.
    """
    url = server.get("url")
    if not url:
        return None
    try:
        parts = urlsplit(str(url).strip())
        port = parts.port or 443
    except ValueError as error:
        # What is before an @ may be a password.
        raise ValueError("is no address" + ("" if "@" in str(url) else f" ({error})")) from error
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must begin with https:// and name a host: the operator reaches servers outside by TLS only")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("must not hold a user, a query or a fragment; secrets belong into credential")
    if ":" in parts.hostname or re.fullmatch(r"[0-9.]+", parts.hostname):
        raise ValueError("names an IP address; the certificate and Istio's ServiceEntry need a host name")
    return External(parts.hostname, port, parts.path or "/")


def speaks_tls(server: Server) -> bool:
    """Whether the server answers by TLS, as far as its entry tells."""
    return any(server.get(option) for option in ("url", "ca_cert", "ca_cert_secret"))


def prefix_of(server: Server) -> str:
    """The prefix of a server's tools: as given, ``""`` for none, or its name with an underscore."""
    given = server.get("prefix")
    if given is not None:
        return str(given)
    return re.sub(r"[^a-z0-9_]", "_", str(server["name"])) + "_"


def hostname_of(server: Server, domain: str) -> str:
    """The host name of a server's route: as given, or its name under the domain."""
    return str(server.get("hostname") or f"{server['name']}.{domain}")


def enabled_prefixes(servers: t.Any) -> list[str]:
    """Prefixes of the servers that must offer tools: those that are enabled and have one."""
    prefixes = [prefix_of(entry) for entry in _enabled(servers)]
    return [prefix for prefix in prefixes if prefix]


def expected_tools(servers: t.Any) -> list[str]:
    """Names, with their prefixes, of the tools that enabled servers are said to have (``expect_tools``)."""
    return [
        prefix_of(entry) + str(tool)
        for entry in _enabled(servers)
        for tool in structured(entry.get("expect_tools"), "list")
    ]


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


def server_namespaces(servers: t.Any, *, namespace: str, outside: bool = True) -> list[str]:
    """Namespaces of servers outside the cluster that are to be there: no Service of theirs has made one already.

    Or (``outside`` is false) those of servers in the cluster, whose Services have.
    """
    entries: list[Object] = structured(servers, "list")
    wanted = [entry for entry in entries if bool(entry.get("url")) is outside and entry.get("state") != "absent"]
    return list(dict.fromkeys(str(entry.get("namespace") or namespace) for entry in wanted))


def server_objects(
    servers: t.Any,
    virtual: t.Any,
    *,
    wanted: Wanted,
    state: str,
    namespace: str,
    virtual_namespace: str,
    gateway: str,
    gateway_namespace: str,
    listener: str,
    domain: str,
) -> list[Object]:
    """Manifests of servers and virtual servers.

    ``wanted``: those that are to be there; those of entries that are not to be there; or what entries that are to be
    there may have left behind from an earlier form of themselves (the Secret of a credential that is no longer given).
    ``state`` is the role's: with ``absent`` no entry is to be there. The apiVersion of the operator's and Istio's
    kinds is their group alone; module ``apply`` adds the version that the cluster serves.
    """
    objects: list[Object] = []
    for entry in structured(servers, "list"):
        settings = {"namespace": namespace, "listener": listener, **{k: v for k, v in entry.items() if v is not None}}
        if _gone(entry, state):
            objects += _names(settings) if wanted == "absent" else []
            continue
        if wanted == "absent":
            continue
        made = _server(settings, gateway=gateway, gateway_namespace=gateway_namespace, domain=domain)
        kinds = {one["kind"] for one in made}
        objects += made if wanted == "present" else [one for one in _names(settings) if one["kind"] not in kinds]
    for entry in structured(virtual, "list"):
        if wanted == ("absent" if _gone(entry, state) else "present"):
            found = _virtual_server({"namespace": virtual_namespace, **entry})
            objects.append(found if wanted == "present" else without_spec(found))
    return objects


def _enabled(servers: t.Any) -> list[Object]:
    entries: list[Object] = structured(servers, "list")
    return [entry for entry in entries if entry.get("state", "enabled") == "enabled"]


def _gone(entry: Server, state: str) -> bool:
    return state == "absent" or entry.get("state") == "absent"


def without_spec(found: Object) -> Object:
    """What names an object, for its removal."""
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata}


def _names(server: Server) -> list[Object]:
    """Every object that a server of this name can have, without content."""
    name, namespace = server["name"], server["namespace"]
    return [
        {"apiVersion": version, "kind": kind, "metadata": {"name": named, "namespace": namespace}}
        for version, kind, named in (
            ("v1", "Secret", _secret_name(server)),
            (ISTIO_GROUP, "ServiceEntry", name),
            (ISTIO_GROUP, "DestinationRule", name),
            (f"{GATEWAY_GROUP}/v1", "HTTPRoute", name),
            (MCP_GROUP, "MCPServerRegistration", name),
        )
    ]


def _secret_name(server: Server) -> str:
    return f"{server['name']}-mcp-credential"


def _server(server: Object, *, gateway: str, gateway_namespace: str, domain: str) -> list[Object]:
    """The objects of one server: content by kind, the frame is that of _names."""
    external = external_of(server)
    parent = {
        "group": GATEWAY_GROUP,
        "kind": "Gateway",
        "name": gateway,
        "namespace": gateway_namespace,
        "sectionName": server["listener"],
    }
    route = {
        "parentRefs": [parent],
        "hostnames": [hostname_of(server, domain)],
        "rules": [_external_rule(external) if external else {"backendRefs": [_service(server)]}],
    }
    content: dict[str, Object] = {
        "HTTPRoute": {"spec": route},
        "MCPServerRegistration": {"spec": _registration_spec(server, external)},
    }
    secrets = {key: server[option] for option, key in _SECRETS.items() if server.get(option)}
    if secrets:
        content["Secret"] = {"type": "Opaque", "stringData": secrets}
    if external:
        content["ServiceEntry"] = {"spec": _service_entry(external)}
        content["DestinationRule"] = {"spec": _tls_rule(external.host, server)}
    elif speaks_tls(server):
        host = f"{_service(server)['name']}.{server['namespace']}.svc.cluster.local"
        content["DestinationRule"] = {"spec": _tls_rule(host, server)}
    objects = [{**frame, **content[frame["kind"]]} for frame in _names(server) if frame["kind"] in content]
    for one in objects:
        if one["kind"] == "Secret":
            one["metadata"]["labels"] = dict(SECRET_LABELS)
    return objects


def _service(server: Server) -> Object:
    backend: Object = {"group": "", "kind": "Service", "name": server.get("service") or server["name"]}
    if server.get("port"):
        backend["port"] = int(server["port"])
    return backend


def _external_rule(external: External) -> Object:
    """Envoy has to ask the server for its own host name, not for that of the route."""
    return {
        "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": external.host}}],
        "backendRefs": [{"group": ISTIO_GROUP, "kind": "Hostname", "name": external.host, "port": external.port}],
    }


def _service_entry(external: External) -> Object:
    return {
        "hosts": [external.host],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "ports": [{"number": external.port, "name": "https", "protocol": "HTTPS"}],
    }


def _tls_rule(host: str, server: Server) -> Object:
    tls = {"mode": "SIMPLE", "sni": host}
    if server.get("gateway_ca_secret"):
        tls["credentialName"] = str(server["gateway_ca_secret"])
    return {"host": host, "trafficPolicy": {"tls": tls}}


def _registration_spec(server: Object, external: External | None) -> Object:
    spec: Object = {"targetRef": {"group": GATEWAY_GROUP, "kind": "HTTPRoute", "name": server["name"]}}
    if prefix_of(server):
        spec["prefix"] = prefix_of(server)
    path = server.get("path") or (external.path if external else None)
    if path:
        spec["path"] = path
    if server.get("credential"):
        spec["credentialRef"] = {"name": _secret_name(server), "key": _SECRETS["credential"]}
    elif server.get("credential_secret"):
        spec["credentialRef"] = structured(server["credential_secret"], "dict")
    if server.get("ca_cert"):
        spec["caCertSecretRef"] = {"name": _secret_name(server), "key": _SECRETS["ca_cert"]}
    elif server.get("ca_cert_secret"):
        spec["caCertSecretRef"] = structured(server["ca_cert_secret"], "dict")
    if server.get("state") == "disabled":
        spec["state"] = "Disabled"
    if "user_specific_list" in server:
        spec["userSpecificList"] = "Enabled" if is_true(server["user_specific_list"]) else "Disabled"
    for field in ("category", "tags"):
        if server.get(field):
            spec[field] = structured(server[field], "list")
    if server.get("hint"):
        spec["hint"] = server["hint"]
    return spec


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
