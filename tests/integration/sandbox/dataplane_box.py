# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox as tests see it: commands, objects, requests through its Gateways."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sandbox.client import Client, Resource
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.kinds import DEPLOYMENTS, GATEWAYS, HTTP_ROUTES, PODS, SECRETS, SERVICES

Json = dict[str, Any]
T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which something that is waited for counts as failed."""
INFRA, APPS = "openshift-ingress", "mcp-servers"
GATEWAY_CLASS = "openshift-default"
ALL = {"namespaces": {"from": "All"}}


class Box:
    """One sandbox in a folder of its own."""

    def __init__(self, folder: Path, api: str | None = None) -> None:
        self.folder = folder
        self.api = api or os.environ.get("SANDBOX_API", "embedded")
        self.client: Client
        self._made: list[tuple[Resource, Json]] = []

    def run(self, *words: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """``python -m sandbox ...`` on this folder."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", *words, "--dir", str(self.folder)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def status(self) -> Json:
        """What ``status --json`` says."""
        found = json.loads(self.run("status", "--json", check=False).stdout)
        assert isinstance(found, dict)
        return found

    def pids(self) -> dict[str, int]:
        """The recorded processes that are alive, by name."""
        return {entry["name"]: entry["pid"] for entry in self.status()["processes"] if entry["running"]}

    async def connect(self) -> None:
        """Opens a client, as the administrator."""
        self.client = Client.from_kubeconfig(self.folder / "kubeconfig")

    async def forget(self) -> None:
        """Deletes what was created with `make` and closes the client."""
        for resource, obj in reversed(self._made):
            await self.client.delete(resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))
        self._made.clear()
        await self.client.close()

    async def make(self, resource: Resource, name: str, namespace: str | None = APPS, **content: Any) -> Json:
        """Creates or changes an object; it is removed after the test."""
        meta = {"name": name, **({"namespace": namespace} if namespace else {})}
        applied = await self.client.apply(resource, {"metadata": meta, **content}, field_manager="test")
        if not any(
            known is resource and obj["metadata"]["uid"] == applied["metadata"]["uid"] for known, obj in self._made
        ):
            self._made.append((resource, applied))
        return applied

    async def gateway(self, *listeners: Json, name: str = "gw") -> Json:
        """A Gateway in the namespace of the ingress, once it is as its specification says."""
        await self.make(GATEWAYS, name, INFRA, spec={"gatewayClassName": GATEWAY_CLASS, "listeners": list(listeners)})
        return await self.observed(GATEWAYS, name, INFRA)

    async def observed(self, resource: Resource, name: str, namespace: str) -> Json:
        """The Gateway when its present generation has been looked at."""

        async def current() -> Json | None:
            found = await self.client.get(resource, name, namespace)
            if not found:
                return None
            seen = (found.get("status") or {}).get("conditions") or []
            fresh = [entry for entry in seen if entry.get("observedGeneration") == found["metadata"]["generation"]]
            return found if len(fresh) >= 2 else None

        return await until(current)

    async def route(self, name: str, host: str, service: str, section: str | None = None, port: int = 9090) -> Json:
        """An HTTPRoute of one rule to a Service; returned with its status."""
        ref = {"name": "gw", "namespace": INFRA, **({"sectionName": section} if section else {})}
        spec = {"parentRefs": [ref], "hostnames": [host], "rules": [{"backendRefs": [{"name": service, "port": port}]}]}
        await self.make(HTTP_ROUTES, name, spec=spec)

        async def judged() -> Json | None:
            found = await self.client.get(HTTP_ROUTES, name, APPS)
            return found if found and (found.get("status") or {}).get("parents") else None

        return await until(judged)

    async def deployment(self, name: str, container: Json, *, volumes: list[Json] | None = None, **spec: Any) -> None:
        """A Deployment of one container."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "main", **container}], **({"volumes": volumes} if volumes else {})},
        }
        await self.make(
            DEPLOYMENTS, name, spec={"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
        )

    async def service(self, name: str, port: int = 9090) -> None:
        """A Service for the pods of the Deployment with the same name."""
        await self.make(SERVICES, name, spec={"selector": {"app": name}, "ports": [{"port": port, "targetPort": port}]})

    async def secret(self, name: str, **data: str) -> None:
        """A Secret of text values."""
        await self.make(SECRETS, name, stringData=data)

    async def pods(self, name: str) -> list[Json]:
        """The pods of the Deployment."""
        return (await self.client.list(PODS, APPS, f"app={name}"))[0]

    async def available(self, name: str) -> Json:
        """The Deployment once all of it is rolled out and Available."""

        async def check() -> Json | None:
            found = await self.client.get(DEPLOYMENTS, name, APPS)
            if not found or not found.get("status"):
                return None
            status, wanted = found["status"], found["spec"].get("replicas", 1)
            same = status.get("observedGeneration") == found["metadata"]["generation"]
            done = all(status.get(field, 0) == wanted for field in ("replicas", "updatedReplicas", "availableReplicas"))
            return found if same and done else None

        return await until(check)


def listener(name: str = "http", port: int = 80, **more: Any) -> Json:
    """An HTTP listener that takes routes of all namespaces."""
    return {"name": name, "port": port, "protocol": "HTTP", "allowedRoutes": ALL, **more}


def local_port(gateway: Json, port: int) -> int:
    """Where a Gateway's port is on this machine."""
    return int(json.loads(gateway["metadata"]["annotations"][PORTS_ANNOTATION])[str(port)])


def conditions(holder: Json) -> dict[str, Json]:
    """Conditions by type."""
    return {entry["type"]: entry for entry in holder["conditions"]}


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(check: Callable[[], Awaitable[T | None]]) -> T:
    """The first result of ``check`` that is not None or False."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await check()
            if found:
                return found
            await asyncio.sleep(0.02)


def strays(folder: Path) -> list[str]:
    """Processes that name the folder on their command line or in their environment."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(str(folder) in word for word in process.info["cmdline"] or []) and process.pid != os.getpid():
            found.append(" ".join(process.info["cmdline"]))
    return found
