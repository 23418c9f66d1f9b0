# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects for the tests of the MCP operator stand-in's pure rules: an extension, a Gateway, a route."""

from __future__ import annotations

from typing import Any

from sandbox.catalog.csv import broker_image
from sandbox.controllers.operator_release import Release

Object = dict[str, Any]

NEW = Release("0.9.0", broker_image("0.9.0"))
OLD = Release("0.6.0", broker_image("0.6.0"))


def extension(namespace: str = "mcp-system", **spec: Any) -> Object:
    target = {"name": "gw", "namespace": "infra", "sectionName": "mcps"}
    return {
        "metadata": {"name": "mcp-gateway", "namespace": namespace, "uid": "uid-1", "generation": 1},
        "spec": {"targetRef": target, "backendPingIntervalSeconds": 60, **spec},
    }


def gateway(**labels: str) -> Object:
    listeners = [
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com"},
        {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"},
        {"name": "web", "port": 80, "protocol": "HTTP"},
        {"name": "tls", "port": 443, "protocol": "HTTPS", "hostname": "*.tls.local"},
    ]
    return {
        "metadata": {"name": "gw", "namespace": "infra", "generation": 3, "labels": labels},
        "spec": {"gatewayClassName": "openshift-default", "listeners": listeners},
    }


def listener(name: str) -> Object:
    return next(entry for entry in gateway()["spec"]["listeners"] if entry["name"] == name)


def route(section: str | None = "servers", hostname: str = "a.mcp.local", **more: Any) -> Object:
    parent = {"name": "gw", "namespace": "infra", **({"sectionName": section} if section else {})}
    accepted = {"type": "Accepted", "status": more.pop("accepted", "True")}
    backends = more.pop("backends", [{"kind": "Service", "group": "", "name": "svc", "port": 9090}])
    return {
        "metadata": {"name": "r", "namespace": "servers", "generation": 1},
        "spec": {"parentRefs": [parent], "hostnames": [hostname], "rules": [{"backendRefs": backends}], **more},
        "status": {"parents": [{"parentRef": parent, "conditions": [accepted]}]},
    }
