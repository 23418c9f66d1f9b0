# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serving https: with one and with several workers; files that cannot be used are told at the start."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from broker.harness import run_broker, write_config
from sandbox.seed import self_signed


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    for file, content in zip((certificate, key), self_signed("localhost"), strict=True):
        file.write_bytes(content)
    return certificate, key


@pytest.mark.parametrize("workers", ["1", "2"])
def test_it_serves_https(tmp_path: Path, files: tuple[Path, Path], workers: str) -> None:
    certificate, key = files
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--workers", workers]

    with run_broker(tmp_path / "broker", {"servers": []}, *options) as broker:
        url = broker.url.replace("127.0.0.1", "localhost")
        trusting = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(f"{url}/healthz", context=trusting, timeout=30) as answer:
            assert (answer.status, answer.read()) == (200, b"ok")

    assert url.startswith("https://")


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        ("tls.crt", "none.key", "none.key: there is no such file"),
        ("none.crt", "tls.key", "none.crt: there is no such file"),
        ("tls.crt", "other.key", "tls.crt: certificate and private key cannot be used together"),
        ("", "tls.key", "--tls-key needs --tls-certificate, too"),
    ],
)
def test_what_cannot_be_used_is_told(
    tmp_path: Path, files: tuple[Path, Path], certificate: str, key: str, said: str
) -> None:
    (tmp_path / "other.key").write_bytes(self_signed("localhost")[1])
    write_config(tmp_path / "config.yaml", {"servers": []})
    words = ["serve", "--config", str(tmp_path / "config.yaml"), "--port", "0", "--tls-key", str(tmp_path / key)]
    words += ["--tls-certificate", str(tmp_path / certificate)] if certificate else []

    done = subprocess.run(
        [sys.executable, "-m", "mcpops_broker", *words], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
