# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module apply against an API server: what it writes, what it leaves alone, what it says."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

HTTP_ROUTE = "gateway.networking.k8s.io/v1"


def config_map(ns: str | None, name: str = "settings", **data: str) -> Json:
    metadata = {"name": name, **({"namespace": ns} if ns else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"greeting": "hello"}}


def deployment(ns: str) -> Json:
    labels = {"app": "web"}
    container = {
        "name": "web",
        "image": "example.com/web:1",
        "ports": [{"containerPort": 8080}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": ns}, "spec": spec}


def route(ns: str) -> Json:
    """An HTTPRoute as people write it, full of fields that the API server adds defaults to."""
    rule = {"matches": [{"path": {"value": "/mcp"}}], "backendRefs": [{"name": "mcp-gateway", "port": 8080}]}
    spec = {"parentRefs": [{"name": "mcp-gateway"}], "hostnames": ["mcp.example.com"], "rules": [rule]}
    return {
        "apiVersion": HTTP_ROUTE,
        "kind": "HTTPRoute",
        "metadata": {"name": "route", "namespace": ns},
        "spec": spec,
    }


def actions(result: Json) -> list[str]:
    return [entry["action"] for entry in result["objects"]]


class TestCreate:
    def test_objects_are_created_in_the_order_of_their_kinds(self, run: Modules, api_server: ApiServer) -> None:
        ns = f"t-{uuid.uuid4().hex[:8]}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ns}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns}}

        result = run("apply", definition=[config_map(ns), secret, namespace])

        assert [entry["kind"] for entry in result["objects"]] == ["Namespace", "Secret", "ConfigMap"]
        assert actions(result) == ["created"] * 3
        live = api_server.get(f"/api/v1/namespaces/{ns}/configmaps/settings")
        assert live is not None and live["data"] == {"greeting": "hello"}
        assert result["objects"][2]["resource_version"] == live["metadata"]["resourceVersion"]

    def test_a_kind_and_its_objects_can_be_in_one_list(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        name = f"things.t{uuid.uuid4().hex[:6]}.example.com"
        group = name.partition(".")[2]
        schema = {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        }
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
        thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "one"}, "spec": {"n": 1}}

        planned = run("apply", check=True, namespace=ns, definition=[thing, crd])
        result = run("apply", namespace=ns, definition=[thing, crd])

        assert actions(planned) == actions(result) == ["created", "created"]
        live = api_server.get(f"/apis/{group}/v1/namespaces/{ns}/things/one")
        assert live is not None and live["spec"] == {"n": 1}

    def test_files_lists_and_text_are_all_read(self, run: Modules, ns: str, tmp_path: Path) -> None:
        file = tmp_path / "two.yml"
        file.write_text(json.dumps(config_map(ns, "a")) + "\n---\n" + json.dumps(config_map(ns, "b")))
        listed = {"apiVersion": "v1", "kind": "List", "items": [config_map(ns, "d"), config_map(ns, "e")]}

        result = run("apply", src=[str(file)], definition=[json.dumps(config_map(ns, "c")) + "\n", listed])

        assert sorted(entry["name"] for entry in result["objects"]) == ["a", "b", "c", "d", "e"]


class TestAgain:
    def test_a_second_run_writes_nothing(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": ns, "labels": {"a": "b"}, "annotations": None},
            "stringData": {"token": "hush"},
        }
        objects = [config_map(ns), secret, deployment(ns), *(config_map(ns, f"m{i}") for i in range(5))]
        first = run("apply", definition=objects, wait=False)

        with api_server.watched() as requests:
            again = run("apply", definition=objects, wait=False)

        assert not again["changed"]
        assert writes(requests) == [] and again["requests"]["writes"] == 0
        assert [e["resource_version"] for e in again["objects"]] == [e["resource_version"] for e in first["objects"]]
        assert len(requests) == 3, requests  # a LIST of ConfigMaps, a GET each of the other two

    def test_fields_that_the_server_fills_in_are_no_difference(
        self, run: Modules, api_server: ApiServer, ns: str
    ) -> None:
        first = run("apply", definition=route(ns), wait=False)

        with api_server.watched() as requests:
            again = run("apply", definition=route(ns), wait=False)
            checked = run("apply", check=True, definition=route(ns), wait=False)

        assert not again["changed"] and not checked["changed"]
        assert again["objects"][0]["resource_version"] == first["objects"][0]["resource_version"]
        assert writes(requests) == []

    def test_only_what_drifted_is_written(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        objects = [config_map(ns, "a"), config_map(ns, "b")]
        run("apply", definition=objects)
        api_server.merge(f"/api/v1/namespaces/{ns}/configmaps/b", {"data": {"greeting": "bye", "more": "kept"}})

        with api_server.watched() as requests:
            result = run("apply", definition=objects, force_conflicts=True)

        assert actions(result) == ["unchanged", "updated"]
        assert result["objects"][1]["fields"] == ["data.greeting"]
        assert len(writes(requests)) == 1
        live = api_server.get(f"/api/v1/namespaces/{ns}/configmaps/b")
        assert live is not None and live["data"] == {"greeting": "hello", "more": "kept"}

    def test_a_field_no_longer_stated_is_removed(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        run("apply", definition=config_map(ns, a="1", b="2"))

        result = run("apply", diff=True, definition=config_map(ns, a="1"))

        assert result["objects"][0]["fields"] == ["data.b"]
        assert result["diff"][0]["before"]["data"] == {"a": "1", "b": "2"}
        assert result["diff"][0]["after"]["data"] == {"a": "1"}
        live = api_server.get(f"/api/v1/namespaces/{ns}/configmaps/settings")
        assert live is not None and live["data"] == {"a": "1"}

    def test_a_map_of_which_others_own_a_part_keeps_that_part(
        self, run: Modules, api_server: ApiServer, ns: str
    ) -> None:
        mine = config_map(ns)
        mine["metadata"]["labels"] = {"mine": "1"}
        run("apply", definition=mine)
        api_server.merge(f"/api/v1/namespaces/{ns}/configmaps/settings", {"metadata": {"labels": {"theirs": "1"}}})

        result = run("apply", definition=config_map(ns))

        assert result["objects"][0]["fields"] == ["metadata.labels.mine"]
        live = api_server.get(f"/api/v1/namespaces/{ns}/configmaps/settings")
        assert live is not None and live["metadata"]["labels"] == {"theirs": "1"}

    def test_an_object_made_by_others_is_taken_over_once(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        address = f"/api/v1/namespaces/{ns}/configmaps"
        api_server.request("POST", f"{address}?fieldManager=by-hand", config_map(ns))

        first = run("apply", definition=config_map(ns))
        again = run("apply", definition=config_map(ns))

        assert actions(first) == ["updated"] and actions(again) == ["unchanged"]


class TestCheckMode:
    def test_it_predicts_and_writes_nothing(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        run("apply", definition=config_map(ns, "old"))
        objects = [config_map(ns, "old", greeting="new"), config_map(ns, "new")]

        with api_server.watched() as requests:
            planned = run("apply", check=True, diff=True, definition=objects)
        assert writes(requests) == []
        done = run("apply", diff=True, definition=objects)

        assert actions(planned) == actions(done) == ["updated", "created"]
        assert planned["diff"] == done["diff"]
        assert [e["fields"] for e in planned["objects"]] == [e["fields"] for e in done["objects"]]

    def test_a_namespace_that_does_not_exist_yet_is_planned_around(self, run: Modules) -> None:
        planned = run("apply", check=True, definition=config_map("not-there-yet"))

        assert actions(planned) == ["created"]
        assert any("not-there-yet" in warning for warning in warnings_of(planned))

    def test_a_kind_that_does_not_exist_yet_is_planned_around(self, run: Modules, ns: str) -> None:
        alien = {"apiVersion": "example.org/v1", "kind": "Alien", "metadata": {"name": "x", "namespace": ns}}

        planned = run("apply", check=True, definition=alien)

        assert actions(planned) == ["created"]
        assert any("Alien" in warning for warning in warnings_of(planned))


class TestSecrets:
    def test_values_are_in_no_diff_and_no_result(self, run: Modules, ns: str) -> None:
        def secret(value: str) -> Json:
            metadata = {"name": "s", "namespace": ns}
            return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}

        run("apply", definition=secret("first-hush"))
        result = run("apply", diff=True, definition=secret("second-hush"))

        shown = json.dumps(result)
        assert result["objects"][0]["fields"] == ["data.token"]
        for value in ("first-hush", "second-hush"):
            assert value not in shown and base64.b64encode(value.encode()).decode() not in shown
        assert result["diff"][0]["before"] != result["diff"][0]["after"]


class TestConflicts:
    def test_one_sentence_names_field_manager_and_way_out(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        address = f"/api/v1/namespaces/{ns}/configmaps/settings"
        api_server.apply(address, config_map(ns, greeting="theirs"), manager="argocd")

        said = run.fails("apply", definition=config_map(ns))
        said_in_check = run.fails("apply", check=True, definition=config_map(ns))

        assert said == said_in_check
        for words in ("ConfigMap", f"{ns}/settings", "data.greeting", "argocd", "force_conflicts"):
            assert words in said
        live = api_server.get(address)
        assert live is not None and live["data"] == {"greeting": "theirs"}

    def test_force_takes_the_field_over(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        address = f"/api/v1/namespaces/{ns}/configmaps/settings"
        api_server.apply(address, config_map(ns, greeting="theirs"), manager="argocd")

        assert actions(run("apply", force_conflicts=True, definition=config_map(ns))) == ["updated"]
        assert actions(run("apply", definition=config_map(ns))) == ["unchanged"]


class TestAbsent:
    def test_objects_go_and_stay_gone(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        run("apply", definition=[config_map(ns, "a"), config_map(ns, "b")])

        planned = run("apply", check=True, state="absent", definition=[config_map(ns, "a"), config_map(ns, "b")])
        gone = run("apply", state="absent", definition=[config_map(ns, "a"), config_map(ns, "b")])
        again = run("apply", state="absent", definition=[config_map(ns, "a"), config_map(ns, "b")])

        assert actions(planned) == actions(gone) == ["deleted", "deleted"]
        assert actions(again) == ["absent", "absent"] and not again["changed"]

    def test_a_finalizer_that_holds_an_object_is_named(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        held = config_map(ns)
        held["metadata"]["finalizers"] = ["example.com/held"]
        address = f"/api/v1/namespaces/{ns}/configmaps/settings"
        api_server.apply(address, held)

        said = run.fails("apply", state="absent", wait_timeout=1, definition=config_map(ns))

        assert "example.com/held" in said and "1 s" in said
        applied = run.fails("apply", definition=config_map(ns))
        assert "being deleted" in applied and "example.com/held" in applied
        api_server.merge(address, {"metadata": {"finalizers": None}})

    def test_waits_until_the_finalizer_is_taken_off(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        held = config_map(ns)
        held["metadata"]["finalizers"] = ["example.com/held"]
        address = f"/api/v1/namespaces/{ns}/configmaps/settings"
        api_server.apply(address, held)

        def controller() -> None:
            until(lambda: "deletionTimestamp" in (api_server.get(address) or {})["metadata"], lambda: "never deleted")
            api_server.merge(address, {"metadata": {"finalizers": None}})

        with meanwhile(controller):
            result = run("apply", state="absent", definition=config_map(ns))

        assert actions(result) == ["deleted"] and api_server.get(address) is None

    def test_a_kind_that_is_not_served_has_no_objects(self, run: Modules, ns: str) -> None:
        alien = {"apiVersion": "example.org/v1", "kind": "Alien", "metadata": {"name": "x", "namespace": ns}}
        assert actions(run("apply", state="absent", definition=alien)) == ["absent"]


class TestWaiting:
    def test_condition_of_the_current_generation_only(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        address = f"/apis/apps/v1/namespaces/{ns}/deployments/web"
        run("apply", definition=deployment(ns), wait=False)
        ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
        api_server.status(address, ready)
        assert actions(run("apply", definition=deployment(ns))) == ["unchanged"]
        changed = deployment(ns)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/web:2"

        said = run.fails("apply", definition=changed, wait_timeout=1)

        assert "Deployment" in said and "has not seen the last change" in said

    def test_ends_when_the_controller_is_done(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        address = f"/apis/apps/v1/namespaces/{ns}/deployments/web"
        ready = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}

        def controller() -> None:
            until(lambda: api_server.get(address) is not None, lambda: "never created")
            api_server.status(address, ready)

        with meanwhile(controller), api_server.watched() as requests:
            result = run("apply", definition=deployment(ns), wait_timeout=20)

        assert result["changed"]
        assert len([r for r in requests if r.startswith(("get", "list"))]) <= 3, (
            requests
        )  # it watches, it does not poll

    def test_a_failure_condition_ends_it_at_once(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        run("apply", definition=deployment(ns), wait=False)
        condition = {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": 'ReplicaSet "web-1" has timed out progressing.',
        }
        api_server.status(
            f"/apis/apps/v1/namespaces/{ns}/deployments/web", {"observedGeneration": 1, "conditions": [condition]}
        )

        said = run.fails("apply", definition=deployment(ns), wait_timeout=60)

        assert "ProgressDeadlineExceeded" in said and "timed out progressing" in said

    @pytest.mark.parametrize(
        ("entry", "words"),
        [
            ({"condition": "Happy"}, "Happy is not reported yet"),
            ({"jmespath": "data.greeting", "value": "bye"}, "gives 'hello'"),
        ],
    )
    def test_says_what_it_waited_for_and_saw_last(
        self, run: Modules, ns: str, entry: dict[str, Any], words: str
    ) -> None:
        said = run.fails("apply", definition=config_map(ns), wait_for=[entry], wait_timeout=1)

        assert "Waited 1 s" in said and f"ConfigMap {ns}/settings" in said and words in said

    def test_jmespath_that_holds(self, run: Modules, ns: str) -> None:
        run("apply", definition=config_map(ns), wait_for=[{"jmespath": "data.greeting", "value": "hello"}])

    def test_named_failure(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        run("apply", definition=deployment(ns), wait=False)
        broken = {"type": "Broken", "status": "True", "reason": "Why", "message": "so it is"}
        api_server.status(f"/apis/apps/v1/namespaces/{ns}/deployments/web", {"conditions": [broken]})

        entry = {"kind": "Deployment", "condition": "Available", "failure": "Broken"}
        said = run.fails("apply", definition=deployment(ns), wait_for=[entry], wait_timeout=60)

        assert "Broken is True (Why: so it is)" in said


class TestBadInput:
    @pytest.mark.parametrize(
        ("definition", "words"),
        [
            ({"kind": "ConfigMap", "metadata": {"name": "x"}}, ["apiVersion"]),
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, ["metadata.name"]),
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}}, ["generateName"]),
            (
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "labels": {"a": 1}}},
                ["labels.a", "quotes"],
            ),
            ("a: [", ["YAML", "line"]),
            ("just text", ["not a manifest"]),
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "dataa": {}}, ["dataa"]),
            ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "UPPER"}}, ["UPPER"]),
            (
                {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "not base64!"}},
                ["data.a", "base64", "stringData"],
            ),
            ({"apiVersion": "example.org/v1", "kind": "Alien", "metadata": {"name": "x"}}, ["Alien", "example.org/v1"]),
        ],
    )
    def test_is_told_in_one_sentence(self, run: Modules, ns: str, definition: Any, words: list[str]) -> None:
        said = run.fails("apply", definition=definition, namespace=ns)

        for word in words:
            assert word in said

    def test_the_same_object_twice(self, run: Modules, ns: str) -> None:
        assert "twice" in run.fails("apply", definition=[config_map(ns), config_map(None)], namespace=ns)

    def test_a_namespace_that_does_not_exist(self, run: Modules, api_server: ApiServer) -> None:
        with api_server.watched() as requests:
            said = run.fails("apply", definition=config_map("nowhere"))

        assert "nowhere" in said and writes(requests) == []

    def test_a_namespace_on_its_way_out(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        held = config_map(ns, "held")
        held["metadata"]["finalizers"] = ["example.com/held"]
        address = f"/api/v1/namespaces/{ns}/configmaps/held"
        api_server.apply(address, held)
        api_server.delete(f"/api/v1/namespaces/{ns}")

        with api_server.watched() as requests:
            said = run.fails("apply", definition=config_map(ns))

        assert ns in said and "Terminating" in said and writes(requests) == []
        api_server.merge(address, {"metadata": {"finalizers": None}})

    def test_a_value_that_breaks_the_schema(self, run: Modules, ns: str) -> None:
        broken = route(ns)
        broken["spec"]["hostnames"] = ["not a host"]

        said = run.fails("apply", definition=broken)

        assert "spec.hostnames[0]" in said and "not a host" in said and "HTTPRoute" in said


class TestConnection:
    def test_wrong_token(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        said = run.fails(
            "apply", kubeconfig=None, host=api_server.server, api_key="wrong-token", validate_certs=False,
            definition=config_map(ns),
        )  # fmt: skip
        assert "token" in said and api_server.server in said and "wrong-token" not in said

    def test_unreachable(self, run: Modules, ns: str) -> None:
        said = run.fails("apply", kubeconfig=None, host="https://127.0.0.1:1", api_key="x", definition=config_map(ns))
        assert "127.0.0.1:1" in said and "refused" in said

    def test_untrusted_certificate(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        said = run.fails(
            "apply", kubeconfig=None, host=api_server.server, api_key=api_server.token, definition=config_map(ns)
        )
        assert "not trusted" in said and "ca_cert" in said

    def test_settings_of_the_environment(
        self, run: Modules, api_server: ApiServer, ns: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("K8S_AUTH_HOST", api_server.server)
        monkeypatch.setenv("K8S_AUTH_API_KEY", api_server.token)
        monkeypatch.setenv("K8S_AUTH_SSL_CA_CERT", str(api_server.folder.ca))

        assert run("apply", kubeconfig=None, definition=config_map(ns))["changed"]
