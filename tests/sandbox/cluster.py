# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `up` does in the cluster: creates what is missing, and waits until everything works."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from sandbox import seed
from sandbox.client import ApiError, Client, Resource
from sandbox.controllers.discovery import served
from sandbox.controllers.gateway_world import OWNED, is_owned
from sandbox.kinds import CATALOG_SOURCES, CRDS, DEPLOYMENTS, GATEWAY_CLASSES, NAMESPACES
from sandbox.state import Folder, SandboxError

Json = dict[str, Any]

FIELD_MANAGER = "mcpops-sandbox"
PAUSE = 0.02
"""Seconds between two looks; everything that is waited for takes a fraction of a second."""

CLEARING_SECONDS = 5.0
"""How long the controllers get to remove what they made of things that are gone."""

TRANSIENT = frozenset({0, 409, 429, 500, 502, 503, 504})
"""Answers of an API server that may be different in a moment."""

BY_PRODUCTS = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})
"""In every namespace of a real cluster."""

NODES = Resource("", "v1", "nodes", "Node", namespaced=False)


class Cluster:
    """One cluster being furnished. ``made`` lists what was not there before: resource fields, namespace, name."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.made: list[Json] = []

    async def install(self, resource: Resource, obj: Json) -> bool:
        """Creates an object with the label `OWNED`; one that exists and is not the sandbox's stays as it is.

        An API server that has just started may still answer 500 to some creations: they are tried again.
        """
        deadline = time.monotonic() + 10
        while True:
            try:
                return await self._install(resource, obj)
            except ApiError as error:
                if error.code not in TRANSIENT or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(5 * PAUSE)

    async def _install(self, resource: Resource, obj: Json) -> bool:
        meta = obj["metadata"]
        found = await self._client.get(resource, meta["name"], meta.get("namespace"))
        if found and not is_owned(found):
            return False
        labelled = {**meta, "labels": {**(meta.get("labels") or {}), **OWNED}}
        await self._client.apply(resource, {**obj, "metadata": labelled}, field_manager=FIELD_MANAGER)
        if not found:
            self.made.append({**_fields(resource), "namespace": meta.get("namespace"), "name": meta["name"]})
        return True

    async def install_all(self, objects: Sequence[tuple[Resource, Json]]) -> int:
        """Creates objects side by side; returns how many were created or brought up to date."""
        return sum(await asyncio.gather(*(self.install(resource, obj) for resource, obj in objects)))

    async def objects(self, resource: Resource) -> list[Json]:
        """All objects of a resource."""
        return (await self._client.list(resource))[0]

    async def has_nodes(self) -> bool:
        """Whether machines belong to the cluster, so that it runs Deployments itself."""
        return bool(await self.objects(NODES))

    async def established(self, names: Sequence[str]) -> None:
        """Waits until the CRDs are served."""
        wanted = set(names)

        async def check() -> str | None:
            items, _ = await self._client.list(CRDS)
            done = {
                item["metadata"]["name"]
                for item in items
                if _condition(item, "Established") and _condition(item, "NamesAccepted")
            }
            missing = sorted(wanted - done)
            return f"the API server does not serve {', '.join(missing[:3])} yet" if missing else None

        await _until(check, 30, "the custom resources")

    async def settled(self, profile: seed.Profile, *, catalog: bool, demo: bool) -> None:
        """Waits for the GatewayClass, the catalog and the demo's servers."""
        waits: list[Awaitable[None]] = [_until(lambda: self._accepted(profile.gateway_class), 20, "the GatewayClass")]
        if catalog:
            waits.append(_until(lambda: self._catalog_ready(profile), 20, "the operator catalog"))
        if demo:
            waits += [self._until_available(name) for name in seed.DEMO_SERVERS]
        await asyncio.gather(*waits)

    async def _accepted(self, name: str) -> str | None:
        found = await self._client.get(GATEWAY_CLASSES, name)
        return None if found and _condition(found, "Accepted") else f"GatewayClass {name} is not Accepted"

    async def _catalog_ready(self, profile: seed.Profile) -> str | None:
        found = await self._client.get(CATALOG_SOURCES, profile.catalog, profile.catalog_namespace)
        state = (((found or {}).get("status") or {}).get("connectionState") or {}).get("lastObservedState")
        return (
            None if state == "READY" else f"CatalogSource {profile.catalog} is in state {state or 'unknown'}, not READY"
        )

    async def _until_available(self, name: str) -> None:
        async def check() -> str | None:
            found = await self._client.get(DEPLOYMENTS, name, seed.DEMO_NAMESPACE) or {"metadata": {}}
            current = (found.get("status") or {}).get("observedGeneration") == found["metadata"].get("generation")
            if current and _condition(found, "Available"):
                return None
            return f"Deployment {seed.DEMO_NAMESPACE}/{name} is not Available"

        await _until(check, 60, f"Deployment {name}")

    async def remove(self, made: Sequence[Json]) -> list[str]:
        """Deletes what `install` made, newest first, and waits until it is gone; returns what stays, and why.

        A CRD or a namespace in which there is something that the sandbox did not make stays.
        """
        staying = []
        deadline = time.monotonic() + CLEARING_SECONDS
        for entry in reversed(made):
            fields = {name: entry[name] for name in ("group", "version", "plural", "kind", "namespaced")}
            resource, name, namespace = Resource(**fields), entry["name"], entry.get("namespace")
            try:
                found = await self._client.get(resource, name, namespace)
                if not found or not is_owned(found):
                    continue
                if inside := await self._foreign_objects(resource, found, deadline):
                    staying.append(f"{resource.kind} {name}, which holds {inside}")
                    continue
                await self._client.delete(resource, name, namespace, uid=found["metadata"]["uid"])
                await self._gone(resource, name, namespace)
            except (ApiError, SandboxError) as error:
                staying.append(f"{resource.kind} {name}: {error}")
        return staying

    async def _foreign_objects(self, resource: Resource, obj: Json, deadline: float) -> str | None:
        """What a CRD's or a namespace's end would take along, once the controllers had time to clear up theirs."""
        if resource not in (CRDS, NAMESPACES):
            return None
        while names := await self._held_by(resource, obj):
            if time.monotonic() > deadline:
                return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            await asyncio.sleep(5 * PAUSE)
        return None

    async def _held_by(self, resource: Resource, obj: Json) -> list[str]:
        name = obj["metadata"]["name"]
        if resource == CRDS:
            held = [await self._list(custom_resource(obj), None)]
        else:
            found = [entry for entry in await served(self._client) if entry.namespaced]
            held = await asyncio.gather(*(self._list(entry, name) for entry in found))
        return sorted(
            f"{item['kind']} {item['metadata']['name']}" for items in held for item in items if not is_by_product(item)
        )

    async def _list(self, resource: Resource, namespace: str | None) -> list[Json]:
        try:
            return (await self._client.list(resource, namespace))[0]
        except ApiError as error:
            if error.not_found or error.code == HTTPStatus.METHOD_NOT_ALLOWED:
                return []
            raise

    async def _gone(self, resource: Resource, name: str, namespace: str | None) -> None:
        async def check() -> str | None:
            return "it is still there" if await self._client.get(resource, name, namespace) else None

        await _until(check, 30, f"the end of {resource.kind} {name}")


