# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench PART=broker`, or some of its parts: `python -m bench.broker [PART...] [--plot FILE]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.broker.measure import PARTS, measure
from bench.results import report

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.broker", description="The broker beside its peers.")
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help=f"what to measure: {', '.join(PARTS)}")
    parser.add_argument("--plot", type=Path, help="draw the growth (part growth) into this SVG file")
    options = parser.parse_args()
    report(measure(options.parts or list(PARTS), options.plot), only=True)
