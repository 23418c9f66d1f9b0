# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: what keeps the operator's process from starting. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.client import Resource
from sandbox.controllers.operator_release import CONTROLLER, Object, environment_of
from sandbox.kinds import ENVOY_FILTERS, GATEWAYS, HTTP_ROUTES, REFERENCE_GRANTS

WATCHED: tuple[Resource, ...] = (ENVOY_FILTERS, GATEWAYS, HTTP_ROUTES, REFERENCE_GRANTS)
"""Kinds of others that the operator watches: without one of them it ends (Kuadrant/mcp-gateway #811)."""


def start_problem(deployment: Object, crds: Iterable[Object]) -> str | None:
    """Why the operator of this Deployment ends soon after its start, as its log says; None if it runs.

    Source: Kuadrant/mcp-gateway, cmd/main.go (BROKER_ROUTER_LOG_LEVEL is read since 0.8) and controller-runtime's
    message for a watched kind that the API server does not serve.
    """
    if deployment["metadata"]["name"] != CONTROLLER:
        return None
    served = {resource for resource in WATCHED if any(_serves(crd, resource) for crd in crds)}
    for resource in WATCHED:
        if resource not in served:
            return f'no matches for kind "{resource.kind}" in version "{resource.api_version}"'
    level = environment_of(deployment).get("BROKER_ROUTER_LOG_LEVEL", "")
    if level and not level.removeprefix("-").removeprefix("+").isdecimal():
        return f'invalid BROKER_ROUTER_LOG_LEVEL "{level}" : must be an integer'
    return None


def _serves(crd: Mapping[str, Any], resource: Resource) -> bool:
    versions = crd["spec"]["versions"] if crd["metadata"]["name"] == resource.crd_name else []
    return any(entry["name"] == resource.version and entry["served"] for entry in versions)
