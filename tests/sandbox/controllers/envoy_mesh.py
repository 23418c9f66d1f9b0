# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way out of pods: Envoy as the forward proxy that their environment names.

A request to ``http://service.namespace…:port`` is routed by its authority. For ``https`` a client asks for a tunnel
(CONNECT) and speaks TLS through it with whoever is there: a Gateway, a Service, a name of the hosts table (see
`outside`), or, for any other name, the real host.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.controllers.envoy_clusters import cluster, tcp_ports
from sandbox.controllers.gateway_routes import cluster_name
from sandbox.controllers.gateway_world import Json, Key, World

DOMAIN = "cluster.local"
TYPES = "type.googleapis.com/envoy"
INTERNET = "internet"
_CACHE = {
    "name": INTERNET,
    "dns_lookup_family": "V4_PREFERRED",
    "typed_dns_resolver_config": {
        "name": "envoy.network.dns_resolver.getaddrinfo",
        "typed_config": {
            "@type": f"{TYPES}.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig"
        },
    },
}
INTERNET_FILTER = {
    "name": "envoy.filters.http.dynamic_forward_proxy",
    "typed_config": {
        "@type": f"{TYPES}.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
        "dns_cache_config": _CACHE,
    },
}
"""Resolves the name that a tunnel to `INTERNET` leads to."""
INTERNET_CLUSTER = {
    "name": INTERNET,
    "lb_policy": "CLUSTER_PROVIDED",
    "connect_timeout": "5s",
    "cluster_type": {
        "name": "envoy.clusters.dynamic_forward_proxy",
        "typed_config": {
            "@type": f"{TYPES}.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
            "dns_cache_config": _CACHE,
        },
    },
}


def mesh_hosts(
    world: World, gateways: dict[Key, dict[int, int]], names: dict[Key, str], table: Mapping[str, tuple[str, int]]
) -> list[Json]:
    """Virtual hosts of the mesh listener: every Service's port, the Gateways' own Services, and the hosts table.

    ``gateways`` maps a Gateway to its ports and where they listen; ``names`` to the name of its Service; ``table``
    maps ``name:port`` to an address.
    """
    targets: dict[tuple[str, str, int], str] = {}
    for (namespace, name), service in world.services.items():
        for port in tcp_ports(service):
            targets[namespace, name, port["port"]] = cluster_name(namespace, name, port["port"])
    for key, ports in gateways.items():
        # In front of a Service of the same name: it is this one that stands for the Gateway.
        targets |= {(key[0], names[key], port): gateway_cluster(key, port) for port in ports}
    hosts = [_host(_spellings(*where), target) for where, target in sorted(targets.items())]
    taken = {domain for host in hosts for domain in host["domains"]}
    hosts += [_host([name], _outside_name(name)) for name in sorted(table) if name not in taken]
    nothing = {"status": 502, "body": {"inline_string": "The sandbox has no Service with this name and port.\n"}}
    unknown = {"match": {"prefix": "/"}, "direct_response": nothing}
    return [*hosts, {"name": "unknown", "domains": ["*"], "routes": [_tunnel(INTERNET), unknown]}]


def outside_clusters(table: Mapping[str, tuple[str, int]]) -> dict[str, Json]:
    """The clusters behind the names of the hosts table."""
    found = {}
    for name, (address, port) in table.items():
        found[_outside_name(name)] = built = cluster(_outside_name(name), [port])
        place = built["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
        place["address"] = address
    return found


def gateway_cluster(key: Key, port: int) -> str:
    """The cluster through which pods reach a Gateway's port."""
    return f"gateway|{port}||{key[0]}/{key[1]}"


def _outside_name(name: str) -> str:
    return f"outside||{name}"


def _spellings(namespace: str, name: str, port: int) -> list[str]:
    names = [f"{name}.{namespace}.svc.{DOMAIN}", f"{name}.{namespace}.svc", f"{name}.{namespace}"]
    return [f"{spelling}:{port}" for spelling in names] + (names if port == 80 else [])


def _host(domains: list[str], target: str) -> Json:
    plain = {"match": {"prefix": "/"}, "route": {"cluster": target, "timeout": "0s"}}
    return {"name": domains[0], "domains": domains, "routes": [_tunnel(target), plain]}


def _tunnel(target: str) -> Json:
    upgrade = {"upgrade_type": "CONNECT", "connect_config": {}}
    action = {"cluster": target, "timeout": "0s", "upgrade_configs": [upgrade]}
    return {"match": {"connect_matcher": {}}, "route": action}
