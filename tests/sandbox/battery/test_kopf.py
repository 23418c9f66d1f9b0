# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator written with kopf: handlers, finalizer, status, events, its own watch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.battery.support import Space, until

OPERATOR = """
import kopf

@kopf.on.create("battery.mcpops.example.com", "v1", "widgets")
@kopf.on.update("battery.mcpops.example.com", "v1", "widgets")
def settled(spec, body, **_):
    kopf.info(body, reason="Settled", message=f"size {spec['size']}")
    return {"size": spec["size"]}

@kopf.on.create("battery.mcpops.example.com", "v1", "widgets", id="phase")
@kopf.on.update("battery.mcpops.example.com", "v1", "widgets", id="phase")
def phase(spec, patch, **_):
    patch.status["phase"] = f"size-{spec['size']}"

@kopf.on.delete("battery.mcpops.example.com", "v1", "widgets")
def farewell(**_):
    pass
"""


@pytest.fixture(scope="module")
def operator(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running kopf operator for the module's namespace; its log file."""
    where = tmp_path_factory.mktemp("kopf")
    (where / "operator.py").write_text(OPERATOR, encoding="utf-8")
    log = where / "operator.log"
    command = [sys.executable, "-m", "kopf", "run", "--namespace", space.name, str(where / "operator.py")]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={"KUBECONFIG": str(space.cluster.kubeconfig), "PATH": ""}
        )
        yield log
        process.terminate()
        process.wait(timeout=15)


def test_an_operator_lives_on_this_api(operator: Path, space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("operated", {"size": 2})).ok()
    path = f"{space.widgets}/operated"

    def phase() -> str:
        return str(space.cluster.get(path).ok().get("status", {}).get("phase", ""))

    until(lambda: phase() == "size-2", f"the creation is handled, see {operator.read_text()[-1500:]}", 20)
    assert space.cluster.get(path).ok()["metadata"]["finalizers"] == ["kopf.zalando.org/KopfFinalizerMarker"]
    space.cluster.patch(path, {"spec": {"size": 3}}).ok()
    until(lambda: phase() == "size-3", "the update is handled", 20)
    space.cluster.delete(path).ok()
    until(lambda: space.cluster.get(path).status == 404, "the deletion is handled", 20)

    def reasons() -> set[str]:
        return {event["reason"] for event in space.cluster.get(space.core("events")).ok()["items"]}

    until(lambda: "Settled" in reasons(), "events are posted", 20)
