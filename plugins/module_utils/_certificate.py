# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""TLS Secrets looked at before a listener uses them: type, keys, PEM, the pair of key and certificate, validity, names.

What the reader of certificates does not understand is left to the Gateway's controller.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import itertools
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._x509 import (
    Certificate,
    blocks,
    certificates,
    public_key_of,
)

SOON = datetime.timedelta(days=14)


def secret_problem(secret: t.Mapping[str, t.Any]) -> str:
    """Why the Secret cannot serve TLS (completes "the Secret X ..."), or an empty text."""
    kind = secret.get("type") or "Opaque"
    if kind != "kubernetes.io/tls":
        return f"has the type {kind}, and a listener needs kubernetes.io/tls"
    texts = {key: _decoded(secret, key) for key in ("tls.crt", "tls.key")}
    for key, what in (("tls.crt", "CERTIFICATE"), ("tls.key", "PRIVATE KEY")):
        text = texts[key]
        if text is None:
            return f"has no usable data entry {key}"
        if not any(block.label.endswith(what) for block in blocks(text)):
            return f"has no PEM {what.lower()} in its data entry {key}"
    leaf = next(iter(certificates(texts["tls.crt"] or "")), None)
    if leaf is None:
        return "has a data entry tls.crt that is no X.509 certificate"
    problem = _key_problem(texts["tls.key"] or "", leaf)
    if problem:
        return problem
    if leaf.not_after < _now():
        return f"holds a certificate that expired on {_said(leaf.not_after)}"
    return ""


def _key_problem(text: str, leaf: Certificate) -> str:
    key = next(block for block in blocks(text) if block.label.endswith("PRIVATE KEY"))
    if key.encrypted:
        return "has an encrypted private key in its data entry tls.key, for which a Gateway has no password"
    public = public_key_of(key)
    if public is not None and leaf.public_key is not None and public != leaf.public_key:
        return "has a private key (tls.key) that does not belong to its certificate (the first one in tls.crt)"
    return ""


def pair_problem(certificate: str, key: str) -> str:
    """The same for a certificate and its private key that are no Secret: PEM texts, named as they would be in one."""
    data = {"tls.crt": certificate, "tls.key": key}
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    return secret_problem({"type": "kubernetes.io/tls", "data": encoded})


def secret_warnings(secret: t.Mapping[str, t.Any], hostname: str | None) -> list[str]:
    """What is not wrong yet, or wrong only for clients: near expiry, not valid yet, names, the order of the chain."""
    chain = certificates(_decoded(secret, "tls.crt") or "")
    if not chain:
        return []
    leaf = chain[0]
    found = []
    if leaf.not_before > _now():
        found.append(f"its certificate is valid only from {_said(leaf.not_before)}")
    elif leaf.not_after - _now() < SOON:
        found.append(f"its certificate expires on {_said(leaf.not_after)}")
    if not leaf.names:
        found.append("its certificate has no subject alternative name, so clients accept it for no host")
    elif hostname and not any(covers(name, hostname) for name in leaf.names):
        found.append(f"its certificate is for {', '.join(leaf.names)} and does not cover {hostname}")
    for number, (one, issuer) in enumerate(itertools.pairwise(chain), 2):
        if one.issuer != issuer.subject:
            found.append(f"certificate {number} of its chain is not the issuer of the one before it")
        elif issuer.not_after < _now():
            found.append(f"certificate {number} of its chain expired on {_said(issuer.not_after)}")
    return found


def covers(name: str, hostname: str) -> bool:
    """Whether a certificate's DNS name is valid for a host name (a wildcard stands for one label)."""
    name, hostname = name.lower(), hostname.lower()
    if name == hostname:
        return True
    return name.startswith("*.") and not hostname.startswith("*.") and hostname.partition(".")[2] == name[2:]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _said(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _decoded(secret: t.Mapping[str, t.Any], key: str) -> str | None:
    value = (secret.get("data") or {}).get(key)
    if not value:
        return None
    try:
        return base64.b64decode(str(value), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
