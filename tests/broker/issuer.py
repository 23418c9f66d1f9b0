# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OAuth authorization server on 127.0.0.1: metadata, keys that can be changed, registration of clients, the
authorization code grant with PKCE, and tokens of any make, good and bad. It signs without a JWT library, so that the
one under test is not compared with itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Json = dict[str, Any]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_RSA = rsa.generate_private_key(65537, 2048)
_HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
_CURVES = {"ES256": ("P-256", ec.SECP256R1()), "ES384": ("P-384", ec.SECP384R1()), "ES512": ("P-521", ec.SECP521R1())}


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def new_key(algorithm: str) -> Key:
    """Make a key for an algorithm; those of RSA share one, since making it takes long."""
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm][1])
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else _RSA


def jwk(key: Key, key_id: str, **more: Any) -> Json:
    """Return the public part of a key."""
    shown: Json = {"kid": key_id, "use": "sig", **more}
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        size = key.key_size // 8
        return {**shown, "kty": "RSA", "n": b64(public.n.to_bytes(size)), "e": b64(public.e.to_bytes(3))}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {**shown, "kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    point, size = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    curve = next(name for name, made in _CURVES.values() if made.name == key.curve.name)
    return {**shown, "kty": "EC", "crv": curve, "x": b64(point.x.to_bytes(size)), "y": b64(point.y.to_bytes(size))}


def signature(algorithm: str, key: Key | bytes | None, text: bytes) -> bytes:
    """Sign as RFC 7518 says."""
    digest = _HASHES.get(algorithm[2:], hashes.SHA256())
    if key is None:
        return b""
    if isinstance(key, bytes):
        return hmac.new(key, text, "sha256").digest()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(text)
    if isinstance(key, rsa.RSAPrivateKey):
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return key.sign(text, pss if algorithm.startswith("PS") else padding.PKCS1v15(), digest)
    r, s = decode_dss_signature(key.sign(text, ec.ECDSA(digest)))
    size = (key.curve.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


def signed(claims: Json, algorithm: str, key: Key | bytes | None, **header: Any) -> str:
    """Make a token, whatever sense it has."""
    header = {name: value for name, value in {"alg": algorithm, "typ": "at+jwt", **header}.items() if value is not None}
    text = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{b64(signature(algorithm, key, text.encode()))}"


class Issuer:
    """The server; use it with `with`. `url` is the issuer, `keys` what it shows, `asked` the paths of requests."""

    def __init__(self, path: str = "", algorithm: str = "ES256") -> None:
        self.path = path
        self.algorithm = algorithm
        self.key_id = "one"
        self.key = new_key(algorithm)
        self.keys: list[Json] = [jwk(self.key, "one")]
        self.asked: list[str] = []
        self.broken = False
        self.claims: Json = {}
        """More claims of the tokens that clients get."""
        self.codes: dict[str, dict[str, str]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                answer = issuer.get(self.path)
                if isinstance(answer, str):
                    self.send_response(302)
                    self.send_header("location", answer)
                    self.end_headers()
                else:
                    self._json(answer)

            def do_POST(self) -> None:
                issuer.asked.append(self.path)
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._json(issuer.post(self.path, body))

            def _json(self, answer: Json | None) -> None:
                body = json.dumps(answer).encode()
                self.send_response(404 if answer is None else 500 if issuer.broken else answer.pop("status", 200))
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def __enter__(self) -> Issuer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rotate(self, key_id: str) -> None:
        """Sign with a new key from now on, and show no other."""
        self.key_id, self.key = key_id, new_key(self.algorithm)
        self.keys = [jwk(self.key, key_id)]

    def token(self, audience: Any, *, lifetime: float = 300, **claims: Any) -> str:
        """Make a token for an audience."""
        now = int(time.time())
        body = {"iss": self.url, "sub": "alice", "aud": audience, "iat": now, "exp": int(now + lifetime), **claims}
        present = {name: value for name, value in body.items() if value is not None}
        return signed(present, self.algorithm, self.key, kid=self.key_id)

    def get(self, address: str) -> Json | str | None:
        """Answer a GET; text is a redirection."""
        parts = urlsplit(address)
        if parts.path == self.path + "/keys":
            return {"keys": self.keys}
        if parts.path == f"/.well-known/oauth-authorization-server{self.path}":
            return {
                "issuer": self.url,
                "jwks_uri": self.url + "/keys",
                "authorization_endpoint": self.url + "/authorize",
                "token_endpoint": self.url + "/token",
                "registration_endpoint": self.url + "/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
            }
        if parts.path == self.path + "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            return asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]})
        return None

    def post(self, path: str, body: str) -> Json | None:
        """Register a client, or redeem a code."""
        if path == self.path + "/register":
            return {**json.loads(body), "client_id": "client-1", "status": 201}
        if path != self.path + "/token":
            return None
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.codes.pop(form["code"])
        assert b64(hashlib.sha256(form["code_verifier"].encode()).digest()) == asked["code_challenge"]
        assert form["resource"] == asked["resource"]
        scope = asked.get("scope", "")
        token = self.token(asked["resource"], client_id=form["client_id"], scope=scope, **self.claims)
        return {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": scope}
