# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""When clients are told that a list has changed: once every worker answers with the new one.

Each worker watches the upstreams itself, so one hears of a change a little before the others, and the client that it
tells may ask another worker next. That one would still answer with the old list, and nothing would tell the client
that there is a newer one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mcpops_broker.bus import Bus
from mcpops_broker.catalogue.catalogue import Catalogue

PATIENCE = 1.0
"""Seconds to wait for workers that are behind. Clients are then told, and once more when the last one has caught up."""
_DIGEST = "catalogue"


class Announcements:
    """What this worker's clients are still to be told; `announce` tells them how two catalogues differ."""

    def __init__(self, bus: Bus, announce: Callable[[Catalogue, Catalogue], None]) -> None:
        self._bus = bus
        self._announce = announce
        self._others: dict[str, str] = {}
        """Digests of the other workers' catalogues, by address."""
        self._now = Catalogue()
        self._digest = self._now.digest()
        self._untold: Catalogue | None = None
        """The catalogue that clients know, when it is an older one."""
        self._told_early: Catalogue | None = None
        """The catalogue that clients knew when they were told although a worker was behind."""
        self._timer: asyncio.TimerHandle | None = None
        bus.on(_DIGEST, self._heard)

    def changed(self, new: Catalogue) -> None:
        """Take note that this worker's catalogue is another one now."""
        if self._bus.alone:
            self._now, old = new, self._now
            self._announce(old, new)
            return
        digest = new.digest()
        if self._untold is None:
            self._untold = self._now
        self._now = new
        if digest != self._digest:
            self._digest = digest
            self._bus.send(_DIGEST, digest)
        self._settle()

    def worker_gone(self, address: str) -> None:
        """Forget what a worker had that died; nobody waits for it any more."""
        self._others.pop(address, None)
        self._settle()

    def worker_started(self, address: str) -> None:
        """Tell a new worker where this one is."""
        self._bus.send(_DIGEST, self._digest, address)

    def close(self) -> None:
        """Tell nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _heard(self, digest: str, sender: str) -> None:
        self._others[sender] = digest
        self._settle()

    def _settle(self) -> None:
        if self._untold is None and self._told_early is None:
            return
        if all(self._others.get(address) == self._digest for address in self._bus.others):
            if self._told_early is not None:
                self._announce(self._told_early, self._now)
                self._told_early = None
            self._tell()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._tell_early)

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._untold is not None:
            self._announce(self._untold, self._now)
            self._untold = None

    def _tell_early(self) -> None:
        self._told_early = self._told_early or self._untold
        self._tell()
