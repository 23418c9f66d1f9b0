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
