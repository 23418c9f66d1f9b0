# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures' servers as processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broker.conformance.suite import ROOT

LEGACY_PYTHON = str(ROOT / ".venv-legacy" / "bin" / "python")
COMMANDS = {
    "legacy": [LEGACY_PYTHON, "-m", "broker.conformance.legacy_server", "SOCKET"],
    "modern": [sys.executable, "-m", "broker.conformance.modern_server", "SOCKET"],
    "tasks": [sys.executable, "-m", "broker.conformance.tasks_server", "SOCKET"],
    "both": [sys.executable, "-m", "broker.conformance.modern_server", "SOCKET", "both"],
}
"""The servers, by the eras that they speak."""


@contextmanager
def run_server(eras: str, log_file: Path) -> Iterator[str]:
    """Run the server of these eras until the block ends; gives its URL. Its socket listens before it starts."""
    with socket.create_server(("127.0.0.1", 0)) as listening, log_file.open("wb") as log:
        command = [str(listening.fileno()) if part == "SOCKET" else part for part in COMMANDS[eras]]
        process = subprocess.Popen(command, cwd=ROOT / "tests", pass_fds=[listening.fileno()], stdout=log, stderr=log)
        port = listening.getsockname()[1]
        listening.close()
        try:
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            process.terminate()
            process.wait(timeout=30)
