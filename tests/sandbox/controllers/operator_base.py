# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: what its controllers share: when they work, conditions, finalizers, trying again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any, ClassVar

from sandbox.client import Object, Resource
from sandbox.controllers.operator_release import FINALIZER, Release, running_release
from sandbox.controllers.operator_start import start_problem
from sandbox.controllers.runtime import Controller, Key, Watch, key_of
from sandbox.kinds import CRDS, DEPLOYMENTS

POLL_SECONDS = 5.0
"""How soon the operator looks again at what it waits for."""
REQUEUE_SECONDS = 2.0
"""How soon it goes on after it put its finalizer on a registration."""
RETRY_FIRST, RETRY_MOST = 0.005, 1000.0
"""Seconds before it tries again what failed, doubled each time: the defaults of controller-runtime."""


class RetryError(Exception):
    """The operator logs this as an error and tries again, later each time."""


def nothing(_: Object) -> Iterable[Key]:
    """Mapping for what is read but leads to no reconcile, because the operator does not watch it."""
    return []


def with_condition(conditions: Sequence[Object], condition: Object) -> list[Object]:
    """The conditions with one set; its time of transition moves only with its status."""
    result = [deepcopy(entry) for entry in conditions]
    for index, old in enumerate(result):
        if old["type"] == condition["type"]:
            same = old["status"] == condition["status"]
            time = old["lastTransitionTime"] if same else _now()
            result[index] = {**condition, "lastTransitionTime": time}
            return result
    return [*result, {**condition, "lastTransitionTime": _now()}]


def without_condition(conditions: Sequence[Object], kind: str) -> list[Object]:
    """The conditions but those of one type."""
    return [entry for entry in conditions if entry["type"] != kind]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class OperatorController(Controller):
    """Works only while the operator's Deployment runs, and by the rules of the version that it runs."""

    name: ClassVar[str] = "mcp_controller"

    def __init__(self) -> None:
        super().__init__()
        self._failures: dict[Key, int] = {}
        self._running: Release | None = None

    def operator_watches(self, own: Sequence[Resource]) -> list[Watch]:
        """The operator's own Deployment and what it needs to run: when it starts, everything is reconciled."""

        def everything(_: Object) -> Iterable[Key]:
            before, self._running = self._running, self._find_release()
            if self._running is None or self._running == before:
                return []
            return {key_of(obj) for resource in own for obj in self.cache(resource).list()}

        return [Watch(DEPLOYMENTS, everything), Watch(CRDS, everything)]

    def release(self) -> Release | None:
        """The release that runs; None while the operator is not installed, not available, or cannot start."""
        return self._running

    def _find_release(self) -> Release | None:
        crds = self.cache(CRDS).list()
        return running_release(
            deployment for deployment in self.cache(DEPLOYMENTS).list() if not start_problem(deployment, crds)
        )

    async def reconcile(self, key: Key) -> float | None:
        release = self.release()
        if release is None:
            return None
        try:
            again = await self.reconcile_for(release, key)
        except RetryError:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            return float(min(RETRY_FIRST * 2 ** (count - 1), RETRY_MOST))
        self._failures.pop(key, None)
        return release.resync_seconds if again is None else again

    async def reconcile_for(self, release: Release, key: Key) -> float | None:
        """`reconcile` by the rules of a release. A `RetryError` is tried again."""
        raise NotImplementedError

    async def add_finalizer(self, resource: Resource, obj: Object) -> bool:
        """Puts the operator's finalizer on the object; says whether it had to."""
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            return False
        await self.patch(resource, obj, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
        return True

    async def drop_finalizer(self, resource: Resource, obj: Object) -> None:
        """Lets a deleted object go."""
        rest = [entry for entry in obj["metadata"].get("finalizers") or [] if entry != FINALIZER]
        await self.patch(resource, obj, {"metadata": {"finalizers": rest}})

    async def set_condition(self, resource: Resource, obj: Object, condition: Object, **status: Any) -> None:
        """Writes a condition (and other status fields; None removes one) if that changes anything."""
        old = obj.get("status") or {}
        new = {**old, **status, "conditions": with_condition(old.get("conditions") or [], condition)}
        new = {field: value for field, value in new.items() if value is not None}
        if new != old:
            await self.replace(resource, {**obj, "status": new}, subresource="status")


def has_finalizer(obj: Object) -> bool:
    """Whether the operator still has to clean up behind the object."""
    return FINALIZER in (obj["metadata"].get("finalizers") or [])
