# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The result that every module returns, in one shape whatever the number of objects."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import HIDDEN, hide_values
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of

HIDDEN_NEW = "(hidden, new value)"
CREATED, UPDATED, UNCHANGED, DELETED, ABSENT = "created", "updated", "unchanged", "deleted", "absent"
CHANGES = (CREATED, UPDATED, DELETED)


@dataclass
class Outcome:
    """What happened (or, in check mode, would happen) to one object; ``live`` is the object as it is now."""

    manifest: t.Mapping[str, t.Any]
    action: str
    fields: list[str] = field(default_factory=list)
    before: t.Any = None
    after: t.Any = None
    live: Object | None = None

    @property
    def changed(self) -> bool:
        return self.action in CHANGES

    def as_result(self) -> dict[str, t.Any]:
        """The entry of ``objects``."""
        metadata = self.manifest.get("metadata") or {}
        live = (self.live or {}).get("metadata") or {}
        return {
            "api_version": self.manifest.get("apiVersion"),
            "kind": self.manifest.get("kind"),
            "namespace": metadata.get("namespace"),
            "name": metadata.get("name"),
            "action": self.action,
            "fields": self.fields,
            "resource_version": live.get("resourceVersion"),
        }


@dataclass
class Report:
    """Outcomes in the order of writing, and warnings."""

    outcomes: list[Outcome] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(outcome.changed for outcome in self.outcomes)

    def add(self, other: Report) -> None:
        """Take over what another part of the job did."""
        self.outcomes += other.outcomes
        self.warnings += other.warnings

    def live(self, kind: str, name: str | None = None) -> Object | None:
        """The object of that kind as it is now, if it took part."""
        for outcome in self.outcomes:
            if outcome.manifest.get("kind") == kind and (
                name is None or outcome.manifest["metadata"].get("name") == name
            ):
                return outcome.live
        return None

    def as_result(self, *, diff: bool) -> dict[str, t.Any]:
        """``changed``, ``objects`` and, when asked, ``diff``."""
        result: dict[str, t.Any] = {
            "changed": self.changed,
            "objects": [outcome.as_result() for outcome in self.outcomes],
        }
        if diff:
            result["diff"] = [_diff_of(outcome) for outcome in self.outcomes if outcome.changed]
        return result


def _diff_of(outcome: Outcome) -> dict[str, t.Any]:
    name = label_of(outcome.manifest)
    before, after = mask(outcome.before or {}, outcome.after or {})
    return {"before_header": name, "after_header": f"{name} ({outcome.action})", "before": before, "after": after}


def mask(before: t.Any, after: t.Any) -> tuple[t.Any, t.Any]:
    """The same two sides with the values of Secrets hidden; a changed value still shows as changed."""
    if "Secret" not in {before.get("kind"), after.get("kind")}:
        return before, after
    old, new = hide_values(before), hide_values(after)
    known = before.get("data") or {}
    if new.get("data"):
        new["data"] = {
            key: HIDDEN if key in known and known[key] == value else HIDDEN_NEW for key, value in after["data"].items()
        }
    return old, new
