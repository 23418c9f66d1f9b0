# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gateways as Envoy listeners and route configurations, and Envoy's bootstrap.

Every (Gateway, port) is one Envoy listener on 127.0.0.1; the Gateway API's listeners that share the port
are virtual hosts (HTTP) or filter chains chosen by SNI (HTTPS). Nothing is buffered and no timeout is set
unless a route sets one, because MCP answers may be event streams that stay open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.controllers.envoy_clusters import address
from sandbox.controllers.envoy_mesh import INTERNET_CLUSTER, INTERNET_FILTER
from sandbox.controllers.envoy_routes import Entry
from sandbox.controllers.gateway_hostnames import ANY, most_specific
from sandbox.controllers.gateway_listeners import KeyPair, Listener
from sandbox.controllers.gateway_routes import BoundRoute
from sandbox.controllers.gateway_world import Json

TYPES = "type.googleapis.com/envoy"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPES}.extensions.filters.http.router.v3.Router"},
}
JWT_FILE = "ecds/jwt.json"
"""The token checks: a file of its own, because a changed listener would end the streams that are open on it."""
FILTERS = [
    {"name": "envoy.filters.http.lua", "typed_config": {"@type": f"{TYPES}.extensions.filters.http.lua.v3.Lua"}},
    {
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": {
            "@type": f"{TYPES}.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            "stat_prefix": "limit",
        },
    },
]
"""What a route may ask for after the token check, in Kuadrant's order: authorization, limits."""
CONNECTION_LIMIT = {
    "name": "envoy.resource_monitors.global_downstream_max_connections",
    "typed_config": {
        "@type": f"{TYPES}.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": 50_000,
    },
}
LOG_FIELDS = {
    "time": "%START_TIME%",
    "listener": "%DOWNSTREAM_LOCAL_PORT%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "milliseconds": "%DURATION%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "upstream": "%UPSTREAM_HOST%",
    "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "user_agent": "%REQ(USER-AGENT)%",
}
"""The access log: one JSON object a line, no header that could hold a credential."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Where Envoy's files are."""

    root: Path
    access_log: Path

    def source(self, name: str) -> Json:
        """A configuration source that Envoy reads again when a file is renamed into place."""
        path = {"path": str(self.root / name), "watched_directory": {"path": str((self.root / name).parent)}}
        return {"path_config_source": path, "resource_api_version": "V3"}


@dataclass(slots=True)
class Config:
    """What Envoy is to serve: clusters, routes, listeners and certificates, each by name; and the token checks.

    ``providers`` and ``requirements`` are those of Envoy's jwt_authn.
    """

    clusters: dict[str, Json] = field(default_factory=dict)
    routes: dict[str, Json] = field(default_factory=dict)
    listeners: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    providers: dict[str, Json] = field(default_factory=dict)
    requirements: dict[str, Json] = field(default_factory=dict)


def token_checks(providers: Json, requirements: Json) -> Json:
    """The resource of `JWT_FILE`."""
    config = {
        "@type": f"{TYPES}.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": providers,
        "requirement_map": requirements,
    }
    return {
        "@type": f"{TYPES}.config.core.v3.TypedExtensionConfig",
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": config,
    }


def bootstrap(folder: Folder, *, mesh_port: int) -> Json:
    """The static start configuration; the administration interface is a socket in Envoy's working directory.

    The mesh listener, through which pods reach Services, is static: only its routes change.
    """
    mesh = {"name": "mesh", "address": address(mesh_port), **_no_reuse()}
    mesh["filter_chains"] = [{"filters": [_connection_manager("mesh", folder, filters=[INTERNET_FILTER])]}]
    manager = mesh["filter_chains"][0]["filters"][0]["typed_config"]
    manager["upgrade_configs"].append({"upgrade_type": "CONNECT"})
    return {
        "node": {"id": "sandbox", "cluster": "sandbox"},
        "admin": {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}},
        "dynamic_resources": {"cds_config": folder.source("cds.json"), "lds_config": folder.source("lds.json")},
        "static_resources": {"listeners": [mesh], "clusters": [INTERNET_CLUSTER]},
        "overload_manager": {"resource_monitors": [CONNECTION_LIMIT]},
    }


