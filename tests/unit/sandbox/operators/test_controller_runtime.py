# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API client and the controller runtime against an API server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from sandbox.client import LIST_PAGE, ApiError, Client, Object, Resource
from sandbox.controllers.runtime import Controller, Key, Watch, itself, owner
from sandbox.kinds import CONFIG_MAPS, CRDS
from unit.sandbox.operators.kit import ApiServer, Cluster, running

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")
WIDGET_CRD = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


class Recorder(Controller):
    """Notes what its caches hold at each reconcile."""

    name: ClassVar[str] = "recorder"

    def __init__(self, *resources: Resource) -> None:
        super().__init__()
        self._resources = resources
        self.seen: list[tuple[Key, list[str]]] = []
        self._changed = asyncio.Event()
        self.failures: dict[Key, int] = {}

    def watches(self) -> Sequence[Watch]:
        return [Watch(resource) for resource in self._resources]

    async def reconcile(self, key: Key) -> float | None:
        held = [resource.kind for resource in self._resources if self.cache(resource).get(*key)]
        self.seen.append((key, held))
        self._changed.set()
        if self.failures.get(key):
            self.failures[key] -= 1
            raise ApiError(500, "InternalError", "as the test wants")
        return None

    async def until(self, entry: tuple[Key, list[str]], times: int = 1) -> None:
        async with asyncio.timeout(10):
            while self.seen.count(entry) < times:
                self._changed.clear()
                await self._changed.wait()


async def test_objects_are_created_read_changed_and_deleted(cluster: Cluster) -> None:
    client, namespace = cluster.client, await cluster.namespace()
    created = await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}, "data": {"x": "1"}})
    await client.replace(CONFIG_MAPS, {**created, "data": {"x": "2"}})
    await client.merge_patch(CONFIG_MAPS, "a", namespace, {"data": {"y": "3"}})
    await client.apply(
        CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}, "data": {"z": "4"}}, field_manager="m"
    )
    found = await client.get(CONFIG_MAPS, "a", namespace)
    assert found is not None
    assert found["data"] == {"x": "2", "y": "3", "z": "4"}
    assert await client.delete(CONFIG_MAPS, "a", namespace)
    assert await client.get(CONFIG_MAPS, "a", namespace) is None
    assert await client.delete(CONFIG_MAPS, "a", namespace) is None


async def test_a_stale_replace_is_a_conflict(cluster: Cluster) -> None:
    client, namespace = cluster.client, await cluster.namespace()
    created = await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}, "data": {"x": "1"}})
    await client.replace(CONFIG_MAPS, {**created, "data": {"x": "2"}})
    with pytest.raises(ApiError) as caught:
        await client.replace(CONFIG_MAPS, {**created, "data": {"x": "3"}})
    assert caught.value.conflict
    assert "modified" in caught.value.message


async def test_delete_spares_an_object_with_another_uid(cluster: Cluster) -> None:
    client, namespace = cluster.client, await cluster.namespace()
    await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}})
    with pytest.raises(ApiError) as caught:
        await client.delete(CONFIG_MAPS, "a", namespace, uid="00000000-0000-0000-0000-000000000000")
    assert caught.value.conflict


async def test_long_lists_are_read_page_by_page(cluster: Cluster) -> None:
    client, namespace = cluster.client, await cluster.namespace()
    names = [f"c-{number:04}" for number in range(LIST_PAGE + 20)]
    await asyncio.gather(
        *(
            client.create(CONFIG_MAPS, {"metadata": {"name": name, "namespace": namespace, "labels": {"n": "1"}}})
            for name in names
        )
    )
    items, version = await client.list(CONFIG_MAPS, namespace, "n=1")
    assert [item["metadata"]["name"] for item in items] == names
    assert {(item["apiVersion"], item["kind"]) for item in items} == {("v1", "ConfigMap")}
    assert int(version) > 0


async def test_a_watch_tells_what_happens_after_a_list(cluster: Cluster) -> None:
    client, namespace = cluster.client, await cluster.namespace()
    _, version = await client.list(CONFIG_MAPS, namespace)
    await client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}, "data": {"k": "v" * 200_000}})
    await client.delete(CONFIG_MAPS, "a", namespace)
    seen = []
    async for event in client.watch(CONFIG_MAPS, namespace, version):
        seen.append((event["type"], len(event["object"].get("data", {}).get("k", ""))))
        if event["type"] == "DELETED":
            break
    assert seen == [("ADDED", 200_000), ("DELETED", 200_000)]


