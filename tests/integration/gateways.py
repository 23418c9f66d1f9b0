# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways as tests need them: objects, what their controller would report, certificates."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from integration.kit import ApiServer, Json
from sandbox.seed import self_signed

ALL = {"namespaces": {"from": "All"}}
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/gateways"
CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
GRANTS = "/apis/gateway.networking.k8s.io/v1beta1/namespaces/{ns}/referencegrants"


def gateway_class(api: ApiServer, name: str = "istio", **reasons: str) -> None:
    """A GatewayClass that its controller accepts, unless the reasons say otherwise."""
    spec = {"controllerName": "istio.io/gateway-controller"}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass"}
    api.apply(f"{CLASSES}/{name}", {**kind, "metadata": {"name": name}, "spec": spec})
    api.status(f"{CLASSES}/{name}", {"conditions": conditions(1, **(reasons or {"Accepted": "Accepted"}))})


def certificate(api: ApiServer, ns: str, name: str = "cert", *names: str, **change: Any) -> Json:
    """A TLS Secret for host names; ``change`` replaces top-level fields."""
    chain, key = self_signed(*(names or ("mcp.example.com",)))
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": "kubernetes.io/tls"}
    return api.apply(f"/api/v1/namespaces/{ns}/secrets/{name}", {**secret, "data": data, **change})


def conditions(generation: int, **reasons: str) -> list[Json]:
    """Conditions from ``Type="Reason"`` (True), ``Type="!Reason"`` (False) or ``Type="?Reason"`` (Unknown)."""
    return [
        {
            "type": name,
            "status": {"!": "False", "?": "Unknown"}.get(reason[0], "True"),
            "reason": reason.lstrip("!?"),
            "message": f"{name} by the test",
            "observedGeneration": generation,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for name, reason in reasons.items()
    ]


def report(api: ApiServer, ns: str, name: str, listeners: Sequence[str], *, attached: int = 0, **reasons: str) -> None:
    """What a Gateway's controller writes: everything fine, except for the reasons given for the listeners."""
    path = f"{GATEWAYS.format(ns=ns)}/{name}"
    live = api.get(path)
    assert live is not None
    generation = live["metadata"]["generation"]
    good = {"Accepted": "Accepted", "Programmed": "Programmed", "ResolvedRefs": "ResolvedRefs"}
    entries = [
        {
            "name": listener,
            "attachedRoutes": attached,
            "supportedKinds": [],
            "conditions": conditions(generation, **{**good, **reasons}),
        }
        for listener in listeners
    ]
    api.status(
        path,
        {
            "addresses": [{"type": "IPAddress", "value": "192.0.2.10"}],
            "conditions": conditions(generation, Accepted="Accepted", Programmed="Programmed"),
            "listeners": entries,
        },
    )


def listener(name: str = "mcps", port: int = 8080, hostname: str | None = "mcp.example.com", **more: Any) -> Json:
    """A listener as the modules' options write it."""
    host = {"hostname": hostname} if hostname else {}
    return {"name": name, "port": port, "protocol": "HTTP", "allowed_routes": ALL, **host, **more}
