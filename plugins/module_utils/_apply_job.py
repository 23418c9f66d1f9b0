# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``apply``: options to manifests, sets, waits."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._applyset import ApplySet
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import AllOf, Conditions, Goal, Jmespath, Unless
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import goal_for
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Target

Params = dict[str, t.Any]


def apply_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """Present or absent, with or without a set."""
    manifests = _manifest.load(params["definition"], params["src"] or ())
    prune = params["prune"]
    leave = params["existing"] == "leave"
    if prune and leave:
        raise ConfigError("existing: leave and prune exclude one another: a set owns all of its objects.")
    if params["state"] == "absent":
        if prune:
            members = ApplySet(engine, prune["name"], prune["namespace"] or engine.namespace)
            return members.remove(manifests, only_own=params["only_own"]), {}
        return engine.remove(manifests, only_own=params["only_own"]), {}
    if prune and not manifests and params["definition"] != []:
        raise ConfigError(
            f"There is no manifest at all, so every object of the set {prune['name']} would be removed; if that is "
            "wanted, give definition as an empty list, or set state to absent."
        )
    goals = [(entry, _goal(entry)) for entry in params["wait_for"] or []]
    if prune:
        members = ApplySet(engine, prune["name"], prune["namespace"] or engine.namespace)
        report = members.apply(manifests, remove=prune["remove"])
    else:
        report = engine.apply(manifests, leave=leave)
    engine.await_all(targets(engine, report, goals))
    return report, {}


def targets(engine: Engine, report: Report, goals: t.Sequence[tuple[Params, Goal]]) -> list[Target]:
    """What to wait for on the objects of a report: the entries that select it, else what is known of its kind."""
    if not engine.wait or engine.check:
        return []
    found = []
    for outcome in report.outcomes:
        if outcome.live is None:
            continue
        chosen = [goal for entry, goal in goals if _selects(entry, outcome.manifest)]
        goal: Goal | None = AllOf(chosen) if len(chosen) > 1 else chosen[0] if chosen else goal_for(outcome.manifest)
        if goal is not None:
            resource = engine.discovery.need(str(outcome.manifest["apiVersion"]), str(outcome.manifest["kind"]))
            metadata = outcome.manifest["metadata"]
            found.append(Target(resource, metadata["name"], metadata.get("namespace"), goal, outcome.live))
    return found


def _selects(entry: Params, manifest: t.Mapping[str, t.Any]) -> bool:
    metadata = manifest["metadata"]
    actual = {"kind": manifest["kind"], "name": metadata["name"], "namespace": metadata.get("namespace")}
    return all(entry.get(key) in {None, "", value} for key, value in actual.items())


def _goal(entry: Params) -> Goal:
    goals: list[Goal] = []
    if entry.get("condition"):
        name, status = condition_of(entry["condition"])
        goals.append(Conditions({name: status}))
    if entry.get("jmespath"):
        goals.append(Jmespath(entry["jmespath"], entry.get("value")))
    goal: Goal = AllOf(goals) if len(goals) > 1 else goals[0]
    return Unless(goal, *condition_of(entry["failure"])) if entry.get("failure") else goal


def condition_of(text: str) -> tuple[str, str]:
    """``Ready`` or ``Ready=False`` as (type, status)."""
    name, separator, status = text.partition("=")
    status = (
        {"true": "True", "false": "False", "unknown": "Unknown"}.get(status.strip().lower(), "")
        if separator
        else "True"
    )
    if not name.strip() or not status:
        raise ConfigError(
            f"The condition {text!r} cannot be used; write it as Type or Type=True, Type=False, Type=Unknown."
        )
    return name.strip(), status
