# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded server with a file for its state: what it has answered outlives it, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sandbox.battery.support import CRD, CRD_NAME, Cluster, Object, Space, serving, until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Lives(NamedTuple):
    """What was there when the first server was killed, and the second one."""

    before: dict[str, Object]
    revision: int
    cluster: Cluster


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """A server that is filled and killed, and another that is started in its place."""
    directory = tmp_path_factory.mktemp("lives")
    state = ("--state", str(directory / "objects.log"))
    with serving(directory, *state, kill=True) as cluster:
        before = fill(Space(cluster, "default"))
        revision = int(cluster.get("/api/v1/namespaces").ok()["metadata"]["resourceVersion"])
    with serving(directory, *state) as cluster:
        yield Lives(before, revision, cluster)


def fill(space: Space) -> dict[str, Object]:
    """Create objects of several kinds; they are returned by their paths."""
    cluster = space.cluster
    cluster.post(CRDS, CRD).ok()
    until(lambda: cluster.get(space.widgets).status == 200, "widgets are served")
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    annotations = {"kubernetes.io/service-account.name": "robot"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "robot", "annotations": annotations}}
    cluster.post(space.widgets, space.widget("kept", {"size": 1}, finalizers=["example.com/hold"])).ok()
    cluster.post(space.core("services"), service).ok()
    cluster.post(space.core("serviceaccounts"), account).ok()
    cluster.post(space.core("secrets"), {**secret, "type": "kubernetes.io/service-account-token"}).ok()
    cluster.post(space.core("configmaps"), space.config_map("kept", {"a": "ü"})).ok()
    cluster.post(space.core("configmaps"), space.config_map("gone", {})).ok()
    cluster.patch(f"{space.widgets}/kept", {"spec": {"size": 2}}).ok()
    cluster.delete(f"{space.core('configmaps')}/gone").ok()
    core = [space.core(name) for name in ("services/web", "secrets/robot", "configmaps/kept")]
    paths = [f"{space.widgets}/kept", f"{CRDS}/{CRD_NAME}", "/api/v1/namespaces/default", *core]
    return {path: cluster.get(path).ok() for path in paths}


def test_every_object_is_as_it_was(lives: Lives) -> None:
    for path, obj in lives.before.items():
        assert lives.cluster.get(path).ok() == obj
    assert lives.cluster.get("/api/v1/namespaces/default/configmaps/gone").status == 404


def test_revisions_go_on(lives: Lives) -> None:
    space = Space(lives.cluster, "default")
    made = lives.cluster.post(space.core("configmaps"), space.config_map("later", {})).ok()
    assert int(made["metadata"]["resourceVersion"]) == lives.revision + 1


def test_watches_go_on_where_they_were(lives: Lives) -> None:
    space = Space(lives.cluster, "default")
    found = lives.cluster.events(f"{space.widgets}?watch=1&timeoutSeconds=5&resourceVersion={lives.revision}")
    lives.cluster.patch(f"{space.widgets}/kept", {"metadata": {"labels": {"seen": "yes"}}}).ok()
    assert next(found)["type"] == "MODIFIED"


def test_watches_from_before_must_list_again(lives: Lives) -> None:
    path = f"/api/v1/namespaces?watch=1&timeoutSeconds=5&resourceVersion={lives.revision - 1}"
    found = list(lives.cluster.events(path))
    assert [(event["type"], event["object"]["code"]) for event in found] == [("ERROR", 410)]


def test_addresses_stay_taken(lives: Lives) -> None:
    space = Space(lives.cluster, "default")
    first = lives.before[f"{space.core('services')}/web"]["spec"]["clusterIP"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "second"}, "spec": {"ports": [{"port": 1}]}}
    assert lives.cluster.post(space.core("services"), service).ok()["spec"]["clusterIP"] != first


def test_custom_resources_are_served_and_deletions_finish(lives: Lives) -> None:
    space, cluster = Space(lives.cluster, "default"), lives.cluster
    assert cluster.post(space.widgets, space.widget("bad", {"size": 99})).status == 422
    cluster.delete(f"{CRDS}/{CRD_NAME}").ok()
    assert cluster.get(f"{CRDS}/{CRD_NAME}").status == 200, "an object with a finalizer holds it"
    cluster.patch(f"{space.widgets}/kept", {"metadata": {"finalizers": None}}).ok()
    until(lambda: cluster.get(f"{CRDS}/{CRD_NAME}").status == 404, "the definition goes after its objects")


def test_half_a_line_is_a_change_that_nobody_was_told_of(tmp_path: Path) -> None:
    state = tmp_path / "objects.log"
    with serving(tmp_path, "--state", str(state), kill=True) as cluster:
        space = Space(cluster, "default")
        cluster.post(space.core("configmaps"), space.config_map("whole", {})).ok()
    with state.open("ab") as file:
        file.write(b'99 ADDED - configmaps default half {"apiVersion"')
    with serving(tmp_path, "--state", str(state)) as cluster:
        names = [item["metadata"]["name"] for item in cluster.get(space.core("configmaps")).ok()["items"]]
    assert names == ["whole"]
