# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The kinds of objects that are read and written, and small helpers for what all objects have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]
Key = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One version of a kind, and where the API server has it."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _versions(plural: str, kind: str) -> tuple[Kind, ...]:
    return tuple(Kind("mcp.kuadrant.io", version, plural, kind) for version in ("v1", "v1alpha1"))


REGISTRATIONS = _versions("mcpserverregistrations", "MCPServerRegistration")
"""The operator's kinds, newest version first: 0.6 serves v1alpha1 only, 0.8 and 0.9 both, later ones v1 only."""
VIRTUAL_SERVERS = _versions("mcpvirtualservers", "MCPVirtualServer")
HTTP_ROUTES = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GATEWAYS = Kind("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
SERVICES = Kind("", "v1", "services", "Service")
SECRETS = Kind("", "v1", "secrets", "Secret")
LEASES = Kind("coordination.k8s.io", "v1", "leases", "Lease")


def key_of(obj: Object) -> Key:
    """Namespace and name of an object."""
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def named(key: Key) -> str:
    """`namespace/name`: how servers are called in the configuration and in `/status`."""
    return f"{key[0]}/{key[1]}"


def condition(obj: Object, kind: str) -> Mapping[str, Any] | None:
    """Return the condition of a type in the status of an object, or in an element of a route's `status.parents`."""
    conditions = (obj.get("status") or obj).get("conditions") or []
    return next((one for one in conditions if one.get("type") == kind), None)
