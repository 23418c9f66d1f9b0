# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The configuration of the collection's own broker, made of the same servers that role ``servers`` registers.

The keys are those that the operator writes (``broker/README.md``). Pure functions; values of Secrets come in by
``credentials``.
"""

from __future__ import annotations

import base64
import binascii
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true, structured
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import prefix_of, speaks_tls

Server = t.Mapping[str, t.Any]
Json = dict[str, t.Any]

DEFAULT_KEYS = {"credential_secret": "token", "auth_secret": "token", "ca_cert_secret": "ca.crt"}
"""Options of a server that refer to a Secret, and the key when none is given (as in MCPServerRegistration)."""


def secret_references(servers: t.Any, *, namespace: str) -> list[Json]:
    """The Secrets that servers refer to, each key once: ``server``, ``namespace``, ``name``, ``key``."""
    found: dict[str, Json] = {}
    for entry in _wanted(servers):
        for option in DEFAULT_KEYS:
            reference = _reference(entry, option, namespace)
            if reference is not None:
                found.setdefault(_place(reference), {"server": entry["name"], **reference})
    return list(found.values())


def credentials(answers: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[dict[str, str], list[str]]:
    """What C(kubernetes.core.k8s_info) answered for each reference, as values by ``namespace/name/key``, and problems.

    An answer is an element of a loop's ``results``: the loop's variable is the reference, ``resources`` the Secret,
    ``msg`` why it could not be read.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for answer in answers:
        reference = answer[answer.get("ansible_loop_var", "item")]
        said = f"servers_list ({reference['server']}): Secret {reference['namespace']}/{reference['name']}"
        secrets = answer.get("resources") or []
        if answer.get("failed"):
            problems.append(f"{said} cannot be read: {answer.get('msg') or 'no reason was given'}")
            continue
        if not secrets:
            problems.append(f"{said} does not exist; create it, or correct the name")
            continue
        data = secrets[0].get("data") or {}
        if reference["key"] not in data:
            names = ", ".join(sorted(data)) or "none"
            problems.append(f"{said} has no key {reference['key']} (its keys: {names}); correct the key")
            continue
        try:
            values[_place(reference)] = base64.b64decode(data[reference["key"]]).decode()
        except (binascii.Error, UnicodeDecodeError):
            problems.append(f"{said}: the value of key {reference['key']} is no text")
    return values, problems


def broker_config(
    servers: t.Any,
    virtual: t.Any,
    *,
    namespace: str,
    virtual_namespace: str,
    cluster_domain: str,
    settings: t.Any,
    allowed_origins: t.Any,
    ca_cert: str,
    values: t.Mapping[str, str],
    public: t.Sequence[str] = (),
    cluster: t.Mapping[str, str] | None = None,
) -> Json:
    """The content of ``config.yaml``. ``values`` are those of the Secrets (the first result of `credentials`).

    With ``cluster`` (what the broker is told of it) the servers are registrations and not in the file.
    ``allowed_origins`` go to those of the settings: the broker refuses web pages of all others. ``public`` is what
    everybody who reaches the broker may read (``admin.public``), unless the settings say so.
    """
    if cluster:
        servers = virtual = []
    config: Json = {
        "servers": [
            _server(entry, namespace=namespace, cluster_domain=cluster_domain, values=values)
            for entry in _wanted(servers)
        ],
        "virtualServers": [
            {
                "name": f"{entry.get('namespace') or virtual_namespace}/{entry['name']}",
                **{field: structured(entry[field], "list") for field in ("tools", "prompts") if entry.get(field)},
            }
            for entry in _wanted(virtual)
        ],
    }
    if ca_cert.strip():
        config["gatewayCACertPEM"] = ca_cert
    options = dict(structured(settings, "dict"))
    origins = [*structured(options.get("allowedOrigins"), "list"), *structured(allowed_origins, "list")]
    if origins:
        options["allowedOrigins"] = list(dict.fromkeys(origins))
    if public:
        options["admin"] = {"public": [*public], **structured(options.get("admin"), "dict")}
    if cluster:
        options["cluster"] = dict(cluster)
    if options:
        config["broker"] = options
    return config


