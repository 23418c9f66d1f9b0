# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS Secrets looked at without a cryptography library; real certificates made with one."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._certificate import (
    covers,
    leaf_certificate,
    secret_problem,
    secret_warnings,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Json = dict[str, Any]
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def certificate(*names: str, start: datetime.datetime = NOW - DAY, days: int = 90, bits: int = 0) -> tuple[str, str]:
    """(certificate, key) in PEM; with ``bits`` an RSA key, else an elliptic curve."""
    key: Any = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + days * DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem.decode(), private.decode()


def secret(crt: str, key: str, kind: str = "kubernetes.io/tls") -> Json:
    data = {"tls.crt": base64.b64encode(crt.encode()).decode(), "tls.key": base64.b64encode(key.encode()).decode()}
    return {"type": kind, "data": data}


GOOD = certificate("mcp.example.com", "*.apps.example.com")


@pytest.mark.parametrize("bits", [0, 2048])
def test_names_and_times_are_read(bits: int) -> None:
    pem, _key = certificate("a.example.com", "*.b.example.com", bits=bits)

    leaf = leaf_certificate(pem)

    assert leaf is not None
    assert leaf.names == ["a.example.com", "*.b.example.com"]
    assert (leaf.not_before, leaf.not_after) == (NOW - DAY, NOW + 89 * DAY)


def test_times_far_away_are_read() -> None:
    leaf = leaf_certificate(certificate("a.b", days=365 * 40)[0])

    assert leaf is not None and leaf.not_after == NOW - DAY + 365 * 40 * DAY


def test_a_chain_gives_its_first() -> None:
    leaf = leaf_certificate(GOOD[0] + certificate("other.example.com")[0])

    assert leaf is not None and "mcp.example.com" in leaf.names


def test_a_good_secret() -> None:
    assert secret_problem(secret(*GOOD)) == ""
    assert secret_warnings(secret(*GOOD), "mcp.example.com") == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (secret(*GOOD, kind="Opaque"), "type Opaque"),
        ({"type": "kubernetes.io/tls", "data": {}}, "no usable data entry tls.crt"),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": "%%%"}}, "no usable data entry tls.crt"),
        (secret("hello", GOOD[1]), "no PEM certificate"),
        (secret(GOOD[0], "hello"), "no PEM private key"),
        (secret(GOOD[1].replace("PRIVATE KEY", "CERTIFICATE"), GOOD[1]), "no X.509 certificate"),
        (secret(*certificate("a.b", start=NOW - 10 * DAY, days=5)), "expired on"),
    ],
)
def test_a_secret_that_cannot_serve_tls(bad: Json, words: str) -> None:
    assert words in secret_problem(bad)


@pytest.mark.parametrize(
    ("made", "hostname", "words"),
    [
        (certificate("a.b", days=5), "a.b", "expires on"),
        (certificate("a.b", start=NOW + DAY), "a.b", "valid only from"),
        (GOOD, "other.example.com", "does not cover other.example.com"),
    ],
)
def test_what_is_only_worth_a_warning(made: tuple[str, str], hostname: str, words: str) -> None:
    assert words in " ".join(secret_warnings(secret(*made), hostname))


@pytest.mark.parametrize(
    ("name", "hostname", "covered"),
    [
        ("a.example.com", "a.example.com", True),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("A.example.com", "a.example.com", True),
        ("a.example.com", "*.example.com", False),
    ],
)
def test_names(name: str, hostname: str, covered: bool) -> None:
    assert covers(name, hostname) is covered


@pytest.mark.parametrize("cut", [1, 10, 100, 200])
def test_a_certificate_that_is_cut_off_is_none(cut: int) -> None:
    body = GOOD[0].splitlines()
    der = base64.b64decode("".join(body[1:-1]))[:cut]
    text = "\n".join([body[0], base64.b64encode(der).decode(), body[-1]])

    assert leaf_certificate(text) is None
