# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of built-in kinds, as the versioned SetDefaults functions of Kubernetes set them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .objects import Object

Defaulter = Callable[[Object], None]
_RBAC = "rbac.authorization.k8s.io"
_FILE_MODE = 0o644


def _fill(obj: Object, defaults: Object) -> None:
    for name, value in defaults.items():
        if obj.get(name) is None:
            obj[name] = value


def _each(obj: Object, *names: str) -> Iterable[Object]:
    """The objects in lists under these names."""
    for name in names:
        yield from (item for item in obj.get(name) or () if isinstance(item, dict))


# pods


def pod_spec(spec: Object) -> None:
    """Defaults of a pod's spec, in a pod or in a template."""
    _fill(
        spec,
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        },
    )
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in _each(spec, "containers", "initContainers", "ephemeralContainers"):
        _container(container, bool(spec.get("hostNetwork")))
    for volume in _each(spec, "volumes"):
        _volume(volume)


def _container(container: Object, host_network: bool) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    _fill(
        container,
        {
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "Always" if latest else "IfNotPresent",
            "resources": {},
        },
    )
    for port in _each(container, "ports"):
        _fill(port, {"protocol": "TCP"})
        if host_network and "containerPort" in port:
            _fill(port, {"hostPort": port["containerPort"]})
    for variable in _each(container, "env"):
        field = (variable.get("valueFrom") or {}).get("fieldRef")
        if field:
            _fill(field, {"apiVersion": "v1"})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe:
            _fill(probe, {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
            _handler(probe)
    for name in ("postStart", "preStop"):
        _handler((container.get("lifecycle") or {}).get(name) or {})


def _handler(handler: Object) -> None:
    if "httpGet" in handler:
        _fill(handler["httpGet"], {"path": "/", "scheme": "HTTP"})
    if "grpc" in handler:
        _fill(handler["grpc"], {"service": ""})


def _volume(volume: Object) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for name in ("secret", "configMap", "downwardAPI", "projected"):
        source = volume.get(name)
        if isinstance(source, dict):
            _fill(source, {"defaultMode": _FILE_MODE})
            if name == "downwardAPI":
                _downward(source)
            for part in _each(source, "sources"):
                if "serviceAccountToken" in part:
                    _fill(part["serviceAccountToken"], {"expirationSeconds": 3600})
                _downward(part.get("downwardAPI") or {})
    if "hostPath" in volume:
        _fill(volume["hostPath"], {"type": ""})
    if "ephemeral" in volume:
        claim = (volume["ephemeral"].get("volumeClaimTemplate") or {}).get("spec")
        if claim:
            _fill(claim, {"volumeMode": "Filesystem"})


def _downward(source: Object) -> None:
    for item in _each(source, "items"):
        if item.get("fieldRef"):
            _fill(item["fieldRef"], {"apiVersion": "v1"})


def _pod(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, {"enableServiceLinks": True})
    for container in _each(spec, "containers", "initContainers"):
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
    pod_spec(spec)


def _template(owner: Object) -> None:
    template = owner.get("template")
    if isinstance(template, dict):
        pod_spec(template.setdefault("spec", {}))


# workloads


def _deployment(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec.setdefault("strategy", {})
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, {"rollingUpdate": {}})
        _fill(strategy["rollingUpdate"], {"maxUnavailable": "25%", "maxSurge": "25%"})
    _template(spec)


def _replica_set(obj: Object) -> None:
    _fill(obj["spec"], {"replicas": 1})
    _template(obj["spec"])


def _stateful_set(obj: Object) -> None:
    spec = obj["spec"]
    keep = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    _fill(spec, {"podManagementPolicy": "OrderedReady", "replicas": 1, "revisionHistoryLimit": 10})
    _fill(spec, {"persistentVolumeClaimRetentionPolicy": {}})
    _fill(spec["persistentVolumeClaimRetentionPolicy"], keep)
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, {"rollingUpdate": {}})
        _fill(strategy["rollingUpdate"], {"partition": 0})
    for claim in _each(spec, "volumeClaimTemplates"):
        _fill(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"})
        _claim(claim)
    _template(spec)


def _daemon_set(obj: Object) -> None:
    spec = obj["spec"]
    annotations = obj["metadata"].setdefault("annotations", {})
    _fill(annotations, {"deprecated.daemonset.template.generation": "1"})
    _fill(spec, {"revisionHistoryLimit": 10})
    strategy = spec.setdefault("updateStrategy", {})
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, {"rollingUpdate": {}})
        _fill(strategy["rollingUpdate"], {"maxUnavailable": 1, "maxSurge": 0})
    _template(spec)


def _job_spec(spec: Object) -> None:
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(
        spec,
        {
            "parallelism": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "suspend": False,
            "manualSelector": False,
            "podReplacementPolicy": "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed",
        },
    )
    _template(spec)


def _job(obj: Object) -> None:
    _job_spec(obj["spec"])


def _cron_job(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, {"concurrencyPolicy": "Allow", "suspend": False})
    _fill(spec, {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1})
    template = spec.get("jobTemplate", {}).get("spec")
    if template is not None:
        _template(template)


def _autoscaler(obj: Object) -> None:
    spec = obj["spec"]
    utilization = {"type": "Utilization", "averageUtilization": 80}
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": utilization}}
    _fill(spec, {"minReplicas": 1, "metrics": [cpu]})


# networking


def _service(obj: Object) -> None:
    spec = obj["spec"]
    _fill(spec, {"sessionAffinity": "None", "type": "ClusterIP"})
    if spec["sessionAffinity"] == "ClientIP":
        _fill(spec, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}})
    for port in _each(spec, "ports"):
        _fill(port, {"protocol": "TCP"})
        if port.get("targetPort") in (None, 0, "") and "port" in port:
            port["targetPort"] = port["port"]
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _fill(spec, {"externalTrafficPolicy": "Cluster"})
    if spec["type"] == "LoadBalancer":
        _fill(spec, {"allocateLoadBalancerNodePorts": True})
    if spec["type"] != "ExternalName":
        _fill(spec, {"internalTrafficPolicy": "Cluster"})


