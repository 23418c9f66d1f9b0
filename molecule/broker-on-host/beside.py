# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the sandbox's MCP server about the weather by itself, and write free ports to `ports.json`: `beside.py FOLDER`.

`python -m sandbox down --dir FOLDER/beside` ends it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from pathlib import Path

from sandbox import processes
from sandbox.state import Folder

SECONDS = 30.0


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def main(place: Path) -> None:
    """Start it and wait until it listens."""
    ports = dict(zip(("weather", "broker", "other"), free_ports(3), strict=True))
    folder = Folder(place / "beside")
    folder.make()
    log = folder.logs / "weather.log"
    command = processes.python("sandbox.servers.weather", "--port", str(ports["weather"]))
    started = processes.start_detached(folder.processes, "weather", command, log, processes.environment())
    deadline = time.monotonic() + SECONDS
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", ports["weather"])):
            if not started.process() or time.monotonic() > deadline:
                sys.exit(f"the MCP server did not start: {processes.log_tail(log)}")
            time.sleep(0.05)
    (place / "ports.json").write_text(json.dumps(ports))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
