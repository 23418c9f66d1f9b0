# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of single built-in kinds: secrets, services, workloads, quantities, namespaces."""

from __future__ import annotations

import ipaddress

from sandbox.battery.support import Space


def test_string_data_of_secrets_becomes_data(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "plain"}, "stringData": {"key": "value"}}
    made = space.cluster.post(space.core("secrets"), body).ok()
    assert made["data"] == {"key": "dmFsdWU="}
    assert made["type"] == "Opaque"
    assert "stringData" not in made


def test_immutable_secrets_stay(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "fixed"}, "immutable": True}
    space.cluster.post(space.core("secrets"), body).ok()
    answer = space.cluster.patch(f"{space.core('secrets')}/fixed", {"stringData": {"key": "value"}})
    assert answer.status == 422
    assert "data: Forbidden: field is immutable when `immutable` is set" in answer.body["message"]


def test_tls_secrets_need_both_files(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "type": "kubernetes.io/tls"}
    answer = space.cluster.post(space.core("secrets"), body)
    assert answer.status == 422
    assert "data[tls.crt]: Required value" in answer.body["message"]


def test_services_get_addresses_and_defaults(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    spec = space.cluster.post(space.core("services"), body).ok()["spec"]
    assert ipaddress.ip_address(spec["clusterIP"]).is_private
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert (spec["type"], spec["sessionAffinity"]) == ("ClusterIP", "None")
    kept = space.cluster.put(f"{space.core('services')}/web", body).ok()["spec"]
    assert kept["clusterIP"] == spec["clusterIP"]


def test_headless_services_have_no_address(space: Space) -> None:
    spec = {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"app": "x"}}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "headless"}, "spec": spec}
    assert space.cluster.post(space.core("services"), body).ok()["spec"]["clusterIP"] == "None"


def test_deployments_have_defaults_and_a_generation(space: Space) -> None:
    made = space.cluster.post(space.apps("deployments"), space.deployment("web")).ok()
    assert made["spec"]["replicas"] == 1
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert made["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    pod = made["spec"]["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert pod["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert made["metadata"]["generation"] == 1
    path = f"{space.apps('deployments')}/web"
    assert space.cluster.patch(path, {"metadata": {"labels": {"a": "b"}}}).ok()["metadata"]["generation"] == 1
    assert space.cluster.patch(path, {"spec": {"paused": True}}).ok()["metadata"]["generation"] == 2


def test_a_selector_has_to_match_and_stay(space: Space) -> None:
    wrong = space.deployment("wrong", selector={"matchLabels": {"other": "label"}})
    answer = space.cluster.post(space.apps("deployments"), wrong)
    assert "`selector` does not match template `labels`" in answer.body["message"]
    space.cluster.post(space.apps("deployments"), space.deployment("steady")).ok()
    labels = {"app": "other"}
    patch = {"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}}
    answer = space.cluster.patch(f"{space.apps('deployments')}/steady", patch)
    assert answer.status == 422
    assert "spec.selector: Invalid value" in answer.body["message"]
    assert "field is immutable" in answer.body["message"]


def test_values_of_a_wrong_type_are_refused(space: Space) -> None:
    answer = space.cluster.post(space.apps("deployments"), space.deployment("typed", replicas="three"))
    assert answer.status == 400
    assert answer.body["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct '
        "field DeploymentSpec.spec.replicas of type int32"
    )


def test_pod_templates_are_checked(space: Space) -> None:
    deployment = space.deployment("mounts")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "nowhere", "mountPath": "/data"}]
    del container["image"]
    answer = space.cluster.post(space.apps("deployments"), deployment)
    assert answer.status == 422
    path = "spec.template.spec.containers[0]"
    assert f'{path}.volumeMounts[0].name: Not found: "nowhere"' in answer.body["message"]
    assert f"{path}.image: Required value" in answer.body["message"]


def test_quantities_are_normalized(space: Space) -> None:
    deployment = space.deployment("measured")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 0.5}}
    made = space.cluster.post(space.apps("deployments"), deployment).ok()
    resources = made["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}


def test_events_are_seen_in_both_of_their_groups(space: Space) -> None:
    about = {"kind": "Pod", "name": "some", "namespace": space.name}
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "seen"},
        "involvedObject": about,
        "message": "it happened",
        "type": "Normal",
    }
    space.cluster.post(space.core("events"), body).ok()
    newer = space.cluster.get(f"/apis/events.k8s.io/v1/namespaces/{space.name}/events/seen").ok()
    assert (newer["note"], newer["regarding"]) == ("it happened", about)


def test_namespaces_are_labelled_and_active(space: Space) -> None:
    namespace = space.cluster.get(f"/api/v1/namespaces/{space.name}").ok()
    assert namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] == space.name
    assert namespace["status"]["phase"] == "Active"
    assert namespace["spec"]["finalizers"] == ["kubernetes"]


def test_the_default_namespace_may_not_be_deleted(space: Space) -> None:
    answer = space.cluster.delete("/api/v1/namespaces/default")
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


def test_items_of_built_in_lists_leave_out_their_kind(space: Space) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("listed", {"a": "b"})).ok()
    found = space.cluster.get(space.core("configmaps")).ok()
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert all("kind" not in item for item in found["items"])


def test_logs_of_missing_pods_are_not_found(space: Space) -> None:
    assert space.cluster.get(f"{space.core('pods')}/nobody/log").status == 404
