# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: bringing the objects around a broker in line, each by the fields that the operator compares.

Source: Kuadrant/mcp-gateway, internal/controller/broker_router.go and reconcileEnvoyFilter. Labels of the objects are
compared for the EnvoyFilter only; what the operator does not compare stays as somebody changed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbox.client import Object, Resource
from sandbox.controllers.operator_broker import merged_deployment
from sandbox.controllers.operator_objects import http_route, service, service_account, tokens_route
from sandbox.controllers.operator_release import TOKENS_ROUTE, Release
from sandbox.controllers.operator_writing import ConfigWriter
from sandbox.kinds import DEPLOYMENTS, ENVOY_FILTERS, HTTP_ROUTES, SERVICE_ACCOUNTS, SERVICES

ROUTE_FIELDS = ("parentRefs", "hostnames", "rules")


class Children(ConfigWriter):
    """Makes and repairs the objects of an extension."""

    def found(self, resource: Resource, wanted: Object) -> Object | None:
        """What is there under the name of an object."""
        return self.cache(resource).get(wanted["metadata"]["namespace"], wanted["metadata"]["name"])

    async def ensure_service_account(self, extension: Object, release: Release) -> None:
        wanted = service_account(extension, release)
        found = self.found(SERVICE_ACCOUNTS, wanted)
        field = "automountServiceAccountToken"
        if found is None:
            await self.create(SERVICE_ACCOUNTS, wanted)
        elif found.get(field) != wanted[field]:
            await self.replace(SERVICE_ACCOUNTS, {**found, field: wanted[field]})

    async def ensure_deployment(self, wanted: Object, release: Release) -> Object | None:
        """The Deployment if it is as the operator wants it; None when it just had to be written."""
        found = self.found(DEPLOYMENTS, wanted)
        if found is None:
            await self.create(DEPLOYMENTS, wanted)
            return None
        merged = merged_deployment(found, wanted, release)
        if merged is found:
            return found
        await self.replace(DEPLOYMENTS, merged)
        return None

    async def ensure_service(self, extension: Object, release: Release) -> None:
        await self._ensure_fields(SERVICES, service(extension, release), ("ports", "selector"))

    async def ensure_routes(self, extension: Object, host: str, release: Release) -> None:
        """The broker's routes; with httpRouteManagement Disabled they are left as they are, also if they exist."""
        spec = extension["spec"]
        if spec.get("httpRouteManagement") == "Disabled":
            return
        await self._ensure_fields(HTTP_ROUTES, http_route(extension, host, release), ROUTE_FIELDS)
        if not release.modern:
            return
        if spec.get("urlElicitation") == "Enabled":
            await self._ensure_fields(HTTP_ROUTES, tokens_route(extension, host, release), ROUTE_FIELDS)
        elif self.cache(HTTP_ROUTES).get(extension["metadata"]["namespace"], TOKENS_ROUTE):
            await self.client.delete(HTTP_ROUTES, TOKENS_ROUTE, extension["metadata"]["namespace"])

    async def ensure_envoy_filter(self, wanted: Object) -> None:
        """Creates or repairs the filter; then labels of users stay, their annotations do not."""
        found = self.found(ENVOY_FILTERS, wanted)
        if found is None:
            await self.create(ENVOY_FILTERS, wanted)
            return
        labels: Mapping[str, str] = found["metadata"].get("labels") or {}
        own: Mapping[str, str] = wanted["metadata"]["labels"]
        if found.get("spec") == wanted["spec"] and own.items() <= labels.items():
            return
        version = found["metadata"]["resourceVersion"]
        meta = {**wanted["metadata"], "labels": {**labels, **own}, "resourceVersion": version}
        await self.replace(ENVOY_FILTERS, {**wanted, "metadata": meta})

    async def _ensure_fields(self, resource: Resource, wanted: Object, fields: Sequence[str]) -> None:
        found = self.found(resource, wanted)
        if found is None:
            await self.create(resource, wanted)
            return
        spec = {**found["spec"], **{field: wanted["spec"][field] for field in fields}}
        if spec != found["spec"]:
            await self.replace(resource, {**found, "spec": spec})
