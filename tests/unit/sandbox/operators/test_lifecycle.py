# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller-manager does: the same whether the API server does it itself or the sandbox's controllers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sandbox.client import Object
from sandbox.controllers.lifecycle import GarbageCollector, NamespaceController
from sandbox.controllers.namespace_content import DEFAULT, ROOT_CA, NamespaceContentController
from sandbox.controllers.runner_kinds import find_condition
from sandbox.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS
from unit.sandbox.operators.kit import ApiServer, Cluster, running

HOLD = "example.com/hold"


@pytest.fixture
async def space(cluster: Cluster, api_server: ApiServer) -> AsyncIterator[str]:
    """A namespace of a cluster that cleans up."""
    parts = [] if api_server.is_complete else [GarbageCollector(), NamespaceController()]
    async with running(cluster.client, parts):
        yield await cluster.namespace()


def reference(owner: Object, *, block: bool = False) -> Object:
    meta = owner["metadata"]
    found = {"apiVersion": "v1", "kind": "ConfigMap", "name": meta["name"], "uid": meta["uid"]}
    return {**found, "blockOwnerDeletion": block}


async def make(cluster: Cluster, space: str, name: str, *owners: Object, **meta: object) -> Object:
    metadata = {"name": name, "namespace": space, **({"ownerReferences": list(owners)} if owners else {}), **meta}
    return await cluster.client.create(CONFIG_MAPS, {"metadata": metadata})


async def test_what_an_object_owned_goes_with_it_and_so_on(cluster: Cluster, space: str) -> None:
    owner = await make(cluster, space, "owner")
    child = await make(cluster, space, "child", reference(owner))
    await make(cluster, space, "grandchild", reference(child))
    await cluster.client.delete(CONFIG_MAPS, "owner", space)
    await cluster.gone(CONFIG_MAPS, space, "child")
    await cluster.gone(CONFIG_MAPS, space, "grandchild")


async def test_a_foreground_deletion_waits_for_what_blocks_it(cluster: Cluster, space: str) -> None:
    owner = await make(cluster, space, "owner")
    await make(cluster, space, "child", reference(owner, block=True), finalizers=[HOLD])
    await cluster.client.delete(CONFIG_MAPS, "owner", space, propagation="Foreground")
    await cluster.until(CONFIG_MAPS, space, "child", lambda one: one["metadata"].get("deletionTimestamp"))
    waiting = await cluster.client.get(CONFIG_MAPS, "owner", space)
    assert waiting
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    await cluster.client.merge_patch(CONFIG_MAPS, "child", space, {"metadata": {"finalizers": None}})
    await cluster.gone(CONFIG_MAPS, space, "owner")


async def test_orphans_stay_without_their_owner(cluster: Cluster, space: str) -> None:
    owner = await make(cluster, space, "owner")
    await make(cluster, space, "child", reference(owner))
    await cluster.client.delete(CONFIG_MAPS, "owner", space, propagation="Orphan")
    await cluster.gone(CONFIG_MAPS, space, "owner")
    child = await cluster.until(CONFIG_MAPS, space, "child", lambda one: "ownerReferences" not in one["metadata"])
    assert "deletionTimestamp" not in child["metadata"]


async def test_a_namespace_tells_what_keeps_it(cluster: Cluster, space: str) -> None:
    await make(cluster, space, "held", finalizers=[HOLD])
    await cluster.client.delete(NAMESPACES, space)

    def told(namespace: Object) -> bool:
        found = find_condition(namespace["status"], "NamespaceFinalizersRemaining")
        return found is not None and found["status"] == "True"

    namespace = await cluster.until(NAMESPACES, "", space, told)
    messages = {entry["type"]: entry["message"] for entry in namespace["status"]["conditions"]}
    assert messages["NamespaceFinalizersRemaining"].endswith(f"finalizers remaining: {HOLD} in 1 resource instances")
    assert "configmaps. has 1 resource instances" in messages["NamespaceContentRemaining"]
    await cluster.client.merge_patch(CONFIG_MAPS, "held", space, {"metadata": {"finalizers": None}})
    await cluster.gone(NAMESPACES, "", space)


async def test_every_namespace_has_its_account_and_the_servers_authority(cluster: Cluster, tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_text("PEM\n")
    async with running(cluster.client, [NamespaceContentController(authority)]):
        space = await cluster.namespace()
        await cluster.until(SERVICE_ACCOUNTS, space, DEFAULT, lambda one: True)
        found = await cluster.until(CONFIG_MAPS, space, ROOT_CA, lambda one: True)
        assert found["data"] == {"ca.crt": "PEM\n"}
        await cluster.client.delete(SERVICE_ACCOUNTS, DEFAULT, space)
        await cluster.until(
            SERVICE_ACCOUNTS, space, DEFAULT, lambda one: one["metadata"]["uid"] != found["metadata"]["uid"]
        )
