# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole sandbox for a test: start it, run the product's playbooks on it, and see what they did to the cluster."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes
import yaml

ROOT = Path(__file__).resolve().parents[3]
API = os.environ.get("SANDBOX_API", "embedded")
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
REVIEWS = {"selfsubjectaccessreviews", "subjectaccessreviews", "selfsubjectrulesreviews"}
"""Created to ask a question; nothing is stored."""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Sandbox]:
    """A running sandbox in a folder that does not exist yet; gone afterwards."""
    box = Sandbox(folder)
    box.up()
    try:
        yield box
    finally:
        box.down()


@dataclass(frozen=True)
class Play:
    """What one run of ansible-playbook did."""

    exit_code: int
    output: str

    def recap(self, host: str = "localhost") -> dict[str, int]:
        """The numbers of the PLAY RECAP line of `host`: ok, changed, failed, ..."""
        line = re.search(rf"^{host}\s+:(.*)$", self.output, re.MULTILINE)
        assert line, self.output
        return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line[1])}

    @property
    def message(self) -> str:
        """The message of the task that failed, unwrapped to one line."""
        found = re.search(
            r"(?:\[ERROR\]: Task failed: (?:(?:Module|Action) failed: )?|\"msg\": \")(.*?)(?:\nOrigin:|\"[,}])",
            self.output,
            re.DOTALL,
        )
        assert found, self.output
        return " ".join(found[1].split())


class Sandbox:
    """One sandbox in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`python -m sandbox ...` on this folder."""
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", *words, "--dir", str(self.folder)],
            cwd=ROOT, env=self.environment(), text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self, *words: str) -> None:
        """Start it; returns when it is ready."""
        self.command("up", "--api", API, *words)

    def down(self) -> None:
        """Stop it and remove its folder."""
        self.command("down")

    def environment(self) -> dict[str, str]:
        """The environment for ansible and the sandbox: this repository's tools, no setting of the developer's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG", "MCP"))}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(self.folder.parent / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder.parent / "ansible" / "remote"),
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    @property
    def variables(self) -> dict[str, Any]:
        """What the sandbox tells the demo playbook (vars.yml)."""
        loaded = yaml.safe_load((self.folder / "vars.yml").read_text())
        assert isinstance(loaded, dict)
        return loaded

    def play(
        self,
        playbook: str,
        *arguments: str,
        variables: dict[str, Any] | None = None,
        example: str = "demo.yml",
        environment: dict[str, str] | None = None,
    ) -> Play:
        """Run `mcpops.gateway.<playbook>`, or the playbook of that path, with an example of playbooks/vars, and
        `variables` over it."""
        playbook = playbook if "/" in playbook else f"mcpops.gateway.{playbook}"
        words = ["-e", f"@{ROOT}/playbooks/vars/{example}", "-e", f"@{self.folder}/vars.yml"]
        if variables:
            words += ["-e", json.dumps(variables)]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), playbook, *words, *arguments],
            cwd=ROOT, env={**self.environment(), **(environment or {})},
            text=True, capture_output=True, check=False, timeout=600,
        )  # fmt: skip
        return Play(done.returncode, done.stdout + done.stderr)

    # ---- what is in the cluster

    @property
    def client(self) -> kubernetes.dynamic.DynamicClient:
        """The official client, as the administrator. New each time: it remembers kinds that may be gone meanwhile."""
        cache = self.folder.parent / f"discovery-{uuid.uuid4()}.json"
        return kubernetes.dynamic.DynamicClient(
            kubernetes.config.new_client_from_config(str(self.folder / "kubeconfig")), cache_file=str(cache)
        )

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object; kubernetes.client.ApiException with status 404 when it is not there."""
        found = self.client.resources.get(api_version=api_version, kind=kind).get(name=name, namespace=namespace)
        answer = found.to_dict()
        assert isinstance(answer, dict)
        return answer

    def snapshot(self) -> dict[str, str]:
        """`apiVersion Kind namespace/name` of every object that is not an Event or a Lease, to its resourceVersion."""
        return dict(self._walk())

    def _walk(self) -> Iterator[tuple[str, str]]:
        client = self.client
        for resource in client.resources.search():
            listable = "list" in (getattr(resource, "verbs", None) or []) and "/" not in resource.name
            if not listable or not resource.preferred or resource.kind.endswith("List"):
                continue
            if resource.kind in {"Event", "Lease", "ComponentStatus"}:
                continue
            for item in client.get(resource).to_dict().get("items") or []:
                meta = item["metadata"]
                key = f"{resource.group_version} {resource.kind} {meta.get('namespace', '-')}/{meta['name']}"
                yield key, meta["resourceVersion"]

    # ---- what was asked of the API server

    def audit(self) -> list[dict[str, Any]]:
        """Every finished request, oldest first (audit.k8s.io Event)."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def writes(self, since: int = 0) -> list[str]:
        """Requests of the administrator from number `since` on that could change something: verb and address."""
        return [
            f"{event['verb']} {event['requestURI']}"
            for event in self.audit()[since:]
            if event["user"].get("username") == "sandbox-admin"
            and event["verb"] in WRITES
            and "dryRun=All" not in event["requestURI"]
            and event.get("objectRef", {}).get("resource") not in REVIEWS
            and event.get("stage", "ResponseComplete") == "ResponseComplete"
        ]
