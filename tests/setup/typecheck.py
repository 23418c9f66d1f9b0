# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Type-check the sources with mypy: `typecheck.py collection|sandbox|broker`.

The collection is checked by its import name, ansible_collections.mcpops.gateway, which it has under .collections.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = Path(".collections", "ansible_collections", "mcpops", "gateway", "plugins")


def targets(part: str) -> list[str]:
    """What mypy is given. The plugins are named file by file: without __init__.py they are no package to it."""
    packages = {"broker": "mcpops_broker", "sandbox": "sandbox"}
    if part in packages:
        return ["-p", packages[part]]
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / PLUGINS).rglob("*.py"))]


if __name__ == "__main__":
    if sys.argv[1:] not in (["collection"], ["sandbox"], ["broker"]):
        sys.exit("usage: typecheck.py collection|sandbox|broker")
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
    sys.exit(subprocess.run([*command, *targets(sys.argv[1])], cwd=ROOT, check=False).returncode)
