# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands and plays on a sandbox and take their time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class Box:
    """A sandbox in a folder of its own, and the tools that work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder.parent
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_"))},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.home / "ansible" / "remote"),
            "KUBECONFIG": str(folder / "kubeconfig"),
            "K8S_AUTH_KUBECONFIG": str(folder / "kubeconfig"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: str) -> float:
        """Run a command; the seconds that it took. SystemExit with its output when it fails."""
        started = time.perf_counter()
        done = subprocess.run(command, env=self.environment, cwd=ROOT, text=True, capture_output=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return seconds

    def sandbox(self, *words: str) -> float:
        """`python -m sandbox ...`; the seconds that it took."""
        return self.run(sys.executable, "-m", "sandbox", *words, "--dir", str(self.folder))

    def site(self) -> float:
        """`playbooks/site.yml` with the demo's variables; the seconds that it took."""
        demo, own = ROOT / "playbooks" / "vars" / "demo.yml", self.folder / "vars.yml"
        return self.run("ansible-playbook", "mcpops.gateway.site", "-e", f"@{demo}", "-e", f"@{own}")

    def tasks(self, *tasks: dict[str, Any]) -> float:
        """A play of just these tasks on localhost; the seconds that it took."""
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}
        play["vars"] = {"ansible_python_interpreter": sys.executable}
        book = self.home / "play.yml"
        book.write_text(json.dumps([play]))
        return self.run("ansible-playbook", "-i", "localhost,", str(book))

    def module_memory(self, module: str, **options: Any) -> float:
        """Peak resident memory (MB) of a module in a process of its own, as on a managed host."""
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {"kubeconfig": self.environment["KUBECONFIG"], **options}})
        command = [sys.executable, "-m", f"ansible_collections.mcpops.gateway.plugins.modules.{module}", arguments]
        process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"the module {module} failed")
        return usage.ru_maxrss / 1024

    def requests(self) -> int:
        """Requests of the administrator that the API server has finished so far."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return sum(json.loads(line)["user"]["username"] == "sandbox-admin" for line in lines if line.strip())