def watched_namespaces(servers: t.Any, *, namespace: str, own: str, more: t.Any) -> list[str]:
    """The namespaces whose registrations a broker serves: those of the servers, its own, and ``more``."""
    places = [str(entry.get("namespace") or namespace) for entry in _wanted(servers)] or [namespace]
    return list(dict.fromkeys([*places, own, *(str(place) for place in structured(more, "list"))]))


def _wanted(entries: t.Any) -> list[Json]:
    """The entries that are to be there. One that is absent is simply not in the file."""
    return [entry for entry in structured(entries, "list") if entry.get("state") != "absent"]


def _server(entry: Server, *, namespace: str, cluster_domain: str, values: t.Mapping[str, str]) -> Json:
    place = str(entry.get("namespace") or namespace)
    server: Json = {
        "name": f"{place}/{entry['name']}",
        "url": server_url(entry, namespace=place, cluster_domain=cluster_domain),
        "prefix": prefix_of(entry),
        "state": "Disabled" if entry.get("state") == "disabled" else "Enabled",
    }
    credential = entry.get("credential") or _value(entry, "credential_secret", place, values)
    if credential:
        server["credential"] = str(credential).strip()
    auth = dict(structured(entry.get("auth"), "dict"))
    if auth:
        secret = _value(entry, "auth_secret", place, values)
        if secret:
            auth["value" if auth.get("type") == "header" else "clientSecret"] = secret.strip()
        server["auth"] = auth
    authority = entry.get("ca_cert") or _value(entry, "ca_cert_secret", place, values)
    if authority:
        server["caCert"] = authority
    for field in ("category", "tags"):
        if entry.get(field):
            server[field] = structured(entry[field], "list")
    if entry.get("hint"):
        server["hint"] = entry["hint"]
    if is_true(entry.get("user_specific_list")):
        server["userSpecificList"] = True
    return server


def server_url(entry: Server, *, namespace: str, cluster_domain: str) -> str:
    """Where the broker reaches the server: its own address, or its Service, by HTTPS when an authority is given."""
    if entry.get("url"):
        parts = urlsplit(str(entry["url"]).strip())
        return parts._replace(path=str(entry.get("path") or parts.path or "/")).geturl()
    scheme = "https" if speaks_tls(entry) else "http"
    host = f"{entry.get('service') or entry['name']}.{namespace}.svc.{cluster_domain}"
    port = f":{int(entry['port'])}" if entry.get("port") else ""
    return f"{scheme}://{host}{port}{entry.get('path') or '/mcp'}"


def address_problem(url: t.Any) -> str:
    """The end of a sentence about what is wrong with the ``url`` of a server; empty when the broker can use it."""
    try:
        parts = urlsplit(str(url).strip())
        found = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        found = False
    if not found:
        return "must be an address with http:// or https:// and a host, such as https://mcp.example.com/mcp"
    return "must not hold a user or a password; secrets belong into credential" if "@" in parts.netloc else ""


def _reference(entry: Server, option: str, namespace: str) -> Json | None:
    given = structured(entry.get(option), "dict")
    if not given.get("name"):
        return None
    return {
        "namespace": entry.get("namespace") or namespace,
        "name": given["name"],
        "key": given.get("key") or DEFAULT_KEYS[option],
    }


def _value(entry: Server, option: str, namespace: str, values: t.Mapping[str, str]) -> str | None:
    reference = _reference(entry, option, namespace)
    return None if reference is None else values.get(_place(reference))


def _place(reference: t.Mapping[str, t.Any]) -> str:
    return f"{reference['namespace']}/{reference['name']}/{reference['key']}"
