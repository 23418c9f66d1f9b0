# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfig files: who connects where, with which token."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

CONTEXT = "sandbox"


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read, and put it in place at once (rename)."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
    new.replace(path)


def kubeconfig(server: str, ca_pem: bytes, user: str, token: str) -> str:
    """Text of a kubeconfig (JSON, which is YAML too) with one cluster, one user and one context."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca_pem).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user, "namespace": "default"}}],
        "current-context": CONTEXT,
    }
    return json.dumps(config, indent=2) + "\n"
