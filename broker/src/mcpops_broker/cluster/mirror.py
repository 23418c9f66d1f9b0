# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A copy of what the API server has of one kind in one namespace, kept up to date: listed once, then watched."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from http import HTTPStatus

from mcpops_broker import logs
from mcpops_broker.cluster.api import WATCH_SECONDS, Api, ApiProblem
from mcpops_broker.cluster.kinds import Key, Kind, Object, key_of

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before asking again after a failure; doubled each time."""
SILENCE = WATCH_SECONDS + 30
"""Seconds without an event after which a watch begins anew: its connection may have died without a word."""
STEADY = 1.0
"""Seconds after which a watch that has not failed is one that works."""
_ANSWERS = (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)


class Mirror:
    """The copy. `changed` is called after every change of it.

    `kinds` are versions of one kind, of which the first that is served is read. A kind that is not served, or may not
    be read, has no objects as long as that is so. When the API server cannot be reached the copy stays as it was.
    """

    def __init__(
        self,
        api: Api,
        kinds: Sequence[Kind],
        namespace: str | None,
        changed: Callable[[], None],
        *,
        name: str | None = None,
        trim: Callable[[Object], Object] = lambda obj: obj,
    ) -> None:
        self.objects: dict[Key, Object] = {}
        self.kind: Kind | None = None
        """The version that is served."""
        self.answered = False
        """Whether the API server has said what there is."""
        self._api = api
        self._kinds = kinds
        self._namespace = namespace
        self._changed = changed
        self._name = name
        self._trim = trim
        self._unlisted = self._unwatched = ""

    async def run(self) -> None:
        """Keep the copy up to date, until cancelled."""
        pause = FIRST_PAUSE
        while True:
            try:
                version = await self._list()
            except ApiProblem as problem:
                self._cannot_list(problem)
            else:
                try:
                    await self._follow(version)
                except ApiProblem as problem:
                    if problem.code == HTTPStatus.GONE:  # the version is too old to watch from; nothing is wrong
                        continue
                    if not self._unwatched:
                        pause = FIRST_PAUSE  # it went well before
                    self._unwatched = self._told(self._unwatched, problem)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - so that replicas do not ask together
            pause = min(pause * 2, LONGEST_PAUSE)

    @property
    def problem(self) -> str:
        """Why the copy may not be what the API server has, as a sentence; empty when it is."""
        return self._unlisted or self._unwatched

    async def _list(self) -> str:
        for kind in self._kinds:
            try:
                found, version = await self._api.read(kind, self._namespace, self._name)
            except ApiProblem as problem:
                if problem.missing:
                    continue
                raise
            self.kind = kind
            self._know({key_of(obj): self._trimmed(obj) for obj in found}, "")
            return version
        kind = self._kinds[0]
        raise ApiProblem(HTTPStatus.NOT_FOUND, f"the cluster does not serve the kind {kind.kind} of {kind.group}")

    async def _follow(self, version: str) -> None:
        """Take over what happens; raises `ApiProblem` at the end of a watch."""
        while self.kind is not None:
            events = self._api.watch(self.kind, self._namespace, version, self._name)
            steady = asyncio.get_running_loop().call_later(STEADY, self._watches)
            try:
                async with asyncio.timeout(SILENCE) as silence, aclosing(events):
                    async for event, obj in events:
                        silence.reschedule(asyncio.get_running_loop().time() + SILENCE)
                        version = obj["metadata"]["resourceVersion"]
                        self._happened(event, self._trimmed(obj))
            except TimeoutError:
                continue
            finally:
                steady.cancel()

    def _watches(self) -> None:
        self._unwatched = ""

    def _happened(self, event: str, obj: Object) -> None:
        key = key_of(obj)
        if event == "DELETED":
            self.objects.pop(key, None)
        elif self.objects.get(key) == obj:
            return
        else:
            self.objects[key] = obj
        self._changed()

    def _cannot_list(self, problem: ApiProblem) -> None:
        said = self._told(self._unlisted, problem)
        if problem.code in _ANSWERS:
            self.kind = None
            self._know({}, said)
        else:
            self._unlisted = said

    def _told(self, before: str, problem: ApiProblem) -> str:
        if str(problem) != before:
            logs.warning("cluster.unread", problem=str(problem), namespace=self._namespace)
        return str(problem)

    def _know(self, objects: dict[Key, Object], problem: str) -> None:
        news = not self.answered or objects != self.objects
        self.objects, self._unlisted, self.answered = objects, problem, True
        if news:
            self._changed()

    def _trimmed(self, obj: Object) -> Object:
        meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
        return self._trim({**obj, "metadata": meta})