def _endpoints(obj: Object) -> None:
    for subset in _each(obj, "subsets"):
        for port in _each(subset, "ports"):
            _fill(port, {"protocol": "TCP"})


def _endpoint_slice(obj: Object) -> None:
    for port in _each(obj, "ports"):
        _fill(port, {"name": "", "protocol": "TCP"})


def _network_policy(obj: Object) -> None:
    spec = obj["spec"]
    kinds = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    _fill(spec, {"policyTypes": kinds})
    for rule in _each(spec, "ingress", "egress"):
        for port in _each(rule, "ports"):
            _fill(port, {"protocol": "TCP"})


def _ingress_class(obj: Object) -> None:
    parameters = obj["spec"].get("parameters")
    if parameters:
        _fill(parameters, {"scope": "Cluster"})


# the rest


def _secret(obj: Object) -> None:
    _fill(obj, {"type": "Opaque"})


def _namespace(obj: Object) -> None:
    name = obj["metadata"].get("name")
    if name:
        labels = obj["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = name


def _claim(obj: Object) -> None:
    _fill(obj.setdefault("spec", {}), {"volumeMode": "Filesystem"})
    _fill(obj.setdefault("status", {}), {"phase": "Pending"})


def _limit_range(obj: Object) -> None:
    for limit in _each(obj["spec"], "limits"):
        if limit.get("type") == "Container":
            limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
            if limits:
                limit["default"] = limits
            requests = {**limits, **(limit.get("min") or {}), **(limit.get("defaultRequest") or {})}
            if requests:
                limit["defaultRequest"] = requests


def _storage_class(obj: Object) -> None:
    _fill(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _priority_class(obj: Object) -> None:
    _fill(obj, {"preemptionPolicy": "PreemptLowerPriority"})


def _binding(obj: Object) -> None:
    reference: Any = obj.get("roleRef")
    if reference and not reference.get("apiGroup"):
        reference["apiGroup"] = _RBAC
    for subject in _each(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            _fill(subject, {"apiGroup": _RBAC})


def _webhooks(obj: Object) -> None:
    mutating = obj.get("kind") == "MutatingWebhookConfiguration"
    for hook in _each(obj, "webhooks"):
        _fill(
            hook,
            {
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "timeoutSeconds": 10,
            },
        )
        if mutating:
            _fill(hook, {"reinvocationPolicy": "Never"})
        service = (hook.get("clientConfig") or {}).get("service")
        if service:
            _fill(service, {"port": 443})
        for rule in _each(hook, "rules"):
            _fill(rule, {"scope": "*"})


def _definition(obj: Object) -> None:
    spec = obj["spec"]
    names = spec.get("names") or {}
    kind = names.get("kind")
    if kind:
        _fill(names, {"singular": kind.lower(), "listKind": f"{kind}List"})
    _fill(spec, {"conversion": {"strategy": "None"}})
    service = ((spec["conversion"].get("webhook") or {}).get("clientConfig") or {}).get("service")
    if service:
        _fill(service, {"port": 443})


DEFAULTERS: dict[str, Defaulter] = {
    "ClusterRoleBinding": _binding,
    "CronJob": _cron_job,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "HorizontalPodAutoscaler": _autoscaler,
    "IngressClass": _ingress_class,
    "Job": _job,
    "LimitRange": _limit_range,
    "MutatingWebhookConfiguration": _webhooks,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PriorityClass": _priority_class,
    "ReplicaSet": _replica_set,
    "RoleBinding": _binding,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": _storage_class,
    "ValidatingWebhookConfiguration": _webhooks,
}
"""The defaulter of each kind that has one."""
