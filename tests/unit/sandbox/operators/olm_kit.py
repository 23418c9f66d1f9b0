# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the OLM stand-in share: a namespace with a catalogue, one to install into, and shorthand."""

from __future__ import annotations

from typing import Any

from sandbox.client import Object
from sandbox.kinds import CATALOG_SOURCES, CRDS, CSVS, DEPLOYMENTS, INSTALL_PLANS, OPERATOR_GROUPS, SUBSCRIPTIONS
from unit.sandbox.operators.kit import Cluster

NAME = "mcp-gateway"
OLD, NEW = "mcp-gateway.v0.6.0", "mcp-gateway.v0.9.0"
EXTENSIONS_CRD = "mcpgatewayextensions.mcp.kuadrant.io"
IMAGE = "sandbox.mcpops.io/catalog:1"


class Olm:
    """One test's namespaces: one with a catalogue and one to install into."""

    def __init__(self, cluster: Cluster, market: str, namespace: str) -> None:
        self.cluster, self.market, self.namespace = cluster, market, namespace
        self.label = f"operators.coreos.com/{NAME}.{namespace}"

    async def catalog(self, name: str = "redhat-operators", image: str = IMAGE) -> None:
        await self.cluster.apply(CATALOG_SOURCES, self.market, name, {"sourceType": "grpc", "image": image})

    async def group(self, name: str = NAME, **spec: Any) -> None:
        await self.cluster.apply(OPERATOR_GROUPS, self.namespace, name, spec or {"targetNamespaces": [self.namespace]})

    async def subscribe(self, **spec: Any) -> None:
        source = {"source": "redhat-operators", "sourceNamespace": self.market}
        await self.cluster.apply(
            SUBSCRIPTIONS, self.namespace, NAME, {"name": NAME, "channel": "preview", **source, **spec}
        )

    async def phase(self, name: str, phase: str, text: str = "") -> Object:
        def reached(csv: Object) -> bool:
            status = csv.get("status") or {}
            return status.get("phase") == phase and text in f"{status.get('reason')}: {status.get('message')}"

        return await self.cluster.until(CSVS, self.namespace, name, reached, f"is not {phase}")

    async def subscription(self, **status: Any) -> Object:
        def reached(sub: Object) -> bool:
            return status.items() <= (sub.get("status") or {}).items()

        return await self.cluster.until(SUBSCRIPTIONS, self.namespace, NAME, reached, f"does not reach {status}")

    async def failed(self, type_: str, text: str) -> Object:
        return await self.cluster.condition(SUBSCRIPTIONS, (self.namespace, NAME), type_, "True", text)

    async def plan(self) -> Object:
        sub = await self.cluster.until(
            SUBSCRIPTIONS, self.namespace, NAME, lambda obj: (obj.get("status") or {}).get("installPlanRef")
        )
        found = await self.cluster.client.get(INSTALL_PLANS, sub["status"]["installPlanRef"]["name"], self.namespace)
        assert found
        return found

    async def approve(self, plan: Object) -> None:
        await self.cluster.client.merge_patch(
            INSTALL_PLANS, plan["metadata"]["name"], self.namespace, {"spec": {"approved": True}}
        )

    async def clean(self) -> None:
        """Removes what would stand in the way of the next test."""
        client = self.cluster.client
        await client.delete(SUBSCRIPTIONS, NAME, self.namespace)
        for csv in (await client.list(CSVS, self.namespace))[0]:
            await client.delete(CSVS, csv["metadata"]["name"], self.namespace)
            await self.cluster.gone(CSVS, self.namespace, csv["metadata"]["name"])
        for group in (await client.list(OPERATOR_GROUPS, self.namespace))[0]:
            await client.delete(OPERATOR_GROUPS, group["metadata"]["name"], self.namespace)
        for deployment in (await client.list(DEPLOYMENTS, self.namespace))[0]:
            await client.delete(DEPLOYMENTS, deployment["metadata"]["name"], self.namespace)
        for crd in (await client.list(CRDS))[0]:
            if crd["spec"]["group"] == "mcp.kuadrant.io":
                await client.delete(CRDS, crd["metadata"]["name"])
                await self.cluster.gone(CRDS, "", crd["metadata"]["name"])
