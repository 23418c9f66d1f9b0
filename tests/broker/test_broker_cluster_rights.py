# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights that role `broker` gives are enough, and each of them is needed: its absence is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_rights import rights
from mcpops_broker.broker import Broker, Options
from mcpops_broker.bus import Bus
from mcpops_broker.cluster import leader, source
from mcpops_broker.cluster.source import Cluster as ClusterMode
from mcpops_broker.config.parse import parse
from sandbox.battery.support import Cluster

from broker import cluster_objects as objects

PLACE, OWN = "team-a", "mcp-system"
WATCHED = [PLACE, OWN]
BESIDE = {"namespace": OWN, "gateway_namespace": "gateways", "gateway": "front"}
TEXT = yaml.safe_dump({"broker": {"cluster": {**objects.GATEWAY, "lease": "LEASE"}}})


def each_right() -> Iterator[tuple[str, str]]:
    """Every verb on every resource that is given."""
    for manifest in rights(WATCHED, name="x", **BESIDE):
        for rule in manifest.get("rules") or []:
            for resource in rule["resources"]:
                yield from ((resource, verb) for verb in rule["verbs"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """With a registration and a virtual server whose status is to be written."""
    with objects.running_cluster(PLACE, "gateways", OWN) as found:
        needy = objects.registration(PLACE, "needy", credentialRef={"name": "token"})
        travel = objects.virtual_server(PLACE, "travel", "fly")
        objects.apply(found, objects.front(), objects.service(PLACE), objects.route(PLACE, "needy", 1), needy, travel)
        yield found


def account(cluster: Cluster, name: str, without: tuple[str, str], folder: Path) -> Path:
    """A service account with all rights but one; returns its kubeconfig."""
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": OWN}}
    cluster.post(f"/api/v1/namespaces/{OWN}/serviceaccounts", manifest).ok()
    for made in rights(WATCHED, name=name, **BESIDE):
        if made["kind"] == "Role":
            made["rules"] = [
                {**rule, "resources": [resource], "verbs": [verb]}
                for rule in made["rules"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
                if (resource, verb) != without
            ]
        plural = objects.PLURALS[made["kind"]]
        place = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{made['metadata']['namespace']}/{plural}"
        cluster.post(place, made).ok()
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = cluster.post(f"/api/v1/namespaces/{OWN}/serviceaccounts/{name}/token", request).ok()["status"]["token"]
    config: dict[str, Any] = yaml.safe_load(cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    config["contexts"][0]["context"]["namespace"] = OWN
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def problems(name: str, wanted: str, folder: Path) -> list[str]:
    """What a broker has to say when it tells what is wanted, or when all is written that is to be written."""
    file = folder / "config.yaml"
    file.write_text(TEXT.replace("LEASE", name))
    mode = ClusterMode(WATCHED)
    broker = Broker(Options(file, b"x" * 32), parse(file.read_bytes()), Bus(), mode)
    await broker.start()
    try:
        async with asyncio.timeout(30):
            while not any(wanted in problem for problem in mode.problems()):
                if not wanted and mode.synced and mode.leader.is_leader:
                    await asyncio.sleep(source.LOOK * 3)  # three looks: time to fail
                    break
                await asyncio.sleep(0.05)
        return mode.problems()
    finally:
        await broker.close()


@pytest.mark.parametrize(("resource", "verb"), sorted(set(each_right())))
async def test_each_right_is_missed(
    cluster: Cluster, resource: str, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"no-{verb}-{resource}".replace("/", "-")
    monkeypatch.setattr(leader, "PAUSE", 0.1)
    monkeypatch.setattr(source, "LOOK", 0.1)
    monkeypatch.setenv("KUBECONFIG", str(account(cluster, name, (resource, verb), tmp_path)))
    travel = objects.virtual_server(PLACE, "travel", "fly", name)  # another generation, so there is a status to write
    objects.apply(cluster, travel, objects.registration(PLACE, "needy", credentialRef={"name": "token"}, hint=name))

    told = await problems(name, f'cannot {verb} resource "{resource}"', tmp_path)

    assert all(f'cannot {verb} resource "{resource}"' in problem for problem in told), told


async def test_all_rights_are_enough(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LOOK", 0.1)
    monkeypatch.setenv("KUBECONFIG", str(account(cluster, "whole", ("", ""), tmp_path)))

    assert await problems("whole", "", tmp_path) == []
    found = objects.ready(cluster, objects.registration(PLACE, "needy"))
    assert found["message"] == "credential secret token not found"
    assert objects.ready(cluster, objects.virtual_server(PLACE, "travel"))["reason"] == "NotReady"
