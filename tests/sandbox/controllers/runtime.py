# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every stand-in controller is built on: cached watches, a work queue, retries.

The shape is controller-runtime's, reduced: a `Controller` says what it watches and how a watched object
maps to the keys to reconcile; `reconcile` compares wanted and seen and may ask to be called again later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Hashable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

from sandbox.client import ApiError, Client, Object, Resource
from sandbox.faults import switches
from sandbox.kinds import CRDS

log = logging.getLogger("sandbox.controllers")

Key = tuple[str, str]
"""Namespace ("" for cluster-scoped objects) and name."""


RETRY_FIRST, RETRY_MOST = 0.05, 5.0
"""Seconds before the first retry of a failed reconcile or list, and the longest that doubling leads to."""

BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def key_of(obj: Object) -> Key:
    """The key of an object."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def itself(obj: Object) -> Iterable[Key]:
    """Mapping for the controller's own kind: an object leads to itself."""
    return [key_of(obj)]


def owner(kind: str) -> Callable[[Object], Iterable[Key]]:
    """Mapping for owned objects: leads to the owners of that kind in the same namespace."""

    def keys(obj: Object) -> Iterable[Key]:
        meta = obj["metadata"]
        owners = meta.get("ownerReferences") or []
        return [(meta.get("namespace", ""), ref["name"]) for ref in owners if ref.get("kind") == kind]

    return keys


@dataclass(frozen=True, slots=True)
class Watch:
    """Objects of ``resource`` lead to the keys that ``to_keys`` gives for their new and old state."""

    resource: Resource
    to_keys: Callable[[Object], Iterable[Hashable]] = itself


class Informer:
    """The cached content of one resource in all namespaces, kept up to date by list and watch.

    A resource that is not served (its CRD is absent) counts as empty and synced; it is listed as soon as
    its CRD changes.
    """

    def __init__(self, client: Client, resource: Resource, crds: Informer | None = None) -> None:
        self.resource = resource
        self.synced = asyncio.Event()
        self._client = client
        self._crds = crds
        self._crd_changed = asyncio.Event()
        if crds:
            crds.subscribe(self._note_crd)
        self._watched = 0
        self._objects: dict[Key, Object] = {}
        self._listeners: list[Callable[[Object], None]] = []

    def get(self, namespace: str | None, name: str) -> Object | None:
        """The cached object; treat it as read-only."""
        return self._objects.get((namespace or "", name))

    def list(self, namespace: str | None = None, labels: dict[str, str] | None = None) -> list[Object]:
        """The cached objects of one namespace (or all) that carry the labels, by namespace and name."""
        wanted = (labels or {}).items()
        return [
            obj
            for (space, _), obj in sorted(self._objects.items(), key=lambda entry: entry[0])
            if namespace in (None, space) and wanted <= (obj["metadata"].get("labels") or {}).items()
        ]

    def subscribe(self, listener: Callable[[Object], None]) -> None:
        """Calls ``listener`` with each object that appeared, changed (old and new state) or disappeared."""
        self._listeners.append(listener)

    def observe(self, obj: Object) -> None:
        """Takes an object that a write just returned, so that the next reconcile does not act on an older one."""
        meta = obj["metadata"]
        gone = meta.get("deletionTimestamp") and not meta.get("finalizers")
        if not gone and int(meta["resourceVersion"]) > self._watched:
            self._store(obj)

    def _store(self, obj: Object) -> None:
        key = key_of(obj)
        old = self._objects.get(key)
        if old and int(old["metadata"]["resourceVersion"]) >= int(obj["metadata"]["resourceVersion"]):
            return
        self._objects[key] = obj
        self._tell(*(state for state in (old, obj) if state))

    def _forget(self, obj: Object) -> None:
        old = self._objects.get(key_of(obj))
        if old and old["metadata"].get("uid") == obj["metadata"].get("uid"):
            del self._objects[key_of(obj)]
            self._tell(old)

    def _tell(self, *states: Object) -> None:
        for listener in self._listeners:
            for state in states:
                listener(state)

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        pause = RETRY_FIRST
        while True:
            try:
                version = await self._list()
                pause = RETRY_FIRST
                while True:
                    version = await self._watch(version)
            except ApiError as error:
                if error.not_found:
                    self._replace([])
                    self.synced.set()
                    await self._until_served()
                    continue
                if not error.gone:
                    # A server that has just started asks for patience, kind by kind.
                    level = logging.INFO if error.code in BUSY else logging.WARNING
                    log.log(level, "watching %s: %s", self.resource.plural, error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_MOST)

    async def _list(self) -> str:
        self._crd_changed.clear()
        items, version = await self._client.list(self.resource)
        self._watched = int(version)
        self._replace(items)
        self.synced.set()
        return version

    def _replace(self, items: Sequence[Object]) -> None:
        present = {key_of(item): item["metadata"].get("uid") for item in items}
        for key, old in list(self._objects.items()):
            if present.get(key) != old["metadata"].get("uid"):
                self._forget(old)
        for item in items:
            self._store(item)

    async def _watch(self, version: str) -> str:
        async for event in self._client.watch(self.resource, None, version):
            obj = event["object"]
            version = obj["metadata"]["resourceVersion"]
            self._watched = int(version)
            if event["type"] == "DELETED":
                self._forget(obj)
            elif event["type"] != "BOOKMARK":
                self._store(obj)
        return version

    def _note_crd(self, crd: Object) -> None:
        if crd["metadata"]["name"] == self.resource.crd_name:
            self._crd_changed.set()

    async def _until_served(self) -> None:
        """Waits until it is worth asking again: serving starts a moment after the CRD declares the version."""
        crd = self._crds.get("", self.resource.crd_name) if self._crds else None
        versions = crd["spec"]["versions"] if crd else []
        if any(entry["name"] == self.resource.version and entry["served"] for entry in versions):
            await asyncio.sleep(RETRY_FIRST)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._crd_changed.wait(), timeout=30)


