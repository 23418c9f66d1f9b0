# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Removing objects, in the opposite order of writing, and waiting until they are really gone."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Conflict
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Gone
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import rank
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step, run_steps
from ansible_collections.mcpops.gateway.plugins.module_utils._report import ABSENT, DELETED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline, Target, wait_all


def delete(
    client: ApiClient, steps: t.Sequence[Step], report: Report, *, check: bool, deadline: Deadline | None
) -> None:
    """Remove the objects of steps whose ``live`` was read; waits for each rank when a deadline is given.

    An object that is not there, or already on its way out, is no change. The report has what was done, also when
    something fails.
    """
    ordered = sorted(steps, key=lambda step: -rank(step.kind))
    for _rank, members in itertools.groupby(ordered, key=lambda step: rank(step.kind)):
        group = list(members)
        run_steps(group, lambda step: _remove(client, step, check=check), report)
        if deadline is not None and not check:
            wait_all(client, [target for step in group for target in _targets(step)], deadline)


def _remove(client: ApiClient, step: Step, *, check: bool) -> Outcome:
    if step.live is None or step.resource is None or step.live["metadata"].get("deletionTimestamp"):
        return Outcome(step.manifest, ABSENT)
    if not check:
        try:
            client.delete(step.resource, step.name, step.namespace, uid=step.live["metadata"].get("uid"))
        except Conflict as error:
            if not error.of_precondition:
                raise
            # The one we read is gone and another one of that name has been made: that one was asked to go, too.
            client.delete(step.resource, step.name, step.namespace)
            step.live["metadata"].pop("uid", None)
    return Outcome(step.manifest, DELETED, before=stated(step.live), after={})


def stated(live: Object) -> Object:
    """A live object without what the API server and controllers wrote, for a diff."""
    metadata = live.get("metadata") or {}
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if metadata.get(key)}
    return {**{key: value for key, value in live.items() if key not in {"metadata", "status"}}, "metadata": kept}


def _targets(step: Step) -> list[Target]:
    """What to wait for, if there was an object at all."""
    if step.resource is None or step.live is None:
        return []
    return [Target(step.resource, step.name, step.namespace, Gone(step.live["metadata"].get("uid")))]
