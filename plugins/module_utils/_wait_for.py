# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The option ``wait_for`` of module ``apply``: which objects it is about, and what they have to become."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import (
    AllOf,
    AnyOf,
    Conditions,
    Goal,
    Jmespath,
    Unless,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest, identity
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import goal_for

Entry = t.Mapping[str, t.Any]
SELECTORS = ("kind", "name", "namespace")


class WaitFor:
    """The entries of the option, with their goals. Raises ConfigError for an entry that cannot be meant."""

    def __init__(self, entries: t.Sequence[Entry], manifests: t.Sequence[Manifest], namespace: str) -> None:
        self._goals = [(entry, _goal(entry)) for entry in entries]
        named = [identity(manifest) for manifest in manifests] if entries else []
        for manifest in named:
            manifest["metadata"]["namespace"] = manifest["metadata"]["namespace"] or namespace
        for number, entry in enumerate(entries):
            if not any(_selects(entry, manifest) for manifest in named):
                shown = ", ".join(f"{key} {entry[key]}" for key in SELECTORS if entry.get(key))
                raise ConfigError(
                    f"wait_for[{number}] selects none of the objects{f' ({shown})' if shown else ''}; correct its "
                    "kind, name or namespace, or leave it out."
                )

    def goal(self, manifest: Manifest) -> Goal | None:
        """All entries that select the object, else what is known of its kind; None when nothing is."""
        chosen = [goal for entry, goal in self._goals if _selects(entry, manifest)]
        return AllOf(chosen) if len(chosen) > 1 else chosen[0] if chosen else goal_for(manifest)


def _selects(entry: Entry, manifest: Manifest) -> bool:
    metadata = manifest["metadata"]
    actual = {"kind": manifest["kind"], "name": metadata["name"], "namespace": metadata.get("namespace")}
    return all(entry.get(key) in {None, "", actual[key]} for key in SELECTORS)


def _goal(entry: Entry) -> Goal:
    goals: list[Goal] = [Conditions(dict([condition_of(text)])) for text in entry.get("condition") or ()]
    if entry.get("jmespath"):
        goals.append(Jmespath(entry["jmespath"], entry.get("value")))
    if not goals:
        raise ConfigError("An entry of wait_for needs a condition or a jmespath that is not empty.")
    goal: Goal = goals[0] if len(goals) == 1 else AnyOf(goals) if entry.get("any") else AllOf(goals)
    failures = [condition_of(text) for text in entry.get("failure") or ()]
    return Unless(goal, failures) if failures else goal


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
