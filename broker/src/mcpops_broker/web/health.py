# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Health, as plain functions: probes ask every few seconds, so they need no framework."""

from __future__ import annotations

from mcpops_broker.broker import Broker

Health = tuple[int, str]
"""HTTP status and text."""


def healthz(broker: Broker) -> Health:
    """Say that the process answers."""
    return 200, "ok"


def readyz(broker: Broker) -> Health:
    """Say whether clients can be served: an upstream is ready, or none is configured."""
    if broker.ready():
        return 200, "ready"
    return 503, "draining" if broker.draining else "no upstream is ready"


CHECKS = {"/healthz": healthz, "/readyz": readyz}
