# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the gauges say: the state of one worker, found out when somebody asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mcpops_broker import __version__
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.seen import metrics
from mcpops_broker.seen.meters import Gauge, Labels
from mcpops_broker.upstream.breaker import Circuit
from mcpops_broker.upstream.upstream import State

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

Reading = tuple[Gauge, list[tuple[Labels, float]]]
"""A gauge, and its numbers by labels."""


def read(broker: Broker) -> Iterable[Reading]:
    """Return what all gauges say now."""
    single: dict[Gauge, float] = {
        metrics.WORKER_UP: 1,
        metrics.DRAINING: broker.draining,
        metrics.CONFIG_OK: not broker.config_state.problems,
        metrics.CONFIG_LOADED: broker.config_state.loaded,
        metrics.IN_FLIGHT: broker.requests,
        metrics.SESSIONS: len(broker.sessions),
        metrics.STREAMS: len(broker.streams) + len(broker.subscriptions),
        metrics.PARKED: len(broker.parked),
        metrics.TASKS: len(asyncio.all_tasks()),
    }
    yield metrics.BUILD, [((__version__,), 1)]
    health = broker.store.health
    yield metrics.STORE_OK, [((health.kind,), float(health.connected))]
    for gauge, number in single.items():
        yield gauge, [((), float(number))]
    enabled = [upstream for upstream in broker.upstreams.values() if upstream.state is not State.DISABLED]
    conflicts = broker.catalogue.conflicts
    yield metrics.SERVER_UP, [((one.server.name,), float(one.state is State.READY)) for one in enabled]
    yield metrics.SERVER_CALLS, [((one.server.name,), float(one.active)) for one in enabled]
    yield (
        metrics.SERVER_OFFERS,
        [((one.server.name, kind.key), float(len(one.listed.items(kind)))) for one in enabled for kind in Kind],
    )
    yield (
        metrics.SERVER_HIDDEN,
        [((one.server.name,), float(len(conflicts.get(one.server.name, ())))) for one in enabled],
    )
    names = [one.server.name for one in enabled]
    guarded = Counter((name, one.blocked) for name, those in broker.catalogue.findings.items() for one in those)
    yield (
        metrics.SERVER_FINDINGS,
        [((name, str(blocked).lower()), float(guarded[name, blocked])) for name in names for blocked in (False, True)],
    )
    yield (
        metrics.CIRCUIT_OPEN,
        [((one.server.name,), float(one.breaker.circuit is not Circuit.CLOSED)) for one in enabled],
    )
