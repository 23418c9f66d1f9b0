# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of tables: what ``kubectl get`` shows of built-in kinds (by ``columns.toml``) and of custom ones."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from .jsonpath import Reader, compile_path
from .objects import Object, lookup
from .resources import Cell, Column
from .selectors import selector_text

_NONE = "<none>"
_UNKNOWN = "<unknown>"


def age(timestamp: Any, broken: str = _UNKNOWN) -> str:
    """How long ago an RFC 3339 time was, as kubectl writes durations: 42s, 5m10s, 3h, 12d."""
    try:
        then = datetime.fromisoformat(str(timestamp).replace("Z", "+00:00"))
    except ValueError:
        return broken
    return duration_text(int((datetime.now(UTC) - then).total_seconds()))


def duration_text(seconds: int) -> str:
    """A duration in seconds with at most two units, as apimachinery's HumanDuration."""
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    for limit, unit, name, rest_unit, rest_name in _DURATIONS:
        if seconds < limit:
            whole, rest = divmod(seconds, unit)
            rest = rest // rest_unit if rest_unit else 0
            return f"{whole}{name}{rest}{rest_name}" if rest else f"{whole}{name}"
    return f"{seconds // 31536000}y"


_DURATIONS = (
    (120, 1, "s", 0, ""),
    (600, 60, "m", 1, "s"),
    (10800, 60, "m", 0, ""),
    (28800, 3600, "h", 60, "m"),
    (172800, 3600, "h", 0, ""),
    (691200, 86400, "d", 3600, "h"),
    (63072000, 86400, "d", 0, ""),
    (252288000, 31536000, "y", 86400, "d"),
)
"""Below so many seconds: the unit and its name, and those of the rest, if it is shown."""


# built-in kinds

_METADATA_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow "
    "a client to request the generation of an appropriate name automatically. Name is primarily intended for creation "
    "idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_CREATED = "CreationTimestamp is a timestamp representing the server time when this object was created."
_USUAL = {
    "Name": Column("Name", "string", lambda obj: str(obj["metadata"].get("name", "")), "name", _METADATA_NAME),
    "Age": Column("Age", "string", lambda obj: age(obj["metadata"].get("creationTimestamp")), "", _CREATED),
    "Created At": Column(
        "Created At", "date", lambda obj: str(obj["metadata"].get("creationTimestamp", "")), "", _CREATED
    ),
}


def _all(obj: Object, paths: list[Reader]) -> list[Any]:
    return [value for path in paths for value in path(obj) if value not in (None, "")]


def _first(missing: Cell) -> Callable[[Object, list[Reader]], Cell]:
    def cell(obj: Object, paths: list[Reader]) -> Cell:
        found = _all(obj, paths)
        return missing if not found else found[0].strip() if isinstance(found[0], str) else found[0]

    return cell


def _ratio(obj: Object, paths: list[Reader]) -> Cell:
    return "/".join(str(next(iter(path(obj)), 0)) for path in paths)


def _join(missing: str, separator: str = ",") -> Callable[[Object, list[Reader]], Cell]:
    return lambda obj, paths: separator.join(map(str, _all(obj, paths))) or missing


def _pairs(obj: Object, paths: list[Reader]) -> Cell:
    return ",".join(f"{key}={value}" for found in _all(obj, paths) for key, value in sorted(found.items())) or _NONE


def _age_of(obj: Object, paths: list[Reader]) -> Cell:
    found = _all(obj, paths)
    return age(found[0]) if found else _NONE


_READERS: dict[str, Callable[[Object, list[Reader]], Cell]] = {
    "age": _age_of,
    "boolean": lambda obj, paths: str(bool(_all(obj, paths) == [True])),
    "count": lambda obj, paths: sum(len(value) for value in _all(obj, paths)),
    "hosts": _join("*"),
    "join": _join(_NONE),
    "joined": _join(_NONE, "/"),
    "list": _join(""),
    "missing": lambda obj, paths: str(_first("N/A")(obj, paths)),
    "number": _first(0),
    "pairs": _pairs,
    "plain": _first(""),
    "ratio": _ratio,
    "seen": _age_of,
    "selector": lambda obj, paths: ",".join(selector_text(value) for value in _all(obj, paths)) or _NONE,
    "text": _first(_NONE),
    "tls": lambda obj, paths: "80, 443" if _all(obj, paths) else "80",
    "unknown": _first(_UNKNOWN),
    "unset": lambda obj, paths: str(_first("<unset>")(obj, paths)),
    "yes": lambda obj, paths: _all(obj, paths) == [True],
}


def _external(obj: Object) -> Cell:
    spec = obj.get("spec", {})
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", _NONE))
    points = lookup(obj, ("status", "loadBalancer", "ingress")) or ()
    addresses = [point.get("ip") or point.get("hostname", "") for point in points] + (spec.get("externalIPs") or [])
    if not addresses and spec.get("type") == "LoadBalancer":
        return "<pending>"
    return ",".join(addresses) or _NONE


def _ports(obj: Object) -> Cell:
    shown = []
    for port in lookup(obj, ("spec", "ports")) or ():
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        shown.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or _NONE


