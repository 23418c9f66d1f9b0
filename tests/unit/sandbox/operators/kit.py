# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the stand-in controllers work with: an API server, a client that waits by watch, small helpers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from sandbox import backends, down
from sandbox.client import ApiError, Client, Object, Resource
from sandbox.controllers import runtime
from sandbox.controllers.runtime import Controller, Key, Watch
from sandbox.crds import load
from sandbox.kinds import CRDS, DEPLOYMENTS, GATEWAYS, HTTP_ROUTES, NAMESPACES
from sandbox.state import Folder

PATIENCE = 20.0
"""Seconds after which what a test waits for will not come any more."""


class ApiServer:
    """An API server in a folder: the embedded one, or with ``SANDBOX_API=envtest`` a real one."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)
        self.folder.make()
        self._backend = backends.choose(os.environ.get("SANDBOX_API", "embedded"))
        self._backend.start(self.folder, tied=True)

    @property
    def is_complete(self) -> bool:
        """Whether namespaces and orphans are cleaned up as on a cluster."""
        return self._backend.cleans_up

    async def ready(self) -> None:
        """Returns when the server answers."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(ApiError, FileNotFoundError):
                async with Client.from_kubeconfig(self.folder.kubeconfig) as client:
                    await client.list(NAMESPACES)
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"the API server in {self.folder.path} did not come up")

    def stop(self) -> None:
        down.stop_processes(self.folder)


