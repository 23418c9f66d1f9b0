# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy's configuration: as a plain reverse proxy of one MCP server, and with its own aggregation, `mcp_router`."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_TYPES = "type.googleapis.com/envoy"
_CLUSTER = "upstreams"


def router(port: int, upstream_port: int, upstreams: int) -> Json:
    """A bootstrap with the filter mcp_router: names of tools get the server's name and `__` before them."""
    servers = [
        {"name": f"u{number}", "mcp_cluster": {"cluster": _CLUSTER, "path": f"/{number}/mcp"}}
        for number in range(upstreams)
    ]
    return _bootstrap(port, upstream_port, [_filter("mcp", "Mcp"), _filter("mcp_router", "McpRouter", servers=servers)])


def plain(port: int, upstream_port: int) -> Json:
    """A bootstrap that forwards `/mcp` to one server as it is."""
    return _bootstrap(port, upstream_port, [_filter("router", "Router")])


def _filter(name: str, message: str, **config: Any) -> Json:
    kind = f"{_TYPES}.extensions.filters.http.{name}.v3.{message}"
    return {"name": f"envoy.filters.http.{name}", "typed_config": {"@type": kind, **config}}


def _bootstrap(port: int, upstream_port: int, filters: list[Json]) -> Json:
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": _CLUSTER, "prefix_rewrite": "/0/mcp"}}]
    manager = {
        "@type": f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "mcp",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": filters,
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    unlimited = {"max_connections": 100_000, "max_pending_requests": 100_000, "max_requests": 100_000}
    endpoint = {"endpoint": {"address": _address(upstream_port)}}
    cluster = {
        "name": _CLUSTER,
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [unlimited]},
        "load_assignment": {"cluster_name": _CLUSTER, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "mcp", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
