# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the status of registrations and virtual servers is to say, and writing it.

Ready tells whether the server answers, in the words of the broker's `/status`, as the operator's 0.6 and 0.7 did; from
0.8 on the operator says Ready when its configuration is written, whether or not there is a server. The operator never
writes the status of virtual servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mcpops_broker import logs
from mcpops_broker.cluster.api import Api, ApiProblem
from mcpops_broker.cluster.kinds import Key, Kind, Object, condition, key_of, named
from mcpops_broker.cluster.registrations import Found
from mcpops_broker.status import ServerStatus, VirtualServerStatus

READY, NOT_READY, DISABLED = "Ready", "NotReady", "Disabled"
LONGEST_MESSAGE = 32_768
"""Characters, the API's bound for a condition's message."""
MOST_MISSING = 20
"""Names of missing tools that a message tells."""
AGAIN = 60.0
"""Seconds after which a condition that somebody else has changed is written again: often enough, and two who both think
that it is theirs do not write all the time."""
_UNDECLARED = "field not declared in schema"


@dataclass(frozen=True, slots=True)
class Report:
    """What the status of an object is to say."""

    reason: str
    message: str
    tools: int = 0

    @property
    def status(self) -> str:
        """The condition's status."""
        return str(self.reason == READY)


def registration_report(key: Key, found: Found, server: Callable[[str], ServerStatus | None]) -> Report | None:
    """None: nothing is to be said (yet)."""
    if key in found.elsewhere:
        return None
    if key in found.refused:
        return Report(NOT_READY, found.refused[key])
    status = server(named(key))
    if status is None or status["state"] == "connecting":
        return None
    if status["state"] == "disabled":
        return Report(DISABLED, status["message"])
    return Report(READY if status["ready"] else NOT_READY, status["message"], status["totalTools"])


def virtual_server_report(status: VirtualServerStatus) -> Report:
    """A virtual server is ready when all that it names is there."""
    missing = status["missing"]
    if not missing:
        return Report(READY, f"{status['tools']} tools and {status['prompts']} prompts are offered")
    more = f" and {len(missing) - MOST_MISSING} more" if len(missing) > MOST_MISSING else ""
    return Report(NOT_READY, f"no server offers {', '.join(missing[:MOST_MISSING])}{more}")


class Reporter:
    """Writes reports; remembers what it wrote, and what the API server cannot take."""

    def __init__(self, api: Api) -> None:
        self.problems: dict[Key, str] = {}
        """Objects whose status could not be written, and why."""
        self._api = api
        self._written: dict[str, tuple[Report, float]] = {}
        """By uid: the last report and when it was written."""
        self._without_status: set[Kind] = set()
        """Kinds whose definition has no status (virtual servers in 0.6 and 0.7)."""
        self._without_tools: set[Kind] = set()
        """Kinds whose status has no `discoveredTools` (registrations from 0.8 on)."""

    def forget(self) -> None:
        """Look at everything anew: somebody else has been writing."""
        self._written.clear()

    async def write(self, kind: Kind | None, reports: Iterator[tuple[Object, Report]]) -> None:
        """Write what is not there yet."""
        if kind is None or kind in self._without_status:
            return
        for obj, report in reports:
            uid, key = obj["metadata"]["uid"], key_of(obj)
            if _says(obj, report):
                self._written[uid] = report, time.monotonic()
                self.problems.pop(key, None)
                continue
            before, when = self._written.get(uid, (None, 0.0))
            if before == report and time.monotonic() - when < AGAIN:
                continue
            self._written[uid] = report, time.monotonic()
            try:
                await self._apply(kind, obj, report)
                self.problems.pop(key, None)
            except ApiProblem as problem:
                if problem.missing and await self._is_there(kind, key):
                    self._without_status.add(kind)
                    return
                if not problem.missing and self.problems.get(key) != str(problem):
                    self.problems[key] = str(problem)
                    logs.warning("cluster.unreported", kind=kind.plural, object=named(key), problem=str(problem))

    def sweep(self, uids: set[str]) -> None:
        """Forget objects that are gone."""
        self._written = {uid: written for uid, written in self._written.items() if uid in uids}

    async def _is_there(self, kind: Kind, key: Key) -> bool:
        objects, _ = await self._api.read(kind, key[0], key[1])
        return bool(objects)

    async def _apply(self, kind: Kind, obj: Object, report: Report) -> None:
        status: dict[str, Any] = {"conditions": [_condition(obj, report)]}
        if kind.kind == "MCPServerRegistration" and kind.version == "v1alpha1" and kind not in self._without_tools:
            try:
                await self._api.apply_status(kind, obj, {**status, "discoveredTools": report.tools})
            except ApiProblem as problem:
                if _UNDECLARED not in str(problem):
                    raise
                self._without_tools.add(kind)
            else:
                return
        await self._api.apply_status(kind, obj, status)


def _says(obj: Object, report: Report) -> bool:
    found = condition(obj, READY) or {}
    return all(found.get(name) == value for name, value in _content(obj, report).items())


def _content(obj: Object, report: Report) -> Mapping[str, Any]:
    return {
        "type": READY,
        "status": report.status,
        "reason": report.reason,
        "message": report.message[:LONGEST_MESSAGE],
        "observedGeneration": obj["metadata"]["generation"],
    }


def _condition(obj: Object, report: Report) -> dict[str, Any]:
    before = condition(obj, READY) or {}
    same = before.get("status") == report.status
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**_content(obj, report), "lastTransitionTime": before["lastTransitionTime"] if same else now}