def add_port(
    config: Config,
    name: str,
    local_port: int,
    serving: tuple[Sequence[Listener], Sequence[BoundRoute]],
    folder: Folder,
    *,
    ports: Mapping[int, int] | None = None,
) -> None:
    """Adds the Envoy listener of one port of one Gateway.

    ``serving``: its usable listeners, and all routes; ``ports``: where the Gateway's ports are on this machine.
    """
    listeners, routes = serving
    ports = {listeners[0].port: local_port, **(ports or {})}
    chains = []
    if listeners[0].protocol == "HTTPS":
        for listener in listeners:
            route_name = f"{name}.{listener.name}"
            config.routes[route_name] = route_configuration(route_name, virtual_hosts([listener], routes, ports))
            chains.append(_tls_chain(listener, name, folder))
            for label, pair in zip(_labels(listener, name), listener.certificates, strict=True):
                config.secrets[label] = _certificate(label, pair)
    else:
        config.routes[name] = route_configuration(name, virtual_hosts(listeners, routes, ports))
        chains.append({"filters": [_connection_manager(name, folder, filters=_filters(folder))]})
    config.listeners[name] = {
        "@type": f"{TYPES}.config.listener.v3.Listener",
        "name": name,
        "address": address(local_port),
        "filter_chains": chains,
        **_no_reuse(),
    }
    if listeners[0].protocol == "HTTPS":
        inspector = {"@type": f"{TYPES}.extensions.filters.listener.tls_inspector.v3.TlsInspector"}
        config.listeners[name]["listener_filters"] = [
            {"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}
        ]


def _no_reuse() -> Json:
    """One socket a listener, so that a port that is taken is an error and not shared silently."""
    return {"enable_reuse_port": False, "per_connection_buffer_limit_bytes": 1_048_576}


def route_configuration(name: str, hosts: Sequence[Json], *, ignore_port: bool = True) -> Json:
    """A route configuration; the port in the Host header does not take part in matching (nor is it changed)."""
    return {
        "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
        "name": name,
        "virtual_hosts": list(hosts),
        "ignore_port_in_host_matching": ignore_port,
    }


def virtual_hosts(listeners: Sequence[Listener], routes: Iterable[BoundRoute], ports: Mapping[int, int]) -> list[Json]:
    """The virtual hosts of listeners that share a port; ``ports`` as in `add_port`.

    Gateway API: a request belongs to the listener with the most specific hostname, and only to routes
    attached to it; a host without a matching rule answers 404. A hostname of a route and a wildcard that
    also covers it are separate hosts, as with Istio: the request is not passed on to the wildcard's rules.
    """
    names = [listener.hostname for listener in listeners]
    hosts: dict[str, list[Entry]] = {name: [] for name in names}
    for route in routes:
        for parent in route.parents:
            for listener, hostnames in parent.bound:
                if not any(listener is candidate for candidate in listeners):
                    continue
                for hostname in hostnames:
                    if most_specific(names, hostname) == listener.hostname:
                        hosts.setdefault(hostname, []).extend(_guarded(route, listener))
    return [
        {"name": name, "domains": [name], "routes": _ordered(entries, listeners[0].port, ports)}
        for name, entries in sorted(hosts.items())
    ]


def _guarded(route: BoundRoute, listener: Listener) -> list[Entry]:
    meta = listener.gateway["metadata"]
    where = (meta["namespace"], meta["name"]), listener.name
    return [entry.guarded(route.guards.get((*where, entry.rule), {})) for entry in route.entries]


def _ordered(entries: Iterable[Entry], port: int, ports: Mapping[int, int]) -> list[Json]:
    # A route may name a listener in two parentRefs; its rules still count once.
    unique = {entry.order: entry for entry in entries}
    return [unique[order].envoy_route(port, ports) for order in sorted(unique)]


def _filters(folder: Folder) -> list[Json]:
    source = {
        "config_source": folder.source(JWT_FILE),
        "type_urls": [f"{TYPES}.extensions.filters.http.jwt_authn.v3.JwtAuthentication"],
    }
    return [{"name": "envoy.filters.http.jwt_authn", "config_discovery": source}, *FILTERS]


def _connection_manager(route_name: str, folder: Folder, *, filters: Sequence[Json]) -> Json:
    log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{TYPES}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(folder.access_log),
            "log_format": {"json_format": LOG_FIELDS},
        },
    }
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": route_name,
        "codec_type": "AUTO",
        "server_name": "istio-envoy",
        "rds": {"route_config_name": route_name, "config_source": folder.source(f"rds/{route_name}.json")},
        "http_filters": [*filters, ROUTER],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "use_remote_address": True,
        "normalize_path": True,
        "stream_idle_timeout": "0s",
        "request_timeout": "0s",
        "access_log": [log],
        "access_log_options": {"flush_access_log_on_new_request": False},
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _labels(listener: Listener, name: str) -> list[str]:
    """The names of the listener's certificates: those stay when a certificate is renewed."""
    return [f"{name}.{listener.name}.{number}" for number in range(len(listener.certificates))]


def _tls_chain(listener: Listener, name: str, folder: Folder) -> Json:
    route_name = f"{name}.{listener.name}"
    tls = {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
            "tls_certificate_sds_secret_configs": [
                {"name": label, "sds_config": folder.source(f"sds/{label}.json")} for label in _labels(listener, name)
            ],
        },
    }
    match = {} if listener.hostname == ANY else {"filter_chain_match": {"server_names": [listener.hostname]}}
    return {
        "name": listener.name,
        **match,
        "filters": [_connection_manager(route_name, folder, filters=_filters(folder))],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
    }


def _certificate(label: str, pair: KeyPair) -> Json:
    files = {"certificate_chain": {"inline_string": pair.certificate}, "private_key": {"inline_string": pair.key}}
    return {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.Secret",
        "name": label,
        "tls_certificate": files,
    }
