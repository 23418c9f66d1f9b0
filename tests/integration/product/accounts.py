# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account that the playbook for permissions makes: a token of it, and the variables to run as it."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import yaml
from harness import API, Sandbox

ACCOUNT, PLACE = "mcpops-gateway", "mcp-system"


def kubectl(sandbox: Sandbox, *words: str, given: Any = None) -> str:
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(sandbox.folder / "kubeconfig"), *words],
        input=json.dumps(given) if given is not None else None,
        env=sandbox.environment(), text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def token(sandbox: Sandbox) -> str:
    """A token of the account: of a Secret, which the controllers of a real API server would fill in, or asked for."""
    if API != "embedded":
        return kubectl(sandbox, "create", "token", ACCOUNT, "-n", PLACE).strip()
    metadata = {
        "name": "token",
        "namespace": PLACE,
        "annotations": {"kubernetes.io/service-account.name": ACCOUNT},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/service-account-token",
    }
    kubectl(sandbox, "apply", "-f", "-", given=secret)
    encoded = kubectl(sandbox, "get", "secret", "token", "-n", PLACE, "-o", "jsonpath={.data.token}")
    return base64.b64decode(encoded).decode()


def credentials(sandbox: Sandbox) -> dict[str, str]:
    """Variables with which a playbook runs as the account."""
    config = yaml.safe_load((sandbox.folder / "kubeconfig").read_text())
    for user in config["users"]:
        user["user"] = {"token": token(sandbox)}
    path = sandbox.folder.parent / "account.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))
    return {"mcp_gateway_kubeconfig": str(path)}
