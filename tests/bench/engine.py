# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconcile engine beside kubernetes.core and kubectl, on the same API server in the same run.

The servers run bare, without the sandbox's controllers. A play's time counts without that of an empty play, and the
tools take turns, so that what else the machine does meanwhile falls on all of them; medians are compared.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sandbox.backends import choose
from sandbox.battery.support import CRD, GROUP
from sandbox.state import Folder

from bench.apiserver import running
from bench.plays import Box
from bench.results import Result

COUNT = 1000
MANY = 5000
ROUNDS = 5
SLOW_ROUNDS = 3
Objects = list[dict[str, Any]]


def config_maps(namespace: str, count: int = COUNT) -> Objects:
    """Small objects of a kind that is built in."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"item-{number:04}", "namespace": namespace, "labels": {"part": "bench"}},
            "data": {"number": str(number), "text": "the same on every run"},
        }
        for number in range(count)
    ]


def widgets(namespace: str, count: int = COUNT) -> Objects:
    """Custom resources with defaults, rules and a list by name, as are most of what the collection manages."""
    return [
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Widget",
            "metadata": {"name": f"item-{number:04}", "namespace": namespace, "labels": {"part": "bench"}},
            "spec": {"size": 3, "tags": ["a", "b"], "ports": [{"name": "main", "port": 8000 + number}]},
        }
        for number in range(count)
    ]


def measure() -> list[Result]:
    """The figures on the embedded API server; those on a real one, when KUBEBUILDER_ASSETS names it, have ``real``."""
    found = _figures("embedded", "engine")
    if os.environ.get("KUBEBUILDER_ASSETS"):
        found += _figures("envtest", "engine.real")
    return found


def _figures(api: str, prefix: str) -> list[Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name, "api"))
        folder.make()
        with running(choose(api), folder):
            box = Box(folder.path)
            box.run("kubectl", "create", "-f", str(_written(box, "widgets", [CRD])))
            box.run("kubectl", "wait", "--for=condition=Established", f"crd/{CRD['metadata']['name']}")
            for namespace in ("ours", "theirs", "kubectl", "many"):
                _namespace(box, namespace)
            return [
                *_created(box, prefix),
                *_unchanged(box, prefix, "noop_1000", widgets, "custom resources"),
                *_unchanged(box, prefix, "noop_1000_configmaps", config_maps, "ConfigMaps"),
                *_inline(box, prefix),
                *_one(box, prefix),
                Result(
                    f"{prefix}.apply_5000.memory_mb",
                    box.module_memory("apply", src=[str(_written(box, "many", config_maps("many", MANY)))]),
                    "MB",
                    f"goal: < 300; peak resident memory of the module's process that creates {MANY} objects",
                ),
            ]


def _namespace(box: Box, name: str) -> None:
    """From a file: ``kubectl create namespace`` speaks protobuf, which the embedded API server does not."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    box.run("kubectl", "create", "-f", str(_written(box, f"namespace-{name}", [manifest])))


def _created(box: Box, prefix: str) -> list[Result]:
    """Creating, each time in namespaces that are empty."""
    empty, ours, theirs = [], [], []
    for number in range(SLOW_ROUNDS):
        for tool in ("ours", "kubectl"):
            _namespace(box, f"{tool}-{number}")
        apply = _apply(_written(box, f"ours-{number}", config_maps(f"ours-{number}")))
        listed = _written(box, f"kubectl-{number}", config_maps(f"kubectl-{number}"))
        empty.append(box.tasks())
        ours.append(box.tasks(apply))
        theirs.append(box.run("kubectl", "apply", "--server-side", "-f", str(listed)))
    created, kubectl = statistics.median(ours) - statistics.median(empty), statistics.median(theirs)
    goal = "0.5 on a real API server, 1 on the embedded one"
    return [
        Result(f"{prefix}.create_1000.time_vs_kubectl", created / kubectl, "x",
               f"goal: <= {goal}; {created:.2f} s against {kubectl:.2f} s of kubectl apply --server-side")
    ]  # fmt: skip


def _unchanged(box: Box, prefix: str, name: str, make: Callable[[str], Objects], what: str) -> list[Result]:
    ours = _apply(_written(box, f"{name}-ours", make("ours")))
    theirs = _k8s(src=str(_written(box, f"{name}-theirs", make("theirs"))))
    box.tasks(ours)
    box.tasks(theirs)
    before = box.requests()
    box.tasks(ours)
    requests = box.requests() - before
    noop, reference = _side_by_side(box, ours, theirs, SLOW_ROUNDS)
    goal = "goal: >= 30; " if name == "noop_1000" else ""
    return [
        Result(f"{prefix}.{name}.speedup_vs_k8s", reference / noop, "x",
               f"{goal}{COUNT} unchanged {what}, {noop:.2f} s against {reference:.2f} s of kubernetes.core.k8s"),
        Result(f"{prefix}.{name}.requests", requests, "requests", f"goal: <= 10; {COUNT} unchanged {what}"),
    ]  # fmt: skip


def _inline(box: Box, prefix: str) -> list[Result]:
    """The list written into the play, which Ansible then templates."""
    ours = task("mcpops.gateway.apply", {"definition": widgets("ours"), "wait": False})
    noop, reference = _side_by_side(box, ours, _k8s(definition=widgets("theirs")), SLOW_ROUNDS)
    return [
        Result(f"{prefix}.noop_1000_inline.speedup_vs_k8s", reference / noop, "x",
               f"{noop:.2f} s against {reference:.2f} s; the list stands in the play, and Ansible templates it")
    ]  # fmt: skip


def _one(box: Box, prefix: str) -> list[Result]:
    ours = task("mcpops.gateway.apply", {"definition": config_maps("ours", 1)})
    noop, reference = _side_by_side(box, ours, _k8s(definition=config_maps("theirs", 1)), ROUNDS)
    return [
        Result(f"{prefix}.task_noop.time_vs_k8s", noop / reference, "x",
               f"goal: <= 0.5; one unchanged ConfigMap, {noop:.2f} s against {reference:.2f} s")
    ]  # fmt: skip


def _side_by_side(box: Box, ours: dict[str, Any], theirs: dict[str, Any], rounds: int) -> tuple[float, float]:
    """Seconds of both tasks without those of a play that has none; the three take turns."""
    plays: tuple[list[dict[str, Any]], ...] = ([], [ours], [theirs])
    taken = [[box.tasks(*tasks) for tasks in plays] for _ in range(rounds)]
    empty, own, other = (statistics.median(column) for column in zip(*taken, strict=True))
    return own - empty, other - empty


def task(module: str, options: dict[str, Any]) -> dict[str, Any]:
    """One task of a play."""
    return {"name": module, module: options}


def _apply(listed: Path) -> dict[str, Any]:
    """Ours, without waiting, as kubernetes.core.k8s by default."""
    return task("mcpops.gateway.apply", {"src": [str(listed)], "wait": False})


def _k8s(**options: Any) -> dict[str, Any]:
    return task("kubernetes.core.k8s", {**options, "state": "present"})


def _written(box: Box, name: str, objects: Objects) -> Path:
    path = box.home / f"{name}.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return path
