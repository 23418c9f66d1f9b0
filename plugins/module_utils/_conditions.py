# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Status conditions: found by type, believed only for the current generation, told in words."""

from __future__ import annotations

import typing as t

Condition = t.Mapping[str, t.Any]


def find(conditions: t.Any, condition_type: str) -> Condition | None:
    """The condition of a type in a list of conditions; None when there is no such list or type."""
    for condition in conditions if isinstance(conditions, list) else ():
        if isinstance(condition, dict) and condition.get("type") == condition_type:
            return condition
    return None


def of_object(live: t.Mapping[str, t.Any] | None, condition_type: str) -> Condition | None:
    """The condition of a type in ``status.conditions`` of an object."""
    status = (live or {}).get("status")
    return find(status.get("conditions"), condition_type) if isinstance(status, dict) else None


def is_current(condition: Condition, live: t.Mapping[str, t.Any]) -> bool:
    """True when the condition speaks of the object as it is now.

    By its own observedGeneration, else by ``status.observedGeneration``; kinds that write neither are believed.
    """
    status = live.get("status") or {}
    observed = condition.get("observedGeneration") or status.get("observedGeneration")
    generation = (live.get("metadata") or {}).get("generation")
    return observed is None or generation is None or int(observed) >= int(generation)


def holds(
    live: t.Mapping[str, t.Any] | None, condition_type: str, status: str = "True", reason: str | None = None
) -> bool:
    """True when an object has the condition with that status (and reason), for its current generation."""
    condition = of_object(live, condition_type)
    if condition is None or live is None or not is_current(condition, live):
        return False
    return str(condition.get("status")) == status and reason in {None, condition.get("reason")}


def describe(condition: Condition | None, condition_type: str, live: t.Mapping[str, t.Any]) -> str:
    """``Programmed is False (AddressNotAssigned: no address yet)``."""
    if condition is None:
        return f"{condition_type} is not reported yet"
    if not is_current(condition, live):
        return f"{condition_type} is still that of an older generation (the controller has not seen the last change)"
    details = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
    return f"{condition_type} is {condition.get('status')}" + (f" ({details})" if details else "")
