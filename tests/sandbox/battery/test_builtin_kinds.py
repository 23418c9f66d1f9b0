# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of single built-in kinds: secrets, services, workloads, quantities, namespaces."""

from __future__ import annotations

import ipaddress

import pytest
from sandbox.battery.support import Object, Space


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


def refused(space: Space, path: str, kind: str, body: Object) -> str:
    """Why an object of a kind cannot be created."""
    version = path.split("/")[2] if path.startswith("/api/") else "/".join(path.split("/")[2:4])
    answer = space.cluster.post(path, {"apiVersion": version, "kind": kind, "metadata": {"name": "refused"}, **body})
    assert (answer.status, answer.body["reason"]) == (422, "Invalid"), answer.body
    return str(answer.body["message"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.ports: Required value"),
        ({"ports": [{"port": 0}]}, "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name: Required value"),
        ({"ports": [{"port": 1, "name": "A"}]}, "spec.ports[0].name: Invalid value"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}, "spec.ports[1]: Duplicate value"),
        ({"ports": [{"port": 1, "protocol": "X"}]}, 'spec.ports[0].protocol: Unsupported value: "X"'),
        ({"ports": [{"port": 1, "targetPort": "A_"}]}, "must contain only alpha-numeric characters (a-z, 0-9), and"),
        (
            {"ports": [{"port": 1, "nodePort": 30000}]},
            "nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
        ),
        (
            {"ports": [{"port": 1}], "type": "X"},
            'spec.type: Unsupported value: "X": supported values: "ClusterIP", "Ext',
        ),
        ({"ports": [{"port": 1}], "clusterIP": "x"}, 'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP'),
        ({"ports": [{"port": 1}], "sessionAffinity": "X"}, 'spec.sessionAffinity: Unsupported value: "X"'),
        (
            {"ports": [{"port": 1}], "externalTrafficPolicy": "Local"},
            "may only be set for externally-accessible services",
        ),
        ({"ports": [{"port": 1}], "clusterIP": "None", "type": "NodePort"}, "may not be set to 'None' for NodePort"),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
    ],
)
def test_services_that_are_refused(space: Space, spec: Object, message: str) -> None:
    assert message in refused(space, space.core("services"), "Service", {"spec": spec})


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("configmaps", {"data": {"a b": "c"}}, 'data[a b]: Invalid value: "a b": a valid config key must consist of'),
        ("configmaps", {"data": {"..": "c"}}, "data[..]: Invalid value: \"..\": must not be '..'"),
        ("configmaps", {"data": {"a": "b"}, "binaryData": {"a": "Yg=="}}, "duplicate of key present in binaryData"),
        ("configmaps", {"data": {"a": "x" * 1048577}}, "[]: Too long: may not be more than 1048576 bytes"),
        ("secrets", {"type": "kubernetes.io/ssh-auth"}, "data[ssh-privatekey]: Required value"),
        ("secrets", {"type": "kubernetes.io/dockerconfigjson"}, "data[.dockerconfigjson]: Required value"),
        ("secrets", {"type": "kubernetes.io/basic-auth"}, "data[username]: Required value"),
        (
            "persistentvolumeclaims",
            {"spec": {}},
            "spec.accessModes: Required value: at least 1 access mode is required",
        ),
    ],
)
def test_data_that_is_refused(space: Space, kind: str, body: Object, message: str) -> None:
    singular = {"configmaps": "ConfigMap", "secrets": "Secret"}.get(kind, "PersistentVolumeClaim")
    assert message in refused(space, space.core(kind), singular, body)


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"name": "Bad"}, 'containers[0].name: Invalid value: "Bad": a lowercase RFC 1123 label must consist of'),
        (
            {"imagePullPolicy": "X"},
            'imagePullPolicy: Unsupported value: "X": supported values: "Always", "IfNotPresent"',
        ),
        ({"ports": [{"containerPort": 99999}]}, "ports[0].containerPort: Invalid value: 99999: must be between 1 and"),
        (
            {"ports": [{"containerPort": 1, "name": "UP"}]},
            'ports[0].name: Invalid value: "UP": must contain at least one',
        ),
        ({"env": [{"value": "x"}]}, "env[0].name: Required value"),
        ({"envFrom": [{"secretRef": {"name": ""}}]}, "envFrom[0].secretRef.name: Required value"),
        ({"livenessProbe": {}}, "livenessProbe: Required value: must specify a handler type"),
        (
            {"livenessProbe": {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}}},
            "livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
        ),
        ({"livenessProbe": {"httpGet": {"port": 0}}}, "livenessProbe.httpGet.port: Invalid value: 0: must be between"),
        (
            {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}},
            'resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
    ],
)
def test_containers_that_are_refused(space: Space, container: Object, message: str) -> None:
    deployment = space.deployment("refused")
    deployment["spec"]["template"]["spec"]["containers"][0] |= container
    assert message in refused(space, space.apps("deployments"), "Deployment", {"spec": deployment["spec"]})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"minReadySeconds": -1}, "spec.minReadySeconds: Invalid value: -1: must be greater than or equal to 0"),
        ({"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
        ({"selector": None}, "spec.selector: Required value"),
        (
            {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ),
        ({"progressDeadlineSeconds": 5, "minReadySeconds": 10}, "must be greater than minReadySeconds"),
    ],
)
def test_deployments_that_are_refused(space: Space, spec: Object, message: str) -> None:
    body = {"spec": space.deployment("refused", **spec)["spec"]}
    assert message in refused(space, space.apps("deployments"), "Deployment", body)


@pytest.mark.parametrize(
    ("plural", "body", "patch", "message"),
    [
        (
            "configmaps",
            {"immutable": True},
            {"data": {"a": "b"}},
            "data: Forbidden: field is immutable when `immutable`",
        ),
        ("configmaps", {"immutable": True}, {"immutable": None}, "immutable: Forbidden: field is immutable when"),
        ("secrets", {}, {"type": "other"}, 'type: Invalid value: "other": field is immutable'),
        (
            "services",
            {"spec": {"ports": [{"port": 80}]}},
            {"spec": {"clusterIP": "10.0.0.200"}},
            'spec.clusterIPs[0]: Invalid value: ["10.0.0.200"]: may not change once set',
        ),
        (
            "persistentvolumeclaims",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
            {"spec": {"accessModes": ["ReadWriteMany"]}},
            "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName",
        ),
        (
            "pods",
            {"spec": {"containers": [{"name": "c", "image": "i"}]}},
            {"spec": {"containers": [{"name": "c", "image": "i", "args": ["x"]}]}},
            "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`",
        ),
    ],
)
def test_fields_that_cannot_change(space: Space, plural: str, body: Object, patch: Object, message: str) -> None:
    kinds = {"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service", "pods": "Pod"}
    name = f"fixed-{len(message)}"
    made = {"apiVersion": "v1", "kind": kinds.get(plural, "PersistentVolumeClaim"), "metadata": {"name": name}, **body}
    space.cluster.post(space.core(plural), made).ok()
    answer = space.cluster.patch(f"{space.core(plural)}/{name}", patch)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert message in answer.body["message"]


def test_a_binding_keeps_its_role(space: Space) -> None:
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1/namespaces/{space.name}/rolebindings"
    role = {"apiGroup": group, "kind": "Role", "name": "one"}
    body = {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "bound"}, "roleRef": role}
    space.cluster.post(path, body).ok()
    answer = space.cluster.patch(f"{path}/bound", {"roleRef": {"name": "two"}})
    shown = f'{{"APIGroup":"{group}","Kind":"Role","Name":"two"}}'
    assert answer.body["message"].endswith(f"roleRef: Invalid value: {shown}: cannot change roleRef")


