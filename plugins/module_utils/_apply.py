# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Carrying out a plan: server-side apply of what differs, in order of kind, side by side within a kind's rank."""

from __future__ import annotations

import copy
import functools
import itertools
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    FieldConflict,
    McpopsError,
    NamespaceMissing,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import rank
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Planner, Step, run_all
from ansible_collections.mcpops.gateway.plugins.module_utils._report import CREATED, UNCHANGED, UPDATED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import CRD, Resource, label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import CrdEstablished, Deadline, Target, wait_all

CRD_TIMEOUT = 60.0


class Applier:
    """Applies steps under one field manager. In check mode the API server is asked with ``dryRun=All``."""

    def __init__(
        self,
        client: ApiClient,
        discovery: Discovery,
        planner: Planner,
        *,
        manager: str,
        force: bool = False,
        take_over: t.Collection[str] = (),
        check: bool = False,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._planner = planner
        self._manager = manager
        self._force = force
        self._take_over = take_over
        self._check = check
        self._warnings: list[str] = []

    def run(self, steps: t.Sequence[Step]) -> Report:
        """Apply the plan. A failure carries the ``objects`` done before it."""
        report = Report(warnings=self._warnings)
        for number, members in itertools.groupby(steps, key=lambda step: rank(step.kind)):
            group = list(members)
            outcomes: list[Outcome | None] = [None] * len(group)
            try:
                run_all([self._job(step, outcomes, place) for place, step in enumerate(group)])
                report.outcomes += [outcome for outcome in outcomes if outcome is not None]
                if number == rank("CustomResourceDefinition"):
                    self._establish(group, report.outcomes, steps)
            except McpopsError as error:
                done = report.outcomes + [one for one in outcomes if one is not None and one not in report.outcomes]
                error.details.setdefault("objects", [outcome.as_result() for outcome in done])
                error.details.setdefault("changed", any(outcome.changed for outcome in done) and not self._check)
                raise
        return report

    def _job(self, step: Step, outcomes: list[Outcome | None], place: int) -> t.Callable[[], None]:
        def job() -> None:
            outcomes[place] = self.one(step)

        return job

    def one(self, step: Step) -> Outcome:
        """Apply one step if it differs."""
        if not step.difference:
            return Outcome(step.manifest, UNCHANGED, live=step.live)
        if self._check and (step.local or step.resource is None):
            return self._predicted(step)
        resource = step.resource or self._discovery.need(str(step.manifest["apiVersion"]), step.kind)
        try:
            now, created = self._write(resource, step)
        except NamespaceMissing:
            if self._check:
                return self._predicted(step)
            raise
        if created or step.live is None:  # an answer that was lost, asked for again, does not say "created"
            return self._outcome(step, CREATED, now)
        if step.live is not None and self._same(step.live, now):
            return Outcome(step.manifest, UNCHANGED, live=now)
        return self._outcome(step, UPDATED, now)

    def _write(self, resource: Resource, step: Step) -> tuple[Object, bool]:
        """Apply; what was made by hand or by client-side apply before is taken over, and so told."""
        ask = functools.partial(self._client.apply, resource, step.manifest, manager=self._manager, dry_run=self._check)
        try:
            return ask(force=self._force)
        except FieldConflict as conflict:
            owners = conflict.details["conflicts"]
            if any(one["declared"] or one["manager"] not in self._take_over for one in owners):
                raise
            told = "; ".join(f"{', '.join(one['fields'])} from {one['manager']}" for one in owners)
            self._warnings.append(f"{label_of(step.manifest)}: took over {told}.")
            return ask(force=True)

    def _predicted(self, step: Step) -> Outcome:
        return self._outcome(step, CREATED if step.live is None else UPDATED, None)

    def _outcome(self, step: Step, action: str, now: Object | None) -> Outcome:
        difference = step.difference
        return Outcome(step.manifest, action, difference.changes, difference.before, difference.after, now)

    def _same(self, before: Object, after: Object) -> bool:
        if not self._check:
            return bool(before["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion"))
        return _stored(before) == _stored(after)

    def _establish(self, crds: t.Sequence[Step], outcomes: t.Sequence[Outcome], steps: t.Sequence[Step]) -> None:
        """After CRDs were written: wait until they are served, then look up the kinds that waited for them."""
        if self._check:
            return
        written = [
            outcome
            for outcome in outcomes
            if outcome.manifest.get("kind") == "CustomResourceDefinition" and outcome.changed
        ]
        live = {outcome.manifest["metadata"]["name"]: outcome.live for outcome in written}
        targets = [
            Target(CRD, step.name, None, CrdEstablished(), live[step.name]) for step in crds if step.name in live
        ]
        wait_all(self._client, targets, Deadline(CRD_TIMEOUT))
        pending = [step for step in steps if step.resource is None]
        if pending:
            self._discovery.forget()
        for step in pending:
            step.resource = self._discovery.need(str(step.manifest["apiVersion"]), step.kind)
            self._planner.place(step)
            step.local = ""


def _stored(live: Object) -> Object:
    """The object without what a dry run cannot know."""
    shown = copy.deepcopy(live)
    metadata = shown["metadata"]
    for key in ("resourceVersion", "generation"):
        metadata.pop(key, None)
    for entry in metadata.get("managedFields") or []:
        entry.pop("time", None)
    return shown
