# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests as users write them, results as modules return them, and the small pieces around."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._applyset import set_id
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, ManifestError
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import private_host
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import url_of
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import (
    DONE,
    FAILED,
    PENDING,
    AllOf,
    AnyOf,
    Conditions,
    Exists,
    Gone,
    Jmespath,
    Rollout,
    Unless,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._module import shown
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Outcome, Report, mask
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource, label
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema
from ansible_collections.mcpops.gateway.plugins.module_utils._wait_for import condition_of

Json = dict[str, Any]


def manifest(kind: str = "ConfigMap", **content: Any) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, **content}


class TestLoading:
    def test_text_lists_and_kind_list_are_unfolded(self) -> None:
        text = "a: 1\n---\n---\nb: 2\n"
        listed = {"kind": "ConfigMapList", "items": [{"c": 3}]}

        assert _manifest.load([text, listed, {"d": 4}, None]) == [{"a": 1}, {"b": 2}, {"c": 3}, {"d": 4}]

    def test_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.yml").write_text("a: 1")

        assert _manifest.load(None, [str(tmp_path / "a.yml")]) == [{"a": 1}]
        with pytest.raises(ManifestError, match=r"no\.yml cannot be read"):
            _manifest.load(None, [str(tmp_path / "no.yml")])

    def test_a_name_given_twice_is_told_with_its_line(self) -> None:
        with pytest.raises(ManifestError, match=r"the name 'kind' is given twice at line 2, column 1"):
            _manifest.load("kind: ConfigMap\nkind: Secret\n")

    def test_a_merge_key_may_be_overridden(self) -> None:
        assert _manifest.load("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")[0]["b"] == {"x": 1, "y": 3}

    @pytest.mark.parametrize("bad", ["text", 5, [5], ["text"]])
    def test_what_is_no_manifest(self, bad: Any) -> None:
        with pytest.raises(ManifestError, match="not a manifest"):
            _manifest.load(bad)


class TestNormalForm:
    def test_what_the_server_owns_is_left_out(self) -> None:
        found = manifest(status={"a": 1})
        found["metadata"].update(
            uid="u", resourceVersion="1", creationTimestamp=None, managedFields=[], labels={"a": "b"}
        )

        assert _manifest.normalize(found) == {**manifest(), "metadata": {"name": "x", "labels": {"a": "b"}}}

    def test_nulls_say_nothing_and_dates_are_text(self) -> None:
        found = manifest(data={"a": None, "b": {"c": None}, "d": datetime.date(2026, 1, 2)})

        assert _manifest.normalize(found)["data"] == {"b": {}, "d": "2026-01-02"}

    def test_names_that_yaml_takes_for_something_else(self) -> None:
        assert _manifest.normalize(manifest(data={True: "a", 8080: "b"}))["data"] == {"true": "a", "8080": "b"}

    def test_secrets_have_only_data(self) -> None:
        found = manifest("Secret", stringData={"a": "x"}, data={"b": "eA\n=="})

        encoded = base64.b64encode(b"x").decode()
        assert _manifest.normalize(found)["data"] == {"a": encoded, "b": encoded}

    def test_a_manifest_copied_from_a_cluster_leaves_the_copy_of_kubectl_out(self) -> None:
        found = manifest()
        found["metadata"]["annotations"] = {_manifest.LAST_APPLIED: "{}", "a": "b"}

        assert _manifest.normalize(found)["metadata"]["annotations"] == {"a": "b"}

    def test_an_empty_namespace_says_nothing(self) -> None:
        found = manifest()
        found["metadata"]["namespace"] = ""

        assert "namespace" not in _manifest.normalize(found)["metadata"]

    @pytest.mark.parametrize("namespace", [5, "a b", "a/b", ["a"]])
    def test_a_namespace_that_is_no_name(self, namespace: Any) -> None:
        found = manifest()
        found["metadata"]["namespace"] = namespace

        with pytest.raises(ManifestError, match=r"ConfigMap x: metadata\.namespace is"):
            _manifest.normalize(found)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ({"stringData": "hush"}, "stringData is not a mapping"),
            ({"stringData": {"a": {"b": "hush"}}}, r"stringData\.a is not text"),
            ({"stringData": {"a": True}}, r"stringData\.a is not text"),
            ({"data": ["hush"]}, "data is not a mapping"),
        ],
    )
    def test_values_of_secrets_that_are_no_text(self, content: Json, words: str) -> None:
        with pytest.raises(ManifestError, match=words) as caught:
            _manifest.normalize(manifest("Secret", **content))

        assert "hush" not in caught.value.message

    def test_the_given_manifest_is_left_alone(self) -> None:
        found = manifest("Secret", stringData={"a": "x"})
        _manifest.normalize(found)
        assert found == manifest("Secret", stringData={"a": "x"})


