# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubernetes.core through ansible-playbook: what its modules need of the API.

All tasks run in one play, because starting Ansible costs more than the tasks; each test looks at its own result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox.battery.support import API_VERSION, Space, program, run

COLLECTIONS = Path(__file__).parents[3] / ".collections"

pytestmark = pytest.mark.skipif(not COLLECTIONS.exists(), reason="kubernetes.core is not installed in .collections")

Results = dict[str, dict[str, Any]]


def tasks(space: Space) -> dict[str, dict[str, Any]]:
    """Module and options by the name of the result."""
    widget = space.widget("ansible", {"size": 1, "ports": [{"name": "a", "port": 1}]})
    about = {"api_version": API_VERSION, "kind": "Widget", "namespace": space.name, "name": "ansible"}
    kinds = {"api_version": API_VERSION, "kind": "Widget", "namespace": space.name}
    other = space.widget("ansible-applied", {"size": 5})
    manager = {"field_manager": "ansible"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "rehearsed", "namespace": space.name}}
    applied = space.widget("ansible-applied", {"size": 3})
    deployment = space.deployment("ansible")
    return {
        "created": {"k8s": {"definition": widget}},
        "unchanged": {"k8s": {"definition": widget}},
        "modified": {"k8s": {"definition": space.widget("ansible", {"size": 4})}},
        "refused": {"k8s": {"definition": space.widget("ansible", {"size": 99})}},
        "json_patched": {"k8s_json_patch": {**about, "patch": [{"op": "replace", "path": "/spec/size", "value": 2}]}},
        "found": {"k8s_info": about},
        "rehearsed": {"k8s": {"definition": {**secret, "stringData": {"a": "b"}}}, "check_mode": True},
        "applied": {"k8s": {"definition": applied, "apply": True}},
        "server_side": {"k8s": {"definition": applied, "apply": True, "server_side_apply": manager}},
        "deployment": {"k8s": {"definition": deployment}},
        "deployment_again": {"k8s": {"definition": deployment}},
        "forced": {"k8s": {"definition": space.deployment("ansible", replicas=2), "force": True}},
        "forced_unlocked": {"k8s": {"definition": widget, "force": True}},
        "absent": {"k8s": {"definition": widget, "state": "absent", "wait": True, "wait_timeout": 10}},
        "cluster_info": {"k8s_cluster_info": {}},
        "scaled": {
            "k8s_scale": {
                "kind": "Deployment",
                "namespace": space.name,
                "name": "ansible",
                "replicas": 4,
                "wait": False,
            }
        },
        "labelled": {"k8s": {"definition": space.widget("labelled", {"size": 1}, labels={"by": "ansible"})}},
        "by_label": {"k8s_info": {**kinds, "label_selectors": ["by = ansible"]}},
        "by_field": {"k8s_info": {**kinds, "field_selectors": ["metadata.name=labelled"]}},
        "by_other": {"k8s_info": {**kinds, "label_selectors": ["by notin (ansible)", "by"]}},
        "conflicting": {"k8s": {"definition": other, "apply": True, "server_side_apply": {"field_manager": "other"}}},
        "rehearsed_change": {
            "k8s": {"definition": space.widget("labelled", {"size": 5})},
            "check_mode": True,
            "diff": True,
        },
        "awaited": {"k8s_info": {**kinds, "name": "labelled", "wait": True, "wait_timeout": 5}},
        "unknown": {"k8s": {"definition": {**widget, "kind": "Nothing"}}},
        "namespace": {"k8s": {"api_version": "v1", "kind": "Namespace", "name": f"{space.name}-more"}},
    }


