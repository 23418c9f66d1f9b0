# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Rules for the input of role ``broker`` beyond those that hold for the servers under every provider."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_config import address_problem
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_environment import environment_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._broker_objects import least_replicas
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import Shape
from ansible_collections.mcpops.gateway.plugins.module_utils._x509 import blocks

Values = t.Mapping[str, t.Any]
Problems = t.Iterator[str]

SHAPES: dict[str, Shape] = {
    "broker_servers": "list",
    "broker_virtual_servers": "list",
    "broker_image_pull_secrets": "list",
    "broker_resources": "dict",
    "broker_node_selector": "dict",
    "broker_tolerations": "list",
    "broker_packages": "list",
    "broker_env": "list",
    "broker_autoscaling": "dict",
    "broker_network_policy_namespaces": "list",
    "broker_registration_namespaces": "list",
    "broker_secrets": "list",
    "broker_service_monitor_labels": "dict",
    "broker_settings": "dict",
    "broker_allowed_origins": "list",
    "broker_oauth_protected_resource": "dict",
}
NAMES = ("broker_name", "broker_gateway")
NAMESPACES = ("broker_namespace", "broker_servers_namespace", "broker_gateway_namespace")

SAME_OPTIONS = {"broker_servers": ("servers", "servers_list"), "broker_virtual_servers": ("servers", "servers_virtual")}
"""Options that hold what another role's option holds: their elements are specified there."""

_OWN_FOLDER = re.compile(r"(?!.*/\.\.?(/|$))(?=.*(mcp|broker))(/[\w.@+-]+){2,}/?")
"""Never /usr/local, /var/log or the like: with the role's state absent the folder goes as a whole."""
_FILE_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""As names of Secrets; no path."""
IN_PLACE_OF_SECRETS = {
    "credential_secret": "credential",
    "auth_secret": "auth.clientSecret (with auth.type header: auth.value)",
    "ca_cert_secret": "ca_cert",
}
"""Options of a server that name a Secret, and what says the same on hosts."""
MAX_REPLICAS = 1000
MAX_WORKERS = 256
"""The broker's own bound of ``--workers``."""
AUDIT_TO_LOG = "stderr"


def broker_problems(values: Values) -> Problems:
    """Every broken rule of the role's own options as a sentence. ``values`` are checked options."""
    on_host = values.get("broker_target") == "host"
    if on_host:
        yield from _folder_problems(values)
    if values.get("broker_state") == "absent":
        return
    if on_host:
        yield from _host_problems(values)
    else:
        yield from _pod_problems(values)
    for option, most in (("broker_replicas", MAX_REPLICAS), ("broker_workers", MAX_WORKERS), ("broker_port", 65535)):
        number = values.get(option)
        if isinstance(number, int) and not 1 <= number <= most:
            yield f"{option} {number} is not between 1 and {most}"
    yield from _scaling_problems(values)
    yield from _secret_problems(values.get("broker_secrets") or [], on_host=on_host)
    yield from environment_problems(
        values.get("broker_env") or [], protected=bool(values.get("broker_oauth_protected_resource")), host=on_host
    )
    authorities = values.get("broker_ca_cert")
    if authorities and not any(block.label == "CERTIFICATE" for block in blocks(authorities)):
        yield "broker_ca_cert holds no certificate; give the text of a PEM file (-----BEGIN CERTIFICATE----- ...)"
    for server in values.get("broker_servers") or []:
        if server.get("state") == "absent":
            continue
        wrong = address_problem(server["url"]) if server.get("url") else ""
        if wrong:
            yield f"servers_list ({server.get('name')}): url {wrong}"


def _pod_problems(values: Values) -> Problems:
    """What holds in a Pod only."""
    if not values.get("broker_image"):
        yield (
            "broker_image is missing: build broker/Containerfile, push the image where the cluster can pull it,"
            " and give its name (mcp_gateway_broker_image)"
        )
    output = ((values.get("broker_settings") or {}).get("audit") or {}).get("output")
    if output and output != AUDIT_TO_LOG:
        yield (
            f"broker_settings: audit.output is {output}, and nothing can be written to a Pod's file system; say"
            f" {AUDIT_TO_LOG}, which makes the lines part of the Pod's log"
        )


