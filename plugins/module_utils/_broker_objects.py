# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The collection's own broker on a cluster, as manifests. Pure functions.

The Pod fits the profile "restricted" of the Pod Security Standards. It names no user id: that of the image is used, and
OpenShift puts one of the namespace's range in its place.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_environment import SIGNING_KEY, environment
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_labels import labels, selector
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_start import settings_digest
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import MANAGER
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

CONFIG_FILE = "config.yaml"
MOUNT = "/config"
SECRETS = "/secrets"
"""Where each Secret of ``secrets`` is mounted, under its name."""
SESSION_KEY = "key"
STOP_PAUSE = 5
"""Seconds between a Pod's end being decided and the signal to it: until then Gateways may still send requests."""
DRAIN = 20
"""The broker's own default of ``broker.drain``, in seconds."""
METRICS_PATH = "/metrics"
LOG_LEVELS = {"warn": "warning"}
"""The operator's words that the broker has another one for."""


def broker_objects(config: str, settings: Settings) -> list[Object]:
    """All objects but the session key and the route.

    ``settings``: name, namespace, image, image_pull_policy, image_pull_secrets, replicas, workers, port, anonymous,
    public_host,
    log_level, resources, env, node_selector, tolerations, oauth_protected_resource, drain, autoscaling,
    network_policy, gateway_namespace, network_policy_namespaces, service_monitor, service_monitor_labels,
    service_monitor_interval, session_key (of which only a digest of the settings is made), session_key_version,
    secrets, watched_namespaces (those whose registrations are served; none: the servers are in the configuration);
    numbers and booleans may be text.
    """
    name, namespace = str(settings["name"]), str(settings["namespace"])
    objects = [
        _object("v1", "ServiceAccount", name, settings, automountServiceAccountToken=False),
        _object("v1", "Secret", f"{name}-config", settings, type="Opaque", stringData={CONFIG_FILE: config}),
        _object("v1", "Service", name, settings, spec=_service(name, settings)),
        _object("apps/v1", "Deployment", name, settings, spec=_deployment(name, config, settings)),
    ]
    scaling = structured(settings["autoscaling"], "dict")
    if scaling:
        spec = _autoscaler(name, scaling, settings)
        objects.append(_object("autoscaling/v2", "HorizontalPodAutoscaler", name, settings, spec=spec))
    if least_replicas(scaling, settings["replicas"]) > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": selector(name)}}
        objects.append(_object("policy/v1", "PodDisruptionBudget", name, settings, spec=spec))
    if settings["network_policy"]:
        spec = _network_policy(name, settings)
        objects.append(_object("networking.k8s.io/v1", "NetworkPolicy", name, settings, spec=spec))
    if settings["service_monitor"]:
        objects.append(_service_monitor(name, settings))
    for found in objects:
        found["metadata"]["namespace"] = namespace
    return objects


def _object(api_version: str, kind: str, name: str, settings: Settings, **content: t.Any) -> Object:
    metadata = {"name": name, "labels": labels(str(settings["name"]))}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _service(name: str, settings: Settings) -> Object:
    port = {"name": "http", "port": int(settings["port"]), "targetPort": "http", "protocol": "TCP"}
    return {"type": "ClusterIP", "selector": selector(name), "ports": [port]}


def _deployment(name: str, config: str, settings: Settings) -> Object:
    # Pods that run reject settings that cannot be used, and only their log tells. New Pods do not start with them, so
    # the rollout tells, and the Pods of before serve.
    digest = settings_digest(config, str(settings["session_key"]))
    metadata: Object = {"labels": labels(name), "annotations": {"mcpops.gateway/settings-digest": digest}}
    if settings["session_key_version"]:
        # The key is read at the start: another one means new Pods.
        metadata["annotations"]["mcpops.gateway/session-key-version"] = str(settings["session_key_version"])
    # With an autoscaler the number of Pods is the autoscaler's.
    replicas = {} if structured(settings["autoscaling"], "dict") else {"replicas": int(settings["replicas"])}
    return {
        **replicas,
        "revisionHistoryLimit": 3,
        # A new Pod serves before an old one goes.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": selector(name)},
        "template": {"metadata": metadata, "spec": _pod(name, settings)},
    }


def _pod(name: str, settings: Settings) -> Object:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(name)},
    }
    pod: Object = {
        "serviceAccountName": name,
        "automountServiceAccountToken": bool(structured(settings["watched_namespaces"], "list")),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_PAUSE + int(float(settings["drain"] or DRAIN)) + 5,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [spread],
        "containers": [_container(name, settings)],
        # The directory and not a subPath, so that changes arrive: the broker reads them by itself.
        "volumes": [{"name": "config", "secret": {"secretName": f"{name}-config"}}, *_secret_volumes(settings)],
    }
    secrets = structured(settings["image_pull_secrets"], "list")
    if secrets:
        pod["imagePullSecrets"] = [{"name": secret} for secret in secrets]
    for field, option, shape in (("nodeSelector", "node_selector", "dict"), ("tolerations", "tolerations", "list")):
        value = structured(settings[option], t.cast("t.Any", shape))
        if value:
            pod[field] = value
    return pod


