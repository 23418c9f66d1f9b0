# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Carrying out a plan: server-side apply of what differs, in order of kind, side by side within a kind's rank."""

from __future__ import annotations

import functools
import itertools
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    FieldConflict,
    Invalid,
    NamespaceMissing,
    NotFound,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._fields import held_together, released
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import rank
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Planner, Step, run_steps
from ansible_collections.mcpops.gateway.plugins.module_utils._report import CREATED, UNCHANGED, UPDATED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import CRD, Resource, label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import CrdEstablished, Deadline, Target, wait_all

CRD_TIMEOUT = 60.0
SERVED_PAUSE = 0.1
RELEASE_ATTEMPTS = 5
BINDINGS = ("RoleBinding", "ClusterRoleBinding")
"""Who may not bind every role is refused one that does not exist; in a dry run those of the same plan do not."""
NO_DRY_RUN = "does not support dry run"
"""What the API server says of an admission webhook with side effects."""


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
        self._report = Report()

    def run(self, steps: t.Sequence[Step], report: Report) -> None:
        """Apply the plan. The report has what was done, also when something fails."""
        self._report = report
        for number, members in itertools.groupby(steps, key=lambda step: rank(step.kind)):
            run_steps(list(members), self.one, report, asks=lambda step: bool(step.difference))
            if number == rank(CRD.kind) and not self._check:
                self._serve(report, steps)

    def one(self, step: Step) -> Outcome:
        """Apply one step if it differs."""
        if not step.difference:
            return Outcome(step.manifest, UNCHANGED, live=step.live)
        if self._check and (step.local or step.resource is None):
            return self._predicted(step)
        resource = step.resource or self._discovery.need(str(step.manifest["apiVersion"]), step.kind)
        try:
            now = self._write(resource, step)
        except NamespaceMissing:
            if self._check:
                return self._predicted(step)
            raise
        except NotFound:
            if self._check and step.kind in BINDINGS and step.live is None:
                return self._predicted(step)
            raise
        except Invalid as error:
            if not (self._check and NO_DRY_RUN in error.message):
                raise
            self._report.warnings.append(
                f"{label_of(step.manifest)} is predicted without the API server: {error.message}"
            )
            return self._predicted(step)
        if step.live is None:  # an answer that was lost, asked for again, does not say "created"
            return self._outcome(step, CREATED, now)
        if held_together(now, self._manager, self._take_over):
            return self._outcome(step, UPDATED, now if self._check else self._release(resource, step, now))
        if self._same(step.live, now):
            return Outcome(step.manifest, UNCHANGED, live=now)
        return self._outcome(step, UPDATED, now)

    def _write(self, resource: Resource, step: Step) -> Object:
        """Apply; what was made by hand or by client-side apply before is taken over, and so told."""
        ask = functools.partial(self._client.apply, resource, step.manifest, manager=self._manager, dry_run=self._check)
        try:
            return ask(force=self._force)[0]
        except FieldConflict as conflict:
            owners = conflict.details["conflicts"]
            if any(one["declared"] or one["manager"] not in self._take_over for one in owners):
                raise
            told = "; ".join(f"{', '.join(one['fields'])} from {one['manager']}" for one in owners)
            self._report.warnings.append(f"{label_of(step.manifest)}: took over {told}.")
            return ask(force=True)[0]

    def _release(self, resource: Resource, step: Step, now: Object) -> Object:
        """Let those whose fields we take over give up what we applied; else it would stay when we leave it out later.

        As the migration of ``kubectl apply --server-side`` does, but only for what is stated.
        """
        for _attempt in range(RELEASE_ATTEMPTS):
            paths = held_together(now, self._manager, self._take_over)
            metadata = now["metadata"]
            operations = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
                {
                    "op": "replace",
                    "path": "/metadata/managedFields",
                    "value": released(now, paths, self._take_over),
                },
            ]
            try:
                return self._client.json_patch(
                    resource, step.name, step.namespace, operations, manager=self._manager, dry_run=False
                )
            except Invalid:  # somebody else has written meanwhile
                now = self._client.get(resource, step.name, step.namespace) or now
        return now  # it is written; the next run tries again

    def _predicted(self, step: Step) -> Outcome:
        return self._outcome(step, CREATED if step.live is None else UPDATED, None)

    def _outcome(self, step: Step, action: str, now: Object | None) -> Outcome:
        difference = step.difference
        return Outcome(step.manifest, action, difference.changes, difference.before, difference.after, now)

    def _same(self, before: Object, after: Object) -> bool:
        """Whether our write changed nothing, also when somebody has written the status meanwhile."""
        versions = {one["metadata"].get("resourceVersion") for one in (before, after)}
        return (len(versions) == 1 and not self._check) or _stored(before) == _stored(after)  # a dry run keeps it

    def _serve(self, report: Report, steps: t.Sequence[Step]) -> None:
        """After CRDs were written: wait until they are served, then look at the objects that waited for them."""
        written = [outcome for outcome in report.outcomes if outcome.manifest["kind"] == CRD.kind and outcome.changed]
        deadline = Deadline(CRD_TIMEOUT)
        wait_all(
            self._client,
            [Target(CRD, one.manifest["metadata"]["name"], None, CrdEstablished(), one.live) for one in written],
            deadline,
        )
        pending = [step for step in steps if step.resource is None]
        for step in pending:
            step.resource = self._served(step, deadline)
            self._planner.place(step)
            step.local = ""
        self._planner.look(pending, self._manager)

    def _served(self, step: Step, deadline: Deadline) -> Resource:
        """An established kind is listed by the API server some moments later; there is nothing to watch for that."""
        api_version = str(step.manifest["apiVersion"])
        while True:
            found = self._discovery.find(api_version, step.kind)
            if found is not None:
                return found
            if deadline.remaining <= 0:
                return self._discovery.need(api_version, step.kind)
            self._discovery.forget()
            time.sleep(SERVED_PAUSE)


def _stored(live: Object) -> Object:
    """The object without its status and what changes with every write."""
    shown = {key: value for key, value in live.items() if key != "status"}
    metadata = dict(live["metadata"])
    for key in ("resourceVersion", "generation"):
        metadata.pop(key, None)
    entries = [entry for entry in metadata.get("managedFields") or [] if entry.get("subresource") != "status"]
    metadata["managedFields"] = [{**entry, "time": None} for entry in entries]
    return {**shown, "metadata": metadata}
