# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: the broker's Deployment, and what of it the operator manages. Pure functions.

Source: Kuadrant/mcp-gateway, internal/controller/broker_router.go at v0.6.0 and v0.9.0.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from sandbox.controllers.operator_objects import GRPC_PORT, HTTP_PORT, owned
from sandbox.controllers.operator_release import APP_LABELS, BROKER, CONFIG_SECRET, SIGNING_KEY_SECRET, Release

Object = dict[str, Any]

CONFIG_PORT = 8181
OLD_FLAGS = (
    "--mcp-broker-public-address",
    "--mcp-gateway-private-host",
    "--mcp-gateway-config",
    "--mcp-check-interval",
    "--mcp-gateway-public-host",
    "--mcp-router-key",
)
"""The flags that the operator owns; 0.9.0 still owns the router key, in order to take it out."""
NEW_FLAGS = (*OLD_FLAGS, "--enable-url-elicitation", "--log-level")
OAUTH_ENV = (
    "OAUTH_RESOURCE_NAME",
    "OAUTH_RESOURCE",
    "OAUTH_AUTHORIZATION_SERVERS",
    "OAUTH_BEARER_METHODS_SUPPORTED",
    "OAUTH_SCOPES_SUPPORTED",
)
LOG_LEVELS = {"debug": "-4", "info": "0", "warn": "4", "error": "8"}
VOLUME = "config-volume"


def private_host(extension: Object, gateway: Object, listener: Object, release: Release) -> str:
    """Where the router reaches the Gateway from inside the cluster; until 0.7 always of class istio (#1240)."""
    if given := extension["spec"].get("privateHost"):
        return str(given)
    target = extension["spec"]["targetRef"]
    namespace = target.get("namespace") or extension["metadata"]["namespace"]
    suffix = gateway["spec"]["gatewayClassName"] if release.modern else "istio"
    host = f"{target['name']}-{suffix}.{namespace}.svc.cluster.local:{listener['port']}"
    return f"https://{host}" if release.modern and listener["protocol"].upper() == "HTTPS" else host


def command(extension: Object, public_host: str, private: str, release: Release) -> list[str]:
    """The broker's command line, in the operator's order."""
    spec = extension["spec"]
    flags = [
        "./mcp_gateway",
        f"--mcp-broker-public-address=0.0.0.0:{HTTP_PORT}",
        f"--mcp-gateway-private-host={private}",
        "--mcp-gateway-config=/config/config.yaml",
    ]
    if interval := spec.get("backendPingIntervalSeconds"):
        flags.append(f"--mcp-check-interval={interval}")
    flags.append(f"--mcp-gateway-public-host={public_host}")
    if not release.modern:
        key = hashlib.sha256(extension["metadata"]["uid"].encode()).digest()[:16].hex()
        return [*flags, f"--mcp-router-key={key}"]
    if spec.get("urlElicitation") == "Enabled":
        flags.append("--enable-url-elicitation")
    if level := LOG_LEVELS.get(spec.get("logLevel", ""), release.log_level):
        flags.append(f"--log-level={level}")
    return flags


def environment(extension: Object, public_host: str, release: Release) -> list[Object]:
    """The environment variables that the operator sets on the broker."""
    spec = extension["spec"]

    def from_secret(name: str, secret: str, key: str) -> Object:
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}

    env = [from_secret(release.signing_key_env, SIGNING_KEY_SECRET, "key")]
    if trusted := spec.get("trustedHeadersKey"):
        env.append(from_secret("TRUSTED_HEADER_PUBLIC_KEY", trusted["secretName"], "key"))
    if store := spec.get("sessionStore"):
        env.append(from_secret("CACHE_CONNECTION_STRING", store["secretName"], "CACHE_CONNECTION_STRING"))
    if protected := spec.get("oauthProtectedResource"):
        values = (
            protected.get("resourceName") or "MCP Server",
            protected.get("resource") or f"https://{public_host}/mcp",
            ",".join(protected["authorizationServers"]),
            ",".join(protected.get("bearerMethodsSupported") or ["header"]),
            ",".join(protected.get("scopesSupported") or ["basic"]),
        )
        env += [{"name": name, "value": value} for name, value in zip(OAUTH_ENV, values, strict=True)]
    return env


