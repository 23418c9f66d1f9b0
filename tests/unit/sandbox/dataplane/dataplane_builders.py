# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders of Kubernetes objects for the tests of the data plane."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

from sandbox import seed
from sandbox.controllers.gateway_world import PORTS_ANNOTATION, Json, World
from sandbox.controllers.kuadrant_policies import Policy
from sandbox.kinds import GATEWAY_GROUP

CONTROLLER = "openshift.io/gateway-controller/v1"


def gateway_class(name: str = "openshift-default", controller: str = CONTROLLER) -> Json:
    return {"metadata": {"name": name, "generation": 1}, "spec": {"controllerName": controller}}


def listener(name: str = "http", port: int = 8080, protocol: str = "HTTP", **more: Any) -> Json:
    everywhere = {"namespaces": {"from": "All"}}
    return {"name": name, "port": port, "protocol": protocol, "allowedRoutes": everywhere, **more}


def gateway(*listeners: Json, name: str = "gw", namespace: str = "infra", **more: Any) -> Json:
    return {
        "apiVersion": f"{GATEWAY_GROUP}/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {"gatewayClassName": "openshift-default", "listeners": list(listeners)},
        **more,
    }


def parent(section: str | None = None, *, name: str = "gw", namespace: str = "infra", port: int | None = None) -> Json:
    ref: Json = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": name, "namespace": namespace}
    return ref | ({"sectionName": section} if section else {}) | ({"port": port} if port else {})


def backend(name: str = "web", port: int = 80, **more: Any) -> Json:
    return {"group": "", "kind": "Service", "name": name, "port": port, "weight": 1, **more}


def rule(*paths: str, **more: Any) -> Json:
    matches = [{"path": {"type": "PathPrefix", "value": path}} for path in paths]
    return ({"matches": matches} if matches else {}) | {"backendRefs": [backend()]} | more


def route(
    *rules: Json,
    name: str = "route",
    namespace: str = "apps",
    hosts: tuple[str, ...] = (),
    created: int = 0,
    **more: Any,
) -> Json:
    spec: Json = {"parentRefs": [parent()], "rules": list(rules) or [rule()], **more}
    if hosts:
        spec["hostnames"] = list(hosts)
    stamp = f"2026-01-01T00:00:{created:02}Z"
    meta = {"name": name, "namespace": namespace, "generation": 1, "creationTimestamp": stamp}
    return {"apiVersion": f"{GATEWAY_GROUP}/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


def service(name: str = "web", namespace: str = "apps", port: int = 80, target: int | str = 80, **more: Any) -> Json:
    entry = {"name": "http", "port": port, "targetPort": target, **more}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"selector": {"app": name}, "ports": [entry]}}


def pod(local_port: int, name: str = "web", namespace: str = "apps", port: int = 80, *, ready: bool = True) -> Json:
    return {
        "metadata": {
            "name": f"{name}-1",
            "namespace": namespace,
            "labels": {"app": name},
            "annotations": {PORTS_ANNOTATION: json.dumps({str(port): local_port})},
        },
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def grant(namespace: str, source: tuple[str, str, str], target: tuple[str, str], name: str | None = None) -> Json:
    """``source``: group, kind, namespace; ``target``: group, kind."""
    to = {"group": target[0], "kind": target[1]} | ({"name": name} if name else {})
    spec = {"from": [dict(zip(("group", "kind", "namespace"), source, strict=True))], "to": [to]}
    return {"metadata": {"name": "grant", "namespace": namespace}, "spec": spec}


@cache
def key_pair(host: str = "mcp.example.com") -> tuple[bytes, bytes]:
    return seed.self_signed(host)


def tls_secret(name: str = "cert", namespace: str = "infra", pair: tuple[bytes, bytes] | None = None) -> Json:
    chain, key = pair or key_pair()
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    return {"metadata": {"name": name, "namespace": namespace}, "type": "kubernetes.io/tls", "data": data}


def world(*objects: Json, **more: Any) -> World:
    """A World of Gateways, HTTPRoutes, Services, Pods and Secrets, told apart by their content."""
    keyed: dict[str, Any] = {"gateways": [], "routes": [], "pods": [], "services": {}, "secrets": {}, "grants": []}
    for obj in objects:
        spec, meta = obj.get("spec") or {}, obj["metadata"]
        key = (meta["namespace"], meta["name"])
        if "listeners" in spec:
            keyed["gateways"].append(obj)
        elif "parentRefs" in spec:
            keyed["routes"].append(obj)
        elif "containers" in spec:
            keyed["pods"].append(obj)
        elif "from" in spec:
            keyed["grants"].append(obj)
        elif "ports" in spec:
            keyed["services"][key] = obj
        else:
            keyed["secrets"][key] = obj
    names = {obj["metadata"]["namespace"] for obj in objects}
    spaces = {name: {"metadata": {"name": name}} for name in names}
    return World(**{"classes": {"openshift-default": gateway_class()}, "namespaces": spaces, **keyed, **more})


def policy(
    kind: str = "AuthPolicy",
    name: str = "policy",
    target: tuple[str, str, str | None] = ("HTTPRoute", "route", None),
    *,
    namespace: str = "apps",
    created: int = 0,
    **spec: Any,
) -> Policy:
    """A policy of Kuadrant; ``target``: kind, name and section."""
    ref = {"group": GATEWAY_GROUP, "kind": target[0], "name": target[1]}
    ref |= {"sectionName": target[2]} if target[2] else {}
    stamp = f"2026-01-01T00:00:{created:02}Z"
    meta = {"name": name, "namespace": namespace, "generation": 1, "creationTimestamp": stamp}
    return Policy(kind, {"metadata": meta, "spec": {"targetRef": ref, **spec}})
