# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Removing objects, in the opposite order of writing, and waiting until they are really gone."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Conflict, NotFound, WaitTimeout
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Gone
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import rank
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step, run_steps
from ansible_collections.mcpops.gateway.plugins.module_utils._report import ABSENT, DELETED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline, Target, wait_all


class Strip(t.NamedTuple):
    """Finalizers to take off objects that are still there so many seconds after their deletion was asked for."""

    names: frozenset[str]
    after: float

    def holds(self, live: Object) -> bool:
        """Whether one of the finalizers is on the object."""
        return bool(self.names & set(live["metadata"].get("finalizers") or []))


def delete(
    client: ApiClient,
    steps: t.Sequence[Step],
    report: Report,
    *,
    check: bool,
    deadline: Deadline | None,
    manager: str,
    strip: Strip | None = None,
) -> None:
    """Remove the objects of steps whose ``live`` was read; waits for each rank when a deadline is given.

    An object that is not there, or already on its way out, is no change; unless it hangs on a finalizer that may be
    taken off (``strip``, which needs a deadline; ``manager`` does it). The report has what was done, also when
    something fails.
    """
    ordered = sorted(steps, key=lambda step: -rank(step.kind))
    for _rank, members in itertools.groupby(ordered, key=lambda step: rank(step.kind)):
        group = list(members)
        run_steps(group, lambda step: _remove(client, step, check=check, strip=strip), report)
        if deadline is not None and not check:
            if strip is not None:
                report.warnings += _strip(client, group, strip, manager, deadline)
            wait_all(client, [target for step in group for target in _targets(step)], deadline)


def _strip(client: ApiClient, steps: t.Sequence[Step], strip: Strip, manager: str, deadline: Deadline) -> list[str]:
    """Give the controllers their time, then take the finalizers off what is still there. Returns warnings."""
    patience = Deadline(min(strip.after, deadline.remaining), deadline.progress)
    try:
        wait_all(client, [target for step in steps for target in _targets(step)], patience)
    except WaitTimeout:
        return [said for step in steps for said in _strip_one(client, step, strip, manager)]
    return []


def _strip_one(client: ApiClient, step: Step, strip: Strip, manager: str) -> t.Iterator[str]:
    if step.resource is None or step.live is None:
        return
    live = client.get(step.resource, step.name, step.namespace)
    metadata = (live or {}).get("metadata") or {}
    same = metadata.get("uid") == step.live["metadata"].get("uid")
    if live is None or not same or not metadata.get("deletionTimestamp") or not strip.holds(live):
        return
    held = metadata["finalizers"]
    kept = [name for name in held if name not in strip.names]
    operations = [
        {"op": "test", "path": "/metadata/finalizers", "value": held},
        {"op": "replace", "path": "/metadata/finalizers", "value": kept},
    ]
    with contextlib.suppress(NotFound):  # let go of at the last moment
        client.json_patch(step.resource, step.name, step.namespace, operations, manager=manager)
        taken = ", ".join(name for name in held if name in strip.names)
        yield (
            f"The finalizer {taken} was taken off {label_of(step.manifest)}, because no controller did it; what the "
            "controller would have cleaned up may be left."
        )


def _remove(client: ApiClient, step: Step, *, check: bool, strip: Strip | None) -> Outcome:
    if step.live is None or step.resource is None:
        return Outcome(step.manifest, ABSENT)
    leaving = bool(step.live["metadata"].get("deletionTimestamp"))
    if leaving and not (strip is not None and strip.holds(step.live)):
        return Outcome(step.manifest, ABSENT)
    if not check and not leaving:
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
