# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's state directory: what is where in it, and what kind of sandbox it holds."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sandbox.processes import Record, records, write_private

FORMAT = 1
"""Version of state.json; a file of another version belongs to another version of the sandbox."""

APIS = ("embedded", "envtest", "kubeconfig")
PROFILES = ("openshift", "kubernetes")
SERVICES = ("api", "controllers")
"""Processes that `up` starts; all others belong to the controllers."""


class SandboxError(Exception):
    """Something a person has to act on: the message is one sentence that says what and how."""


@dataclass(slots=True)
class State:
    """Content of state.json. ``ready`` is false while `up` is at work, and stays so when it was interrupted."""

    api: str
    profile: str
    ready: bool = False
    format: int = FORMAT
    server: str = ""
    started: float = 0.0
    controllers: list[str] = field(default_factory=list)
    owned_only: bool = False
    """With which arguments the controllers run (`sandbox.controllers`)."""
    made: list[dict[str, Any]] = field(default_factory=list)
    """With ``--api kubeconfig``: what was created in the cluster, to be removed again."""


class Folder:
    """A state directory; nothing is created by naming it."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.kubeconfig = self.path / "kubeconfig"
        self.controllers_kubeconfig = self.path / "controllers.kubeconfig"
        self.ca = self.path / "ca.crt"
        self.audit = self.path / "audit.jsonl"
        self.variables = self.path / "vars.yml"
        self.ingress_ca = self.path / "ingress-ca.pem"
        self.ready = self.path / "controllers.ready"
        self.processes = self.path / "processes"
        self.logs = self.path / "logs"
        self._state = self.path / "state.json"

    def state(self) -> State | None:
        """The recorded state; None when there is no sandbox here. Raises `SandboxError` when it cannot be read."""
        try:
            text = self._state.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SandboxError(f"{self._state} cannot be read ({error}): choose another --dir") from error
        try:
            content = json.loads(text)
            if content.get("format") != FORMAT:
                raise ValueError(f"format {content.get('format')}, not {FORMAT}")
            return State(**content)
        except (ValueError, TypeError, AttributeError) as error:
            raise SandboxError(
                f"{self._state} was not written by this version of the sandbox ({error}): remove {self.path} by hand"
            ) from error

    def save(self, state: State) -> None:
        """Writes the state."""
        write_private(self._state, json.dumps(asdict(state), indent=1) + "\n")

    def make(self) -> None:
        """Creates the directory for a new sandbox; raises `SandboxError` when it holds something else."""
        if self.path.exists():
            strangers = sorted(entry.name for entry in self.path.iterdir() if entry.name not in (".lock", "logs"))
            if strangers:
                shown = ", ".join(strangers[:3])
                raise SandboxError(f"{self.path} holds other files ({shown}): choose an empty or new --dir")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o700)
            for name in ("processes", "logs", "envoy", "pods"):
                (self.path / name).mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise SandboxError(f"{self.path} cannot be created ({error.strerror}): choose another --dir") from error

    def remove(self, *, keep_logs: bool = False) -> None:
        """Removes everything that the sandbox wrote."""
        for entry in list(self.path.iterdir()) if self.path.is_dir() else []:
            if keep_logs and entry.name == "logs":
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if not keep_logs and self.path.is_dir():
            self.path.rmdir()

    def records(self) -> list[Record]:
        """The recorded processes."""
        return records(self.processes)

    def running(self) -> dict[str, bool]:
        """Of the services that `up` starts: which are recorded, and whether each is alive."""
        found = {entry.name: entry.process() is not None for entry in self.records()}
        return {name: alive for name, alive in found.items() if name.split("-")[0] in SERVICES}

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second command off this directory; raises `SandboxError` when one is at work."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise SandboxError(f"{self.path} cannot be used ({error.strerror}): choose another --dir") from error
        locked = False
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise SandboxError(
                    f"another 'python -m sandbox' is working on {self.path}: wait for it to end"
                ) from error
            locked = True
            yield
        finally:
            os.close(descriptor)
            if locked and not self._state.exists():
                (self.path / ".lock").unlink(missing_ok=True)
            if self.path.is_dir() and [entry.name for entry in self.path.iterdir()] == []:
                self.path.rmdir()