class Cluster:
    """A client for one test."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def install(self, crds: Sequence[Object] = ()) -> None:
        """The CRDs of the platform (or these), served."""
        crds = crds or load()
        for crd in crds:
            await self.client.apply(CRDS, crd, field_manager="test")
        for crd in crds:
            names, group = crd["spec"]["names"], crd["spec"]["group"]
            for version in crd["spec"]["versions"]:
                await self._served(Resource(group, version["name"], names["plural"], names["kind"]))

    async def _served(self, resource: Resource) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await self.client.list(resource)
            except ApiError as error:
                if time.monotonic() > deadline or error.code not in (404, 429, 503):
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    async def namespace(self, name: str = "", labels: dict[str, str] | None = None) -> str:
        """Creates a namespace, with a name of its own unless one is given."""
        name = name or f"t-{uuid.uuid4().hex[:8]}"
        await self.client.create(NAMESPACES, {"metadata": {"name": name, "labels": labels or {}}})
        return name

    async def apply(self, resource: Resource, namespace: str, name: str, spec: Any = None, **more: Any) -> Object:
        """Server-side apply as a user would."""
        metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
        body = {"metadata": metadata, **more, **({} if spec is None else {"spec": spec})}
        return await self.client.apply(resource, body, field_manager="user")

    async def until(
        self, resource: Resource, namespace: str, name: str, when: Callable[[Object], Any], why: str = ""
    ) -> Object:
        """The object as soon as ``when`` holds for it; watches, so every state that is written is looked at."""
        seen: list[Object] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(ApiError):
                        items, version = await self.client.list(resource, namespace)
                        async for obj in self._states(resource, namespace, items, version):
                            if obj["metadata"]["name"] == name:
                                seen.append(obj)
                                if when(obj):
                                    return obj
                    await asyncio.sleep(0.02)
        except TimeoutError:
            last = (seen[-1].get("status") or seen[-1]) if seen else "it never existed"
            raise AssertionError(f"{resource.kind} {namespace}/{name} {why}: last seen {last}") from None

    async def first(self, resource: Resource, namespace: str, when: Callable[[Object], Any]) -> Object:
        """The first object of the namespace for which ``when`` holds."""
        seen: list[Object] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(ApiError):
                        items, version = await self.client.list(resource, namespace)
                        async for obj in self._states(resource, namespace, items, version):
                            seen.append(obj)
                            if when(obj):
                                return obj
                    await asyncio.sleep(0.02)
        except TimeoutError:
            last = [obj.get("status") or obj for obj in seen[-3:]]
            raise AssertionError(
                f"no {resource.kind} in {namespace} came to what was wanted: last seen {last}"
            ) from None

    async def _states(
        self, resource: Resource, namespace: str, items: Sequence[Object], version: str
    ) -> AsyncIterator[Object]:
        for item in items:
            yield item
        async for event in self.client.watch(resource, namespace, version):
            if event["type"] in ("ADDED", "MODIFIED"):
                yield event["object"]

    async def gone(self, resource: Resource, namespace: str, name: str) -> None:
        """Returns when the object does not exist any more."""
        async with asyncio.timeout(PATIENCE):
            while True:
                items, version = await self.client.list(resource, namespace)
                if all(item["metadata"]["name"] != name for item in items):
                    return
                async for event in self.client.watch(resource, namespace, version):
                    if event["type"] == "DELETED" and event["object"]["metadata"]["name"] == name:
                        return

    async def condition(
        self, resource: Resource, key: tuple[str, str], type_: str, status: str, text: str = ""
    ) -> Object:
        """The condition as soon as it has that status and its reason or message contains ``text``."""

        def find(obj: Object) -> Object | None:
            for entry in (obj.get("status") or {}).get("conditions") or []:
                words = f"{entry.get('reason', '')}: {entry.get('message', '')}"
                if entry.get("type") == type_ and entry["status"] == status and text in words:
                    return dict(entry)
            return None

        obj = await self.until(resource, *key, find, f"has no {type_}={status} with {text!r}")
        found = find(obj)
        assert found
        return found


@contextlib.asynccontextmanager
async def running(client: Client, controllers: Sequence[Controller]) -> AsyncIterator[None]:
    """The controllers at work."""
    ready = asyncio.Event()
    task = asyncio.create_task(runtime.run(client, controllers, ready))
    started = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set(), task.exception()
        yield
    finally:
        started.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class AvailableDeployments(Controller):
    """Every Deployment becomes available at once, but those annotated ``test/broken`` and brokers of broken hosts."""

    name: ClassVar[str] = "test-deployments"

    def watches(self) -> Sequence[Watch]:
        return [Watch(DEPLOYMENTS)]

    async def reconcile(self, key: Key) -> float | None:
        found = self.cache(DEPLOYMENTS).get(*key)
        if found is None:
            return None
        command = found["spec"]["template"]["spec"]["containers"][0].get("command") or []
        broken = "test/broken" in (found["metadata"].get("annotations") or {}) or any(
            flag.startswith("--mcp-gateway-public-host=broken.") for flag in command
        )
        count = 0 if broken else found["spec"]["replicas"]
        status = {
            "observedGeneration": found["metadata"]["generation"],
            "replicas": found["spec"]["replicas"],
            "updatedReplicas": found["spec"]["replicas"],
            "conditions": [
                {
                    "type": "Available",
                    "status": "False" if broken else "True",
                    "reason": "MinimumReplicasUnavailable" if broken else "MinimumReplicasAvailable",
                    "message": f"Deployment {'does not have' if broken else 'has'} minimum availability.",
                }
            ],
        }
        if count:
            status |= {"readyReplicas": count, "availableReplicas": count}
        if (found.get("status") or {}) != status:
            await self.replace(DEPLOYMENTS, {**found, "status": status}, subresource="status")
        return None


class AcceptingGateways(Controller):
    """Every Gateway's listeners get a status and every HTTPRoute is accepted by all its parents.

    One with the annotation ``test/ignored`` is left without a status.
    """

    name: ClassVar[str] = "test-gateways"
    STAMP: ClassVar[str] = "2026-01-01T00:00:00Z"

    def watches(self) -> Sequence[Watch]:
        return [Watch(resource, self._key) for resource in (GATEWAYS, HTTP_ROUTES)]

    def _key(self, obj: Object) -> list[Any]:
        return [(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])]

    async def reconcile(self, key: Any) -> float | None:
        kind, namespace, name = key
        resource = GATEWAYS if kind == GATEWAYS.kind else HTTP_ROUTES
        found = self.cache(resource).get(namespace, name)
        if found is None or "test/ignored" in (found["metadata"].get("annotations") or {}):
            return None
        accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
        accepted |= {"lastTransitionTime": self.STAMP}
        status = found.get("status") or {}
        if resource is GATEWAYS:
            wanted = [entry["name"] for entry in found["spec"]["listeners"]]
            old = {entry["name"]: entry for entry in status.get("listeners") or []}
            fresh = {"attachedRoutes": 0, "supportedKinds": [], "conditions": [accepted]}
            listeners = [old.get(entry) or {"name": entry, **fresh} for entry in wanted]
            if listeners == status.get("listeners"):
                return None
            status = {**status, "listeners": listeners}
        else:
            if status.get("parents"):
                return None
            parents = found["spec"].get("parentRefs") or []
            entry = {"controllerName": "test.example.com/gateways", "conditions": [accepted]}
            status = {"parents": [{"parentRef": parent, **entry} for parent in parents]}
        await self.replace(resource, {**found, "status": status}, subresource="status")
        return None


class Log(logging.Handler):
    """Collects log messages and lets a test wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: list[str] = []
        self._new = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())
        self._new.set()

    async def until(self, text: str) -> None:
        """Returns when a message with the text was logged."""
        async with asyncio.timeout(PATIENCE):
            while not any(text in message for message in self._messages):
                self._new.clear()
                await self._new.wait()
