# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's probes: readiness, liveness and startup, by HTTP or TCP.

Delays are shortened, because nobody likes to wait: a probe's first delay counts a twentieth, and so does its period
while it fails; until a container is ready it is asked more often still, and every two seconds while all is well. The
Pod annotation ``sandbox.mcpops.io/probes: exact`` keeps them as they are stated. A probe by ``exec`` or ``grpc`` always
succeeds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

Json = dict[str, Any]

SPEED = 20.0
EAGER_SECONDS, CALM_SECONDS = 0.05, 2.0
EXACT = "sandbox.mcpops.io/probes"
QUIET_SECONDS = 2.0
"""For so long after its start a container's failing probes are not told: Kubernetes would not have asked so often."""


class Probe:
    """Asks a container again and again; tells about every failure, and about what thresholds make of the answers."""

    def __init__(
        self, kind: str, spec: Json, ports: Mapping[int, int], container: Json, *, exact: bool = False
    ) -> None:
        self.kind = kind
        self._spec = spec
        self._ports = ports
        self._container = container
        self._exact = exact

    def _seconds(self, field: str, default: float) -> float:
        stated = float(self._spec.get(field) or default)
        return stated if self._exact else stated / SPEED

    async def run(
        self, judged: Callable[[bool], Awaitable[None]], failed: Callable[[str], Awaitable[None]], *, good: bool
    ) -> None:
        """Asks until cancelled. ``good`` counts until a threshold is reached; ``judged`` is told each change."""
        await asyncio.sleep(self._seconds("initialDelaySeconds", 0))
        begun = asyncio.get_running_loop().time()
        quiet = 0.0 if self._exact else max(QUIET_SECONDS, float(self._spec.get("initialDelaySeconds") or 0))
        count, last = 0, None
        while True:
            problem = await self._ask()
            count = count + 1 if (problem is None) == last else 1
            last = problem is None
            if problem and (good or asyncio.get_running_loop().time() - begun >= quiet):
                await failed(problem)
            limit = self._spec.get("successThreshold", 1) if last else self._spec.get("failureThreshold", 3)
            if count >= limit and (last != good or (self.kind == "Startup" and not last)):
                good = last
                await judged(good)
                if self.kind == "Startup":
                    return
            await asyncio.sleep(self._pause(good=good, last=last))

    def _pause(self, *, good: bool, last: bool) -> float:
        """Seconds until the next question: soon while something is about to change, seldom while all is well."""
        if self._exact:
            return self._seconds("periodSeconds", 10)
        if self.kind == "Readiness" and not good:
            return EAGER_SECONDS
        if good and last:
            return min(float(self._spec.get("periodSeconds") or 10), CALM_SECONDS)
        return self._seconds("periodSeconds", 10)

    async def _ask(self) -> str | None:
        """What is wrong, in the kubelet's words; None when the probe succeeds."""
        limit = float(max(self._spec.get("timeoutSeconds", 1), 1))
        if get := self._spec.get("httpGet"):
            return await self._http(get, limit)
        if tcp := self._spec.get("tcpSocket"):
            return await self._tcp(self._local(tcp["port"]), limit)
        return None

    async def _tcp(self, port: int, limit: float) -> str | None:
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), limit)
        except TimeoutError:
            return f"dial tcp 127.0.0.1:{port}: i/o timeout"
        except OSError:
            return f"dial tcp 127.0.0.1:{port}: connect: connection refused"
        writer.close()
        return None

    async def _http(self, get: Json, limit: float) -> str | None:
        scheme, port = str(get.get("scheme") or "HTTP").lower(), self._local(get["port"])
        url = f"{scheme}://127.0.0.1:{port}{get.get('path') or '/'}"
        headers = {entry["name"]: entry["value"] for entry in get.get("httpHeaders") or []}
        timeout = aiohttp.ClientTimeout(total=limit)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(url, headers=headers, ssl=False) as answer,
            ):
                if 200 <= answer.status < 400:
                    return None
                return f"HTTP probe failed with statuscode: {answer.status}"
        except TimeoutError:
            return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        except aiohttp.ClientConnectorError:
            return f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'
        except (aiohttp.ClientError, OSError):
            return f'Get "{url}": EOF'

    def _local(self, port: int | str) -> int:
        """Where a port of the container, stated by number or name, is on this machine."""
        for entry in self._container.get("ports") or []:
            if port in (entry.get("name"), entry["containerPort"]):
                return self._ports.get(entry["containerPort"], int(entry["containerPort"]))
        return self._ports.get(int(port), int(port)) if str(port).isdigit() else next(iter(self._ports.values()), 0)


def probes_of(
    container: Json, ports: Mapping[int, int], served: int | None, annotations: Mapping[str, str]
) -> list[Probe]:
    """The container's probes. Without a readiness probe it is ready when the port that it serves takes connections:
    a local program takes longer to get there than one that was built to be a container."""
    exact = annotations.get(EXACT) == "exact"
    stated = [
        (kind, container[field])
        for kind, field in (("Startup", "startupProbe"), ("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"))
        if container.get(field)
    ]
    if served is not None and not container.get("readinessProbe"):
        stated.append(("Readiness", {"tcpSocket": {"port": served}}))
    return [Probe(kind, spec, ports, container, exact=exact) for kind, spec in stated]
