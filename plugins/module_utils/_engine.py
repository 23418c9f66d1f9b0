# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The engine as the modules see it: make these manifests true, make those objects absent, wait for that."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._apply import Applier
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._delete import Strip, delete
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery_cache import DiscoveryCache
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden, McpopsError, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._fields import applied_by
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import Goal
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest, identity
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Planner, Step
from ansible_collections.mcpops.gateway.plugins.module_utils._progress import Progress, Say
from ansible_collections.mcpops.gateway.plugins.module_utils._report import UNCHANGED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import SECRET, Resource, label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline, Target, wait_all

MANAGER = "mcpops.gateway"


class Engine:
    """One API server, one field manager, one task."""

    def __init__(
        self,
        client: ApiClient,
        *,
        manager: str = MANAGER,
        force: bool = False,
        take_over: t.Collection[str] = (),
        check: bool = False,
        namespace: str = "default",
        wait: bool = True,
        wait_timeout: float = 120.0,
        assume: t.Sequence[str] | None = None,
        say: Say | None = None,
        cache: DiscoveryCache | None = None,
    ) -> None:
        self.client = client
        self.discovery = Discovery(client, cache)
        self.manager = manager
        self.force = force
        self._take_over = frozenset(take_over)
        self.check = check
        self._assume = assume
        self.namespace = namespace
        self.wait = wait
        self.progress = Progress(say)
        self.deadline = Deadline(wait_timeout, self.progress)
        self.warnings: list[str] = []
        self.done = Report()
        """All that was done so far, in order: what a failure tells of."""

    def plan(self, manifests: t.Sequence[Manifest], manager: str | None = None, *, leave: bool = False) -> list[Step]:
        """Read and compare; raises what can be known to fail before anything is written."""
        return self._planner().plan(manifests, manager or self.manager, leave=leave)

    def carry_out(self, steps: t.Sequence[Step], manager: str | None = None, *, told: bool = True) -> Report:
        """Write what differs (check mode: ask for it with a dry run). ``told``: a failure tells of it, too."""
        applier = Applier(
            self.client,
            self.discovery,
            self._planner(),
            manager=manager or self.manager,
            force=self.force,
            take_over=self._take_over,
            check=self.check,
        )
        report = Report()
        try:
            applier.run(steps, report)
        finally:
            if told:
                self.done.add(report)
        return report

    def apply(self, manifests: t.Sequence[Manifest], manager: str | None = None, *, leave: bool = False) -> Report:
        """Plan and carry out. ``leave``: what exists already is left as it is."""
        return self.carry_out(self.plan(manifests, manager, leave=leave), manager)

    def remove(self, manifests: t.Sequence[Manifest], *, only_own: bool = False, strip: Strip | None = None) -> Report:
        """Make the objects absent; only what names them is looked at. A kind that is not served has no objects.

        ``only_own``: an object that this manager has never applied stays, and a warning says so. ``strip``: finalizers
        that nobody else takes off.
        """
        planner = Planner(self.client, self.discovery, namespace=self.namespace, missing=_nothing)
        steps = planner.resolve([identity(manifest) for manifest in manifests])
        planner.read(steps)
        gone: list[Step] = []
        stay: list[Step] = []
        for step in steps:
            foreign = only_own and step.live and applied_by(step.live, self.manager) is None
            (stay if foreign else gone).append(step)
        self._warn(
            f"{label_of(step.manifest)} stays: it was not made by {self.manager}."
            for step in stay
            if not (step.live or {})["metadata"].get("deletionTimestamp")
        )
        report = self.remove_steps(gone, strip=strip)
        report.outcomes += [Outcome(step.manifest, UNCHANGED, live=step.live) for step in stay]
        return report

    def remove_steps(self, steps: t.Sequence[Step], *, strip: Strip | None = None) -> Report:
        """The same for objects that have been read already."""
        report = Report()
        try:
            delete(
                self.client,
                steps,
                report,
                check=self.check,
                deadline=self.deadline if self.wait else None,
                manager=self.manager,
                strip=strip,
            )
        finally:
            self.done.add(report)
        return report

    def await_all(self, targets: t.Sequence[Target], deadline: Deadline | None = None) -> None:
        """Wait for all, unless told not to or in check mode."""
        if self.wait and not self.check:
            wait_all(self.client, targets, deadline or self.deadline)

    def await_goal(self, report: Report, step: Step, goal: Goal) -> Object | None:
        """Wait until the object of a step reaches a goal. Returns it as it is then, or as the report has it."""
        live = report.live(step.kind, step.name)
        if live is None or step.resource is None or not self.wait or self.check:
            return live
        target = Target(step.resource, step.name, step.namespace, goal, live)
        self.await_all([target])
        return target.live

    # ---- reading for checks before writing

    def read_secret(self, name: str, namespace: str, said: str, *, missing: str, fix: str) -> Object | None:
        """A Secret that an object refers to; ``said`` names both. None when it may not be read, which is a warning.

        One that is not there is told by ``missing`` (the method), with the choice of that name and the ``fix``.
        """
        try:
            secret = self.client.get(SECRET, name, namespace)
        except Forbidden:
            self.warn(
                f"{said} could not be checked: reading Secrets in namespace {namespace} is not allowed to this user."
            )
            return None
        if secret is None:
            self.missing(missing, f"{said} does not exist", fix)
        return secret

    def read(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """One object, or None when it or its kind does not exist."""
        resource = self.discovery.find(api_version, kind)
        return None if resource is None else self.client.get(resource, name, namespace if resource.namespaced else None)

    def read_all(self, api_version: str, kind: str, namespace: str | None = None) -> list[Object]:
        """The objects of a kind; none when the kind does not exist."""
        resource = self.discovery.find(api_version, kind)
        return [] if resource is None else self.client.list(resource, namespace)[0]

    def need(self, api_version: str, kind: str) -> Resource | None:
        """The resource; None only in check mode (the planner then warns). Raises KindNotServed."""
        found = self.discovery.find(api_version, kind)
        return found if found is not None or self.check else self.discovery.need(api_version, kind)

    def missing(self, what: str, said: str, fix: str = "", error: type[McpopsError] = Refused) -> None:
        """Something that the job needs is not there: ``what`` (a choice of the option ``assume``), told by ``said``.

        Raises ``error`` with the ``fix``. In check mode an earlier task of the play may have made it by then: without
        the option that is a warning, with it nothing for what it lists and still an error for the rest.
        """
        if self.check and self._assume is None:
            self.warn(f"{said} (as things are now).")
        elif not self.check or what not in (self._assume or ()):
            raise error(f"{said}; {fix}." if fix else f"{said}.")

    def warn(self, message: str) -> None:
        """Add a warning to the result, once."""
        self._warn([message])

    def _planner(self) -> Planner:
        return Planner(
            self.client,
            self.discovery,
            namespace=self.namespace,
            missing=self.missing,
            take_over=self._take_over,
        )

    def _warn(self, messages: t.Iterable[str]) -> None:
        self.warnings += [message for message in messages if message not in self.warnings]


def _nothing(_what: str, _said: str, _fix: str = "", _error: type[McpopsError] = Refused) -> None:
    """For removal: what is not there is as it should be."""
