# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module olm_subscription in a running sandbox: what it says of each way in which an installation goes wrong."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dataplane_box import Box, until
from integration.kit import Modules, warnings_of
from sandbox.catalog import behaviour
from sandbox.client import Object
from sandbox.kinds import CATALOG_SOURCES, CRDS, CSVS, INSTALL_PLANS, NAMESPACES, OPERATOR_GROUPS, SUBSCRIPTIONS

MARKET = "openshift-marketplace"
NAME = "mcp-gateway"
NEW, OLD = "mcp-gateway.v0.9.0", "mcp-gateway.v0.6.0"


class Site:
    """A namespace to install into, and the module."""

    def __init__(self, box: Box, namespace: str) -> None:
        self.box, self.namespace = box, namespace
        kubeconfig = str(Path(box.folder) / "kubeconfig")
        self._modules = Modules(cast(Any, SimpleNamespace(kubeconfig=kubeconfig)))

    async def catalog(self, image: str) -> str:
        """A catalogue with that image, once it has been looked at; returns its name."""
        name = f"c-{uuid.uuid4().hex[:8]}"
        await self.box.make(CATALOG_SOURCES, name, MARKET, spec={"sourceType": "grpc", "image": image})

        async def known() -> bool:
            found = await self.box.client.get(CATALOG_SOURCES, name, MARKET) or {}
            state = (found.get("status") or {}).get("connectionState", {}).get("lastObservedState")
            return state in ("READY", "TRANSIENT_FAILURE")

        await until(known)
        return name

    async def install(self, **options: Any) -> Object:
        return await asyncio.to_thread(self._modules, "olm_subscription", namespace=self.namespace, **options)

    async def refusal(self, **options: Any) -> str:
        return await asyncio.to_thread(self._modules.fails, "olm_subscription", namespace=self.namespace, **options)

    async def clean(self) -> None:
        client = self.box.client
        for resource in (SUBSCRIPTIONS, CSVS, INSTALL_PLANS, OPERATOR_GROUPS):
            for item in (await client.list(resource, self.namespace))[0]:
                await client.delete(resource, item["metadata"]["name"], self.namespace)
        for crd in (await client.list(CRDS))[0]:
            if crd["spec"]["group"] == "mcp.kuadrant.io":
                await client.delete(CRDS, crd["metadata"]["name"])
        await client.delete(NAMESPACES, self.namespace)

        async def gone() -> bool:
            return await client.get(NAMESPACES, self.namespace) is None

        await until(gone)


@pytest.fixture
async def site(cluster: Box) -> AsyncIterator[Site]:
    namespace = f"t-{uuid.uuid4().hex[:8]}"
    await cluster.client.create(NAMESPACES, {"metadata": {"name": namespace}})
    one = Site(cluster, namespace)
    try:
        yield one
    finally:
        await one.clean()


@pytest.mark.parametrize(
    ("image", "options", "said"),
    [
        (
            behaviour.UNHEALTHY,
            {},
            ["ResolutionFailed (ErrorPreventedResolution: failed to populate resolver cache", "connection error"],
        ),
        (
            behaviour.BROKEN_BUNDLES,
            {},
            ["BundleUnpackFailed (BundleUnpackFailed: Bundle unpacking failed - DeadlineExceeded", "pull secret"],
        ),
        (
            behaviour.UNSATISFIED_DEPENDENCY,
            {},
            ["ResolutionFailed (ConstraintsNotSatisfiable: ", "requires an operator with package: kuadrant-operator"],
        ),
        (
            f"{behaviour.SLOW}-60",
            {"install_plan_timeout": 2},
            ["Waited 2 s", "to have its bundle unpacked; last seen: BundleUnpacking (UnpackingInProgress"],
        ),
        (
            f"{behaviour.INSTALL_PLAN_FAILING}-1",
            {},
            ["InstallComponentFailed: api-server resource not found installing ServiceMonitor"],
        ),
        (
            behaviour.BROKEN_OPERATOR,
            {"csv_timeout": 3},
            ["Waited 3 s", f"CSV {NEW} has the phase Installing", "does not have minimum availability"],
        ),
        (
            behaviour.CRASHING_OPERATOR,
            {"csv_timeout": 3},
            ["Waited 3 s", f"CSV {NEW} has the phase Installing", "does not have minimum availability"],
        ),
    ],
    ids=lambda value: value.partition(":")[2] if isinstance(value, str) else "",
)
async def test_the_module_tells_what_olm_says(site: Site, image: str, options: Object, said: list[str]) -> None:
    source = await site.catalog(image)
    message = await site.refusal(source=source, channel="preview", **options)
    assert [part for part in said if part not in message] == [], message


async def test_a_slow_installation_is_waited_for(site: Site) -> None:
    source = await site.catalog(f"{behaviour.SLOW}-2")
    result = await site.install(source=source, channel="preview")
    assert (result["csv"], result["subscription_state"]) == (NEW, "AtLatestKnown")


async def test_one_version_with_manual_approval_while_an_upgrade_waits(site: Site) -> None:
    wanted = {"channel": "preview", "starting_csv": OLD, "install_plan_approval": "Manual", "approve": True}
    result = await site.install(**wanted)
    assert result["csv"] == OLD
    subscription = await site.box.client.get(SUBSCRIPTIONS, NAME, site.namespace)
    assert subscription
    assert subscription["status"]["installedCSV"] == OLD
    again = await site.install(**wanted)
    assert (again["changed"], again["csv"], again["subscription_state"]) == (False, OLD, "UpgradePending")
    assert f"InstallPlan {again['install_plan']} for {NEW} waits for approval" in warnings_of(again)[0]
    upgraded = await site.install(**{**wanted, "starting_csv": None})
    assert upgraded["csv"] == NEW


async def test_the_whole_chain_with_automatic_approval(site: Site) -> None:
    result = await site.install(channel="preview", starting_csv=OLD)
    assert (result["csv"], result["subscription_state"]) == (NEW, "AtLatestKnown")


async def test_an_operator_that_is_installed_twice_for_a_namespace(site: Site) -> None:
    await site.install(channel="preview")
    other = Site(site.box, f"t-{uuid.uuid4().hex[:8]}")
    await site.box.client.create(NAMESPACES, {"metadata": {"name": other.namespace}})
    try:
        message = await other.refusal(channel="preview", operator_group={"target_namespaces": [site.namespace]})
        assert "InterOperatorGroupOwnerConflict: intersecting operatorgroups provide the same apis" in message
    finally:
        await other.clean()
