# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measure the product, print a table, write results.json. `make bench PART=broker` measures one part."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import apiserver, engine
from bench.broker import measure as broker
from bench.plays import Box
from bench.results import Result, report


def product(box: Box) -> list[Result]:
    """The main job on a fresh sandbox and again, and what the sandbox costs."""
    up = box.sandbox("up", "--api", os.environ.get("SANDBOX_API", "embedded"))
    first, again = box.site(), min(box.site() for _ in range(2))
    status = subprocess.run(
        [sys.executable, "-m", "sandbox", "status", "--json", "--dir", str(box.folder)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(status.stdout)
    memory = found["memory"]["pss"] / 1e6
    return [
        Result("sandbox.up_s", up, "s", "until API, controllers, Envoy and demo workloads are ready"),
        Result(
            "sandbox.up_memory_mb",
            memory,
            "MB",
            f"PSS of {len(found['processes'])} processes, gateway and servers running",
        ),
        Result("site.first_s", first, "s", "goal: at most 60"),
        Result("site.again_s", again, "s", "goal: at most 20, nothing changed"),
    ]


def _product() -> list[Result]:
    """The figures of a sandbox that is gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch:
        box = Box(Path(scratch, "sandbox"))
        try:
            return product(box)
        finally:
            box.sandbox("down")


PARTS: dict[str, Callable[[], list[Result]]] = {
    "apiserver": apiserver.measure,
    "engine": engine.measure,
    "product": _product,
    "broker": lambda: broker.measure(list(broker.PARTS)),
}


def main(names: list[str]) -> None:
    """Measure these parts, or all of them."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"there is no part {' '.join(unknown)}; the parts are {', '.join(PARTS)}")
    found = [result for name in names or PARTS for result in PARTS[name]()]
    report(found, only=bool(names))


if __name__ == "__main__":
    main(sys.argv[1:])
