# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What discovery found is kept between tasks, and never believed longer than it is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.kit import CRDS, ApiServer, Json, Modules

PLURAL = "discs"
CRD = f"{PLURAL}.cache.example.com"


def crd(version: str = "v1") -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
        "spec": {
            "group": "cache.example.com",
            "scope": "Namespaced",
            "names": {"plural": PLURAL, "kind": "Disc", "singular": "disc", "listKind": "DiscList"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
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
    api._until(lambda: api.get("/apis/cache.example.com/v1") is None)


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
