# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Waiting by watching: LIST, then the stream of changes from there. Never a polling loop.

A watch that ends, breaks or is too old is taken up again; an object that vanishes is noticed; the deadline holds
for everything together; a failure ends the wait at once (after the goal's grace).
"""

from __future__ import annotations

import json
import queue
import random
import threading
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    ApiError,
    ConnectionFailed,
    McpopsError,
    ServerError,
    Throttled,
    WaitFailed,
    WaitTimeout,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Gone as TooOld
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import (
    DONE,
    FAILED,
    PENDING,
    CrdEstablished,
    Goal,
    Gone,
    Verdict,
    finalizers_of_controllers,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._pods import Pods, has_pods, selector_of
from ansible_collections.mcpops.gateway.plugins.module_utils._progress import Progress
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import BUILT_IN, Resource, label

__all__ = ["CrdEstablished", "Deadline", "Follower", "Target", "wait_all"]

POD = BUILT_IN["v1", "Pod"]
LONGEST_WATCH = 240.0
VANISHED_GRACE = 10.0
"""Seconds in which an object that was removed while it was waited for may be made again by its owner."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Deadline:
    """So many seconds from now, shared by everything that one task waits for, and whom to tell how it goes."""

    def __init__(self, seconds: float, progress: Progress | None = None) -> None:
        self.seconds = seconds
        self.progress = progress or Progress()
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())


@dataclass
class Target:
    """An object and what it shall become; ``known`` is its state as just read or written, if it was."""

    resource: Resource
    name: str
    namespace: str | None
    goal: Goal
    known: Object | None = None
    last: Verdict = field(default_factory=lambda: Verdict(PENDING, "it has not been seen yet"))
    live: Object | None = None
    pods: Pods | None = None
    failing_since: float | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        return label(self.resource.kind, self.namespace, self.name)


class Event(t.NamedTuple):
    """News from a Follower: the object of that name as it is now (None: gone), or the error that ended it."""

    source: Follower
    name: str
    live: Object | None
    error: McpopsError | None = None


class Follower:
    """Follows the objects of one kind in one namespace (or one object) in a thread, and puts Events on a queue.

    ``expected``: names that are told as gone when the first look does not find them.
    """

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        namespace: str | None,
        news: queue.Queue[Event],
        *,
        name: str | None = None,
        labels: str | None = None,
        since: str = "",
        expected: t.Iterable[str] = (),
    ) -> None:
        self.resource = resource
        self.namespace = namespace
        self._client = client
        self._news = news
        self._name = name
        self._labels = labels
        self._version = since
        self._seen: set[str] = set(expected)
        self._stop = threading.Event()
        self._stream: t.Any = None
        self.trouble: McpopsError | None = None
        """Why nothing is seen at present: the last failure, until a watch is open again."""
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"watch-{resource.plural}")

    def start(self) -> Follower:
        """Begin; without a resourceVersion to start from, the present state comes first."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End it; an open watch is closed."""
        self._stop.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            asked: float | None = None
            try:
                if not self._version:
                    self._relist()
                self._watch()
            except TooOld:
                self._version = ""
            except (ConnectionFailed, ServerError, Throttled) as error:
                self.trouble = error  # taken up again after a pause; the deadline is the waiter's
                asked = error.retry_after if isinstance(error, ApiError) else None
            except McpopsError as error:
                self._news.put(Event(self, "", None, error))
                return
            if time.monotonic() - began > LONGEST_PAUSE:
                pause = FIRST_PAUSE
            self._stop.wait(max(asked or 0.0, pause * (0.5 + random.random() / 2)))  # noqa: S311 - jitter
            pause = min(LONGEST_PAUSE, pause * 2)

    @property
    def _fields(self) -> str | None:
        return f"metadata.name={self._name}" if self._name else None

    def _relist(self) -> None:
        items, self._version = self._client.list(
            self.resource, self.namespace, labels=self._labels, fields=self._fields
        )
        present = {item["metadata"]["name"]: item for item in items}
        for gone in self._seen - set(present):
            self._tell(gone, None)
        for name, item in present.items():
            self._tell(name, item)
        self._seen = set(present)

    def _watch(self) -> None:
        self._stream = self._client.watch(
            self.resource,
            self.namespace,
            self._version,
            labels=self._labels,
            fields=self._fields,
            timeout=LONGEST_WATCH,
        )
        self.trouble = None
        try:
            for line in self._stream:
                if self._stop.is_set():
                    return
                self._take(json.loads(line))
        except ValueError:
            return  # a line cut off by a connection that broke
        finally:
            self._stream.close()

    def _take(self, event: dict[str, t.Any]) -> None:
        live = event.get("object") or {}
        if event.get("type") == "ERROR":
            self._version = ""
            raise TooOld("watch expired", status=int(live.get("code") or 0))
        metadata = live.get("metadata") or {}
        self._version = str(metadata.get("resourceVersion") or self._version)
        if event.get("type") == "BOOKMARK":
            return
        name = str(metadata.get("name"))
        gone = event.get("type") == "DELETED"
        self._seen.discard(name) if gone else self._seen.add(name)
        self._tell(name, None if gone else live)

    def _tell(self, name: str, live: Object | None) -> None:
        if live is not None:
            live.setdefault("kind", self.resource.kind)
            live.setdefault("apiVersion", self.resource.api_version)
        self._news.put(Event(self, name, live))


