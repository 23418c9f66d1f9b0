# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What discovery found is kept between tasks, and never believed longer than it is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery_cache import DiscoveryCache
from integration.kit import CRDS, ApiServer, Json, Modules

PLURAL = "discs"
CRD = f"{PLURAL}.cache.example.com"


GROUP = "/apis/cache.example.com"


def crd(*versions: str, fields: tuple[str, ...] = ("title",)) -> Json:
    """A kind with the fields in all versions; the last version is stored, and has ``extra``, too."""
    versions = versions or ("v1",)

    def schema(version: str) -> Json:
        known = (*fields, "extra") if version != "v1" else fields
        spec = {"type": "object", "properties": {name: {"type": "string"} for name in known}}
        return {"type": "object", "properties": {"spec": spec}}

    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
        "spec": {
            "group": "cache.example.com",
            "scope": "Namespaced",
            "names": {"plural": PLURAL, "kind": "Disc", "singular": "disc", "listKind": "DiscList"},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[-1],
                    "schema": {"openAPIV3Schema": schema(version)},
                }
                for version in versions
            ],
        },
    }


def disc(ns: str, version: str = "v1") -> Json:
    return {
        "apiVersion": f"cache.example.com/{version}",
        "kind": "Disc",
        "metadata": {"name": "one", "namespace": ns},
        "spec": {"title": "x"},
    }


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def kind(api_server: ApiServer) -> Iterator[None]:
    api_server.install_crds([crd()])
    yield
    remove_kind(api_server)


def remove_kind(api: ApiServer) -> None:
    api.delete(f"{CRDS}/{CRD}")
    api._until(lambda: api.get(GROUP) is None)


def asked(requests: list[str]) -> list[str]:
    """Requests for lists of kinds."""
    return [one for one in requests if one.endswith("/apis/cache.example.com/v1")]


@pytest.mark.usefixtures("kind")
def test_the_second_task_does_not_ask_again(run: Modules, api_server: ApiServer, ns: str, home: Path) -> None:
    with api_server.watched() as first:
        run("apply", definition=disc(ns))
    with api_server.watched() as second:
        again = run("apply", definition=disc(ns))

    assert len(asked(first)) == 1 and asked(second) == []
    assert again["requests"] == {"reads": 1, "writes": 0}
    [kept] = (home / "cache" / "mcpops.gateway").iterdir()
    assert kept.stat().st_mode & 0o077 == 0 and kept.parent.stat().st_mode & 0o077 == 0
    assert api_server.token not in kept.read_text()


@pytest.mark.usefixtures("home")
def test_a_kind_that_vanished(run: Modules, api_server: ApiServer, ns: str) -> None:
    api_server.install_crds([crd()])
    run("apply", definition=disc(ns))
    remove_kind(api_server)

    message = run.fails("apply", definition=disc(ns))
    gone = run("apply", definition=disc(ns), state="absent")

    assert "does not serve the kind Disc" in message and "install" in message
    assert [one["action"] for one in gone["objects"]] == ["absent"]


@pytest.mark.usefixtures("home")
def test_a_kind_that_appears_is_seen_at_once(run: Modules, api_server: ApiServer, ns: str) -> None:
    run.fails("apply", definition=disc(ns))
    api_server.install_crds([crd()])
    try:
        assert run("apply", definition=disc(ns))["changed"]
    finally:
        remove_kind(api_server)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"cache.example.com/v1": {"at": "x", "kinds": [[1]]}}'])
def test_a_damaged_file_is_no_obstacle(run: Modules, ns: str, home: Path, content: str) -> None:
    run("apply", definition=disc(ns))
    [kept] = (home / "cache" / "mcpops.gateway").iterdir()
    kept.write_text(content)

    assert not run("apply", definition=disc(ns))["changed"]


@pytest.mark.usefixtures("kind")
def test_a_folder_that_others_may_write_to_is_not_used(run: Modules, ns: str, home: Path) -> None:
    folder = home / "cache" / "mcpops.gateway"
    folder.mkdir(parents=True)
    folder.chmod(0o777)

    run("apply", definition=disc(ns))

    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("kind")
def test_without_a_place_to_write(run: Modules, ns: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("ANSIBLE_HOME", str(blocked))

    assert run("apply", definition=disc(ns))["changed"]


def by_group(ns: str, **spec: str) -> Json:
    return {**disc(ns), "apiVersion": "cache.example.com", "spec": {"title": "x", **spec}}


@pytest.mark.usefixtures("kind", "home")
def test_the_versions_of_a_group_are_kept(run: Modules, api_server: ApiServer, ns: str) -> None:
    with api_server.watched() as first:
        run("apply", definition=by_group(ns))
    with api_server.watched() as second:
        again = run("apply", definition=by_group(ns))

    assert any(one.endswith(f" {GROUP}") for one in first)
    assert not any(one.endswith((f" {GROUP}", f" {GROUP}/v1")) for one in second)
    assert not again["changed"]


@pytest.mark.usefixtures("home")
def test_a_version_that_was_added_is_asked_for_when_the_old_one_lacks_a_field(
    run: Modules, api_server: ApiServer, ns: str
) -> None:
    api_server.install_crds([crd()])
    try:
        run("apply", definition=by_group(ns))
        api_server.install_crds([crd("v1", "v2")])
        api_server._until(lambda: api_server.get(f"{GROUP}/v2") is not None)

        done = run("apply", definition=by_group(ns, extra="new"))
        message = run.fails("apply", definition=by_group(ns, never="known"))
    finally:
        remove_kind(api_server)

    assert [one["api_version"] for one in done["objects"]] == ["cache.example.com/v2"]
    assert "never" in message


@pytest.mark.usefixtures("kind", "home")
def test_a_version_that_vanished_is_not_believed(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=by_group(ns))
    remove_kind(api_server)
    api_server.install_crds([crd("v2")])

    done = run("apply", definition=by_group(ns))

    assert [one["api_version"] for one in done["objects"]] == ["cache.example.com/v2"]


def test_tasks_at_the_same_time_keep_what_the_others_found(tmp_path: Path) -> None:
    one, other = (DiscoveryCache("https://api", str(tmp_path / "cache")) for _ in range(2))
    one.get("a/v1")
    other.get("a/v1")
    one.put_versions("a", ["v1"])
    other.put_versions("b", ["v2"])

    read = DiscoveryCache("https://api", str(tmp_path / "cache"))

    assert (read.versions("a"), read.versions("b"), read.versions("c")) == (["v1"], ["v2"], None)
    assert DiscoveryCache("https://other", str(tmp_path / "cache")).versions("a") is None


def test_without_a_home_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSIBLE_HOME", "~nobody-here/ansible")

    DiscoveryCache("https://api").put_versions("a", ["v1"])

    assert list(tmp_path.iterdir()) == []