def deployment(extension: Object, public_host: str, private: str, release: Release) -> Object:
    """The broker's Deployment as it is created."""
    container: Object = {
        "name": BROKER,
        "image": release.broker_image,
        "imagePullPolicy": "IfNotPresent",
        "command": command(extension, public_host, private, release),
        "env": environment(extension, public_host, release),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "config", "containerPort": CONFIG_PORT, "protocol": "TCP"},
        ],
        "volumeMounts": [{"name": VOLUME, "mountPath": "/config", "readOnly": True}],
    }
    if release.modern:
        container["readinessProbe"] = {
            "httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"},
            "initialDelaySeconds": 5,
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
    pod = {
        "serviceAccountName": BROKER,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": VOLUME, "secret": {"secretName": CONFIG_SECRET, "defaultMode": 0o644}}],
    }
    return {
        "metadata": owned(extension, release, BROKER, APP_LABELS),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": APP_LABELS},
            "template": {"metadata": {"labels": APP_LABELS}, "spec": pod},
        },
    }


def merged_deployment(found: Object, wanted: Object, release: Release) -> Object:
    """The running Deployment brought in line; equal to ``found`` when nothing that the operator manages differs.

    Flags, variables, volumes and mounts that it does not manage stay as users set them (0.6.0 manages every volume and
    mount), and so does everything else of the Deployment. Only the first container is looked at.
    """
    old, new = _container(found), _container(wanted)
    if all(part(old) == part(new) for part in _managed(release)) and _volumes(found, release) == _volumes(
        wanted, release
    ):
        return found
    result = deepcopy(found)
    container = _container(result)
    container["image"], container["ports"] = new["image"], new["ports"]
    extra = [flag for flag in old.get("command") or [] if flag.startswith("--") and not _owns_flag(flag, release)]
    container["command"] = [*new["command"], *extra]
    container["env"] = [*new["env"], *(entry for entry in old.get("env") or [] if not _owns_variable(entry, release))]
    container["volumeMounts"] = [*new["volumeMounts"], *_of_users(old.get("volumeMounts"), release)]
    pod = result["spec"]["template"]["spec"]
    pod["volumes"] = [*wanted["spec"]["template"]["spec"]["volumes"], *_of_users(pod.get("volumes"), release)]
    if release.modern:
        container["readinessProbe"] = new["readinessProbe"]
    return result


def _container(deployment: Object) -> Object:
    found: Object = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def _managed(release: Release) -> Sequence[Any]:
    """What of a container is compared."""
    parts = [
        lambda container: container["image"],
        lambda container: [
            flag for flag in container.get("command") or [] if not flag.startswith("--") or _owns_flag(flag, release)
        ],
        lambda container: container.get("ports"),
        lambda container: _owned_entries(container.get("volumeMounts"), release),
        lambda container: [entry for entry in container.get("env") or [] if _owns_variable(entry, release)],
    ]
    return [*parts, lambda container: container.get("readinessProbe")] if release.modern else parts


def _owns_flag(flag: str, release: Release) -> bool:
    return flag.startswith(NEW_FLAGS if release.modern else OLD_FLAGS)


def _owns_variable(entry: Object, release: Release) -> bool:
    names = {release.signing_key_env, "TRUSTED_HEADER_PUBLIC_KEY", "CACHE_CONNECTION_STRING"}
    return entry["name"] in (names | set(OAUTH_ENV) if release.modern else names)


def _volumes(found: Object, release: Release) -> list[Object]:
    return _owned_entries(found["spec"]["template"]["spec"].get("volumes"), release)


def _owned_entries(entries: Sequence[Object] | None, release: Release) -> list[Object]:
    return [entry for entry in entries or [] if not release.modern or entry["name"] == VOLUME]


def _of_users(entries: Sequence[Object] | None, release: Release) -> list[Object]:
    return [entry for entry in entries or [] if release.modern and entry["name"] != VOLUME]
