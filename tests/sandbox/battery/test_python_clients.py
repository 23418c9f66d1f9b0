# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python client: typed API, dynamic client, the openshift package's dynamic client, its watch."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError, UnprocessibleEntityError
from sandbox.battery.support import API_VERSION, APPLY_PATCH, MERGE_PATCH, Cluster, Space, until


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Any:
    connection = config.new_client_from_config(str(cluster.kubeconfig))
    connection.configuration.retries = False
    with connection:
        yield connection


@pytest.fixture(scope="module", params=["kubernetes", "openshift"])
def dynamic_client(api: Any, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The dynamic client of each package, with a cache of its own."""
    cache = str(tmp_path_factory.mktemp("discovery") / "cache.json")
    if request.param == "openshift":
        from openshift.dynamic import DynamicClient

        return DynamicClient(api, cache_file=cache)
    return dynamic.DynamicClient(api, cache_file=cache)


@pytest.fixture
def widgets(dynamic_client: Any) -> Any:
    return dynamic_client.resources.get(api_version=API_VERSION, kind="Widget")


def test_typed_objects(api: Any, space: Space) -> None:
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="typed", labels={"a": "b"}), data={"k": "v"})
    made = core.create_namespaced_config_map(space.name, body)
    assert made.metadata.uid
    found = core.list_namespaced_config_map(space.name, label_selector="a=b").items
    assert [item.metadata.name for item in found] == ["typed"]
    made.data["k"] = "w"
    assert core.replace_namespaced_config_map("typed", space.name, made).data == {"k": "w"}
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("typed", space.name, made)
    assert caught.value.status == 409
    core.delete_namespaced_config_map("typed", space.name)


def test_typed_version_and_discovery(api: Any) -> None:
    assert client.VersionApi(api).get_code().git_version.startswith("v1.")
    groups = {group.name for group in client.ApisApi(api).get_api_versions().groups}
    assert {"apps", "batch", "apiextensions.k8s.io", "battery.mcpops.example.com"} <= groups


def test_dynamic_objects(dynamic_client: Any, widgets: Any, space: Space) -> None:
    name = f"dynamic-{type(dynamic_client).__module__.split('.')[0]}"
    made = widgets.create(body=space.widget(name, {"size": 1}), namespace=space.name)
    assert made.spec.mode == "fast"
    patch = {"spec": {"size": 2}}
    patched = widgets.patch(body=patch, name=name, namespace=space.name, content_type=MERGE_PATCH)
    assert patched.spec.size == 2
    listed = widgets.get(namespace=space.name, field_selector=f"metadata.name={name}")
    assert listed.kind == "WidgetList"
    assert [item.metadata.name for item in listed.items] == [name]
    with pytest.raises(UnprocessibleEntityError):
        widgets.patch(body={"spec": {"size": 99}}, name=name, namespace=space.name, content_type=MERGE_PATCH)
    widgets.delete(name=name, namespace=space.name)
    with pytest.raises(NotFoundError):
        widgets.get(name=name, namespace=space.name)


def test_dynamic_apply_and_status(dynamic_client: Any, widgets: Any, space: Space) -> None:
    name = f"applied-{type(dynamic_client).__module__.split('.')[0]}"
    config_ = space.widget(name, {"size": 2})
    options = {"namespace": space.name, "content_type": APPLY_PATCH}
    widgets.patch(body=config_, name=name, field_manager="one", **options)
    with pytest.raises(ConflictError):
        widgets.patch(body=space.widget(name, {"size": 3}), name=name, field_manager="two", **options)
    status = {"status": {"phase": "Ready"}}
    shown = widgets.status.patch(body=status, name=name, namespace=space.name, content_type=MERGE_PATCH)
    assert shown.status.phase == "Ready"


def test_dynamic_built_in_lists(dynamic_client: Any, space: Space) -> None:
    config_maps = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    config_maps.create(body=space.config_map("dyn", {"a": "b"}), namespace=space.name)
    names = [item.metadata.name for item in config_maps.get(namespace=space.name).items]
    assert "dyn" in names
    config_maps.delete(name="dyn", namespace=space.name)


def test_the_clients_watch(api: Any, space: Space) -> None:
    custom = client.CustomObjectsApi(api)
    group, version = API_VERSION.split("/")
    place = (group, version, space.name, "widgets")
    start = custom.list_namespaced_custom_object(*place)["metadata"]["resourceVersion"]
    seen: list[str] = []

    def follow() -> None:
        stream = watch.Watch().stream(
            custom.list_namespaced_custom_object, *place, resource_version=start, timeout_seconds=10
        )
        for event in stream:
            if event["object"]["metadata"]["name"] == "followed":
                seen.append(event["type"])
            if event["type"] == "DELETED":
                return

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    custom.create_namespaced_custom_object(*place, space.widget("followed", {"size": 1}))
    custom.patch_namespaced_custom_object(*place, "followed", {"spec": {"size": 2}})
    custom.delete_namespaced_custom_object(*place, "followed")
    follower.join(timeout=15)
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


def test_a_new_definition_is_discovered(dynamic_client: Any, space: Space) -> None:
    dynamic_client.resources.invalidate_cache()
    found = until(
        lambda: list(dynamic_client.resources.search(kind="Widget", group=API_VERSION.split("/")[0])), "found"
    )
    assert {resource.api_version for resource in found} >= {"v1"}