class _Queue:
    """A queue of keys in which each key waits at most once and is never handed out twice at a time."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, None] = {}
        self._active: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being done; what is to be looked at later does not count."""
        return not self._waiting and not self._active

    def add(self, key: Hashable) -> None:
        if key in self._active:
            self._again.add(key)
        else:
            self._waiting[key] = None
            self._wake.set()

    def add_after(self, key: Hashable, seconds: float) -> None:
        if timer := self._timers.pop(key, None):
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def _due(self, key: Hashable) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def take(self) -> Hashable:
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._active.add(key)
        return key

    def done(self, key: Hashable) -> None:
        self._active.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)


class Controller:
    """Base of the stand-in controllers: subclasses state `watches` and implement `reconcile`.

    Reads come from the informers' caches (`cache`); writes go through the methods below, which use the
    controller's ``field_manager`` and put the answer into the cache.
    """

    name: ClassVar[str] = "controller"
    workers: ClassVar[int] = 1

    def __init__(self) -> None:
        self.queue = _Queue()
        self.client: Client
        self._informers: dict[Resource, Informer] = {}

    @property
    def field_manager(self) -> str:
        """Name under which this controller owns fields."""
        return self.name

    def watches(self) -> Sequence[Watch]:
        """Everything the controller reads: reconciling what is not watched would miss changes."""
        raise NotImplementedError

    async def reconcile(self, key: Any) -> float | None:
        """Brings the world in line for ``key``; a number asks for another call after so many seconds."""
        raise NotImplementedError

    async def start(self) -> None:
        """Called once when every cache is filled, before the first reconcile."""

    async def stop(self) -> None:
        """Called once when the run ends."""

    def cache(self, resource: Resource) -> Informer:
        """The informer of a watched resource."""
        return self._informers[resource]

    def look_again(self) -> None:
        """Reconciles everything that is cached, as after a start."""
        for watch in self.watches():
            for obj in self.cache(watch.resource).list():
                for key in watch.to_keys(obj):
                    self.queue.add(key)

    def _seen(self, resource: Resource, obj: Object) -> Object:
        if resource in self._informers:
            self._informers[resource].observe(obj)
        return obj

    async def create(self, resource: Resource, obj: Object) -> Object:
        return self._seen(resource, await self.client.create(resource, obj, field_manager=self.field_manager))

    async def apply(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        """Server-side apply with force, as controllers do for what is theirs."""
        answer = await self.client.apply(resource, obj, field_manager=self.field_manager, subresource=subresource)
        return self._seen(resource, answer)

    async def replace(self, resource: Resource, obj: Object, *, subresource: str | None = None) -> Object:
        answer = await self.client.replace(resource, obj, subresource=subresource, field_manager=self.field_manager)
        return self._seen(resource, answer)

    async def patch(self, resource: Resource, obj: Object, body: Object, *, subresource: str | None = None) -> Object:
        """JSON merge patch of an object that was read before."""
        namespace, name = key_of(obj)
        manager = self.field_manager
        answer = await self.client.merge_patch(resource, name, namespace, body, subresource, field_manager=manager)
        return self._seen(resource, answer)

    async def work(self) -> None:
        """Takes keys and reconciles them until cancelled; a failure is tried again, later each time."""
        failures: dict[Hashable, int] = {}
        while True:
            key = await self.queue.take()
            if switches.is_held(self.name):
                self.queue.done(key)
                self.queue.add_after(key, switches.PAUSE)
                continue
            try:
                again = await self.reconcile(key)
                failures.pop(key, None)
                if again is not None:
                    self.queue.add_after(key, again)
            except ApiError as error:
                count = failures[key] = failures.get(key, 0) + 1
                # Conflicts are the ordinary way in which two writers meet; so is an object that just went.
                level = logging.DEBUG if error.conflict or error.not_found else logging.WARNING
                log.log(level, "%s %s: %s", self.name, key, error)
                self.queue.add_after(key, min(RETRY_FIRST * 2 ** (count - 1), RETRY_MOST))
            except Exception:
                count = failures[key] = failures.get(key, 0) + 1
                log.exception("%s %s: reconcile failed", self.name, key)
                self.queue.add_after(key, min(RETRY_FIRST * 2 ** (count - 1), RETRY_MOST))
            finally:
                self.queue.done(key)


def _connect(controller: Controller, watch: Watch, informer: Informer) -> None:
    def enqueue(obj: Object) -> None:
        for key in watch.to_keys(obj):
            controller.queue.add(key)

    controller._informers[watch.resource] = informer
    informer.subscribe(enqueue)


async def run(client: Client, controllers: Sequence[Controller], ready: asyncio.Event | None = None) -> None:
    """Runs the controllers until cancelled; ``ready`` is set once the caches are full and they have started."""
    crds = Informer(client, CRDS)
    informers = {CRDS: crds}
    for controller in controllers:
        controller.client = client
        for watch in controller.watches():
            informer = informers.setdefault(watch.resource, Informer(client, watch.resource, crds))
            _connect(controller, watch, informer)
    async with asyncio.TaskGroup() as tasks:

        def spawn(coroutine: Coroutine[Any, Any, None]) -> None:
            tasks.create_task(coroutine)

        for informer in informers.values():
            spawn(informer.run())
        await asyncio.gather(*(informer.synced.wait() for informer in informers.values()))
        try:
            for controller in controllers:
                await controller.start()
                for _ in range(controller.workers):
                    spawn(controller.work())
            if ready:
                ready.set()
            await asyncio.Event().wait()
        finally:
            for controller in controllers:
                await controller.stop()
