# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of tables: what ``kubectl get`` shows of built-in and of custom kinds."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .objects import Object, lookup
from .resources import Cell, Column

_NONE = "<none>"
_UNKNOWN = "<unknown>"


def age(timestamp: Any) -> str:
    """How long ago an RFC 3339 time was, as kubectl writes durations: 42s, 5m10s, 3h, 12d."""
    try:
        then = datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    except ValueError:
        return _UNKNOWN
    return duration_text(int((datetime.now(UTC) - then).total_seconds()))


def duration_text(seconds: int) -> str:
    """A duration in seconds with at most two units, as apimachinery's HumanDuration."""
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if rest and years < 8 else f"{years}y"


def _at(*path: str, default: Cell = _NONE) -> Callable[[Object], Cell]:
    def read(obj: Object) -> Cell:
        value = lookup(obj, path)
        return default if value in (None, "", []) else _cell(value)

    return read


def _cell(value: Any) -> Cell:
    if isinstance(value, (str, int, float)):  # bool is an int
        return value
    return str(value)


def _age(obj: Object) -> Cell:
    return age(obj["metadata"].get("creationTimestamp"))


def _name(obj: Object) -> Cell:
    return str(obj["metadata"].get("name", ""))


NAME = Column(
    "Name",
    "string",
    _name,
    "name",
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow "
    "a client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
)
AGE = Column(
    "Age",
    "string",
    _age,
    "",
    "CreationTimestamp is a timestamp representing the server time when this object was created.",
)
CREATED = Column("Created At", "date", lambda obj: str(obj["metadata"].get("creationTimestamp", "")))


def _ratio(first: tuple[str, ...], second: tuple[str, ...]) -> Callable[[Object], Cell]:
    return lambda obj: f"{lookup(obj, first) or 0}/{lookup(obj, second) or 0}"


def _ports(obj: Object) -> Cell:
    shown = []
    for port in lookup(obj, ("spec", "ports")) or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or _NONE


def _external(obj: Object) -> Cell:
    spec = obj.get("spec", {})
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", _NONE))
    points = lookup(obj, ("status", "loadBalancer", "ingress")) or ()
    addresses = [point.get("ip") or point.get("hostname", "") for point in points] + (spec.get("externalIPs") or [])
    if not addresses and spec.get("type") == "LoadBalancer":
        return "<pending>"
    return ",".join(addresses) or _NONE


def _ready(obj: Object) -> Cell:
    states = lookup(obj, ("status", "containerStatuses")) or ()
    total = len(lookup(obj, ("spec", "containers")) or ())
    return f"{sum(bool(state.get('ready')) for state in states)}/{total}"


def _pod_status(obj: Object) -> Cell:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    reason = lookup(obj, ("status", "reason")) or lookup(obj, ("status", "phase")) or _UNKNOWN
    for state in lookup(obj, ("status", "containerStatuses")) or ():
        waiting = lookup(state, ("state", "waiting", "reason")) or lookup(state, ("state", "terminated", "reason"))
        reason = waiting or reason
    return str(reason)


def _restarts(obj: Object) -> Cell:
    return sum(int(state.get("restartCount", 0)) for state in lookup(obj, ("status", "containerStatuses")) or ())


def _count(*path: str) -> Callable[[Object], Cell]:
    return lambda obj: len(lookup(obj, path) or ())


def _role(obj: Object) -> Cell:
    reference = obj.get("roleRef") or {}
    return f"{reference.get('kind', '')}/{reference.get('name', '')}"


def _event_object(obj: Object) -> Cell:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _event_seen(obj: Object) -> Cell:
    seen = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp") or obj.get("eventTime")
    return age(seen or obj["metadata"].get("creationTimestamp"))


def _event_message(obj: Object) -> Cell:
    return str(obj.get("message") or obj.get("note") or "").strip()


def _text(name: str, cell: Callable[[Object], Cell], priority: int = 0) -> Column:
    return Column(name, "string", cell, priority=priority)


def _number(name: str, *path: str) -> Column:
    return Column(name, "integer", _at(*path, default=0))


