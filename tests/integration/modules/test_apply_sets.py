# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module apply with prune: sets of objects of which those no longer wanted go."""

from __future__ import annotations

import json
import os
import subprocess

from ansible_collections.mcpops.gateway.plugins.module_utils._applyset import ID, PART_OF, set_id
from integration.kit import ApiServer, Json, Modules, writes


def config_map(ns: str, name: str) -> Json:
    metadata = {"name": name, "namespace": ns}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"greeting": "hello"}}


def actions(result: Json) -> list[str]:
    return [entry["action"] for entry in result["objects"]]


def test_only_what_the_set_no_longer_wants_goes(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=config_map(ns, "outsider"))
    both = [config_map(ns, "a"), config_map(ns, "b")]
    run("apply", definition=both, prune={"name": "set"}, namespace=ns)

    with api_server.watched() as requests:
        again = run("apply", definition=both, prune={"name": "set"}, namespace=ns)
    assert not again["changed"] and writes(requests) == []
    planned = run("apply", check=True, definition=both[:1], prune={"name": "set"}, namespace=ns)
    pruned = run("apply", definition=both[:1], prune={"name": "set"}, namespace=ns)

    assert actions(planned) == actions(pruned) == ["unchanged", "deleted"]
    left = api_server.get(f"/api/v1/namespaces/{ns}/configmaps") or {}
    names = {item["metadata"]["name"] for item in left["items"]}
    assert {"outsider", "a"} <= names and "b" not in names


def test_absent_removes_members_and_record(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=[config_map(ns, "a")], prune={"name": "set"}, namespace=ns)

    result = run("apply", state="absent", prune={"name": "set"}, namespace=ns)

    assert actions(result) == ["deleted"]
    assert api_server.get(f"/api/v1/namespaces/{ns}/secrets/set") is None


def test_a_secret_of_others_is_no_record(run: Modules, api_server: ApiServer, ns: str) -> None:
    address = f"/api/v1/namespaces/{ns}/secrets/set"
    api_server.apply(address, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "set"}})

    said = run.fails("apply", definition=[config_map(ns, "a")], prune={"name": "set"}, namespace=ns)

    assert "prune.name" in said


def test_members_in_other_namespaces_and_of_other_kinds(run: Modules, api_server: ApiServer, ns: str) -> None:
    other = api_server.namespace(f"{ns}-b")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa", "namespace": other}}
    options: Json = {"prune": {"name": "set"}, "namespace": ns}
    run("apply", definition=[config_map(ns, "a"), config_map(other, "b"), account], **options)

    planned = run("apply", check=True, definition=[config_map(ns, "a")], **options)
    pruned = run("apply", definition=[config_map(ns, "a")], **options)

    told = [(one["action"], one["kind"], one["namespace"], one["name"]) for one in pruned["objects"]]
    assert [(one["action"], one["kind"], one["namespace"], one["name"]) for one in planned["objects"]] == told
    assert sorted(told[1:]) == [("deleted", "ConfigMap", other, "b"), ("deleted", "ServiceAccount", other, "sa")]
    record = (api_server.get(f"/api/v1/namespaces/{ns}/secrets/set") or {})["metadata"]["annotations"]
    assert record["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap"
    assert record["applyset.kubernetes.io/additional-namespaces"] == ""


def test_an_object_is_in_one_set_only(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=[config_map(ns, "a")], prune={"name": "one"}, namespace=ns)

    said = run.fails("apply", definition=[config_map(ns, "a")], prune={"name": "two"}, namespace=ns)
    moved = run("apply", definition=[config_map(ns, "a")], prune={"name": "two"}, namespace=ns, force_conflicts=True)

    assert f"ConfigMap {ns}/a belongs to another set" in said and "force_conflicts" in said
    live = api_server.get(f"/api/v1/namespaces/{ns}/configmaps/a") or {}
    assert moved["changed"] and live["metadata"]["labels"] == {PART_OF: set_id("two", ns)}


def test_manifests_that_are_all_missing_do_not_empty_a_set(run: Modules, ns: str) -> None:
    """A template that renders to nothing is a mistake; an empty list is a wish."""
    options: Json = {"prune": {"name": "set"}, "namespace": ns}
    run("apply", definition=[config_map(ns, "a")], **options)

    for nothing in (None, "", "---\n"):
        assert "no manifest at all" in run.fails("apply", definition=nothing, **options)
    assert actions(run("apply", definition=[], **options)) == ["deleted"]


def test_kubectl_reads_the_record_as_that_of_another_tool(run: Modules, api_server: ApiServer, ns: str) -> None:
    run("apply", definition=[config_map(ns, "a")], prune={"name": "set"}, namespace=ns)

    def kubectl(name: str) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--kubeconfig", api_server.kubeconfig, "apply", "--server-side", "--prune", "-f", "-"]
        command += [f"--applyset=secret/{name}", "--namespace", ns]
        given = json.dumps(config_map(ns, "theirs"))
        environment = {**os.environ, "KUBECTL_APPLYSET": "true"}
        return subprocess.run(
            command, input=given, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    refused, made = kubectl("set"), kubectl("own")

    assert 'managed by tooling "mcpops.gateway"' in refused.stderr and made.returncode == 0, made.stderr
    record = api_server.get(f"/api/v1/namespaces/{ns}/secrets/own") or {}
    assert record["metadata"]["labels"][ID] == set_id("own", ns)
    assert "kubectl/" in run.fails("apply", definition=[config_map(ns, "a")], prune={"name": "own"}, namespace=ns)
