# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ContextForge's settings: one worker, SQLite, tokens checked, as it is by itself.

Off are its rate limit, which would stop the load, its plugins, and its log below errors. Upstreams on loopback are
allowed.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from pathlib import Path

from bench.broker.client import post

RUNS = (3, 12) <= sys.version_info < (3, 14)
"""Whether it is made for this Python."""
_ADMIN = "admin@example.com"


def environment() -> dict[str, str]:
    """Its settings, with secrets made for this run. It refuses weak ones."""
    made = ("JWT_SECRET_KEY", "AUTH_ENCRYPTION_SECRET", "PLATFORM_ADMIN_PASSWORD", "BASIC_AUTH_PASSWORD")
    return {
        **{name: f"{secrets.token_urlsafe(32)}aB3-" for name in (*made, "DEFAULT_USER_PASSWORD")},
        "DATABASE_URL": "sqlite:///./contextforge.db",
        "CACHE_TYPE": "memory",
        "LOG_LEVEL": "ERROR",
        "PLUGINS_ENABLED": "false",
        "RATE_LIMITING_ENABLED": "false",
        "SSRF_ALLOW_LOCALHOST": "true",
        "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    }


def token(python: Path, settings: dict[str, str], folder: Path) -> str:
    """A token of the administrator, by the package's own tool."""
    command = [str(python), "-m", "mcpgateway.utils.create_jwt_token", "--admin", "--username", _ADMIN]
    command += ["--exp", "600", "--secret", settings["JWT_SECRET_KEY"]]
    done = subprocess.run(command, env=settings, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def register(port: int, authorization: dict[str, str], name: str, url: str) -> None:
    """Add an upstream; raise RuntimeError when it is refused."""
    body = json.dumps({"name": name, "url": url, "transport": "STREAMABLEHTTP"})
    status, _, answer = post(port, "/gateways", body, {**authorization, "content-type": "application/json"})
    if status >= 300:
        raise RuntimeError(f"ContextForge did not take the upstream {name}: HTTP {status}: {answer[:500]!r}")