async def api_ready(client: Client, path: str, complaint: Callable[[], str | None], seconds: float) -> None:
    """Waits until ``path`` answers; raises `SandboxError` with the server's ``complaint`` when it will not."""

    async def check() -> str | None:
        try:
            await client.request("GET", path, timeout=2)
        except ValueError:
            return None  # /readyz answers "ok", which is not JSON
        except ApiError as error:
            if error.code in (401, 403):
                raise SandboxError(f"{client.server} refuses the kubeconfig's credentials: {error}") from error
            if reason := complaint():
                raise SandboxError(reason) from error
            return str(error)
        return None

    await _until(check, seconds, f"the API server {client.server}")


async def controllers_ready(folder: Folder, complaint: Callable[[], str | None]) -> Json:
    """Waits for the controllers' ready file and returns its content."""

    async def check() -> str | None:
        if folder.ready.exists():
            return None
        if reason := complaint():
            raise SandboxError(reason)
        return f"{folder.ready.name} is not written"

    await _until(check, 30, "the controllers")
    return dict(json.loads(folder.ready.read_text(encoding="utf-8")))


async def _until(check: Callable[[], Awaitable[str | None]], seconds: float, what: str) -> None:
    """Repeats ``check`` until it finds nothing missing; raises `SandboxError` with what was missing last."""
    deadline = time.monotonic() + seconds
    while missing := await check():
        if time.monotonic() > deadline:
            raise SandboxError(f"waited {seconds:.0f} s for {what}: {missing}")
        await asyncio.sleep(PAUSE)


def custom_resource(crd: Json) -> Resource:
    """The resource that a CRD defines, in a version that is served."""
    spec = crd["spec"]
    version = next(entry["name"] for entry in spec["versions"] if entry["served"])
    names = spec["names"]
    return Resource(spec["group"], version, names["plural"], names["kind"], spec["scope"] == "Namespaced")


def is_by_product(obj: Json) -> bool:
    """Whether an object comes and goes by itself with its namespace or with another object."""
    key = (obj["kind"], obj["metadata"]["name"])
    own = obj["metadata"].get("ownerReferences") or is_owned(obj) or obj["metadata"].get("deletionTimestamp")
    return bool(own) or obj["kind"] in ("Event", "Lease", "EndpointSlice", "Endpoints") or key in BY_PRODUCTS


def _condition(obj: Json, kind: str) -> bool:
    return any(
        item["type"] == kind and item["status"] == "True" for item in (obj.get("status") or {}).get("conditions") or []
    )


def _fields(resource: Resource) -> Json:
    return {name: getattr(resource, name) for name in ("group", "version", "plural", "kind", "namespaced")}
