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
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

CONFIG_FILE = "config.yaml"
MOUNT = "/config"
SESSION_KEY = "key"
STOP_PAUSE = 5
"""Seconds between a Pod's end being decided and the signal to it: until then Gateways may still send requests."""
DRAIN = 20
"""The broker's own default of ``broker.drain``, in seconds."""
LOG_LEVELS = {"warn": "warning"}
"""The operator's words that the broker has another one for."""


def labels(name: str) -> dict[str, str]:
    """Labels of every object."""
    return {**_selector(name), "app.kubernetes.io/managed-by": "mcpops.gateway"}


def broker_objects(config: str, settings: Settings) -> list[Object]:
    """All objects but the session key and the route.

    ``settings``: name, namespace, image, image_pull_policy, image_pull_secrets, replicas, workers, port, public_host,
    log_level, resources, node_selector, tolerations, oauth_protected_resource, drain, network_policy,
    gateway_namespace; numbers and booleans may be text.
    """
    name, namespace = str(settings["name"]), str(settings["namespace"])
    objects = [
        _object("v1", "ServiceAccount", name, settings, automountServiceAccountToken=False),
        _object("v1", "Secret", f"{name}-config", settings, type="Opaque", stringData={CONFIG_FILE: config}),
        _object("v1", "Service", name, settings, spec=_service(name, settings)),
        _object("apps/v1", "Deployment", name, settings, spec=_deployment(name, settings)),
    ]
    if int(settings["replicas"]) > 1:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": _selector(name)}}
        objects.append(_object("policy/v1", "PodDisruptionBudget", name, settings, spec=spec))
    if settings["network_policy"]:
        spec = _network_policy(name, settings)
        objects.append(_object("networking.k8s.io/v1", "NetworkPolicy", name, settings, spec=spec))
    for found in objects:
        found["metadata"]["namespace"] = namespace
    return objects


def _selector(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "mcpops-broker", "app.kubernetes.io/instance": name}


def _object(api_version: str, kind: str, name: str, settings: Settings, **content: t.Any) -> Object:
    metadata = {"name": name, "labels": labels(str(settings["name"]))}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _service(name: str, settings: Settings) -> Object:
    port = {"name": "http", "port": int(settings["port"]), "targetPort": "http", "protocol": "TCP"}
    return {"type": "ClusterIP", "selector": _selector(name), "ports": [port]}


def _deployment(name: str, settings: Settings) -> Object:
    return {
        "replicas": int(settings["replicas"]),
        "revisionHistoryLimit": 3,
        # A new Pod serves before an old one goes.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": _selector(name)},
        "template": {"metadata": {"labels": labels(name)}, "spec": _pod(name, settings)},
    }


def _pod(name: str, settings: Settings) -> Object:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _selector(name)},
    }
    pod: Object = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_PAUSE + int(float(settings["drain"] or DRAIN)) + 5,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": [spread],
        "containers": [_container(name, settings)],
        # The directory and not a subPath, so that changes arrive: the broker reads them by itself.
        "volumes": [{"name": "config", "secret": {"secretName": f"{name}-config"}}],
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
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "config", "mountPath": MOUNT, "readOnly": True}],
    }


def _arguments(settings: Settings) -> list[str]:
    words = ["serve", "--config", f"{MOUNT}/{CONFIG_FILE}", "--host", "0.0.0.0", "--port", str(settings["port"])]  # noqa: S104 - of the Pod
    words += ["--workers", str(settings["workers"]), "--log-format", "json"]
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


def _network_policy(name: str, settings: Settings) -> Object:
    """Only Pods of the Gateway's namespace reach the broker. What it may reach itself depends on the servers."""
    gateway = {"matchLabels": {"kubernetes.io/metadata.name": settings["gateway_namespace"]}}
    return {
        "podSelector": {"matchLabels": _selector(name)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [{"namespaceSelector": gateway}], "ports": [{"port": int(settings["port"]), "protocol": "TCP"}]}
        ],
    }
