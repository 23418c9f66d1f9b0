# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which of several brokers writes status: the holder of a Lease, as Kubernetes' own controllers agree on it.

Rules: client-go, tools/leaderelection. No two clocks are compared: a holder is taken for gone when its record has not
changed for the length of the lease, by the clock of the one who looks.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mcpops_broker import logs
from mcpops_broker.cluster.api import Api, ApiProblem
from mcpops_broker.cluster.kinds import LEASES, Key, Object

LENGTH = 15
"""Seconds after which a holder that does not renew is replaced."""
DEADLINE = 10.0
"""Seconds after which a holder that cannot renew takes itself for replaced."""
GRACE = 2.0
"""Seconds for letting go of the lease when the broker stops."""
PAUSE = 2.0
"""Seconds between two looks, and between renewals."""


class Leader:
    """One candidate. `is_leader` may be asked at any time; `began` is called each time this candidate becomes it."""

    def __init__(self, api: Api, place: Key, began: Callable[[], None]) -> None:
        self.identity = f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"
        self.holder = ""
        """The identity of whoever holds the lease, as seen last."""
        self.problem = ""
        self._api = api
        self._place = place
        self._began = began
        self._renewed = float("-inf")
        self._seen: tuple[Any, float] = (None, 0.0)
        """The holder's record, and when it was first seen, on the clock of this machine."""

    @property
    def is_leader(self) -> bool:
        """Whether this candidate may write."""
        return time.monotonic() - self._renewed < DEADLINE

    async def run(self) -> None:
        """Be a candidate until cancelled; `release` the lease after that."""
        while True:
            was = self.is_leader
            try:
                await self._step()
                self.problem = ""
            except ApiProblem as problem:
                if not problem.conflict and self.problem != str(problem):
                    self.problem = str(problem)
                    logs.warning("cluster.lease", problem=str(problem))
            if self.is_leader and not was:
                logs.info("cluster.leader", identity=self.identity)
                self._began()
            await asyncio.sleep(PAUSE)

    async def release(self) -> None:
        """Let go of the lease if this candidate holds it, so that another one has it at once; takes `GRACE` at most."""
        if not self.is_leader:
            return
        self._renewed = float("-inf")
        try:
            async with asyncio.timeout(GRACE):
                lease = await self._api.get(LEASES, self._place)
                if lease and (lease.get("spec") or {}).get("holderIdentity") == self.identity:
                    spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                    await self._api.replace(LEASES, {**lease, "spec": spec})
        except (ApiProblem, TimeoutError) as problem:
            logs.warning("cluster.lease", problem=f"it could not be let go of, so the next one waits: {problem}")

    async def _step(self) -> None:
        """Renew the lease, or take it when it is nobody's."""
        started = time.monotonic()
        lease = await self._api.get(LEASES, self._place)
        if lease is None:
            metadata = {"namespace": self._place[0], "name": self._place[1]}
            await self._api.create(LEASES, {"metadata": metadata, "spec": self._record({}, taken=True)})
        else:
            record = lease.get("spec") or {}
            self.holder = record.get("holderIdentity") or ""
            if self.holder != self.identity and self.holder and not self._expired(record):
                self._renewed = float("-inf")
                return
            taken = self.holder != self.identity
            await self._api.replace(LEASES, {**lease, "spec": self._record(record, taken=taken)})
        self.holder = self.identity
        self._renewed = started

    def _expired(self, record: Object) -> bool:
        now = time.monotonic()
        if self._seen[0] != record:
            self._seen = record, now
        return now - self._seen[1] > (record.get("leaseDurationSeconds") or LENGTH)

    def _record(self, before: Object, *, taken: bool) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LENGTH,
            "renewTime": now,
            "acquireTime": now if taken else before.get("acquireTime") or now,
            "leaseTransitions": (before.get("leaseTransitions") or 0) + (taken and bool(before)),
        }
