# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Type-check the sources with mypy: `typecheck.py collection|broker`.

The collection is checked by its import name, ansible_collections.mcpops.gateway, which it has under .collections.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = "ansible_collections.mcpops.gateway.plugins"
TARGETS = {
    "collection": ["-p", PLUGINS, "-p", "sandbox"],
    "broker": ["-p", "mcpops_broker"],
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        sys.exit("usage: typecheck.py collection|broker")
    cache = ROOT / ".mypy_cache" / sys.argv[1]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(ROOT / "pyproject.toml"),
        "--cache-dir",
        str(cache),
    ]
    sys.exit(subprocess.run([*command, *TARGETS[sys.argv[1]]], cwd=ROOT, check=False).returncode)