_COLUMNS: dict[str, tuple[Column, ...]] = {
    "ClusterRole": (NAME, CREATED),
    "ClusterRoleBinding": (NAME, _text("Role", _role), AGE),
    "ConfigMap": (NAME, Column("Data", "integer", _count("data")), AGE),
    "CronJob": (
        NAME,
        _text("Schedule", _at("spec", "schedule")),
        _text("Suspend", lambda obj: str(bool(lookup(obj, ("spec", "suspend"))))),
        Column("Active", "integer", _count("status", "active")),
        AGE,
    ),
    "CustomResourceDefinition": (NAME, CREATED),
    "DaemonSet": (
        NAME,
        _number("Desired", "status", "desiredNumberScheduled"),
        _number("Current", "status", "currentNumberScheduled"),
        _number("Ready", "status", "numberReady"),
        _number("Up-to-date", "status", "updatedNumberScheduled"),
        _number("Available", "status", "numberAvailable"),
        AGE,
    ),
    "Deployment": (
        NAME,
        _text("Ready", _ratio(("status", "readyReplicas"), ("spec", "replicas"))),
        _number("Up-to-date", "status", "updatedReplicas"),
        _number("Available", "status", "availableReplicas"),
        AGE,
    ),
    "Event": (
        _text("Last Seen", _event_seen),
        _text("Type", _at("type", default="")),
        _text("Reason", _at("reason", default="")),
        _text("Object", _event_object),
        _text("Message", _event_message),
        Column("Name", "string", _name, "name", priority=1),
    ),
    "Job": (
        NAME,
        _text("Completions", _ratio(("status", "succeeded"), ("spec", "completions"))),
        AGE,
    ),
    "Namespace": (NAME, _text("Status", _at("status", "phase")), AGE),
    "Node": (NAME, _text("Version", _at("status", "nodeInfo", "kubeletVersion")), AGE),
    "PersistentVolumeClaim": (
        NAME,
        _text("Status", _at("status", "phase")),
        _text("Volume", _at("spec", "volumeName", default="")),
        _text("StorageClass", _at("spec", "storageClassName", default="")),
        AGE,
    ),
    "Pod": (
        NAME,
        _text("Ready", _ready),
        _text("Status", _pod_status),
        Column("Restarts", "string", _restarts),
        AGE,
        _text("IP", _at("status", "podIP"), 1),
        _text("Node", _at("spec", "nodeName"), 1),
    ),
    "ReplicaSet": (
        NAME,
        _number("Desired", "spec", "replicas"),
        _number("Current", "status", "replicas"),
        _number("Ready", "status", "readyReplicas"),
        AGE,
    ),
    "Role": (NAME, CREATED),
    "RoleBinding": (NAME, _text("Role", _role), AGE),
    "Secret": (NAME, _text("Type", _at("type")), Column("Data", "integer", _count("data")), AGE),
    "Service": (
        NAME,
        _text("Type", _at("spec", "type")),
        _text("Cluster-IP", _at("spec", "clusterIP")),
        _text("External-IP", _external),
        _text("Port(s)", _ports),
        AGE,
    ),
    "ServiceAccount": (NAME, AGE),
    "StatefulSet": (NAME, _text("Ready", _ratio(("status", "readyReplicas"), ("spec", "replicas"))), AGE),
}


def columns_of(kind: str) -> tuple[Column, ...]:
    """Columns of a built-in kind; name and age where it has none of its own."""
    return _COLUMNS.get(kind, (NAME, AGE))


# custom kinds

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\*)\]|\[\?\(@\.([^=!]+?)\s*(==|!=)\s*['\"]?(.*?)['\"]?\)\]")


def json_path(path: str) -> Callable[[Any], list[Any]]:
    """Reader of the small part of JSONPath that printer columns use: fields, indexes, ``[*]`` and one filter."""
    steps = list(_STEP.finditer(path.replace("\\.", "\0")))

    def read(obj: Any) -> list[Any]:
        found = [obj]
        for step in steps:
            found = [item for value in found for item in _step(value, step)]
        return found

    return read


def _step(value: Any, step: re.Match[str]) -> list[Any]:
    name, index, field, operator, wanted = step.groups()
    if name is not None:
        name = name.replace("\0", ".")
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    if index == "*":
        return value
    if index is not None:
        return value[int(index) : int(index) + 1]
    return [item for item in value if (str(lookup(item, field.split("."))) == wanted) == (operator == "==")]


def custom_columns(stated: list[dict[str, Any]] | None) -> tuple[Column, ...]:
    """Columns of a custom kind: additionalPrinterColumns, or the age."""
    if not stated:
        return (NAME, AGE)
    columns = [NAME]
    for item in stated:
        columns.append(
            Column(
                item["name"],
                item["type"],
                _custom_cell(json_path(item["jsonPath"]), item["type"]),
                item.get("format", ""),
                item.get("description")
                or f"Custom resource definition column (in JSONPath format): {item['jsonPath']}",
                item.get("priority", 0),
            )
        )
    return tuple(columns)


def _custom_cell(read: Callable[[Any], list[Any]], kind: str) -> Callable[[Object], Cell]:
    def cell(obj: Object) -> Cell:
        found = read(obj)
        if not found or found[0] is None:
            return None
        value = found[0]
        if kind == "date":
            return age(value)
        if kind in ("integer", "number"):
            return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
        if kind == "boolean":
            return value if isinstance(value, bool) else None
        return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)

    return cell
