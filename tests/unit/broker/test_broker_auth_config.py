# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mapping `broker.auth` of the configuration, and whom a broker may serve by it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import yaml
from mcpops_broker.access.api_keys import hashed, key_problem, new_key
from mcpops_broker.config.auth import ALGORITHMS, ApiKey, AuthOptions, CertificateOptions, IssuerOptions, open_to_all
from mcpops_broker.config.parse import ConfigError, parse

HASH = hashed(b"k" * 40)
ISSUER = {"issuer": "https://idp.example.com/realms/a"}
OPEN = {"resource": "https://mcp.example.com/mcp", "issuers": [ISSUER]}


def read(auth: Any, **broker: Any) -> AuthOptions:
    return parse(yaml.safe_dump({"broker": {"auth": auth, **broker}})).broker.auth


def problems(auth: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(auth)
    return caught.value.problems


def test_nothing_is_asked_by_default() -> None:
    assert parse("servers: []").broker.auth == AuthOptions()
    assert not AuthOptions().recognizes


def test_everything_that_can_be_said() -> None:
    auth = {
        "anonymous": True,
        "resource": "https://mcp.example.com/mcp/",
        "resourceName": "Tools",
        "resourceDocumentation": "https://docs.example.com/",
        "scopes": ["mcp"],
        "scopesSupported": ["mcp", "files:read"],
        "clockSkew": 5,
        "issuers": [
            {
                **ISSUER,
                "jwksUri": "http://127.0.0.1:8081/keys",
                "audiences": ["api://mcp"],
                "algorithms": ["ES256"],
                "principalClaim": "oid",
                "groupsClaim": "realm_access.roles",
                "scopesClaim": "scp",
                "keysMaxAge": 60,
                "keysCooldown": 1,
            }
        ],
        "apiKeys": [
            {"name": "ci", "hash": HASH, "scopes": ["mcp"], "groups": ["g"], "expires": "2027-01-31T12:00:00Z"}
        ],
        "certificates": {
            "header": "X-Forwarded-Client-Cert",
            "part": "URI",
            "proxies": ["10.0.0.0/8"],
            "groups": ["m"],
        },
    }

    options = read(auth)

    assert options.resource == "https://mcp.example.com/mcp"
    assert options.issuers == (
        IssuerOptions(
            ISSUER["issuer"], "http://127.0.0.1:8081/keys", ("api://mcp",), ("ES256",), "oid", "oid",
            "realm_access.roles", "scp", None, 60, 1,
        ),
    )  # fmt: skip
    assert options.api_keys == (ApiKey("ci", HASH, frozenset({"mcp"}), frozenset({"g"}), 1801396800.0),)
    assert options.certificates == CertificateOptions(
        b"x-forwarded-client-cert", (ip_network("10.0.0.0/8"),), "URI", frozenset(), frozenset({"m"})
    )
    assert (options.anonymous, options.clock_skew, options.recognizes) == (True, 5, True)
    assert (options.scopes, options.scopes_supported) == (("mcp",), ("mcp", "files:read"))


@pytest.mark.parametrize("expires", ["2027-01-31", "'2027-01-31'", "2027-01-31T00:00:00Z", "2027-01-31 01:00:00+01:00"])
def test_a_key_may_expire(expires: str) -> None:
    text = f"broker: {{auth: {{apiKeys: [{{name: a, hash: '{HASH}', expires: {expires}}}]}}}}"

    assert parse(text).broker.auth.api_keys[0].expires == 1801353600.0


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"isuers": []}, "broker.auth: key 'isuers' is not known; known are anonymous, apiKeys,"),
        ({"issuers": [ISSUER]}, "broker.auth: key 'resource' has the value ''"),
        ({**OPEN, "resource": "http://mcp.example.com"}, "https:// address (http:// only on this machine"),
        ({**OPEN, "resource": "https://mcp.example.com/mcp?a=b"}, "without query and fragment"),
        ({**OPEN, "issuers": [{}]}, "broker.auth.issuers[0]: key 'issuer' has the value ''"),
        ({**OPEN, "issuers": [ISSUER, ISSUER]}, "another element has this issuer"),
        ({**OPEN, "issuers": [{"issuer": "http://idp.example.com"}]}, "https:// address"),
        ({**OPEN, "issuers": [{"issuer": "https://a:b@idp.example.com"}]}, "without user name"),
        ({**OPEN, "issuers": [{"issuer": "https://idp.example.com/?x"}]}, "no query and no fragment"),
        ({**OPEN, "issuers": [{**ISSUER, "algorithms": ["none"]}]}, "has the value 'none': every element must be"),
        ({**OPEN, "issuers": [{**ISSUER, "algorithms": ["HS256"]}]}, "has the value 'HS256'"),
        ({**OPEN, "issuers": [{**ISSUER, "jwksUri": "ftp://x"}]}, "key 'jwksUri' has the value 'ftp://x'"),
        ({**OPEN, "issuers": [{**ISSUER, "caCert": "x"}]}, "certificates in PEM form"),
        ({**OPEN, "scopes": ["a b"]}, "every element must be one scope"),
        ({"apiKeys": [{"name": "a", "hash": "secret-key"}]}, "key 'hash' has a secret value (not shown)"),
        ({"apiKeys": [{"name": "a", "hash": HASH}, {"name": "b", "hash": HASH}]}, "another element has the same key"),
        ({"apiKeys": [{"name": "a", "hash": HASH}, {"name": "a", "hash": HASH}]}, "no other may have the same"),
        ({"apiKeys": [{"name": "a", "hash": HASH, "expires": "soon"}]}, "it must be a date"),
        ({"certificates": {"header": "a b", "proxies": ["10.0.0.1"]}}, "must be the name of the header"),
        ({"certificates": {"header": "a", "proxies": ["proxy"]}}, "an IP address, or a network"),
        ({"certificates": {"header": "a"}}, "anybody could send the header"),
        ({"certificates": {"header": "a", "proxies": ["0.0.0.0/0"]}}, "anybody could send the header"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(auth: Any, problem: str) -> None:
    found = problems(auth)

    assert any(problem in one for one in found), found
    assert "secret-key" not in " ".join(found)


def test_algorithms_are_those_of_key_pairs() -> None:
    assert not any(name.startswith("HS") or name == "none" for name in ALGORITHMS)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.8.8.8"])
def test_this_machine_may_be_served_without_asking(address: str) -> None:
    assert open_to_all(AuthOptions(), address, False) == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0"])
def test_others_are_served_when_it_says_whom(address: str) -> None:
    assert "would serve everybody who reaches" in open_to_all(AuthOptions(), address, False)
    assert open_to_all(AuthOptions(), address, True) == ""
    assert open_to_all(read({"anonymous": True}), address, False) == ""
    assert open_to_all(read({"apiKeys": [{"name": "a", "hash": HASH}]}), address, False) == ""
    assert open_to_all(read(OPEN), address, False) == ""


def test_keys_are_made_and_those_that_could_be_guessed_are_refused() -> None:
    keys = {new_key() for _ in range(10)}

    assert len(keys) == 10
    assert not any(map(key_problem, keys))
    assert "at least 32" in key_problem("short")
    assert "repeats" in key_problem("ab" * 30)
    assert "visible ASCII" in key_problem("0123456789abcdefghij klmnopqrstuvw")
    assert "JWT" in key_problem("0123456789abcdef.ghijklmnop.qrstuvw")


def test_the_keys_of_session_ids_may_be_changed_one_after_the_other() -> None:
    first, second = "a" * 32, "b" * 32

    settings = parse(yaml.safe_dump({"broker": {"signingKey": second, "signingKeys": [{"key": first}]}})).broker

    assert (settings.signing_key, settings.signing_keys) == (second, (first,))
    assert first not in repr(settings)
    with pytest.raises(
        ConfigError, match=r"'signingKeys\[0\]' has a secret value \(not shown\): it must be at least 32"
    ):
        parse("broker: {signingKeys: [{key: short}]}")
    with pytest.raises(ConfigError, match="every element must be one of key, keyFile, keyEnv"):
        parse("broker: {signingKeys: [{}]}")
