# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Following an installation by OLM: Subscription, InstallPlans and CSVs watched together until the operator runs."""

from __future__ import annotations

import queue
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_rules as olm
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import WaitFailed, WaitTimeout
from ansible_collections.mcpops.gateway.plugins.module_utils._report import UPDATED, Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Event, Follower, blind, hint_of

KINDS = ("Subscription", "InstallPlan", "ClusterServiceVersion")
WAITING = {
    olm.PLAN: "get an InstallPlan",
    olm.UNPACK: "have its bundle unpacked",
    olm.INSTALL: "have its InstallPlan carried out",
    olm.CSV: "have its operator running (CSV Succeeded)",
}


class Installation:
    """The objects of one Subscription, as last seen."""

    def __init__(self, engine: Engine, params: t.Mapping[str, t.Any], wish: olm.Wish) -> None:
        self._engine = engine
        self._name = params["name"]
        self._namespace = params["namespace"]
        self._label = f"Subscription {self._namespace}/{self._name}"
        self._limits = {
            olm.PLAN: float(params["install_plan_ref_timeout"]),
            olm.UNPACK: float(params["install_plan_timeout"]),
            olm.INSTALL: float(params["install_plan_timeout"]),
            olm.CSV: float(params["csv_timeout"]),
        }
        self._wish = wish
        self._seen: dict[str, dict[str, Object]] = {kind: {} for kind in KINDS}
        self._approved: set[str] = set()

    @property
    def subscription(self) -> Object | None:
        return self._seen["Subscription"].get(self._name)

    @property
    def csv(self) -> Object | None:
        """The installed CSV."""
        installed = ((self.subscription or {}).get("status") or {}).get("installedCSV")
        return self._seen["ClusterServiceVersion"].get(str(installed))

    def look(self, report: Report) -> None:
        """Read the present state without waiting; in check mode, predict what becomes of a plan."""
        for kind in KINDS:
            self._seen[kind] = {
                item["metadata"]["name"]: item for item in self._engine.read_all(olm.V1ALPHA1, kind, self._namespace)
            }
        if self.subscription is None:
            return
        stage = self._stage()
        if stage.step == olm.APPROVE:
            self._approve(stage.key, report)
        elif stage.step == olm.FAILED and self._engine.check:
            self._engine.warn(f"{self._label} cannot be installed as things are now: {stage.seen}.")

    def follow(self, report: Report) -> None:
        """Watch until the operator runs. Raises WaitFailed with OLM's reason, WaitTimeout with the step that hangs."""
        self.look(report)
        if self._stage().step == olm.DONE:
            self._tell_pending()
            return
        news: queue.Queue[Event] = queue.Queue()
        followers = [
            Follower(
                self._engine.client, self._resource(kind), self._namespace, news, expected=self._seen[kind]
            ).start()
            for kind in KINDS
        ]
        try:
            self._follow(news, report, followers)
        finally:
            for follower in followers:
                follower.stop()
        self._tell_pending()

    def _resource(self, kind: str) -> Resource:
        return self._engine.discovery.need(olm.V1ALPHA1, kind)

    def _stage(self) -> olm.Stage:
        subs = self._seen["Subscription"]
        others = [sub for name, sub in subs.items() if name != self._name]
        return olm.stage(
            self.subscription, self._seen["InstallPlan"], self._seen["ClusterServiceVersion"], self._wish, others
        )

    def _follow(self, news: queue.Queue[Event], report: Report, followers: t.Sequence[Follower]) -> None:
        visit, since, failing = ("", ""), time.monotonic(), None
        while True:
            stage = self._stage()
            now = time.monotonic()
            if stage.step == olm.DONE:
                return
            if stage.step == olm.FAILED:
                failing = now if failing is None else failing
                left = failing + stage.grace - now
                if left <= 0:
                    raise self._failed(stage)
            else:
                failing = None
                if stage.step == olm.APPROVE:
                    self._approve(stage.key, report)
                    left = self._limits[olm.INSTALL]
                else:
                    if (stage.step, stage.key) != visit:
                        visit, since = (stage.step, stage.key), now
                    left = since + self._limits[stage.step] - now
                    if left <= 0:
                        raise self._timed_out(stage, blind(follower.trouble for follower in followers))
            self._engine.progress.tick(f"waiting for {self._label}: {stage.seen or stage.step}")
            self._take(news, min(left, self._engine.progress.left()))

    def _take(self, news: queue.Queue[Event], seconds: float) -> None:
        """Take over all news there is, waiting for the first."""
        try:
            event = news.get(timeout=max(0.01, seconds))
            while True:
                if event.error is not None:
                    raise event.error
                known = self._seen[event.source.resource.kind]
                if event.live is None:
                    known.pop(event.name, None)
                else:
                    known[event.name] = event.live
                event = news.get_nowait()
        except queue.Empty:
            return

    def _approve(self, name: str, report: Report) -> None:
        """Approve this one plan; what else OLM has put into it is told."""
        if name in self._approved:
            return
        self._approved.add(name)
        plan = self._seen["InstallPlan"][name]
        operations = [{"op": "add", "path": "/spec/approved", "value": True}]
        live = self._engine.client.json_patch(
            self._resource("InstallPlan"),
            name,
            self._namespace,
            operations,
            manager=self._engine.manager,
            dry_run=self._engine.check,
        )
        csvs = olm.plan_csvs(plan)
        if len(csvs) > 1:
            self._engine.warn(
                f"The InstallPlan {self._namespace}/{name} that was approved also installs what the operator depends "
                f"on: {', '.join(csvs)}."
            )
        manifest = {
            "apiVersion": olm.V1ALPHA1,
            "kind": "InstallPlan",
            "metadata": {"name": name, "namespace": self._namespace},
        }
        before, after = ({**manifest, "spec": {"approved": value}} for value in (False, True))
        approved = Outcome(manifest, UPDATED, ["spec.approved"], before, after, live)
        report.outcomes.append(approved)
        self._engine.done.outcomes.append(approved)
        if not self._engine.check:
            self._seen["InstallPlan"][name] = live

    def _tell_pending(self) -> None:
        stage = self._stage()
        if "waits for approval" in stage.seen:
            self._engine.warn(f"{self._label}: {stage.seen}.")

    def _failed(self, stage: olm.Stage) -> WaitFailed:
        hint = hint_of(stage.fix)
        return WaitFailed(f"{self._label} cannot be installed: {stage.seen.rstrip('.')}{hint}", last_seen=stage.seen)

    def _timed_out(self, stage: olm.Stage, blindness: str) -> WaitTimeout:
        hint = blindness or hint_of(stage.fix)
        return WaitTimeout(
            f"Waited {self._limits[stage.step]:g} s for {self._label} to {WAITING[stage.step]}; last seen: "
            f"{stage.seen.rstrip('.')}{hint}",
            waited_for=WAITING[stage.step],
            last_seen=stage.seen,
        )
