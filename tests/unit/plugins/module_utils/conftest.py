# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server with TLS for the tests of transports."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.seed import self_signed
from unit.plugins.module_utils.scripted import Server, serving


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A file for the server; the certificate, which is its own CA, and its key as text."""
    chain, key = self_signed("api.example.com")
    file = tmp_path_factory.mktemp("tls") / "tls.pem"
    file.write_bytes(chain + key)
    return file, chain.decode(), key.decode()


@pytest.fixture
def secure(pem: tuple[Path, str, str]) -> Iterator[Server]:
    """A server that answers under that certificate and takes a client's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem[0])
    context.load_verify_locations(cadata=pem[1])
    context.verify_mode = ssl.CERT_OPTIONAL
    with serving(context) as running:
        yield running
