# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services as Envoy clusters.

A pod of the sandbox is a local process; the annotation `PORTS_ANNOTATION` on its Pod says which port of
127.0.0.1 stands for which container port.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sandbox.controllers.gateway_routes import cluster_name
from sandbox.controllers.gateway_world import PORTS_ANNOTATION, Json, World

LOOPBACK = "127.0.0.1"
UNLIMITED = 1_000_000


def service_clusters(world: World) -> dict[str, Json]:
    """An Envoy cluster for every TCP port of every Service, by name; one without ready pods answers 503."""
    clusters = {}
    ready = ReadyPods(world.pods)
    for (namespace, name), service in sorted(world.services.items()):
        for port in tcp_ports(service):
            label = cluster_name(namespace, name, port["port"])
            http2 = port.get("appProtocol") in ("kubernetes.io/h2c", "grpc", "http2")
            clusters[label] = cluster(label, endpoints(service, port, ready), http2=http2)
    return clusters


def tcp_ports(service: Json) -> list[Json]:
    """The ports of a Service that Envoy can serve."""
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
