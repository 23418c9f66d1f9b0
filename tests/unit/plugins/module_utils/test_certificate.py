# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS Secrets looked at without a cryptography library; real certificates made with one."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._certificate import (
    covers,
    pair_problem,
    secret_problem,
    secret_warnings,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._x509 import certificates
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

Json = dict[str, Any]
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
PKCS8, TRADITIONAL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()


class Issued:
    """A certificate with its key; by itself or by another one."""

    def __init__(
        self,
        *names: str,
        name: str = "test",
        start: datetime.datetime = NOW - DAY,
        days: int = 90,
        key: Any = None,
        by: Issued | None = None,
    ) -> None:
        self.private: Any = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(by.name if by else self.name)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + days * DAY)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([general_name(name) for name in names]), False)
        signer = by.private if by else self.private
        made = builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256())
        self.crt = made.public_bytes(serialization.Encoding.PEM).decode()
        self.key = self.key_as(PKCS8)

    def key_as(self, form: serialization.PrivateFormat, encryption: Any = PLAIN) -> str:
        return str(self.private.private_bytes(serialization.Encoding.PEM, form, encryption).decode())


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def secret(crt: str, key: str, kind: str = "kubernetes.io/tls") -> Json:
    data = {"tls.crt": base64.b64encode(crt.encode()).decode(), "tls.key": base64.b64encode(key.encode()).decode()}
    return {"type": kind, "data": data}


RSA = rsa.generate_private_key(65537, 2048)
GOOD = Issued("mcp.example.com", "*.apps.example.com")
AUTHORITY = Issued(name="authority")
OLD_AUTHORITY = Issued(name="old", start=NOW - 9 * DAY, days=5)


@pytest.mark.parametrize("key", [None, RSA], ids=["elliptic curve", "RSA"])
def test_names_and_times_are_read(key: Any) -> None:
    (leaf,) = certificates(Issued("a.example.com", "*.b.example.com", "192.0.2.1", "2001:db8::1", key=key).crt)

    assert leaf.names == ["a.example.com", "*.b.example.com", "192.0.2.1", "2001:db8::1"]
    assert (leaf.not_before, leaf.not_after) == (NOW - DAY, NOW + 89 * DAY)


def test_times_far_away_are_read() -> None:
    (leaf,) = certificates(Issued("a.b", days=365 * 40).crt)

    assert leaf.not_after == NOW - DAY + 365 * 40 * DAY


def test_a_chain_is_read_in_order() -> None:
    leaf, authority = certificates(Issued("a.b", by=AUTHORITY).crt + AUTHORITY.crt)

    assert leaf.names == ["a.b"] and leaf.issuer == authority.subject


@pytest.mark.parametrize(
    ("made", "form"),
    [(GOOD, PKCS8), (GOOD, TRADITIONAL), (Issued("a.b", key=RSA), PKCS8), (Issued("a.b", key=RSA), TRADITIONAL)],
    ids=["EC PKCS 8", "EC SEC 1", "RSA PKCS 8", "RSA PKCS 1"],
)
def test_a_key_belongs_to_its_certificate_or_not(made: Issued, form: serialization.PrivateFormat) -> None:
    other = Issued("a.b", key=rsa.generate_private_key(65537, 2048) if made is not GOOD else None)

    assert secret_problem(secret(made.crt, made.key_as(form))) == ""
    assert "does not belong" in secret_problem(secret(made.crt, other.key_as(form)))
    assert pair_problem(made.crt, made.key_as(form)) == ""
    assert "does not belong" in pair_problem(made.crt, other.key_as(form))


def test_a_key_of_another_kind_is_left_to_the_controller() -> None:
    made = Issued("a.b", key=ed25519.Ed25519PrivateKey.generate())

    assert secret_problem(secret(made.crt, GOOD.key)) == secret_problem(secret(made.crt, made.key)) == ""


def test_parameters_before_a_key_do_not_matter() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"

    assert secret_problem(secret(GOOD.crt, parameters + GOOD.key_as(TRADITIONAL))) == ""


def test_a_good_secret() -> None:
    assert secret_warnings(secret(GOOD.crt, GOOD.key), "mcp.example.com") == []
    chained = Issued("mcp.example.com", by=AUTHORITY)
    assert secret_warnings(secret(chained.crt + AUTHORITY.crt, chained.key), "mcp.example.com") == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (secret(GOOD.crt, GOOD.key, kind="Opaque"), "type Opaque"),
        ({"type": "kubernetes.io/tls", "data": {}}, "no usable data entry tls.crt"),
        ({"type": "kubernetes.io/tls", "data": {"tls.crt": "%%%"}}, "no usable data entry tls.crt"),
        (secret("hello", GOOD.key), "no PEM certificate"),
        (secret(GOOD.crt, "hello"), "no PEM private key"),
        (secret(GOOD.key.replace("PRIVATE KEY", "CERTIFICATE"), GOOD.key), "no X.509 certificate"),
        (secret(OLD_AUTHORITY.crt, OLD_AUTHORITY.key), "expired on"),
        (secret(GOOD.crt, GOOD.key_as(PKCS8, serialization.BestAvailableEncryption(b"pw"))), "encrypted"),
        (secret(GOOD.crt, GOOD.key_as(TRADITIONAL, serialization.BestAvailableEncryption(b"pw"))), "encrypted"),
    ],
)
def test_a_secret_that_cannot_serve_tls(bad: Json, words: str) -> None:
    assert words in secret_problem(bad)


@pytest.mark.parametrize(
    ("chain", "hostname", "words"),
    [
        ([Issued("a.b", days=5)], "a.b", "expires on"),
        ([Issued("a.b", start=NOW + DAY)], "a.b", "valid only from"),
        ([GOOD], "other.example.com", "does not cover other.example.com"),
        ([Issued("192.0.2.1")], "a.b", "is for 192.0.2.1 and does not cover a.b"),
        ([Issued()], None, "no subject alternative name"),
        ([Issued("a.b", by=AUTHORITY), GOOD], "a.b", "certificate 2 of its chain is not the issuer"),
        ([Issued("a.b", by=OLD_AUTHORITY), OLD_AUTHORITY], "a.b", "certificate 2 of its chain expired on"),
    ],
)
def test_what_is_only_worth_a_warning(chain: list[Issued], hostname: str | None, words: str) -> None:
    (said,) = secret_warnings(secret("".join(one.crt for one in chain), chain[0].key), hostname)

    assert words in said


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
    body = GOOD.crt.splitlines()
    der = base64.b64decode("".join(body[1:-1]))[:cut]
    text = "\n".join([body[0], base64.b64encode(der).decode(), body[-1]])

    assert certificates(text) == []