def _endpoints(obj: Object) -> Cell:
    shown = []
    for subset in obj.get("subsets") or ():
        for number in [f":{port['port']}" for port in subset.get("ports") or ()] or [""]:
            shown += [f"{address.get('ip', '')}{number}" for address in subset.get("addresses") or ()]
    return ",".join(shown[:3]) + (f" + {len(shown) - 3} more..." if len(shown) > 3 else "") or _NONE


def _states(obj: Object) -> list[Object]:
    return lookup(obj, ("status", "containerStatuses")) or []


def _ready(obj: Object) -> Cell:
    total = len(lookup(obj, ("spec", "containers")) or ())
    return f"{sum(bool(state.get('ready')) for state in _states(obj))}/{total}"


def _phase(obj: Object) -> Cell:
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    reason = lookup(obj, ("status", "reason")) or lookup(obj, ("status", "phase")) or _UNKNOWN
    for state in _states(obj):
        waiting = lookup(state, ("state", "waiting", "reason")) or lookup(state, ("state", "terminated", "reason"))
        reason = waiting or reason
    return str(reason)


def _job(obj: Object) -> Cell:
    for kind, word in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if _condition(obj, kind) == "True":
            return word
    return "Terminating" if obj["metadata"].get("deletionTimestamp") else "Running"


def _condition(obj: Object, kind: str) -> str:
    conditions = lookup(obj, ("status", "conditions")) or ()
    return next((str(item.get("status")) for item in conditions if item.get("type") == kind), "")


def _node(obj: Object) -> Cell:
    state = {"True": "Ready", "": "Unknown"}.get(_condition(obj, "Ready"), "NotReady")
    return f"{state},SchedulingDisabled" if lookup(obj, ("spec", "unschedulable")) else state


def _roles(obj: Object) -> Cell:
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels") or {}
    return ",".join(sorted(label.removeprefix(prefix) for label in labels if label.startswith(prefix))) or _NONE


def _about(obj: Object) -> Cell:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _source(obj: Object) -> Cell:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    component = source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or ""
    return ", ".join(filter(None, (component, source.get("host") or obj.get("reportingInstance"))))


_OBJECTS: dict[str, Callable[[Object], Cell]] = {
    "about": _about,
    "endpoints": _endpoints,
    "external": _external,
    "job": _job,
    "node": _node,
    "phase": _phase,
    "ports": _ports,
    "ready": _ready,
    "restarts": lambda obj: str(sum(int(state.get("restartCount", 0)) for state in _states(obj))),
    "roles": _roles,
    "source": _source,
}


def _subjects(kind: str) -> Callable[[Object], Cell]:
    def cell(obj: Object) -> Cell:
        found = [item for item in obj.get("subjects") or () if item.get("kind") == kind]
        return ",".join("/".join(filter(None, (item.get("namespace"), item["name"]))) for item in found)

    return cell


@cache
def _table() -> dict[str, str]:
    return tomllib.loads(Path(__file__).with_name("columns.toml").read_text(encoding="utf-8"))


def columns_of(kind: str) -> tuple[Column, ...]:
    """Columns of a built-in kind; name and age where it has none of its own."""
    columns = [_column(line) for line in _table().get(kind, "Age").split("\n") if line]
    return tuple(columns if any(column.name == "Name" for column in columns) else [_USUAL["Name"], *columns])


def _column(line: str) -> Column:
    name, *words = line.split()
    priority, name = int(name.startswith("+")), name.removeprefix("+").replace("_", " ")
    if not words:
        usual = _USUAL[name]
        return Column(usual.name, usual.type, usual.cell, usual.format, usual.description, priority)
    reader, *arguments = words
    kind = "integer" if reader in ("number", "count") else "boolean" if reader == "yes" else "string"
    if reader == "subjects":
        return Column(name, kind, _subjects(*arguments), priority=priority)
    if reader in _OBJECTS:
        return Column(name, kind, _OBJECTS[reader], priority=priority)
    read, paths = _READERS[reader], [compile_path(path) for path in arguments]
    return Column(name, kind, lambda obj: read(obj, paths), priority=priority)


# custom kinds


def custom_columns(stated: list[dict[str, Any]] | None) -> tuple[Column, ...]:
    """Columns of a custom kind: additionalPrinterColumns, or the age."""
    if not stated:
        created = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp", "description": _CREATED}
        stated = [created]
    return (_USUAL["Name"], *map(_custom_column, stated))


def _custom_column(item: Object) -> Column:
    path = item["jsonPath"]
    described = item.get("description") or f"Custom resource definition column (in JSONPath format): {path}"
    cell = _custom_cell(compile_path(path), item["type"])
    return Column(item["name"], item["type"], cell, item.get("format", ""), described, item.get("priority", 0))


def _custom_cell(read: Reader, kind: str) -> Callable[[Object], Cell]:
    def cell(obj: Object) -> Cell:
        value = next(iter(read(obj)), None)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # as Go writes such numbers
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if kind == "date":
            return age(value, "<invalid>")
        if kind in ("integer", "number"):
            return value if number else None
        if kind == "boolean":
            return value if isinstance(value, bool) else None
        return value if isinstance(value, str) else _json(value)

    return cell


def _json(value: Any) -> str:
    """JSON as Go writes it: compact, keys sorted, safe in HTML."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&"})