def _folder_problems(values: Values) -> Problems:
    """Also with state absent, when they are removed."""
    for option in ("broker_install_dir", "broker_config_dir", "broker_log_dir"):
        folder = values.get(option)
        if folder is not None and not _OWN_FOLDER.fullmatch(folder):
            yield (
                f"{option} {folder!r} is not the absolute path of a folder of its own, such as /opt/mcpops-broker (it"
                " is removed with all that is in it, so a part of the path has to name mcp or the broker)"
            )


def _scaling_problems(values: Values) -> Problems:
    scaling = values.get("broker_autoscaling") or {}
    most = scaling.get("max_replicas")
    if most is None:
        return
    least = least_replicas(scaling, values.get("broker_replicas") or 1)
    if not 1 <= least <= most <= MAX_REPLICAS:
        yield (
            f"broker_autoscaling: min_replicas {least} (broker_replicas unless given) and max_replicas {most} are not"
            f" between 1 and {MAX_REPLICAS}, the smaller one first"
        )
    requests = (values.get("broker_resources") or {"requests": {"cpu": "", "memory": ""}}).get("requests") or {}
    for resource in ("cpu", "memory"):
        if scaling.get(f"{resource}_percent") and resource not in requests:
            yield (
                f"broker_autoscaling: {resource}_percent is a part of what is requested, and broker_resources requests"
                f" no {resource}; add requests.{resource}"
            )


def _secret_problems(secrets: t.Sequence[Values], *, on_host: bool) -> Problems:
    """Files with secrets: on a cluster Secrets that are mounted, on hosts what is copied there."""
    seen: set[str] = set()
    for secret in secrets:
        name = str(secret.get("name") or "")
        if not _FILE_NAME.fullmatch(name):
            yield f"broker_secrets: {name!r} is no name (lower case letters, digits, - and .)"
        if name in seen:
            yield f"broker_secrets: {name} is there twice; leave one out"
        seen.add(name)
        given = [key for key in ("content", "src") if secret.get(key)]
        if on_host and len(given) != 1:
            yield f"broker_secrets: {name} needs either content or src (a file on the controller)"
        if not on_host and given:
            yield (
                f"broker_secrets: {name} has {given[0]}, which is for hosts; on a cluster make a Secret of that"
                " name in the broker's namespace"
            )


def _host_problems(values: Values) -> Problems:
    """What has no meaning without Kubernetes."""
    for server in values.get("broker_servers") or []:
        if server.get("state") != "absent" and not server.get("url"):
            yield f"servers_list ({server.get('name')}): url is missing; on a host there are no Services to name"
        for option, instead in IN_PLACE_OF_SECRETS.items():
            if server.get(option):
                yield (
                    f"servers_list ({server.get('name')}): {option} names a Secret of a cluster; on a host give"
                    f" {instead} instead"
                )
    if values.get("broker_registrations"):
        yield "broker_registrations needs a cluster, where the registrations are; leave it out on a host"
    if bool(values.get("broker_tls_certificate")) != bool(values.get("broker_tls_key")):
        yield "broker_tls_certificate and broker_tls_key need each other; give both files, or none"


def as_servers(values: Values) -> dict[str, t.Any]:
    """The broker's servers as options of role ``servers``, for the rules that hold for both.

    The host names there belong to routes that the broker does not need, and it reaches more addresses than Istio does.
    """
    return {
        "servers_list": [
            {
                key: "https://outside.example.com/mcp" if key == "url" and value else value
                for key, value in server.items()
                if key not in ("hostname", "listener")
            }
            for server in values["broker_servers"]
        ],
        "servers_virtual": values.get("broker_virtual_servers") or [],
        "servers_namespace": values.get("broker_servers_namespace"),
        "servers_domain": "mcp.local",
    }
