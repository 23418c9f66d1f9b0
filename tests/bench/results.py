# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a benchmark found, as a table for people and a file for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Result:
    """One figure: `value` in `unit`, with what it was measured on in `note`."""

    name: str
    value: float
    unit: str
    note: str


def report(results: list[Result], *, only: bool = False) -> None:
    """Print the table and write `tests/bench/results.json`; with `only` the file's other figures are kept."""
    width = max(len(result.name) for result in results)
    for result in results:
        print(f"{result.name:<{width}}  {result.value:>10.2f} {result.unit:<8}  {result.note}")
    found = {result.name: asdict(result) for result in results}
    if only and FILE.exists():
        found = {one["name"]: one for one in json.loads(FILE.read_text())} | found
    FILE.write_text(json.dumps(list(found.values()), indent=2) + "\n")
