# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the playbook ``upgrade`` compares: the gateway before and after, in a few values and in lines for a person."""

from __future__ import annotations

import typing as t

Values = t.Mapping[str, t.Any]
NOTHING = "none"


def upgrade_state(info: Values, *, endpoint: Values) -> dict[str, t.Any]:
    """What counts of a gateway. ``info`` is a result of module ``info``, ``endpoint`` the report of role ``verify``."""
    operator = info.get("operator") or {}
    return {
        "csv": operator.get("csv"),
        "phase": operator.get("phase"),
        "version": operator.get("version"),
        "upgrade": operator.get("upgrade"),
        "api_versions": list(operator.get("api_versions") or []),
        "extensions": {_name(one): _readiness(one) for one in info.get("extensions") or []},
        "registrations": {_name(one): _readiness(one) for one in info.get("registrations") or []},
        "endpoint": "works" if endpoint.get("works") else str(endpoint.get("problem") or "was not asked"),
        "tools": sorted(endpoint.get("tools") or []),
    }


def broker_state(deployment: Values | None, *, endpoint: Values) -> dict[str, t.Any]:
    """The same of the collection's own broker. ``deployment`` is its Deployment; None when it is not there."""
    spec, status = (deployment or {}).get("spec") or {}, (deployment or {}).get("status") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or [{}]
    image = containers[0].get("image")
    ready = f"{status.get('readyReplicas') or 0} of {spec.get('replicas', 1)} Pods ready"
    return {
        "broker": f"{image} ({ready})" if image else NOTHING,
        "image": image,
        **upgrade_state({}, endpoint=endpoint),
    }


def upgrade_report(before: Values, after: Values) -> list[str]:
    """The two states side by side, one line each; what did not change is said once."""
    if "broker" in before:
        lines = [_line("broker", before["broker"], after["broker"])]
    else:
        lines = [
            _line("operator", _operator(before), _operator(after)),
            _line("API versions", ", ".join(before["api_versions"]), ", ".join(after["api_versions"])),
        ]
    for what in ("extensions", "registrations"):
        for name in dict.fromkeys([*before[what], *after[what]]):
            lines.append(_line(f"{what[:-1]} {name}", before[what].get(name), after[what].get(name)))
    lines.append(_line("endpoint", before["endpoint"], after["endpoint"]))
    lines.append(_line("tools", str(len(before["tools"])), str(len(after["tools"]))))
    for said, names in (
        ("tools lost", [name for name in before["tools"] if name not in after["tools"]]),
        ("tools new", [name for name in after["tools"] if name not in before["tools"]]),
    ):
        if names:
            lines.append(f"{said}: {', '.join(names)}")
    return lines


def _name(one: Values) -> str:
    return f"{one['namespace']}/{one['name']}"


def _readiness(one: Values) -> str:
    if one.get("ready"):
        return "ready"
    return f"not ready ({one.get('reason') or 'no status yet'})"


def _operator(state: Values) -> str:
    return f"{state['csv'] or NOTHING}" + (f" ({state['phase']})" if state["phase"] else "")


def _line(label: str, before: str | None, after: str | None) -> str:
    before, after = before or NOTHING, after or NOTHING
    return f"{label}: {before}" if before == after else f"{label}: {before} -> {after}"
