# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example in the modules' documentation runs as it stands, in check mode, through ansible-playbook."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.kit import ApiServer

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ENDPOINT = "mcpops.gateway.endpoint"
"""Needs an MCP endpoint; its own tests call it against real ones."""
MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: from-a-file, namespace: default}}"
ISSUER = """
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {name: ours}
spec: {selfSigned: {}}
---
apiVersion: v1
kind: Service
metadata: {name: ours}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
FILES = {"manifests/servers.yml": MANIFEST, "templates/issuer.yml.j2": ISSUER}
"""Files that examples name."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server of this file alone: one example asserts that every registration is ready."""
    with ApiServer.running(tmp_path_factory.mktemp("api") / "server") as server:
        yield server


def examples(module: str) -> list[dict[str, Any]]:
    found = importlib.import_module(f"ansible_collections.mcpops.gateway.plugins.modules.{module}").EXAMPLES
    tasks = yaml.safe_load(found)
    assert isinstance(tasks, list)
    return tasks


@pytest.mark.parametrize("module", [name for name in MODULES if name != "endpoint"])
def test_examples_run_in_check_mode(empty: ApiServer, tmp_path: Path, module: str) -> None:
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "module_defaults": {"group/mcpops.gateway.all": {"kubeconfig": empty.kubeconfig}},
        "tasks": [task for task in examples(module) if ENDPOINT not in task],
    }
    book = tmp_path / "play.yml"
    book.write_text(json.dumps([play]))
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    with empty.watched() as requests:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "--check", "--diff", str(book)],
            env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_NOCOLOR": "1"},
            cwd=tmp_path, text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert [one for one in requests if one.split(" ", 1)[0] in {"create", "update", "patch", "delete"}] == []


def test_every_module_has_examples() -> None:
    assert all(examples(module) for module in MODULES)
