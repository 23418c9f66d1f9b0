# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a cluster for tests of the broker's cluster mode: plain manifests, and their paths in the API."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sandbox.battery.support import APPLY_PATCH, Cluster, embedded_server, until
from sandbox.catalog.crds import operator_crds
from sandbox.crds.gateway_api import gateway as gateway_crd
from sandbox.crds.http_route import http_route as http_route_crd

Json = dict[str, Any]

GATEWAY = {"gateway": "gateways/front", "listener": "mcps"}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PLURALS = {
    "MCPServerRegistration": "mcpserverregistrations",
    "MCPVirtualServer": "mcpvirtualservers",
    "HTTPRoute": "httproutes",
    "Gateway": "gateways",
    "Service": "services",
    "Secret": "secrets",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}


@contextmanager
def running_cluster(*namespaces: str) -> Iterator[Cluster]:
    """The embedded API server, or the one in `SANDBOX_BATTERY_KUBECONFIG`, with the kinds of 0.9.0 and namespaces."""
    named = os.environ.get("SANDBOX_BATTERY_KUBECONFIG")
    with nullcontext(Path(named).parent) if named else embedded_server() as folder:
        found = Cluster.of(Path(named) if named else folder / "kubeconfig", embedded=not named)
        define(found, "0.9.0")
        for name in namespaces:
            namespace(found, name)
        yield found


def path(manifest: Json) -> str:
    """Where an object is."""
    version, meta = manifest["apiVersion"], manifest["metadata"]
    start = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{start}/namespaces/{meta['namespace']}/{PLURALS[manifest['kind']]}/{meta['name']}"


def define(cluster: Cluster, operator: str) -> None:
    """Make the cluster serve the operator's kinds of a version of it, and those of the Gateway API."""
    for crd in [gateway_crd(), http_route_crd(), *operator_crds(operator)]:
        place = f"{CRDS}/{crd['metadata']['name']}"
        if crd["spec"]["group"] == "mcp.kuadrant.io":
            cluster.delete(place)
            until(lambda place=place: cluster.get(place).status == 404, "the old definition is gone")
        assert cluster.post(CRDS, crd).status in (201, 409)
    version = "v1alpha1" if operator == "0.6.0" else "v1"
    for group in (
        f"mcp.kuadrant.io/{version}/mcpvirtualservers",
        f"mcp.kuadrant.io/{version}/mcpserverregistrations",
        "gateway.networking.k8s.io/v1/httproutes",
        "gateway.networking.k8s.io/v1/gateways",
    ):
        until(lambda group=group: cluster.get(f"/apis/{group}").status == 200, f"{group} are served")


def namespace(cluster: Cluster, name: str) -> None:
    """Create a namespace, if it is not there."""
    made = cluster.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert made.status in (201, 409), made.text


def apply(cluster: Cluster, *manifests: Json) -> None:
    """Create or change objects."""
    for manifest in manifests:
        status = manifest.get("status")
        wanted = {key: value for key, value in manifest.items() if key != "status"}
        until(  # a kind that was just defined comes and goes for a moment
            lambda manifest=manifest, wanted=wanted: (
                (answer := cluster.apply(path(manifest), wanted, "test", "&force=true")).status != 404 and answer
            ),
            "the kind is served",
        ).ok()
        if status is not None:
            body = {**{key: manifest[key] for key in ("apiVersion", "kind", "metadata")}, "status": status}
            cluster.patch(f"{path(manifest)}/status?fieldManager=gateway", body, APPLY_PATCH).ok()


def ready(cluster: Cluster, manifest: Json) -> Json:
    """The Ready condition of an object, empty while it has none."""
    status = cluster.get(path(manifest)).ok().get("status") or {}
    found = [one for one in status.get("conditions") or [] if one["type"] == "Ready"]
    return found[0] if found else {}


def front() -> Json:
    """The Gateway in front of the broker: MCP on 8080, other things on 80."""
    listeners = [
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com"},
        {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"},
        {"name": "web", "port": 80, "protocol": "HTTP", "hostname": "*.example.com"},
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"namespace": "gateways", "name": "front"},
        "spec": {"gatewayClassName": "any", "listeners": listeners},
    }  # fmt: skip


def service(place: str, name: str = "here", *, host: str = "localhost") -> Json:
    """A Service that stands for a host outside."""
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": place, "name": name},
        "spec": {"type": "ExternalName", "externalName": host},
    }  # fmt: skip


def route(
    place: str, name: str, port: int, *, listener: str = "servers", accepted: bool = True, **backend: Any
) -> Json:
    """A route to a server at a port of the Service `here`, attached to the Gateway."""
    parent = {"namespace": "gateways", "name": "front", "sectionName": listener}
    now = "2026-01-01T00:00:00Z"
    condition = {
        "type": "Accepted",
        "status": str(accepted),
        "reason": "Told",
        "message": "",
        "lastTransitionTime": now,
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": place, "name": name},
        "spec": {
            "parentRefs": [parent],
            "hostnames": [f"{name}.mcp.local"],
            "rules": [{"backendRefs": [{"name": "here", "port": port, **backend}]}],
        },
        "status": {"parents": [{"parentRef": parent, "controllerName": "test/gateway", "conditions": [condition]}]},
    }  # fmt: skip


def registration(place: str, name: str, version: str = "v1", **spec: Any) -> Json:
    """A registration for the route of the same name."""
    return {
        "apiVersion": f"mcp.kuadrant.io/{version}", "kind": "MCPServerRegistration",
        "metadata": {"namespace": place, "name": name},
        "spec": {"targetRef": {"kind": "HTTPRoute", "name": name}, **spec},
    }  # fmt: skip


def virtual_server(place: str, name: str, *tools: str, version: str = "v1") -> Json:
    """A virtual server."""
    return {
        "apiVersion": f"mcp.kuadrant.io/{version}", "kind": "MCPVirtualServer",
        "metadata": {"namespace": place, "name": name}, "spec": {"tools": list(tools)},
    }  # fmt: skip


def secret(place: str, name: str, *, labelled: bool = True, **values: str) -> Json:
    """A Secret, by default with the label that registrations may refer to it."""
    labels = {"mcp.kuadrant.io/secret": "true"} if labelled else {"mcp.kuadrant.io/secret": "no"}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": place, "name": name, "labels": labels},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }  # fmt: skip