async def test_a_resource_that_is_not_served_is_not_found(cluster: Cluster) -> None:
    with pytest.raises(ApiError) as caught:
        await cluster.client.list(Resource("example.com", "v9", "nothings", "Nothing"))
    assert caught.value.not_found


async def test_a_wrong_token_is_told(api_server: ApiServer, cluster: Cluster, tmp_path: Path) -> None:
    config = yaml.safe_load(api_server.folder.kubeconfig.read_text(encoding="utf-8"))
    config["users"][0]["user"] = {"token": "wrong"}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    async with Client.from_kubeconfig(path) as stranger:
        with pytest.raises(ApiError) as caught:
            await stranger.list(CONFIG_MAPS)
    assert (caught.value.code, caught.value.reason) == (401, "Unauthorized")


async def test_an_unreachable_server_is_told(tmp_path: Path) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ApiError) as caught:
            await client.list(CONFIG_MAPS)
    assert caught.value.code == 0
    assert "127.0.0.1:1" in str(caught.value)


def test_a_kubeconfig_without_its_context_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text("current-context: gone\ncontexts: []\n", encoding="utf-8")
    with pytest.raises(ValueError, match="contexts has no entry named 'gone'"):
        Client.from_kubeconfig(path)


def test_a_kubeconfig_that_signs_in_by_a_program_is_refused(tmp_path: Path) -> None:
    config: dict[str, Any] = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"exec": {"command": "get-token"}}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    with pytest.raises(ValueError, match=r"signs in by exec; .* need a token or a client certificate"):
        Client.from_kubeconfig(path)


async def test_an_informer_follows_a_crd_that_comes_and_goes(cluster: Cluster) -> None:
    namespace, recorder = await cluster.namespace(), Recorder(WIDGETS)
    key = (namespace, "w")
    async with running(cluster.client, [recorder]):
        assert recorder.cache(WIDGETS).list() == []
        await cluster.install([WIDGET_CRD])
        await cluster.client.create(WIDGETS, {"metadata": {"name": "w", "namespace": namespace}})
        await recorder.until((key, ["Widget"]))
        await cluster.client.delete(CRDS, "widgets.example.com")
        await recorder.until((key, []))


async def test_a_failed_reconcile_is_tried_again(cluster: Cluster) -> None:
    namespace, recorder = await cluster.namespace(), Recorder(CONFIG_MAPS)
    key = (namespace, "a")
    recorder.failures[key] = 3
    async with running(cluster.client, [recorder]):
        await cluster.client.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}})
        await recorder.until((key, ["ConfigMap"]), times=4)


async def test_a_write_is_in_the_cache_at_once(cluster: Cluster) -> None:
    namespace, recorder = await cluster.namespace(), Recorder(CONFIG_MAPS)
    async with running(cluster.client, [recorder]):
        made = await recorder.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}})
        assert recorder.cache(CONFIG_MAPS).get(namespace, "a") == made
        changed = await recorder.patch(CONFIG_MAPS, made, {"data": {"x": "1"}})
        assert recorder.cache(CONFIG_MAPS).get(namespace, "a") == changed
        assert recorder.cache(CONFIG_MAPS).list(namespace, labels={"no": "such"}) == []


async def test_a_write_that_the_watch_has_overtaken_does_not_bring_an_object_back(cluster: Cluster) -> None:
    namespace, recorder = await cluster.namespace(), Recorder(CONFIG_MAPS)
    async with running(cluster.client, [recorder]):
        made = await recorder.create(CONFIG_MAPS, {"metadata": {"name": "a", "namespace": namespace}})
        await cluster.client.delete(CONFIG_MAPS, "a", namespace)
        await recorder.until(((namespace, "a"), []))
        recorder.cache(CONFIG_MAPS).observe(made)
        assert recorder.cache(CONFIG_MAPS).get(namespace, "a") is None


def test_mappings_lead_to_the_object_and_to_its_owners() -> None:
    references = [{"kind": "Widget", "name": "w"}, {"kind": "Other", "name": "o"}]
    obj: Object = {"metadata": {"name": "a", "namespace": "n", "ownerReferences": references}}
    assert list(itself(obj)) == [("n", "a")]
    assert list(owner("Widget")(obj)) == [("n", "w")]
    assert list(owner("Widget")({"metadata": {"name": "a"}})) == []
