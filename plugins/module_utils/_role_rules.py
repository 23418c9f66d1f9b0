# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Rules for the roles' input that a type cannot say: names, host names, clashes, and what has to fit together.

Everything here is known without a cluster. What only the cluster knows is checked by the modules before they write.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _role_rules_broker as broker
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import PublicHostError, public_host
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_manifest import listener_manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import problems as listener_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._role_extensions import extensions
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import Shape
from ansible_collections.mcpops.gateway.plugins.module_utils._role_protection_rules import (
    auth_problems,
    dns_problems,
    has_policies,
    route_problems,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import (
    external_of,
    hostname_of,
    prefix_of,
    speaks_tls,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._role_values import listeners

Values = t.Mapping[str, t.Any]
Problems = t.Iterator[str]

SHAPES: dict[str, Shape] = {
    "operator_target_namespaces": "list",
    "gateway_listeners": "list",
    "gateway_labels": "dict",
    "gateway_annotations": "dict",
    "extension_list": "list",
    "extension_trusted_headers_key": "dict",
    "extension_session_store": "dict",
    "extension_oauth_protected_resource": "dict",
    "extension_ca_cert_bundle_ref": "dict",
    "route_extensions": "list",
    "route_additional_parents": "list",
    "route_hostnames": "list",
    "route_cors": "dict",
    "route_rules": "list",
    "dns_provider_secrets": "list",
    "dns_load_balancing": "dict",
    "dns_health_check": "dict",
    "dns_exclude_addresses": "list",
    "auth_audiences": "list",
    "auth_scopes": "list",
    "auth_open_paths": "list",
    "auth_tools": "list",
    "auth_servers": "list",
    "auth_rules": "dict",
    "auth_rate_limits": "list",
    "servers_list": "list",
    "servers_virtual": "list",
    "verify_headers": "dict",
    "verify_oauth_metadata": "dict",
    "verify_extensions": "list",
    "verify_servers": "list",
    "verify_expect_tools": "list",
    "verify_call": "dict",
    **broker.SHAPES,
}
"""What the options of type ``raw`` hold."""

# Kubernetes: names of objects are DNS-1123 subdomains, names of namespaces labels. Gateway API: a listener's host name
# may begin with the label "*", a prefix of tools follows the registration's CRD.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_]*")

_NAMES = (
    "operator_subscription",
    "operator_group",
    "gateway_name",
    "gateway_class",
    "extension_name",
    "extension_gateway",
    "extension_reference_grant_name",
    "route_name",
    "route_gateway",
    "route_backend_service",
    "dns_name",
    "dns_gateway",
    "auth_name",
    "auth_gateway",
    "gateway_tls_issuer",
    "servers_gateway",
    "servers_set",
    "verify_gateway",
    *broker.NAMES,
)
_NAMESPACES = (
    "operator_namespace",
    "operator_source_namespace",
    "gateway_namespace",
    "extension_namespace",
    "extension_gateway_namespace",
    "route_namespace",
    "route_gateway_namespace",
    "dns_gateway_namespace",
    "auth_gateway_namespace",
    "auth_servers_namespace",
    "servers_namespace",
    "servers_virtual_namespace",
    "servers_gateway_namespace",
    "verify_gateway_namespace",
    *broker.NAMESPACES,
)


def rule_problems(values: Values) -> list[str]:
    """Every broken rule as a sentence. ``values`` holds the checked options of one role or of several."""
    found: list[str] = []
    found += _name_problems(values)
    if values.get("gateway_state") != "absent":
        found += _gateway_problems(values)
    if values.get("extension_state") != "absent":
        found += _extension_problems(values)
    if values.get("route_state") == "present":
        found += route_problems(values)
        found += _listener_reference(values, "route_listener", "route_gateway", needs_host=False)
    if values.get("dns_state") != "absent":
        found += dns_problems(values)
        found += _listener_reference(values, "dns_listener", "dns_gateway", needs_host=False)
    if values.get("auth_state") != "absent":
        found += auth_problems(values)
        for option in ("auth_listener", "auth_calls_listener") if has_policies(values) else ():
            found += _listener_reference(values, option, "auth_gateway", needs_host=False)
    found += _server_problems(values)
    if "broker_servers" in values:
        found += broker.broker_problems(values)
        found += _server_problems(broker.as_servers(values))
    found += _verify_problems(values)
    return found


def _name_problems(values: Values) -> Problems:
    for option in _NAMES:
        name = values.get(option)
        if name and not _is_subdomain(name):
            yield f"{option} {name!r} is not a name of a Kubernetes object (lower case letters, digits, '-' and '.')"
    for option in _NAMESPACES:
        name = values.get(option)
        if name and not _LABEL.fullmatch(name):
            yield f"{option} {name!r} is not a name of a namespace (lower case letters, digits and '-', at most 63)"


def _gateway_problems(values: Values) -> Problems:
    if "gateway_listeners" not in values:
        return
    given = values["gateway_listeners"]
    if not given and not values.get("gateway_hostname"):
        yield (
            "gateway_hostname is missing: give the host name of the MCP endpoint (mcp_gateway_hostname), or all"
            " listeners (mcp_gateway_listeners)"
        )
        return
    # Without name and port, which are said to be missing already, nothing can be judged.
    complete = [one for one in gateway_listeners_of(values) if one.get("name") and one.get("port") is not None]
    prefix = "gateway_listeners: " if given else ""
    yield from (prefix + problem for problem in listener_problems([listener_manifest(one) for one in complete]))


def gateway_listeners_of(values: Values) -> list[dict[str, t.Any]]:
    """The listeners that role gateway makes of its checked options."""
    return listeners(
        values["gateway_listeners"],
        hostname=values.get("gateway_hostname", ""),
        port=values.get("gateway_port", 8080),
        https_hostname=values.get("gateway_https_hostname") or values.get("gateway_hostname", ""),
        certificate=values.get("gateway_certificate", ""),
        servers_hostname=values.get("gateway_servers_hostname", ""),
        servers=values.get("servers_list") or [],
    )


def _extension_problems(values: Values) -> Problems:
    prefix = "extension_"
    defaults = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    several = defaults.pop("list", None)
    wanted = [one for one in extensions(several, defaults) if one.get("state") != "absent"]
    for one in wanted:
        label = f"extension_list ({one.get('namespace')}): " if several else ""
        own = {**values, **{prefix + name: value for name, value in one.items()}}
        if several:
            names = {prefix + name: one.get(name) for name in ("name", "namespace", "gateway", "gateway_namespace")}
            yield from (label + problem for problem in _name_problems(names))
        yield from (label + problem for problem in _one_extension(own))
    yield from _rivals(values, wanted)


def _one_extension(values: Values) -> Problems:
    given = values.get("extension_public_host")
    if given:
        try:
            public_host(None, given)
        except PublicHostError:
            yield f"extension_public_host {given!r} is not a host name; write it as mcp.example.com"
    interval = values.get("extension_backend_ping_interval")
    if interval and not (str(interval).isdigit() and 10 <= int(interval) <= 7200):
        yield f"extension_backend_ping_interval {interval!r} is not a number of seconds between 10 and 7200"
    yield from _listener_reference(values, "extension_listener", "extension_gateway", needs_host=not given)


def _rivals(values: Values, wanted: t.Sequence[Values]) -> Problems:
    """The operator takes one extension a namespace, and one a port of a Gateway."""
    ports = {one.get("name"): one.get("port") for one in gateway_listeners_of(values)} if _has_listeners(values) else {}
    seen: dict[tuple[t.Any, ...], str] = {}
    for one in wanted:
        place = str(one.get("namespace"))
        listener = one.get("listener")
        where = (one.get("gateway_namespace"), one.get("gateway"), ports.get(listener, listener))
        for key, words in (
            (("namespace", place), "a namespace can have one extension"),
            (("port", *where), f"a port of a Gateway can have one extension (listener {listener})"),
        ):
            if key in seen:
                yield f"extension_list: {seen[key]} and {place} stand in each other's way; {words}"
            seen.setdefault(key, place)


def _has_listeners(values: Values) -> bool:
    return "gateway_listeners" in values and bool(values["gateway_listeners"] or values.get("gateway_hostname"))


def _listener_reference(values: Values, option: str, gateway_option: str, *, needs_host: bool) -> Problems:
    """Whether a listener that a role refers to is among those that role gateway makes in the same play."""
    ours = (values.get("gateway_name"), values.get("gateway_namespace"))
    if values.get("gateway_manage") != "create" or "gateway_listeners" not in values or not values.get(option):
        return
    if (values.get(gateway_option), values.get(f"{gateway_option}_namespace")) != ours:
        return
    if not _has_listeners(values):
        return  # said already
    wanted = {listener.get("name"): listener for listener in gateway_listeners_of(values)}
    found = wanted.get(values[option])
    if found is None:
        names = ", ".join(str(name) for name in wanted)
        yield f"{option} {values[option]!r} is none of the Gateway's listeners ({names})"
    elif needs_host and not found.get("hostname"):
        yield (
            f"{option} {values[option]!r} has no hostname; give it one in gateway_listeners, or set"
            " extension_public_host (mcp_gateway_public_host)"
        )


def _server_problems(values: Values) -> Problems:
    servers: list[dict[str, t.Any]] = [x for x in values.get("servers_list") or [] if x.get("name")]
    present = [x for x in servers if x.get("state") != "absent"]
    for server in servers:
        label = f"servers_list ({server['name']})"
        if not _is_subdomain(server["name"]):
            yield f"{label}: name is not a name of a Kubernetes object (lower case letters, digits, '-' and '.')"
        if server.get("state") != "absent":
            yield from _one_server(label, server, values)
    domain = values.get("servers_domain", "")
    namespace = values.get("servers_namespace")
    yield from _twice(present, "name", lambda x: f"{x.get('namespace') or namespace}/{x['name']}")
    yield from _twice(present, "prefix", lambda x: prefix_of(x) or None)
    yield from _twice(present, "hostname", lambda x: hostname_of(x, domain))
    virtual = [x for x in values.get("servers_virtual") or [] if x.get("name")]
    for entry in virtual:
        if not _is_subdomain(entry["name"]):
            yield f"servers_virtual ({entry['name']}): name is not a name of a Kubernetes object"
        if entry.get("state") != "absent" and not entry.get("tools"):
            yield f"servers_virtual ({entry['name']}): tools is missing; name at least one tool with its prefix"
    if present and values.get("servers_state") != "absent" and not any(x.get("listener") for x in present):
        yield from _listener_reference(values, "servers_listener", "servers_gateway", needs_host=False)


def _one_server(label: str, server: Values, values: Values) -> Problems:
    if server.get("url"):
        yield from _external_problems(label, server)
    elif "port" not in server:
        yield (
            f"{label}: port is missing; give the port of the Service {server.get('service') or server['name']}, or the"
            " url of a server outside the cluster"
        )
    elif server["port"] is not None and not 1 <= server["port"] <= 65535:
        yield f"{label}: port {server['port']} is not between 1 and 65535"
    prefix = prefix_of(server)
    named = _is_subdomain(server["name"])  # otherwise what follows from the name is wrong only because of it
    if prefix and not _PREFIX.fullmatch(prefix) and (named or server.get("prefix")):
        yield f"{label}: prefix {prefix!r} may only hold lower case letters, digits and '_', and not begin with '_'"
    if server.get("user_specific_list") and not prefix:
        yield f"{label}: prefix is needed with user_specific_list"
    hostname = hostname_of(server, values.get("servers_domain", ""))
    if not _is_subdomain(hostname) and (named or server.get("hostname")):
        yield f"{label}: hostname {hostname!r} is not a host name; write it without scheme, port and path"
    if server.get("path") and not str(server["path"]).startswith("/"):
        yield f"{label}: path {server['path']!r} must begin with /"
    if server.get("credential") and server.get("credential_secret"):
        yield f"{label}: credential and credential_secret exclude each other; remove one"
    if server.get("credential") and not str(server["credential"]).isprintable():
        yield f"{label}: credential holds a line break or another character that no HTTP header can have; remove it"
    if server.get("ca_cert") and server.get("ca_cert_secret"):
        yield f"{label}: ca_cert and ca_cert_secret exclude each other; remove one"
    if server.get("ca_cert") and not re.match(r"\s*-----BEGIN CERTIFICATE-----", str(server["ca_cert"])):
        yield f"{label}: ca_cert is no certificate in PEM form; it begins with -----BEGIN CERTIFICATE-----"
    if server.get("gateway_ca_secret") and not speaks_tls(server):
        yield f"{label}: gateway_ca_secret is for servers that speak TLS, those with url, ca_cert or ca_cert_secret"
    if len(server.get("category") or []) > 3:
        yield f"{label}: category has more than 3 entries"
    if len(server.get("tags") or []) > 10:
        yield f"{label}: tags has more than 10 entries"
    if len(server.get("hint") or "") > 256:
        yield f"{label}: hint is longer than 256 characters"


def _external_problems(label: str, server: Values) -> Problems:
    try:
        external = external_of(server)
    except ValueError as error:
        shown = "" if set("@?#") & set(str(server["url"])) else f" {server['url']!r}"  # a part that may be a secret
        yield f"{label}: url{shown} {error}"
    else:
        if external and not _is_subdomain(external.host):
            yield f"{label}: url {server['url']!r} does not name a host"
    for option in ("port", "service"):
        if server.get(option) not in (None, ""):
            yield f"{label}: {option} is for a server in the cluster; with url, remove it"


def _twice(servers: t.Sequence[Values], field: str, value_of: t.Callable[[Values], str | None]) -> Problems:
    users: dict[str, list[str]] = {}
    for server in servers:
        value = value_of(server)
        if value:
            users.setdefault(value, []).append(str(server["name"]))
    for value, names in users.items():
        if len(names) > 1:
            yield f"servers_list: {' and '.join(names)} have the same {field} {value}; each needs one of its own"


def _verify_problems(values: Values) -> Problems:
    url = values.get("verify_url")
    if url and not re.match(r"https?://[^/\s]+", url):
        yield f"verify_url {url!r} is not an address; write it as http://host:port/mcp"
    least = values.get("verify_min_tools")
    if least and not str(least).isdigit():
        yield f"verify_min_tools {least!r} is not a whole number"


def _is_subdomain(text: str) -> bool:
    return len(text) <= 253 and _SUBDOMAIN.fullmatch(text) is not None
