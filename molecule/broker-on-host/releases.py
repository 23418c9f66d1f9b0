# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make wheels of two releases of the broker: 99.1 is the present source, 99.2 takes any configuration and cannot serve.

usage: releases.py FOLDER
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "broker"
BROKEN = """
import sys
def main():
    if "serve" in sys.argv:
        sys.exit("this release cannot serve")
"""


def next_release(target: Path) -> None:
    """The present source with another version."""
    with tempfile.TemporaryDirectory() as scratch:
        source = shutil.copytree(SOURCE, Path(scratch, "broker"), ignore=shutil.ignore_patterns("__pycache__"))
        version = source / "src" / "mcpops_broker" / "__init__.py"
        version.write_text(re.sub(r'__version__ = ".*"', '__version__ = "99.1"', version.read_text()))
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(target), str(source)]
        subprocess.run(command, check=True)


def broken_release(target: Path) -> None:
    """A package of the same name, made by hand."""
    info = "mcpops_broker-99.2.dist-info"
    files = {
        "mcpops_broker/__init__.py": BROKEN,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: mcpops-broker\nVersion: 99.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nmcpops-broker = mcpops_broker:main\n",
    }
    with zipfile.ZipFile(target / "mcpops_broker-99.2-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    next_release(folder)
    broken_release(folder)
