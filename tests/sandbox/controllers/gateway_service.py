# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Service that Istio makes for each Gateway: its name is part of what other software expects.

In a cluster it stands before the Gateway's pods. Here Envoy serves it (see `envoy_mesh.mesh_hosts`), and
the object is what people and tools look at.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.envoy_clusters import LOOPBACK
from sandbox.controllers.gateway_listeners import Listener
from sandbox.controllers.gateway_world import Json
from sandbox.kinds import GATEWAY_GROUP

NAME_LABEL = f"{GATEWAY_GROUP}/gateway-name"
CLASS_LABEL = f"{GATEWAY_GROUP}/gateway-class-name"
STATUS = {"loadBalancer": {"ingress": [{"ip": LOOPBACK, "ipMode": "VIP"}]}}


def service_name(gateway: Json) -> str:
    """Istio: the Service of a Gateway is called after the Gateway and its class."""
    return f"{gateway['metadata']['name']}-{gateway['spec']['gatewayClassName']}"


def service(gateway: Json, listeners: Sequence[Listener]) -> Json | None:
    """The Service of a Gateway with a port for each port that is served; None when there is none."""
    ports: dict[int, Json] = {}
    for listener in listeners:
        if listener.programmed:
            entry = {"name": listener.name, "port": listener.port, "protocol": "TCP"}
            ports.setdefault(listener.port, {**entry, "appProtocol": listener.protocol.lower()})
    if not ports:
        return None
    meta = gateway["metadata"]
    owner = {"apiVersion": f"{GATEWAY_GROUP}/v1", "kind": "Gateway", "name": meta["name"], "uid": meta["uid"]}
    labels = {NAME_LABEL: meta["name"], CLASS_LABEL: gateway["spec"]["gatewayClassName"]}
    return {
        "metadata": {
            "name": service_name(gateway),
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {"type": "LoadBalancer", "selector": {NAME_LABEL: meta["name"]}, "ports": list(ports.values())},
    }


def is_as_wanted(found: Json | None, wanted: Json) -> bool:
    """Whether the Service in the cluster has all that is wanted of it (the server adds addresses and defaults)."""
    if found is None:
        return False
    labels = found["metadata"].get("labels") or {}
    ports = [{name: port.get(name) for name in wanted["spec"]["ports"][0]} for port in found["spec"].get("ports") or []]
    owners = [owner["uid"] for owner in found["metadata"].get("ownerReferences") or []]
    return (
        wanted["metadata"]["labels"].items() <= labels.items()
        and wanted["metadata"]["ownerReferences"][0]["uid"] in owners
        and found["spec"].get("type") == wanted["spec"]["type"]
        and found["spec"].get("selector") == wanted["spec"]["selector"]
        and sorted(ports, key=_port) == sorted(wanted["spec"]["ports"], key=_port)
    )


def _port(entry: Json) -> int:
    return int(entry["port"])