def _container(name: str, settings: Settings) -> Object:
    return {
        "name": "broker",
        "image": settings["image"],
        "imagePullPolicy": settings["image_pull_policy"],
        "args": _arguments(settings),
        "env": [
            _session_key(name),
            *environment(settings["env"], settings["oauth_protected_resource"], str(settings["url"])),
        ],
        "ports": [{"name": "http", "containerPort": int(settings["port"]), "protocol": "TCP"}],
        "startupProbe": _probe("/healthz", period=2, failures=30),
        "livenessProbe": _probe("/healthz", period=10, failures=3),
        "readinessProbe": _probe("/readyz", period=5, failures=2),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(STOP_PAUSE)]}}},
        "resources": structured(settings["resources"], "dict"),
        # Why it does not start is then in the Pod's status, and needs no right to read logs.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "config", "mountPath": MOUNT, "readOnly": True},
            *(
                {"name": volume["name"], "mountPath": f"{SECRETS}/{volume['secret']['secretName']}", "readOnly": True}
                for volume in _secret_volumes(settings)
            ),
        ],
    }


def _secret_volumes(settings: Settings) -> list[Object]:
    return [
        {"name": f"secret-{number}", "secret": {"secretName": str(entry["name"])}}
        for number, entry in enumerate(structured(settings["secrets"], "list"))
    ]


def _arguments(settings: Settings) -> list[str]:
    words = ["serve", "--config", f"{MOUNT}/{CONFIG_FILE}", "--host", "0.0.0.0", "--port", str(settings["port"])]  # noqa: S104 - of the Pod
    words += ["--workers", str(settings["workers"]), "--log-format", "json"]
    if settings["anonymous"]:
        words.append("--anonymous")
    if watched := structured(settings["watched_namespaces"], "list"):
        words += ["--cluster", *(word for place in watched for word in ("--namespace", str(place)))]
    level = str(settings["log_level"] or "")
    if level:
        words += ["--log-level", LOG_LEVELS.get(level, level)]
    if settings["public_host"]:
        words += ["--public-host", str(settings["public_host"])]
    return words


def _session_key(name: str) -> Object:
    reference = {"name": f"{name}-session-key", "key": SESSION_KEY}
    return {"name": SIGNING_KEY, "valueFrom": {"secretKeyRef": reference}}


def _probe(path: str, *, period: int, failures: int) -> Object:
    get = {"path": path, "port": "http", "scheme": "HTTP"}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 3, "failureThreshold": failures}


def least_replicas(scaling: Settings, replicas: t.Any) -> int:
    """The fewest Pods that there are to be."""
    return int(scaling.get("min_replicas") or replicas) if scaling else int(replicas)


def _autoscaler(name: str, scaling: Settings, settings: Settings) -> Object:
    wanted = {resource: scaling.get(f"{resource}_percent") for resource in ("cpu", "memory")}
    if not any(wanted.values()):
        wanted["cpu"] = 80
    metrics = [
        {
            "type": "Resource",
            "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": int(percent)}},
        }
        for resource, percent in wanted.items()
        if percent
    ]
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": least_replicas(scaling, settings["replicas"]),
        "maxReplicas": int(scaling["max_replicas"]),
        "metrics": metrics,
        # A Pod that goes takes open streams with it: one a minute, and not for a short lull.
        "behavior": {
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            }
        },
    }


def owns_replicas_alone(deployment: t.Mapping[str, t.Any] | None) -> bool:
    """Whether nobody but the collection holds ``spec.replicas``.

    The API server sets it to 1 when the last one who applied it leaves it out (server-side apply: "Transferring
    ownership"), so it is handed to somebody before an autoscaler gets it.
    """
    entries = ((deployment or {}).get("metadata") or {}).get("managedFields") or []
    holders = {
        entry["manager"] for entry in entries if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    return holders == {MANAGER}


def _service_monitor(name: str, settings: Settings) -> Object:
    endpoint = {"port": "http", "path": METRICS_PATH, "interval": str(settings["service_monitor_interval"])}
    spec = {"selector": {"matchLabels": selector(name)}, "endpoints": [endpoint]}
    made = _object("monitoring.coreos.com/v1", "ServiceMonitor", name, settings, spec=spec)
    made["metadata"]["labels"] = {**structured(settings["service_monitor_labels"], "dict"), **labels(name)}
    return made


def _network_policy(name: str, settings: Settings) -> Object:
    """Only Pods of these namespaces reach the broker. What it may reach itself depends on the servers."""
    places = [settings["gateway_namespace"], *structured(settings["network_policy_namespaces"], "list")]
    peers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": str(place)}}}
        for place in dict.fromkeys(places)
    ]
    return {
        "podSelector": {"matchLabels": selector(name)},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": peers, "ports": [{"port": int(settings["port"]), "protocol": "TCP"}]}],
    }
