# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes as the kubelet writes them, and environment variables."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.runner_volumes import NotReadyError, environment, volume_files, write

POD: Json = {"metadata": {"name": "web-1", "namespace": "apps"}}
SETTINGS: Json = {"kind": "ConfigMap", "data": {"k": "v"}}


def secret(**data: str) -> Json:
    return {"kind": "Secret", "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


class Objects:
    """Stands for the caches: objects by kind and name."""

    def __init__(self, found: Mapping[tuple[str, str], Json]) -> None:
        self.found = found

    def __call__(self, kind: str, name: str) -> Json | None:
        return self.found.get((kind, name))


def shown(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith("..")}


def test_files_are_shown_through_one_link_and_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    assert write(folder, {"config.yaml": b"servers: []\n"})
    assert shown(folder) == {"config.yaml": "servers: []\n"}
    assert (folder / "..data").is_symlink()
    assert (folder / "config.yaml").readlink() == Path("..data/config.yaml")
    assert oct((folder / "config.yaml").stat().st_mode)[-3:] == "600"
    assert oct((folder / "..data").resolve().stat().st_mode)[-3:] == "700"


def test_update_replaces_all_files_at_once_and_clears_up(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1", "b": b"1"})
    old = (tmp_path / "..data").readlink()
    reader = (tmp_path / "a").open()
    assert write(tmp_path, {"a": b"2", "c": b"2"})
    assert reader.read() == "1"
    assert shown(tmp_path) == {"a": "2", "c": "2"}
    assert not (tmp_path / old).exists()
    assert sum(path.is_dir() and not path.is_symlink() for path in tmp_path.iterdir()) == 1


def test_the_same_files_again_change_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"1"})
    before = (tmp_path / "..data").readlink()
    assert not write(tmp_path, {"a": b"1"})
    assert (tmp_path / "..data").readlink() == before


def test_keys_become_files_and_items_choose_among_them() -> None:
    lookup = Objects(
        {("Secret", "s"): secret(key="x", other="y"), ("ConfigMap", "c"): {"kind": "ConfigMap", "data": {"k": "v"}}}
    )
    assert volume_files({"name": "v", "secret": {"secretName": "s"}}, lookup) == {"key": b"x", "other": b"y"}
    items = [{"key": "key", "path": "deep/file"}]
    assert volume_files({"name": "v", "secret": {"secretName": "s", "items": items}}, lookup) == {"deep/file": b"x"}
    assert volume_files({"name": "v", "configMap": {"name": "c"}}, lookup) == {"k": b"v"}
    sources = [{"secret": {"name": "s"}}, {"configMap": {"name": "c"}}, {"serviceAccountToken": {"path": "t"}}]
    assert set(volume_files({"name": "v", "projected": {"sources": sources}}, lookup)) == {"key", "other", "k"}
    assert volume_files({"name": "v", "emptyDir": {}}, lookup) == {}


def test_file_in_a_folder_of_a_volume(tmp_path: Path) -> None:
    write(tmp_path, {"deep/file": b"x"})
    assert (tmp_path / "deep" / "file").read_text() == "x"


def test_missing_objects_and_keys_are_told_as_the_kubelet_does() -> None:
    none = Objects({})
    with pytest.raises(NotReadyError, match=r'MountVolume.SetUp failed for volume "v" : secret "s" not found'):
        volume_files({"name": "v", "secret": {"secretName": "s"}}, none)
    assert volume_files({"name": "v", "secret": {"secretName": "s", "optional": True}}, none) == {}
    items = [{"key": "nothing", "path": "x"}]
    with pytest.raises(NotReadyError, match="references non-existent secret key: nothing"):
        volume_files({"name": "v", "secret": {"secretName": "s", "items": items}}, Objects({("Secret", "s"): secret()}))


def test_environment_variables() -> None:
    lookup = Objects(
        {("Secret", "s"): secret(key="hidden"), ("ConfigMap", "c"): {"kind": "ConfigMap", "data": {"k": "v"}}}
    )
    container: Json = {
        "envFrom": [{"prefix": "C_", "configMapRef": {"name": "c"}}, {"secretRef": {"name": "no", "optional": True}}],
        "env": [
            {"name": "PLAIN", "value": "1"},
            {"name": "EMPTY"},
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
            {"name": "GONE", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}}},
            {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ],
    }
    expected = {"C_k": "v", "PLAIN": "1", "EMPTY": "", "SECRET": "hidden", "WHERE": "apps"}
    assert environment(container, POD, lookup) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"secretKeyRef": {"name": "no", "key": "k"}}, 'secret "no" not found'),
        ({"secretKeyRef": {"name": "s", "key": "k"}}, "couldn't find key k in Secret apps/s"),
        ({"configMapKeyRef": {"name": "no", "key": "k"}}, 'configmap "no" not found'),
    ],
)
def test_variables_that_cannot_be_resolved(source: Json, message: str) -> None:
    with pytest.raises(NotReadyError, match=message):
        environment({"env": [{"name": "X", "valueFrom": source}]}, POD, Objects({("Secret", "s"): secret()}))
