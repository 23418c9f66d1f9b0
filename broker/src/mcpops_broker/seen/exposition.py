# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Metrics as text, for Prometheus.

Each worker counts for itself, and has its number as the label `worker`: when one is started again its counters begin
at zero, as those of a process that restarts do, and those of the others go on. Whoever asks one worker is told of all.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcpops_broker.gather import Gather
from mcpops_broker.seen import metrics, state
from mcpops_broker.seen.meters import Counter, Histogram, Meter, meters

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from mcpops_broker.broker import Broker

WORKER = "worker"

Snapshot = dict[str, Any]
"""The metrics of one worker as JSON: `worker`, and `metrics` by name with kind, help, labels, bounds and samples."""


class Exposition:
    """The metrics of all workers of a broker. The library that writes them is loaded when somebody asks first."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._started = time.time()
        self._workers = Gather(broker.bus.local, "metrics", self._snapshot)  # each replica is asked for its own

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics and their content type, as the Accept header wants them (Prometheus or OpenMetrics)."""
        snapshots, silent = await self._workers.ask()
        snapshots.sort(key=lambda snapshot: int(snapshot[WORKER]))
        answered = {snapshot[WORKER] for snapshot in snapshots}
        missing = [worker for worker in map(str, range(len(snapshots) + silent)) if worker not in answered]
        return await asyncio.to_thread(_write, snapshots, missing, accept)

    def _snapshot(self) -> Snapshot:
        found: dict[str, Any] = {}
        for meter in meters():
            if isinstance(meter, Counter | Histogram):
                found[meter.name] = _described(meter, meter.samples())
        for gauge, numbers in state.read(self._broker):
            found[gauge.name] = _described(gauge, [(labels, [number]) for labels, number in numbers])
        found.update(_process(self._started))
        return {WORKER: str(self._broker.bus.local.slot), "metrics": found}


def _described(meter: Meter, samples: list[Any]) -> dict[str, Any]:
    return {
        "kind": meter.kind,
        "help": meter.help,
        "labels": meter.labels,
        "bounds": meter.bounds,
        "samples": samples,
    }


def _process(started: float) -> dict[str, Any]:
    """Return what is known of this process, by the names that all programs have for it. Only its own folder of `/proc`
    is read: a hardened service sees no more; where there is none (macOS) the figures from it are left out."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    found = {
        "process_cpu_seconds_total": ("counter", "Processor time spent.", time.process_time()),
        "process_start_time_seconds": ("gauge", "Start of the process, since 1970.", started),
        "process_max_fds": (
            "gauge",
            "Files that may be open.",
            float("inf") if files == resource.RLIM_INFINITY else files,
        ),
    }
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        memory = pages * resource.getpagesize()
        found["process_resident_memory_bytes"] = ("gauge", "Memory in use.", memory)
        found["process_open_fds"] = ("gauge", "Open files.", len(list(Path("/proc/self/fd").iterdir())))
    return {
        name: {"kind": kind, "help": text, "labels": (), "bounds": (), "samples": [((), [float(number)])]}
        for name, (kind, text, number) in found.items()
    }


def _write(snapshots: list[Snapshot], missing: list[str], accept: str) -> tuple[bytes, str]:
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - see Exposition
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Families(Collector):
        def collect(self) -> Iterable[Metric]:
            return _families(snapshots, missing)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _families(snapshots: list[Snapshot], missing: list[str]) -> Iterator[Metric]:
    """Join what the workers say, metric by metric."""
    from prometheus_client.core import (  # noqa: PLC0415 - see Exposition
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    for name, described in snapshots[0]["metrics"].items():
        labels = [*described["labels"], WORKER]
        plain = (CounterMetricFamily if described["kind"] == "counter" else GaugeMetricFamily)(
            name, described["help"], labels=labels
        )
        histogram = HistogramMetricFamily(name, described["help"], labels=labels)
        for snapshot in snapshots:
            worker = snapshot[WORKER]
            for values, numbers in snapshot["metrics"].get(name, {}).get("samples", ()):
                if described["kind"] != "histogram":
                    plain.add_metric([*values, worker], numbers[0])
                    continue
                *counts, total = numbers
                bounds = [*map(str, map(float, described["bounds"])), "+Inf"]
                buckets = list(zip(bounds, accumulate(counts), strict=True))
                histogram.add_metric([*values, worker], buckets, total)
        for worker in missing if name == metrics.WORKER_UP.name else ():
            plain.add_metric([worker], 0)
        yield histogram if described["kind"] == "histogram" else plain