def test_kinds_are_written_in_an_order_that_works() -> None:
    kinds = ["MCPServerRegistration", "HTTPRoute", "MCPGatewayExtension", "Gateway", "Widget", "Deployment", "Secret",
             "ServiceAccount", "CustomResourceDefinition", "Namespace"]  # fmt: skip

    assert sorted(kinds, key=_manifest.rank) == kinds[::-1]


class TestReport:
    def test_one_shape(self) -> None:
        outcome = Outcome(manifest(), "updated", ["data.a"], {"kind": "ConfigMap"}, {"kind": "ConfigMap"}, None)

        result = Report([outcome, Outcome(manifest(), "unchanged")]).as_result(diff=True)

        assert result["changed"] is True and len(result["diff"]) == 1
        assert set(result["objects"][0]) == {
            "api_version", "kind", "namespace", "name", "action", "fields", "resource_version",
        }  # fmt: skip

    def test_secrets_are_hidden_and_changes_still_show(self) -> None:
        before = manifest("Secret", data={"same": "1", "other": "1", "gone": "1"})
        after = manifest("Secret", data={"same": "1", "other": "2", "new": "3"})

        hidden, shown = mask(before, after)

        assert hidden["data"] == {"same": "(hidden)", "other": "(hidden)", "gone": "(hidden)"}
        assert shown["data"] == {"same": "(hidden)", "other": "(hidden, new value)", "new": "(hidden, new value)"}

    def test_the_annotation_of_kubectl_is_hidden_too(self) -> None:
        secret = manifest("Secret")
        secret["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "password"}

        assert "password" not in str(mask(secret, secret))


class TestOptionsAsShown:
    """What the system log and ``-vvv`` may see of the options."""

    def test_values_of_secrets_are_hidden_wherever_they_stand(self) -> None:
        secret = manifest("Secret", stringData={"a": "hush"}, data={"b": "aHVzaA=="})
        copied = manifest("Secret", data="hush")
        copied["metadata"]["annotations"] = {_manifest.LAST_APPLIED: "hush"}
        wrapped = {"kind": "Template", "objects": [secret], "spec": {"object": copied}}
        definition = [secret, {"kind": "List", "items": [wrapped]}, "kind: Secret\nstringData: {a: hush}", manifest()]

        hidden = shown({"definition": definition, "kubeconfig": {"users": "hush"}, "name": "x"})

        assert "hush" not in str(hidden) and "aHVzaA" not in str(hidden)
        assert hidden["definition"][3] == manifest() and hidden["name"] == "x"
        assert hidden["definition"][0]["stringData"] == {"a": "(hidden)"}


class TestGoals:
    def test_all_and_any(self) -> None:
        yes, no = Exists(), Gone()
        live: Json = {"metadata": {}}

        assert AllOf([yes, yes]).judge(live).state == DONE
        assert AllOf([yes, no]).judge(live).state == PENDING
        assert AnyOf([no, yes]).judge(live).state == DONE
        assert AnyOf([no, no]).judge(live).state == PENDING
        assert "exist and be removed" in AllOf([yes, no]).what

    def test_unless(self) -> None:
        live = {"metadata": {}, "status": {"conditions": [{"type": "Bad", "status": "True", "reason": "R"}]}}

        given_up = Unless(Exists(), [("Good", "False"), ("Bad", "True")]).judge(live)
        assert (given_up.state, given_up.seen, given_up.remedy.at_once) == (FAILED, "Bad is True (R)", True)
        assert Unless(Exists(), [("Bad", "False")]).judge(live).state == DONE

    def test_several_keep_their_hints_and_their_patience(self) -> None:
        slow, quick = Conditions({"A": "True"}, fix="look there", grace=5.0), Exists()

        both = AllOf([slow, quick])

        assert (both.fix, both.grace) == ("look there", 5.0)
        assert Unless(both, [("B", "True")]).fix == "look there"

    def test_finalizers_are_named_with_their_owner(self) -> None:
        assert Gone().judge({"metadata": {"finalizers": ["a/b"]}}).seen == (
            "it is held by the finalizer a/b; the controller that owns it has to let go (is it still installed and "
            "running?)"
        )
        two = Gone().judge({"metadata": {"finalizers": ["a/b", "c/d", "foregroundDeletion"]}}).seen
        assert "held by the finalizers a/b, c/d; the controller that owns them" in two

    def test_finalizers_of_kubernetes_itself_are_nobody_elses(self) -> None:
        spec = {"group": "example.com", "names": {"plural": "things"}}
        metadata = {"finalizers": ["customresourcecleanup.apiextensions.k8s.io"]}
        crd = {"kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}

        seen = Gone().judge(crd).seen

        assert "customresourcecleanup" not in seen and "controller" not in seen
        assert "kubectl get things.example.com --all-namespaces" in seen
        assert (
            "a pod still uses it" in Gone().judge({"metadata": {"finalizers": ["kubernetes.io/pvc-protection"]}}).seen
        )

    @pytest.mark.parametrize(
        ("expression", "value", "state"),
        [
            ("status.phase", "Active", DONE),
            ("status.phase", "Other", PENDING),
            ("status.ready", None, DONE),
            ("status.none", None, PENDING),
            ("status.count", "3", DONE),
        ],
    )
    def test_jmespath(self, expression: str, value: str | None, state: str) -> None:
        live = {"status": {"phase": "Active", "ready": True, "count": 3}}
        assert Jmespath(expression, value).judge(live).state == state

    @pytest.mark.parametrize("expression", ["a[", "no_such_function(a)", "length()"])
    def test_jmespath_that_is_none(self, expression: str) -> None:
        with pytest.raises(ConfigError, match="cannot be used"):
            Jmespath(expression)

    def test_jmespath_that_does_not_fit_yet(self) -> None:
        verdict = Jmespath("length(status.list) == `1`").judge({"status": {}})

        assert verdict.state == PENDING and "does not fit the object yet" in verdict.seen

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, DONE),
            ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, PENDING),
            ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 2}, PENDING),
            ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "readyReplicas": 2}, PENDING),
            ({}, PENDING),
        ],
    )
    def test_rollout(self, status: Json, state: str) -> None:
        live = {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
        assert Rollout().judge(live).state == state

    @pytest.mark.parametrize(
        ("kind", "strategy", "status", "state"),
        [
            # A Deployment of which a pod of the template before is still there, ready or not.
            ("Deployment", {}, {"replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}, PENDING),
            ("StatefulSet", {"type": "OnDelete"}, {"replicas": 2, "readyReplicas": 2}, DONE),
            ("StatefulSet", {}, {"replicas": 2, "readyReplicas": 2}, PENDING),
            (
                "StatefulSet",
                {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
                {"replicas": 2, "updatedReplicas": 1, "readyReplicas": 2},
                DONE,
            ),
            ("DaemonSet", {}, {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1}, DONE),
            ("DaemonSet", {}, {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1, "numberReady": 2}, PENDING),
        ],
    )
    def test_rollouts_of_other_strategies(self, kind: str, strategy: Json, status: Json, state: str) -> None:
        spec = {"replicas": 2, "updateStrategy": strategy}
        live = {
            "kind": kind,
            "metadata": {"generation": 1},
            "spec": spec,
            "status": {"observedGeneration": 1, **status},
        }
        assert Rollout().judge(live).state == state

    @pytest.mark.parametrize(
        ("text", "found"),
        [("Ready", ("Ready", "True")), ("Ready=false", ("Ready", "False")), ("A = Unknown", ("A", "Unknown"))],
    )
    def test_conditions_as_text(self, text: str, found: tuple[str, str]) -> None:
        assert condition_of(text) == found

    @pytest.mark.parametrize("text", ["", "=True", "Ready=maybe"])
    def test_text_that_is_no_condition(self, text: str) -> None:
        with pytest.raises(ConfigError):
            condition_of(text)

    def test_what_is_waited_for_in_words(self) -> None:
        assert Conditions({"A": "True", "B": "False"}).what == "have A=True and B=False"


class TestSchema:
    NODE = {
        "properties": {
            "a": {"default": {"b": 1}},
            "c": {"type": "object", "properties": {"d": {"default": "x"}}},
            "e": {"additionalProperties": {"properties": {"f": {"default": 1}}}},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "l": {"type": "array", "items": {"properties": {"d": {"type": "integer"}}}},
        }
    }

    def test_defaults_are_filled_in_where_the_parent_is(self) -> None:
        assert Schema(self.NODE, {}).with_defaults({"e": {"k": {}}}) == {"a": {"b": 1}, "e": {"k": {"f": 1}}}
        assert Schema(self.NODE, {}).with_defaults({"c": {}})["c"] == {"d": "x"}

    def test_fields_that_it_does_not_have(self) -> None:
        wanted = {"c": {"d": 1, "z": 2}, "y": 1, "open": {"any": 1}, "l": [{"d": 1}, {"w": 1}]}
        assert Schema(self.NODE, {}).unknown_fields(wanted, "spec") == ["spec.c.z", "spec.y", "spec.l[1].w"]


class TestNames:
    def test_paths(self) -> None:
        core, named = Resource("", "v1", "pods", "Pod", True), Resource("a.b", "v1", "things", "Thing", False)

        assert core.path("ns", "x") == "/api/v1/namespaces/ns/pods/x" and core.path() == "/api/v1/pods"
        assert named.path("ns", "x") == "/apis/a.b/v1/things/x"
        assert (core.qualified, named.qualified) == ("pods", "things.a.b")

    def test_labels_of_objects(self) -> None:
        assert label("Gateway", "ns", "gw") == "Gateway ns/gw" and label("Namespace", None, "ns") == "Namespace ns"

    def test_the_id_of_a_set_follows_the_convention(self) -> None:
        # echo -n name.ns.Secret. | sha256sum | xxd -r -p | base64url, see KEP-3659
        assert set_id("name", "ns") == "applyset-vLPbIUe-_Z7vNNK9nmpg3V0nSKWkRDcvnfMvrMwsL38-v1"

    @pytest.mark.parametrize(
        ("listener", "url"),
        [
            ({"protocol": "HTTP", "port": 80}, "http://h/mcp"),
            ({"protocol": "HTTP", "port": 8080}, "http://h:8080/mcp"),
            ({"protocol": "HTTPS", "port": 443}, "https://h/mcp"),
            ({"protocol": "TLS", "port": 8443}, "https://h:8443/mcp"),
            ({}, "http://h/mcp"),
        ],
    )
    def test_urls(self, listener: Json, url: str) -> None:
        assert url_of("h", listener) == url

    def test_private_hosts_of_older_operators(self) -> None:
        gateway = {"metadata": {"name": "g", "namespace": "ns"}, "spec": {"gatewayClassName": "openshift-default"}}

        assert private_host(gateway, {"port": 8080}) == "g-openshift-default.ns.svc.cluster.local:8080"
        gateway["spec"]["gatewayClassName"] = "istio"
        assert private_host(gateway, {"port": 8080}) is None
