# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events as Kubernetes' components record them: what ``kubectl describe`` shows at its end."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from sandbox.client import ApiError, Client, Resource
from sandbox.controllers.gateway_status import now
from sandbox.kinds import EVENTS

Json = dict[str, Any]

REPEAT_SECONDS = 5.0
"""A repeated event is counted at once, but written at most this often."""
REMEMBERED = 500


@dataclass(slots=True)
class _Known:
    name: str
    count: int
    written: float


class Recorder:
    """Records events of one component. What cannot be recorded is left out: nothing depends on events."""

    def __init__(self, client: Client, component: str, *, host: str = "") -> None:
        self._client = client
        self._source = {"component": component, **({"host": host} if host else {})}
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()

    async def normal(self, resource: Resource, obj: Json, reason: str, message: str, path: str = "") -> None:
        """An event of type Normal; ``path`` is the field that it is about."""
        await self._record("Normal", resource, obj, (reason, message, path))

    async def warning(self, resource: Resource, obj: Json, reason: str, message: str, path: str = "") -> None:
        """An event of type Warning."""
        await self._record("Warning", resource, obj, (reason, message, path))

    async def _record(self, type_: str, resource: Resource, obj: Json, content: tuple[str, str, str]) -> None:
        meta = obj["metadata"]
        key = (meta["uid"], type_, *content)
        known = self._known.get(key)
        namespace = meta.get("namespace") or "default"
        with contextlib.suppress(ApiError):
            if known is None:
                await self._create(key, resource, obj, namespace)
                return
            known.count += 1
            if time.monotonic() - known.written >= REPEAT_SECONDS:
                known.written = time.monotonic()
                change = {"count": known.count, "lastTimestamp": now()}
                await self._client.merge_patch(EVENTS, known.name, namespace, change)

    async def _create(self, key: tuple[str, ...], resource: Resource, obj: Json, namespace: str) -> None:
        meta, (_, type_, reason, message, path) = obj["metadata"], key
        name = f"{meta['name']}.{uuid.uuid4().hex[:16]}"
        self._known[key] = _Known(name, 1, time.monotonic())
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        involved = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "name": meta["name"],
            "namespace": meta.get("namespace", ""),
            "uid": meta["uid"],
            "resourceVersion": meta.get("resourceVersion", ""),
            **({"fieldPath": path} if path else {}),
        }
        moment = now()
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "type": type_,
            "reason": reason,
            "message": message,
            "source": self._source,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "count": 1,
        }
        await self._client.create(EVENTS, event)
