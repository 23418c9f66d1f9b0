# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox status``: processes and their memory, Gateways and their ports, Deployments, addresses."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
from sandbox.client import ApiError, Client
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.controllers.images import is_broker
from sandbox.faults import control
from sandbox.kinds import DEPLOYMENTS, GATEWAYS, HTTP_ROUTES, PODS
from sandbox.state import Folder, State

Json = dict[str, Any]


@dataclass(slots=True)
class Status:
    """What `collect` found. Memory is in bytes; ``problem`` says why the cluster could not be asked."""

    state: State
    processes: list[Json] = field(default_factory=list)
    gateways: list[Json] = field(default_factory=list)
    deployments: list[Json] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """Addresses of the brokers' pages for people."""
    faults: list[Json] = field(default_factory=list)
    problem: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether `up` finished and every recorded process is alive."""
        return self.state.ready and all(entry["running"] for entry in self.processes) and not self.problem

    def as_json(self) -> Json:
        """For ``--json``."""
        return {
            "api": self.state.api,
            "profile": self.state.profile,
            "server": self.state.server,
            "healthy": self.healthy,
            "problem": self.problem,
            "memory": {"pss": self.total("pss"), "rss": self.total("rss")},
            "processes": self.processes,
            "gateways": self.gateways,
            "deployments": self.deployments,
            "urls": self.urls,
            "pages": self.pages,
            "faults": self.faults,
        }

    def total(self, kind: str) -> int:
        """Memory of all processes together, in bytes."""
        return sum(entry[kind] or 0 for entry in self.processes)


def collect(folder: Folder, state: State) -> Status:
    """Looks at the processes and asks the API server; a dead sandbox gives an answer too."""
    status = Status(state, faults=[{**asdict(fault), "strikes": count} for fault, count in control.active(folder)])
    for entry in folder.records():
        process = entry.process()
        memory = _memory(process) if process else (None, None)
        status.processes.append(
            {
                "name": entry.name,
                "pid": entry.pid,
                "running": process is not None,
                "pss": memory[0],
                "rss": memory[1],
                "log": entry.log,
            }
        )
    try:
        asyncio.run(_ask(folder, status))
    except (ApiError, OSError, ValueError, KeyError) as error:
        status.problem = f"the API server does not answer: {error}"
    return status


def _memory(process: psutil.Process) -> tuple[int | None, int | None]:
    """Proportional set size (shared pages counted once; Linux) and resident set size."""
    try:
        rss = process.memory_info().rss
        pss = getattr(process.memory_full_info(), "pss", None)
    except psutil.Error:
        return None, None  # it ended while it was looked at, or belongs to somebody else
    return pss, rss


async def _ask(folder: Folder, status: Status) -> None:
    async with Client.from_kubeconfig(folder.controllers_kubeconfig, user_agent="mcpops-sandbox") as client:
        gateways, _ = await client.list(GATEWAYS)
        routes, _ = await client.list(HTTP_ROUTES)
        deployments, _ = await client.list(DEPLOYMENTS)
        pods, _ = await client.list(PODS)
    status.gateways = [_gateway(entry) for entry in gateways]
    status.deployments = [_deployment(entry) for entry in deployments]
    status.pages = sorted(page for pod in pods for page in _pages(pod))
    status.urls = sorted({url for route in routes for url in _urls(route, gateways)})


def _gateway(gateway: Json) -> Json:
    meta, seen = gateway["metadata"], gateway.get("status") or {}
    ports = json.loads((meta.get("annotations") or {}).get(PORTS_ANNOTATION) or "{}")
    conditions = {entry["type"]: entry["status"] for entry in seen.get("conditions") or []}
    listeners = [
        {
            "name": listener["name"],
            "port": listener["port"],
            "local_port": ports.get(str(listener["port"])),
            "protocol": listener["protocol"],
            "hostname": listener.get("hostname"),
        }
        for listener in gateway["spec"].get("listeners") or []
    ]
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "programmed": conditions.get("Programmed") == "True",
        "addresses": [entry["value"] for entry in seen.get("addresses") or []],
        "listeners": listeners,
    }


def _deployment(deployment: Json) -> Json:
    meta, seen = deployment["metadata"], deployment.get("status") or {}
    return {
        "namespace": meta["namespace"],
        "name": meta["name"],
        "ready": seen.get("readyReplicas") or 0,
        "wanted": deployment["spec"].get("replicas", 1),
        "image": deployment["spec"]["template"]["spec"]["containers"][0]["image"],
    }


def _pages(pod: Json) -> list[str]:
    """Addresses of the pages of a Pod's brokers."""
    if not any(is_broker(container["image"]) for container in pod["spec"]["containers"]):
        return []
    ports = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION) or "{}")
    return [f"http://127.0.0.1:{port}/ui" for port in ports.values()]


def _urls(route: Json, gateways: list[Json]) -> list[str]:
    """Addresses of the MCP gateway: hosts of the operator's route with the listener's local port."""
    if route["metadata"]["name"] != "mcp-gateway-route":
        return []
    found = []
    for ref in route["spec"].get("parentRefs") or []:
        key = (ref.get("namespace") or route["metadata"]["namespace"], ref["name"])
        for gateway in gateways:
            if (gateway["metadata"]["namespace"], gateway["metadata"]["name"]) != key:
                continue
            for listener in _gateway(gateway)["listeners"]:
                if ref.get("sectionName") in (None, listener["name"]) and listener["local_port"]:
                    scheme = "https" if listener["protocol"] == "HTTPS" else "http"
                    hosts = route["spec"].get("hostnames") or [listener["hostname"] or "localhost"]
                    found += [f"{scheme}://{host}:{listener['local_port']}/mcp" for host in hosts]
    return found
