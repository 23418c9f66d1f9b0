# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events in two APIs: core/v1 (how they are stored) and events.k8s.io/v1 (another view of the same objects)."""

from __future__ import annotations

from .objects import Object

_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
_BACK = {newer: core for core, newer in _FIELDS.items()}


def to_newer(obj: Object) -> Object:
    """A core event as events.k8s.io/v1 shows it."""
    return {_FIELDS.get(name, name): value for name, value in obj.items()} | {"apiVersion": "events.k8s.io/v1"}


def to_core(obj: Object) -> Object:
    """An events.k8s.io/v1 event as it is stored."""
    return {_BACK.get(name, name): value for name, value in obj.items()} | {"apiVersion": "v1"}
