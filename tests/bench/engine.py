# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reconcile engine beside kubernetes.core and kubectl, on the same API server in the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.plays import Box
from bench.results import Result

COUNT = 1000
MANY = 5000


def config_maps(namespace: str, count: int = COUNT) -> list[dict[str, Any]]:
    """Small objects."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"item-{number:04}", "namespace": namespace, "labels": {"part": "bench"}},
            "data": {"number": str(number), "text": "the same on every run"},
        }
        for number in range(count)
    ]


def task(module: str, options: dict[str, Any]) -> dict[str, Any]:
    """One task of a play."""
    return {"name": module, module: options}


def measure(box: Box) -> list[Result]:
    """Create and re-apply a thousand objects, and re-apply one, by each of the tools.

    Each gets its list as a file; the list written into the play, which Ansible then templates, is a figure apart.
    """
    for namespace in ("ours", "theirs", "kubectl", "many"):
        box.run("kubectl", "create", "--save-config", "-f", str(_file(box, namespace)))
    empty = min(box.tasks() for _ in range(2))

    ours = task("mcpops.gateway.apply", {"src": [str(_list(box, "ours"))]})
    theirs = task("kubernetes.core.k8s", {"src": str(_list(box, "theirs")), "state": "present"})
    manifests = box.home / "kubectl.yaml"
    manifests.write_text("\n---\n".join(json.dumps(item) for item in config_maps("kubectl")))

    created = box.tasks(ours) - empty
    kubectl = box.run("kubectl", "apply", "--server-side", "-f", str(manifests))
    box.tasks(theirs)

    before = box.requests()
    noop = box.tasks(ours) - empty
    requests = box.requests() - before
    reference = box.tasks(theirs) - empty
    inline = box.tasks(task("mcpops.gateway.apply", {"definition": config_maps("ours")})) - empty
    inline_reference = box.tasks(task("kubernetes.core.k8s", {"definition": config_maps("theirs")})) - empty

    one = config_maps("ours")[:1]
    single = min(box.tasks(task("mcpops.gateway.apply", {"definition": one})) for _ in range(3)) - empty
    single_reference = min(box.tasks(task("kubernetes.core.k8s", {"definition": one})) for _ in range(3)) - empty
    return [
        Result("engine.noop_1000.speedup_vs_k8s", reference / noop, "x", f"{noop:.2f} s against {reference:.2f} s"),
        Result("engine.noop_1000_inline.speedup_vs_k8s", inline_reference / inline, "x",
               f"{inline:.2f} s against {inline_reference:.2f} s; most of ours is Ansible templating the list"),
        Result("engine.noop_1000.requests", requests, "requests", f"{COUNT} unchanged ConfigMaps"),
        Result("engine.create_1000.time_vs_kubectl", created / kubectl, "x",
               f"{created:.2f} s against {kubectl:.2f} s"),
        Result("engine.task_noop.time_vs_k8s", single / single_reference, "x",
               f"{single:.2f} s against {single_reference:.2f} s"),
        Result("engine.apply_5000.memory_mb", box.module_memory("apply", src=[str(_list(box, "many", MANY))]), "MB",
               f"peak resident memory of the module's process that creates {MANY} objects"),
    ]  # fmt: skip


def _list(box: Box, namespace: str, count: int = COUNT) -> Path:
    path = box.home / f"list-{namespace}.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": config_maps(namespace, count)}))
    return path


def _file(box: Box, namespace: str) -> Path:
    path = box.home / f"namespace-{namespace}.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
    return path
