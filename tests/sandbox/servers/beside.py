# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server beside a sandbox, as something outside the cluster; ``python -m sandbox down`` ends it, too.

    python -m sandbox.servers.beside external|token_issuer --dir .sandbox [arguments of that server]

Returns when it is there. Does nothing when it already runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from sandbox import processes
from sandbox.state import Folder

READY = {"external": "hosts.json", "token_issuer": "issuer.json"}
"""The servers, and the file in ``DIR/outside`` that they write once they listen."""
READY_SECONDS = 30.0


def start(folder: Folder, name: str, arguments: list[str]) -> None:
    """Start it and wait for its file; ends the program with what it said last when it ends itself."""
    if any(entry.name == name and entry.process() for entry in folder.records()):
        return
    file, log = folder.path / "outside" / READY[name], folder.logs / f"{name}.log"
    file.unlink(missing_ok=True)
    command = processes.python(f"sandbox.servers.{name}", "--dir", str(folder.path), *arguments)
    started = processes.start_detached(folder.processes, name, command, log, processes.environment())
    deadline = time.monotonic() + READY_SECONDS
    while not file.exists():
        if not started.process() or time.monotonic() > deadline:
            sys.exit(f"{name} did not start: {processes.log_tail(log)}")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description="A server beside a sandbox; `sandbox down` ends it")
    parser.add_argument("name", choices=READY)
    parser.add_argument("--dir", type=Path, required=True, help="the sandbox's state directory")
    options, arguments = parser.parse_known_args()
    folder = Folder(options.dir)
    if folder.state() is None:
        sys.exit(f"there is no sandbox in {folder.path}: start one with 'python -m sandbox up'")
    start(folder, options.name, arguments)


if __name__ == "__main__":
    main()
