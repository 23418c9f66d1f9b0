# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments of peers, each of its own: what one needs must not change what we test with.

`locks/NAME.lock` pins every package by version and hash; it is resolved from `locks/NAME.in` by
`uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-header`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_LOCKS = Path(__file__).with_name("locks")
_ROOT = Path(__file__).resolve().parents[3]


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment, which is made when it is not there as its lock file says."""
    lock, venv = _LOCKS / f"{name}.lock", _ROOT / f".venv-bench-{name}"
    python, installed = venv / "bin" / "python", venv / "installed.lock"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        print(f"installing {name} in a virtual environment of its own ({venv.name})", flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", "install"]
        done = subprocess.run([*pip, "--require-hashes", "-r", str(lock)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"pip could not install {name}:\n{done.stderr[-2000:]}")
        shutil.copyfile(lock, installed)
    return python
