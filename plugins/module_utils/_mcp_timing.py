# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""How long each phase of an exchange took."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

Phase = t.Literal["dns", "connect", "tls", "first_byte"]


@dataclasses.dataclass
class Timing:
    """Seconds of each phase; None for a phase that was not reached or that there is not (``tls`` of plain HTTP).

    ``first_byte`` is the time from the request's first byte to the headers of the answer. A phase that failed counts
    until its failure.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None

    @contextlib.contextmanager
    def phase(self, name: Phase) -> t.Iterator[None]:
        """Measure what happens inside the block."""
        started = time.monotonic()
        try:
            yield
        finally:
            setattr(self, name, time.monotonic() - started)

    def result(self) -> dict[str, float]:
        """The phases that took place, rounded to microseconds."""
        return {name: round(value, 6) for name, value in dataclasses.asdict(self).items() if value is not None}
