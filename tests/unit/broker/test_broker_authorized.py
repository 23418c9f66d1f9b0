# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signed header that says what a client may use. Another library makes the tokens than the one that reads them."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from mcpops_broker.access.access import Access
from mcpops_broker.access.authorized import Authorization
from mcpops_broker.access.token import BadKeyError, Verifier
from mcpops_broker.catalogue.scope import EVERYTHING, Authorized, Scope
from mcpops_broker.config.model import Config
from mcpops_broker.principal import ANONYMOUS
from mcpops_broker.protocol.jsonrpc import RpcError

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
GRANT = json.dumps({"tools": {"ns/a": ["t"]}, "prompts": {}})


def pem(key: Key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def token(claims: dict[str, Any], key: Key = KEY, algorithm: str = "ES256", **options: Any) -> bytes:
    return jwt.encode(claims, key, algorithm, **options).encode()


def deep() -> bytes:
    """A token whose header holds lists in lists, more than a parser can follow."""
    return base64.urlsafe_b64encode(b"[" * 40_000).rstrip(b"=") + b".e30.AA"


def header(claims: dict[str, Any]) -> dict[bytes, bytes]:
    return {b"x-mcp-authorized": token(claims)}


def authorization(enforce: bool = False) -> Authorization:
    return Authorization(Verifier(pem(KEY)), enforce)


def test_what_the_token_grants() -> None:
    claims = {"allowed-capabilities": GRANT, "exp": time.time() + 60, "nbf": time.time() - 60}

    assert authorization().authorized(header(claims)) == Authorized(frozenset({("ns/a", "t")}), frozenset(), None)
    assert authorization(True).authorized(header(claims)) == Authorized(
        frozenset({("ns/a", "t")}), frozenset(), frozenset()
    )


def test_the_header_and_claim_of_0_6_0() -> None:
    headers = {b"x-authorized-tools": token({"allowed-tools": '{"ns/a": ["t", "u"], "ns/b": []}'})}

    assert authorization().authorized(headers) == Authorized(frozenset({("ns/a", "t"), ("ns/a", "u")}))
    assert authorization(True).authorized(headers) == Authorized(
        frozenset({("ns/a", "t"), ("ns/a", "u")}), frozenset(), frozenset()
    )


def test_without_the_header_everything_is_seen_unless_it_is_enforced() -> None:
    assert authorization().authorized({}) is None
    assert authorization(True).authorized({}) == Authorized(frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "is no JWT"),
        (b"a.b", "is no JWT"),
        (b"?.?.?", "is no JWT"),
        (b"\xff.a.a", "is no JWT"),
        (token({}) + b"," + token({}), "is no JWT"),
        (token({}, OTHER), "is not signed with the trusted key"),
        (token({}) + b"AA", "is not signed with the trusted key"),
        (token({}, rsa.generate_private_key(65537, 2048), "RS256"), "is not signed with ES256"),
        (jwt.encode({}, "s" * 32, "HS256").encode(), "is not signed with ES256"),
        (jwt.encode({}, None, "none").encode(), "is not signed with ES256"),
        (token({}, headers={"crit": ["b64"], "b64": False}), "needs an extension of JWT (crit)"),
        (deep(), "is no JWT"),
        (token({"exp": 1}), "has expired"),
        (token({"nbf": 9e9}), "is not valid yet"),
        (token({"exp": 9e9, "nbf": True}), "has the claim 'nbf', which must be a number"),
        (token({"exp": float("nan")}), "has the claim 'exp', which must be a number"),
        (token({}), "must have the claim 'allowed-capabilities': text that holds a JSON object"),
        (token({"allowed-capabilities": {"tools": {}}}), "must have the claim 'allowed-capabilities'"),
        (token({"allowed-capabilities": "{"}), "must have the claim 'allowed-capabilities'"),
        (token({"allowed-capabilities": '{"tools": ["t"]}'}), "must grant lists of names by the names of servers"),
        (token({"allowed-capabilities": '{"tools": {"a": [["t"]]}}'}), "must grant lists of names"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(RpcError) as caught:
        authorization().authorized({b"x-mcp-authorized": raw})

    assert caught.value.status == 403
    assert caught.value.message.startswith(f"Forbidden: the x-mcp-authorized header {why}")


def test_changed_claims_are_refused() -> None:
    head, _, signature = token({"allowed-capabilities": GRANT}).split(b".")
    _, claims, _ = token({"allowed-capabilities": '{"tools": {"ns/a": ["admin"]}}'}).split(b".")

    with pytest.raises(RpcError, match="is not signed with the trusted key"):
        authorization().authorized({b"x-mcp-authorized": b".".join((head, claims, signature))})


def test_a_known_token_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = authorization()
    now = time.time()
    headers = header({"allowed-capabilities": GRANT, "exp": int(now) + 60})
    first = rules.authorized(headers)
    assert rules.authorized(headers) is first

    monkeypatch.setattr(time, "time", lambda: now + 61)
    with pytest.raises(RpcError, match="has expired"):
        rules.authorized(headers)


def test_known_tokens_take_a_bounded_amount_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = [header({"allowed-capabilities": GRANT, "sub": name}) for name in "abc"]
    room = 2 * len(b"x-mcp-authorized" + headers[0][b"x-mcp-authorized"])
    monkeypatch.setattr("mcpops_broker.access.authorized.MAX_KEPT", room)
    rules = authorization()
    first = [rules.authorized(one) for one in headers[:2]]

    assert rules.authorized(headers[0]) is first[0]
    rules.authorized(headers[2])
    assert rules.authorized(headers[0]) is first[0]
    assert rules.authorized(headers[1]) is not first[1]


def test_without_a_key_nobody_can_be_trusted() -> None:
    with pytest.raises(RpcError, match=r"no key is configured \(TRUSTED_HEADER_PUBLIC_KEY\)"):
        Authorization(None, False).authorized(header({"allowed-capabilities": GRANT}))


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("nothing", "it must be a public key in PEM form"),
        (pem(rsa.generate_private_key(65537, 2048)), "it must be an ECDSA key on the curve P-256"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "it must be an ECDSA key on the curve P-256"),
    ],
    ids=["text", "RSA", "P-384"],
)
def test_a_key_that_cannot_be_used(key: str, why: str) -> None:
    with pytest.raises(BadKeyError, match=why):
        Verifier(key)


def test_a_scope_is_made_of_all_that_restricts_a_request() -> None:
    access = Access(pem(KEY), Config())
    headers = {**header({"allowed-capabilities": GRANT}), b"x-mcp-virtualserver": b"ns/v"}
    access.selections.set("me", frozenset({"a_t"}))

    assert access.scope({}, None, ANONYMOUS) is EVERYTHING
    assert access.scope({}, "somebody", ANONYMOUS) is EVERYTHING
    assert access.scope({}, "me", ANONYMOUS) == Scope(selection=frozenset({"a_t"}))
    assert access.scope(headers, "me", ANONYMOUS) == Scope(
        "ns/v", Authorized(frozenset({("ns/a", "t")}), frozenset(), None), frozenset({"a_t"})
    )


def test_the_oldest_selection_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpops_broker.access.selections.MAX_SELECTIONS", 2)
    selections = Access(None, Config()).selections
    for identity in ("a", "b", "c"):
        selections.set(identity, frozenset({identity}))
    selections.set("c", None)

    assert (selections.get("a"), selections.get("b"), selections.get("c")) == (None, frozenset({"b"}), None)
    assert selections.all() == [("b", ["b"])]
