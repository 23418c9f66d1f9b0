# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that OLM installs, as pods: its ClusterServiceVersion follows them; nobody writes without need."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.catalog.behaviour import BROKEN_OPERATOR, CRASHING_OPERATOR
from sandbox.client import Object
from sandbox.controllers import olm
from sandbox.controllers.children import Supervisor
from sandbox.controllers.runner import RunnerController
from sandbox.controllers.runner_deployments import DeploymentController
from sandbox.controllers.runner_endpoints import EndpointsController
from sandbox.controllers.runner_replicasets import ReplicaSetController
from sandbox.controllers.runtime import Controller
from sandbox.crds import load
from sandbox.kinds import CRDS, DEPLOYMENTS, PODS, SUBSCRIPTIONS
from unit.sandbox.operators.kit import ApiServer, Cluster, running
from unit.sandbox.operators.olm_kit import NAME, NEW, OLD, Olm

ENVOY_FILTERS = "envoyfilters.networking.istio.io"
OPERATOR = "mcp-gateway-controller"


class Site(Olm):
    """OLM and the workloads together."""

    controllers: list[Controller]

    async def waiting(self, reason: str) -> Object:
        """The first pod of which a container waits for that reason."""

        def found(pod: Object) -> bool:
            entries = (pod.get("status") or {}).get("containerStatuses") or []
            return any(entry["state"].get("waiting", {}).get("reason") == reason for entry in entries)

        return await self.cluster.first(PODS, self.namespace, found)


@pytest.fixture
async def site(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Site]:
    for name in ("processes", "logs", "pods"):
        (tmp_path / name).mkdir()
    await cluster.install()
    supervisor = Supervisor(tmp_path / "processes")
    one = Site(cluster, await cluster.namespace(), await cluster.namespace())
    one.controllers = [
        *olm.controllers(),
        DeploymentController(),
        ReplicaSetController(),
        EndpointsController(),
        RunnerController(tmp_path, supervisor, 1),
    ]
    async with running(cluster.client, one.controllers):
        await one.catalog()
        yield one
        await one.clean()
    await supervisor.stop_all()


async def test_an_operator_whose_image_cannot_be_pulled_is_never_installed(site: Site) -> None:
    await site.catalog("broken", image=BROKEN_OPERATOR)
    await site.group()
    await site.subscribe(source="broken")
    await site.waiting("ImagePullBackOff")
    await site.phase(NEW, "Installing", "InstallWaiting: installing: waiting for deployment mcp-gateway-controller")


async def test_an_operator_that_crashes_is_never_installed(site: Site) -> None:
    await site.catalog("crashing", image=CRASHING_OPERATOR)
    await site.group()
    await site.subscribe(source="crashing")
    await site.waiting("CrashLoopBackOff")
    await site.phase(NEW, "Installing", "not available: Deployment does not have minimum availability.")


async def test_the_operator_crashes_without_the_crd_of_envoyfilter_and_recovers_with_it(site: Site) -> None:
    await site.cluster.client.delete(CRDS, ENVOY_FILTERS)
    await site.cluster.gone(CRDS, "", ENVOY_FILTERS)
    await site.group()
    await site.subscribe()
    pod = await site.waiting("CrashLoopBackOff")
    folder = Path(pod["metadata"]["annotations"]["sandbox.mcpops.io/logs"])
    log = folder / f"pod-{site.namespace}-{pod['metadata']['name']}-manager.log"
    assert f"no matches for the kind of {ENVOY_FILTERS}" in log.read_text()
    await site.phase(NEW, "Installing", "does not have minimum availability")
    await site.cluster.client.apply(
        CRDS, next(crd for crd in load() if crd["metadata"]["name"] == ENVOY_FILTERS), field_manager="test"
    )
    await site.phase(NEW, "Succeeded")


async def test_a_running_operator_whose_pods_go_fails_and_comes_back(site: Site) -> None:
    await site.group()
    await site.subscribe()
    await site.phase(NEW, "Succeeded")
    await site.cluster.client.delete(CRDS, ENVOY_FILTERS)
    await site.cluster.gone(CRDS, "", ENVOY_FILTERS)
    (pod,) = (await site.cluster.client.list(PODS, site.namespace))[0]
    await site.cluster.client.delete(PODS, pod["metadata"]["name"], site.namespace)
    await site.waiting("CrashLoopBackOff")
    csv = await site.phase(NEW, "Installing", "does not have minimum availability")
    passed = [(entry["phase"], entry["reason"]) for entry in csv["status"]["conditions"]]
    later = passed[passed.index(("Succeeded", "InstallSucceeded")) + 1 :]
    assert later[:2] == [("Failed", "ComponentUnhealthy"), ("Pending", "NeedsReinstall")]
    await site.cluster.client.apply(
        CRDS, next(crd for crd in load() if crd["metadata"]["name"] == ENVOY_FILTERS), field_manager="test"
    )
    await site.phase(NEW, "Succeeded")


async def test_looking_again_at_what_is_as_it_should_be_writes_nothing(site: Site, api_server: ApiServer) -> None:
    await site.group()
    await site.subscribe(startingCSV=OLD, installPlanApproval="Manual")
    await site.approve(await site.plan())
    await site.phase(OLD, "Succeeded")
    await site.subscription(state="UpgradePending", installedCSV=OLD)
    await _idle(site.controllers)
    before = len(_writes(api_server))
    assert before > 20
    for controller in site.controllers:
        controller.look_again()
    await _idle(site.controllers)
    assert _writes(api_server)[before:] == []
    sub = await site.cluster.client.get(SUBSCRIPTIONS, NAME, site.namespace)
    deployment = await site.cluster.client.get(DEPLOYMENTS, OPERATOR, site.namespace)
    assert sub
    assert deployment


def _writes(server: ApiServer) -> list[str]:
    text = server.folder.audit.read_text() if server.folder.audit.exists() else ""
    events: list[Any] = [json.loads(line) for line in text.splitlines()]
    return [
        f"{event['verb']} {event['requestURI']}"
        for event in events
        if event["verb"] not in ("get", "list", "watch") and event["userAgent"] == "mcpops-sandbox"
    ]


async def _idle(controllers: list[Controller]) -> None:
    """Returns when no controller has had anything to do for a while in a row."""
    quiet = 0
    async with asyncio.timeout(30):
        while quiet < 50:
            await asyncio.sleep(0.01)
            quiet = quiet + 1 if all(controller.queue.idle for controller in controllers) else 0