@pytest.fixture(scope="module")
def results(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run the play; the result of every task by name."""
    where = tmp_path_factory.mktemp("ansible")
    steps = [
        {
            "name": name,
            **{f"kubernetes.core.{key}" if key.startswith("k8s") else key: value for key, value in task.items()},
            "register": name,
            "ignore_errors": True,
        }
        for name, task in tasks(space).items()
    ]
    names = ", ".join(f"{step['name']!r}: {step['name']}" for step in steps)
    output = where / "results.json"
    content = "{{ {" + names + "} | to_json }}"
    steps.append({"name": "write", "ansible.builtin.copy": {"dest": str(output), "content": content}})
    book = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": steps}
    book["vars"] = {"ansible_python_interpreter": sys.executable}
    (where / "play.json").write_text(json.dumps([book]), encoding="utf-8")
    run(
        program("ansible-playbook"),
        "--inventory=localhost,",
        where / "play.json",
        K8S_AUTH_KUBECONFIG=str(space.cluster.kubeconfig),
        ANSIBLE_COLLECTIONS_PATH=str(COLLECTIONS),
        ANSIBLE_HOME=str(where),
        ANSIBLE_REMOTE_TEMP=str(where / "remote"),
        LC_ALL="C.UTF-8",
    )
    found: Results = json.loads(output.read_text(encoding="utf-8"))
    return found


def test_present_creates_once(results: Results) -> None:
    assert results["created"]["changed"] is True
    assert results["created"]["result"]["spec"]["mode"] == "fast"
    assert results["unchanged"]["changed"] is False


def test_present_changes(results: Results) -> None:
    assert results["modified"]["changed"] is True
    assert results["modified"]["result"]["spec"]["size"] == 4


def test_refusals_reach_the_user(results: Results) -> None:
    assert results["refused"]["failed"] is True
    assert "should be less than or equal to 10" in results["refused"]["msg"]


def test_json_patch_and_info(results: Results) -> None:
    assert results["json_patched"]["changed"] is True
    assert [item["spec"]["size"] for item in results["found"]["resources"]] == [2]


def test_check_mode_creates_nothing(results: Results, space: Space) -> None:
    assert results["rehearsed"]["changed"] is True
    assert space.cluster.get(f"{space.core('secrets')}/rehearsed").status == 404


def test_apply_both_ways(results: Results) -> None:
    assert results["applied"]["changed"] is True
    assert not results["server_side"].get("failed")


def test_a_deployment_is_unchanged_the_second_time(results: Results) -> None:
    assert results["deployment"]["changed"] is True
    assert results["deployment_again"]["changed"] is False


def test_force_replaces_what_may_be_replaced_without_a_version(results: Results) -> None:
    assert results["forced"]["result"]["spec"]["replicas"] == 2
    assert results["forced_unlocked"]["failed"] is True
    assert "must be specified for an update" in results["forced_unlocked"]["msg"]


def test_absent_waits_for_deletion(results: Results) -> None:
    assert results["absent"]["changed"] is True


def test_cluster_information(results: Results) -> None:
    assert "v1" in results["cluster_info"]["apis"]
    assert results["cluster_info"]["version"]["server"]["kubernetes"]["major"] == "1"


def test_scaling(results: Results) -> None:
    assert not results["scaled"].get("failed")
    assert results["scaled"]["result"]["spec"]["replicas"] == 4


def test_selectors(results: Results) -> None:
    for name, expected in (("by_label", ["labelled"]), ("by_field", ["labelled"]), ("by_other", [])):
        assert [item["metadata"]["name"] for item in results[name]["resources"]] == expected, name


def test_conflicts_of_server_side_apply_reach_the_user(results: Results) -> None:
    assert results["conflicting"]["failed"] is True
    assert 'conflict with \\"ansible\\"' in results["conflicting"]["msg"].replace('\\\\"', '\\"')


def test_check_mode_shows_the_difference(results: Results, space: Space) -> None:
    assert results["rehearsed_change"]["changed"] is True
    assert results["rehearsed_change"]["diff"]["after"]["spec"]["size"] == 5
    assert space.cluster.get(f"{space.widgets}/labelled").ok()["spec"]["size"] == 1


def test_waiting_for_what_is_there(results: Results) -> None:
    assert [item["metadata"]["name"] for item in results["awaited"]["resources"]] == ["labelled"]


def test_kinds_that_are_not_served(results: Results) -> None:
    assert results["unknown"]["failed"] is True
    assert "Failed to find exact match for battery.mcpops.example.com/v1.Nothing" in results["unknown"]["msg"]


def test_namespaces(results: Results, space: Space) -> None:
    assert results["namespace"]["changed"] is True
    assert space.cluster.delete(f"/api/v1/namespaces/{space.name}-more").status == 200
