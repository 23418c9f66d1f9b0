# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Pod's status from the states of its containers, as the kubelet writes it (kubernetes, pkg/kubelet/status)."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.controllers.gateway_status import now

Json = dict[str, Any]


@dataclass(slots=True)
class ContainerState:
    """What the status tells of a container; ``state`` and ``last`` are its states now and before its last start."""

    name: str
    image: str
    state: Json = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Json = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool = False
    identity: str = ""

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return "running" in self.state

    def as_status(self) -> Json:
        """The entry of ``status.containerStatuses``."""
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"sandbox://{self.image}" if self.identity else "",
            **({"containerID": f"sandbox://{self.identity}"} if self.identity else {}),
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }


def ports_text(ports: Mapping[int, int]) -> str:
    """The annotation's value."""
    return json.dumps({str(port): local for port, local in sorted(ports.items())})


def address(uid: str, taken: Collection[str] = ()) -> str:
    """A Pod's address in a network of its own. Nothing listens there: the Pod's annotation names its local ports.

    127.0.0.1 would be refused as an endpoint's address.
    """
    number = zlib.crc32(uid.encode()) % 65000
    while (found := f"10.244.{number // 256}.{number % 256 + 1 if number % 256 < 255 else 1}") in taken:
        number = (number + 1) % 65000
    return found


def pod_status(pod: Json, containers: Sequence[ContainerState], ip: str) -> Json:
    """The status of a Pod with these containers."""
    old = pod.get("status") or {}
    phase = _phase(pod, containers, str(old.get("phase") or "Pending"))
    ended = phase in ("Succeeded", "Failed")
    unready = [one.name for one in containers if not one.ready]
    message = f"containers with unready status: [{' '.join(unready)}]"
    reason = {"reason": "ContainersNotReady", "message": message} if unready else {}
    if ended:
        reason = {"reason": f"Pod{'Completed' if phase == 'Succeeded' else 'Failed'}"}
    ready = {"status": str(not unready and not ended), **reason}
    placed = any(one.identity for one in containers)
    conditions = [
        {"type": "PodReadyToStartContainers", "status": str(placed and not ended)},
        {"type": "Initialized", "status": "True"},
        {"type": "Ready", **ready},
        {"type": "ContainersReady", **ready},
        {"type": "PodScheduled", "status": "True"},
    ]
    return {
        "phase": phase,
        "conditions": [_since(entry, old.get("conditions") or []) for entry in conditions],
        "containerStatuses": [one.as_status() for one in containers],
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": old.get("startTime") or now(),
    }


def _phase(pod: Json, containers: Sequence[ContainerState], before: str) -> str:
    """By the rules of the kubelet (getPhase): a container that waits for its next start counts as running."""
    policy = pod["spec"].get("restartPolicy", "Always")
    ends = [one.state["terminated"] for one in containers if "terminated" in one.state]
    if len(ends) == len(containers) and containers and policy != "Always":
        if all(end["exitCode"] == 0 for end in ends):
            return "Succeeded"
        return "Failed" if policy == "Never" else "Running"
    begun = all(one.running or one.last or "terminated" in one.state for one in containers)
    return "Running" if begun or before == "Running" else "Pending"


def _since(entry: Json, old: Sequence[Json]) -> Json:
    """The condition with the time since when it has this status."""
    before = next((item for item in old if item["type"] == entry["type"]), {})
    unchanged = before.get("status") == entry["status"] and before.get("lastTransitionTime")
    stamp = before["lastTransitionTime"] if unchanged else now()
    return {**entry, "lastProbeTime": None, "lastTransitionTime": stamp}
