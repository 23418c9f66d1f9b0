# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Options of cluster mode: the mapping `broker.cluster` of the file. It has no effect without `--cluster`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mcpops_broker.config.fields import Fields

_KEYS = {"gateway", "listener", "lease", "domain"}
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What of the cluster is this broker's business."""

    gateway: tuple[str, str] | None = None
    """Namespace and name of the Gateway that leads to the broker: only registrations whose routes are attached to it
    are served. None: all of the namespaces that are watched."""
    listener: str = ""
    """Its listener; routes attached to another port of the Gateway are not served."""
    lease: str = "mcpops-broker"
    """Name of the Lease by which replicas agree on the one that writes status, in the broker's namespace."""
    domain: str = "cluster.local"
    """The cluster's domain, in the names of Services."""


def parse_cluster(fields: Fields) -> ClusterOptions:
    """Read the mapping."""
    default = ClusterOptions()
    fields.refuse_unknown(_KEYS)
    listener = fields.text("listener")
    gateway = _gateway(fields)
    if bool(gateway) != bool(listener):
        fields.problem("listener", listener, "'gateway' and 'listener' need each other; give both, or none")
    return ClusterOptions(
        gateway,
        listener,
        _name(fields, "lease", default.lease),
        _name(fields, "domain", default.domain),
    )


def _gateway(fields: Fields) -> tuple[str, str] | None:
    text = fields.text("gateway")
    if not text:
        return None
    namespace, slash, name = text.partition("/")
    if not (slash and _NAME.match(namespace) and _NAME.match(name)):
        fields.problem("gateway", text, "it must be NAMESPACE/NAME of a Gateway")
    return namespace, name


def _name(fields: Fields, key: str, default: str) -> str:
    name = fields.text(key, default)
    if not _NAME.match(name):
        fields.problem(key, name, "it must be lower case letters, digits, '-' and '.', as names in Kubernetes")
    return name