def wait_all(client: ApiClient, targets: t.Sequence[Target], deadline: Deadline) -> None:
    """Wait for every target; one watch a kind and namespace. Raises WaitTimeout, WaitFailed for the first that fails.

    Targets without ``known`` are read first, so that what is already true costs no watch.
    """
    for target in targets:
        if target.known is None:
            target.known = client.get(target.resource, target.name, target.namespace)
    open_targets = [target for target in targets if not _settle(target, target.known)]
    if not open_targets:
        return
    groups: dict[tuple[Resource, str | None], list[Target]] = {}
    for target in open_targets:
        groups.setdefault((target.resource, target.namespace), []).append(target)
    news: queue.Queue[Event] = queue.Queue()
    followers: dict[Follower, dict[str, list[Target]]] = {}
    for (resource, namespace), members in groups.items():
        names = {target.name for target in members}
        single = members[0] if len(names) == 1 else None
        since = str(single.known["metadata"].get("resourceVersion") or "") if single and single.known else ""
        name = single.name if single else None
        follower = Follower(client, resource, namespace, news, name=name, since=since, expected=names)
        followers[follower] = {name: [target for target in members if target.name == name] for name in names}
    workers = _pod_followers(client, open_targets, news)
    try:
        for follower in [*followers, *workers]:
            follower.start()
        _follow(news, followers, workers, open_targets, deadline)
    finally:
        for follower in [*followers, *workers]:
            follower.stop()


def _pod_followers(client: ApiClient, targets: t.Sequence[Target], news: queue.Queue[Event]) -> dict[Follower, Target]:
    """Followers of the pods of rollouts, which know why one does not come forward."""
    found = {}
    for target in targets:
        selector = selector_of(target.live) if has_pods(target.goal) else None
        if selector:
            target.pods = Pods()
            found[Follower(client, POD, target.namespace, news, labels=selector)] = target
    return found


def _follow(
    news: queue.Queue[Event],
    followers: dict[Follower, dict[str, list[Target]]],
    workers: t.Mapping[Follower, Target],
    targets: list[Target],
    deadline: Deadline,
) -> None:
    pending = list(targets)
    while pending:
        deadline.progress.tick(waiting(pending))
        limits = [deadline.remaining, deadline.progress.left()] + [
            _grace_left(target) for target in pending if target.failing_since is not None
        ]
        try:
            event = news.get(timeout=max(0.01, min(limits)))
        except queue.Empty:
            event = None
        if event is not None and event.source in workers:
            target = workers[event.source]
            if target.pods is not None and event.error is None:  # who may not see pods waits without them
                target.pods.take(event.name, event.live)
                if target in pending:
                    _settle(target, target.live)
        elif event is not None and event.error is not None:
            raise event.error
        elif event is not None:
            for target in followers[event.source].get(event.name, ()):
                if target in pending and _settle(target, event.live):
                    pending.remove(target)
        for target in pending:
            if target.failing_since is not None and _grace_left(target) <= 0:
                raise failed(target)
        if pending and deadline.remaining <= 0:
            raise timed_out(pending, deadline, [follower.trouble for follower in followers])


def _settle(target: Target, live: Object | None) -> bool:
    """Judge the newest state. True when the goal is reached; a failure without grace is raised."""
    target.live = live
    target.last = target.goal.judge(live)
    if live is None and target.known is not None and target.last.state == PENDING:
        target.last = Verdict(FAILED, "it was removed by somebody else meanwhile")
    if target.pods is not None:
        target.last = target.pods.judge(target.last)
    if target.last.state == FAILED:
        if target.failing_since is None:
            target.failing_since = time.monotonic()
        if _grace_left(target) <= 0:
            raise failed(target)
        return False
    target.failing_since = None
    return target.last.state == DONE


def _grace_left(target: Target) -> float:
    if target.last.remedy.at_once:
        return 0.0
    since = target.failing_since if target.failing_since is not None else time.monotonic()
    grace = VANISHED_GRACE if target.live is None else target.goal.grace
    return since + grace - time.monotonic()


def waiting(pending: t.Sequence[Target]) -> str:
    """What is being waited for, and how the first of it looks."""
    more = f" and {len(pending) - 1} more" if len(pending) > 1 else ""
    return f"waiting for {pending[0].label}{more} to {pending[0].goal.what}: {pending[0].last.seen}"


def failed(target: Target) -> WaitFailed:
    """The sentence for a goal that can no longer be reached."""
    return WaitFailed(
        f"{target.label} cannot {target.goal.what}: {target.last.seen}"
        f"{hint_of(target.last.remedy.fix or target.goal.fix)}",
        waited_for=target.goal.what,
        last_seen=target.last.seen,
    )


def timed_out(
    pending: t.Sequence[Target], deadline: Deadline, troubles: t.Iterable[McpopsError | None] = ()
) -> WaitTimeout:
    """The sentence for the deadline: what was waited for, what was seen last, what may help."""
    first = pending[0]
    names = ", ".join(target.label for target in pending[1:6])
    more = f" ({len(pending) - 1} more objects are not ready: {names})" if names else ""
    leaving = [target.live for target in pending if isinstance(target.goal, Gone) and target.live is not None]
    holding = sorted({name for live in leaving for name in finalizers_of_controllers(live)})
    return WaitTimeout(
        f"Waited {deadline.seconds:g} s for {first.label} to {first.goal.what}; last seen: "
        f"{first.last.seen}{more}{blind(troubles) or hint_of(first.last.remedy.fix or first.goal.fix)}",
        waited_for=first.goal.what,
        last_seen=first.last.seen,
        **({"finalizers": holding} if holding else {}),
    )


def blind(troubles: t.Iterable[McpopsError | None]) -> str:
    """How a sentence ends when the API server could not be asked at the end; empty when it could."""
    trouble = next((one for one in troubles if one is not None), None)
    return f"; since then nothing could be seen: {trouble.message}" if trouble else ""


def hint_of(fix: str) -> str:
    """How a sentence ends: with the hint, if there is one, and its own punctuation."""
    return f"; {fix}{'' if fix.endswith('?') else '.'}" if fix else "."