def test_jobs_keep_their_template(space: Space) -> None:
    path = f"/apis/batch/v1/namespaces/{space.name}/jobs"
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": {"template": {"spec": pod}}}
    made = space.cluster.post(path, body).ok()
    assert (made["spec"]["completions"], made["spec"]["parallelism"], made["spec"]["backoffLimit"]) == (1, 1, 6)
    answer = space.cluster.patch(f"{path}/job", {"spec": {"completions": 3}})
    assert "spec.completions: Invalid value: 3: field is immutable" in answer.body["message"]


def test_statuses_that_are_refused(space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "inner"}, "spec": {"ports": [{"port": 80}]}}
    space.cluster.post(space.core("services"), body).ok()
    status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
    answer = space.cluster.patch(f"{space.core('services')}/inner/status", status)
    assert "may only be used when `spec.type` is 'LoadBalancer'" in answer.body["message"]
    answer = space.cluster.patch(f"/api/v1/namespaces/{space.name}/status", {"status": {"phase": "Terminating"}})
    assert "may only be 'Active' if `deletionTimestamp` is empty" in answer.body["message"]


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        ("/api/v1/namespaces/{}/configmaps", "ConfigMap", 404),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles", "Role", 201),
        ("/apis/coordination.k8s.io/v1/namespaces/{}/leases", "Lease", 201),
    ],
)
def test_some_updates_create(space: Space, path: str, kind: str, status: int) -> None:
    place = path.format(space.name)
    version = "v1" if place.startswith("/api/") else "/".join(place.split("/")[2:4])
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "upserted"}}
    assert space.cluster.put(f"{place}/upserted", body).status == status


@pytest.mark.parametrize(
    ("time", "status"),
    [("2020-01-01T00:00:00.000000Z", 201), ("2020-01-01T00:00:00Z", 400), ("yesterday", 400)],
)
def test_leases_count_microseconds(space: Space, time: str, status: int) -> None:
    path = f"/apis/coordination.k8s.io/v1/namespaces/{space.name}/leases"
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "timed"}}
    answer = space.cluster.post(path, {**body, "spec": {"renewTime": time}})
    assert answer.status == status
    if status == 400:
        assert f'parsing time "{time}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse' in answer.body["message"]


def test_updates_without_a_resource_version(space: Space) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("free", {})).ok()
    space.cluster.put(f"{space.core('configmaps')}/free", space.config_map("free", {"a": "b"})).ok()
    space.cluster.post(space.widgets, space.widget("guarded", {"size": 1})).ok()
    answer = space.cluster.put(f"{space.widgets}/guarded", space.widget("guarded", {"size": 2}))
    assert answer.status == 422
    assert answer.body["message"].endswith(
        "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    )


def test_scales_are_read_and_written(space: Space) -> None:
    path = f"{space.apps('deployments')}/scaled/scale"
    space.cluster.post(space.apps("deployments"), space.deployment("scaled", replicas=2)).ok()
    scale = space.cluster.get(path).ok()
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 2}, "app=scaled")
    assert space.cluster.put(path, {**scale, "spec": {"replicas": 5}}).ok()["spec"] == {"replicas": 5}
    answer = space.cluster.patch(path, {"spec": {"replicas": -1}})
    assert answer.body["message"] == (
        'Scale.autoscaling "scaled" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )
    wrong = space.cluster.put(path, space.deployment("scaled"))
    assert "cannot be handled as a Scale" in wrong.body["message"]
    space.cluster.post(space.widgets, space.widget("unscaled", {"size": 1})).ok()
    answer = space.cluster.get(f"{space.widgets}/unscaled/scale")
    assert answer.status == 500
    assert 'the spec replicas field ".spec.replicas" does not exist' in answer.body["message"]
