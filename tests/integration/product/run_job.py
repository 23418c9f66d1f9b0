# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one job with ansible-runner: its settings come as JSON on standard input, how it went goes to standard output."""

from __future__ import annotations

import json
import sys

import ansible_runner


def main() -> None:
    """Run it and print status, number of changes and output."""
    done = ansible_runner.run(**json.load(sys.stdin))
    changed = sum((done.stats or {}).get("changed", {}).values())
    print(json.dumps({"status": done.status, "changed": changed, "stdout": done.stdout.read()}))


if __name__ == "__main__":
    main()
