# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as Envoy clusters, and the names under which pods reach one another.

A pod of the sandbox is a local process; the annotation `PORTS_ANNOTATION` on its Pod says which port of
127.0.0.1 stands for which container port. Its requests to ``http://service.namespace…:port`` come to the
mesh listener as a forward proxy would get them, and are routed by their authority.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sandbox.controllers.gateway_routes import cluster_name
from sandbox.controllers.gateway_world import PORTS_ANNOTATION, Json, Key, World

LOOPBACK = "127.0.0.1"
UNLIMITED = 1_000_000
DOMAIN = "cluster.local"


def service_clusters(world: World) -> dict[str, Json]:
    """An Envoy cluster for every TCP port of every Service, by name; one without ready pods answers 503."""
    clusters = {}
    ready = ReadyPods(world.pods)
    for (namespace, name), service in sorted(world.services.items()):
        for port in _tcp_ports(service):
            label = cluster_name(namespace, name, port["port"])
            http2 = port.get("appProtocol") in ("kubernetes.io/h2c", "grpc", "http2")
            clusters[label] = cluster(label, endpoints(service, port, ready), http2=http2)
    return clusters


def _tcp_ports(service: Json) -> list[Json]:
    return [port for port in service["spec"].get("ports") or [] if port.get("protocol", "TCP") == "TCP"]


class ReadyPods:
    """The ready pods, found by the selector of a Service without looking at all of them."""

    def __init__(self, pods: Iterable[Json]) -> None:
        self._by_label: dict[tuple[str, str, str], list[Json]] = {}
        for pod in pods:
            if _is_ready(pod):
                for name, value in (pod["metadata"].get("labels") or {}).items():
                    self._by_label.setdefault((pod["metadata"]["namespace"], name, value), []).append(pod)

    def chosen_by(self, service: Json) -> list[Json]:
        """The pods behind a Service; a Service without selector has none."""
        selector = service["spec"].get("selector") or {}
        if not selector:
            return []
        first = next(iter(selector.items()))
        candidates = self._by_label.get((service["metadata"]["namespace"], *first), [])
        return [pod for pod in candidates if selector.items() <= pod["metadata"]["labels"].items()]


def cluster(name: str, ports: Iterable[int], *, http2: bool = False) -> Json:
    """A cluster of processes on 127.0.0.1.

    Idle connections are closed before the server does it (uvicorn: 5 s), so that no request is sent
    into a connection that is going away.
    """
    options: Json = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": "4s"},
        "explicit_http_config": {"http2_protocol_options": {}} if http2 else {"http_protocol_options": {}},
    }
    limits = dict.fromkeys(("max_connections", "max_pending_requests", "max_requests", "max_retries"), UNLIMITED)
    addresses = ({"endpoint": {"address": address(port)}} for port in ports)
    return {
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [limits]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": list(addresses)}]},
    }


def address(port: int) -> Json:
    """A port of 127.0.0.1."""
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def endpoints(service: Json, port: Json, ready: ReadyPods) -> list[int]:
    """The local ports behind one port of a Service: those of the ready pods that its selector chooses."""
    target = port.get("targetPort") or port["port"]
    found = []
    for pod in ready.chosen_by(service):
        ports = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION) or "{}")
        local = ports.get(str(_container_port(pod, target)))
        if local:
            found.append(int(local))
    return sorted(found)


def _container_port(pod: Json, target: int | str) -> int | str | None:
    """The number of a targetPort, which may name a container's port."""
    if isinstance(target, int) or target.isdigit():
        return target
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target:
                return int(port["containerPort"])
    return None


def _is_ready(pod: Json) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def mesh_hosts(world: World, gateways: dict[Key, dict[int, int]], names: dict[Key, str]) -> list[Json]:
    """Virtual hosts of the mesh listener: every Service's port, and the Gateways' own Services.

    ``gateways`` maps a Gateway to its ports and where they listen; ``names`` to the name of its Service.
    """
    targets: dict[tuple[str, str, int], str] = {}
    for (namespace, name), service in world.services.items():
        for port in _tcp_ports(service):
            targets[namespace, name, port["port"]] = cluster_name(namespace, name, port["port"])
    for key, ports in gateways.items():
        # In front of a Service of the same name: it is this one that stands for the Gateway.
        targets |= {(key[0], names[key], port): gateway_cluster(key, port) for port in ports}
    hosts = [_mesh_host(*where, target) for where, target in sorted(targets.items())]
    nothing = {"status": 502, "body": {"inline_string": "The sandbox has no Service with this name and port.\n"}}
    hosts.append(
        {"name": "unknown", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": nothing}]}
    )
    return hosts


def gateway_cluster(key: Key, port: int) -> str:
    """The cluster through which pods reach a Gateway's port."""
    return f"gateway|{port}||{key[0]}/{key[1]}"


def _mesh_host(namespace: str, name: str, port: int, target: str) -> Json:
    spellings = [f"{name}.{namespace}.svc.{DOMAIN}", f"{name}.{namespace}.svc", f"{name}.{namespace}"]
    domains = [f"{spelling}:{port}" for spelling in spellings]
    if port == 80:
        domains += spellings
    action = {"cluster": target, "timeout": "0s"}
    return {"name": domains[0], "domains": domains, "routes": [{"match": {"prefix": "/"}, "route": action}]}
