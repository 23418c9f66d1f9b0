# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded server and a kube-apiserver say the same of generated custom resources.

Compared are verdict, causes, warnings and the resulting object.

Runs when ``KUBEBUILDER_ASSETS`` names a folder with etcd and kube-apiserver, on the projects' CRDs when
``MCPOPS_CRD_DIR`` names theirs, else on the sandbox's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox import backends, down
from sandbox.battery.support import Cluster, until
from sandbox.catalog.crds import operator_crds
from sandbox.crds import load
from sandbox.state import Folder
from unit.sandbox.api.api_kit import DEFINITIONS, Api
from unit.sandbox.api.refused import CASES, causes, definition
from unit.sandbox.api.schema_objects import Node, objects

HAS_ASSETS = bool(os.environ.get("KUBEBUILDER_ASSETS"))
ORIGINALS = Path(os.environ.get("MCPOPS_CRD_DIR", "/nonexistent"))
OBJECTS = 30


def crds() -> list[Node]:
    if not HAS_ASSETS:
        return []
    if not ORIGINALS.is_dir():
        return [*load(), *operator_crds("0.9.0")]
    paths = [path for path in sorted(ORIGINALS.glob("*/*.yaml")) if path.parent.name != "mcp-gateway-0.6.0"]
    return [yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in paths]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = Folder(tmp_path_factory.mktemp("real") / "server")
    folder.make()
    backends.choose("envtest").start(folder, tied=True)
    try:
        cluster = Cluster.of(folder.kubeconfig, embedded=False)
        until(lambda: _answers(cluster), "the kube-apiserver answers", 90)
        yield cluster
    finally:
        down.stop_processes(folder)


def _answers(cluster: Cluster) -> bool:
    try:
        return cluster.get("/readyz").status == 200
    except OSError:
        return False


def told(status: int, body: Any, warnings: list[str]) -> Any:
    """An answer without what differs by nature: metadata, and the order of what is told."""
    if status < 300:
        return {name: value for name, value in body.items() if name != "metadata"}, sorted(warnings)
    causes = (body.get("details") or {}).get("causes") or [body]
    return status, sorted((cause.get("field", ""), cause["message"]) for cause in causes), sorted(warnings)


@dataclass
class Servers:
    """Both servers, and the metadata that each is sent."""

    real: Cluster
    embedded: Api
    metadata: tuple[Node, ...] = ({"name": "candidate"}, {"name": "candidate"})

    def compare(self, method: str, path: str, bodies: dict[str, Node]) -> Iterator[Node]:
        """Send each body to both, without effect; yields those that are accepted."""
        for number, (what, body) in enumerate(bodies.items()):
            target = f"{path}?dryRun=All&fieldValidation={('Strict', 'Warn', 'Ignore')[number % 3]}"
            theirs = self.real.request(method, target, {**body, "metadata": self.metadata[0]})
            ours = self.embedded(method, target, {**body, "metadata": self.metadata[1]})
            expected = told(theirs.status, theirs.body, theirs.warnings)
            assert told(ours.code, ours.body, ours.warnings) == expected, f"{method} {target} {what}: {body}"
            if theirs.status < 300:
                yield body


@pytest.mark.parametrize("crd", crds(), ids=lambda crd: crd["metadata"]["name"])
def test_both_servers_agree(real: Cluster, crd: Node) -> None:
    embedded = Api()
    embedded.make(DEFINITIONS, crd)
    real.post(DEFINITIONS, crd).ok()
    spec = crd["spec"]
    space = "/namespaces/default" if spec["scope"] == "Namespaced" else ""
    for version in (version for version in spec["versions"] if version["served"]):
        kind = {"apiVersion": f"{spec['group']}/{version['name']}", "kind": spec["names"]["kind"]}
        servers = Servers(real, embedded)
        path = f"/apis/{kind['apiVersion']}{space}/{spec['names']['plural']}"
        until(lambda path=path: real.get(path).status == 200, f"{path} is served", 30)
        schema = version["schema"]["openAPIV3Schema"]
        bodies = {what: {**obj, **kind} for what, obj in objects(schema, OBJECTS, spec["names"]["kind"])}
        accepted = list(servers.compare("POST", path, bodies))
        if accepted:
            live = {**accepted[0], "metadata": {"name": f"live-{version['name']}"}}
            made = (real.post(path, live).ok(), embedded.make(path, live))
            servers.metadata = tuple(
                {name: obj["metadata"][name] for name in ("name", "resourceVersion")} for obj in made
            )
            list(servers.compare("PUT", f"{path}/{live['metadata']['name']}", bodies))


@pytest.mark.skipif(not HAS_ASSETS, reason="KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver")
def test_the_recorded_refusals_of_definitions_are_those_of_a_kube_apiserver(real: Cluster) -> None:
    for case in CASES:
        answer = real.post(f"{DEFINITIONS}?dryRun=All", definition(case))
        assert answer.status == 422, case
        assert causes(answer.body) == sorted(case["causes"])
