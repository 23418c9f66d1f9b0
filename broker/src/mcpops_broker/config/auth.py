# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who may come in: the mapping `broker.auth` of the file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from mcpops_broker.config.fields import Fields
from mcpops_broker.config.pem import pem

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures of access tokens (RFC 7518, RFC 8037). All are of key pairs: `none` and secrets shared with an issuer
(HS256, ...) cannot be configured."""
HASH = re.compile(r"sha256:[0-9a-f]{64}\Z")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
"""A scope-token (RFC 6749 appendix A.4)."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+\Z")
_KEYS = {"anonymous", "resource", "resourceName", "resourceDocumentation", "scopes", "scopesSupported", "issuers",
         "clockSkew", "apiKeys", "certificates"}  # fmt: skip
_ISSUER_KEYS = {"issuer", "jwksUri", "audiences", "algorithms", "principalClaim", "nameClaim", "groupsClaim",
                "scopesClaim", "caCert", "keysMaxAge", "keysCooldown"}  # fmt: skip
_API_KEY_KEYS = {"name", "hash", "scopes", "groups", "expires"}
_CERTIFICATE_KEYS = {"header", "part", "proxies", "scopes", "groups"}

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IssuerOptions:
    """An authorization server whose access tokens are accepted."""

    issuer: str
    """Its identifier, exactly as it stands in the tokens (`iss`)."""
    jwks_uri: str = ""
    """Where its public keys are; empty: as its metadata says (RFC 8414, OpenID Connect Discovery)."""
    audiences: tuple[str, ...] = ()
    """Values of `aud` that mean this broker, beside its resource URI."""
    algorithms: tuple[str, ...] = ALGORITHMS
    principal_claim: str = "sub"
    """Whose value names the principal for good, unique for this issuer."""
    name_claim: str = "sub"
    """Whose value names the principal for people."""
    groups_claim: str = "groups"
    """A name, or names joined by dots for a claim inside of others (`realm_access.roles`)."""
    scopes_claim: str = ""
    """Empty: `scope`, or `scp`."""
    ca_cert: str | None = field(default=None, repr=False)
    """PEM of authorities trusted for this issuer beside the system's."""
    keys_max_age: float = 3600.0
    """Seconds after which its keys are fetched again."""
    keys_cooldown: float = 30.0
    """Seconds that lie at least between two fetches, however many tokens name keys that are not known."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that stands for a principal. Only its digest is known here."""

    name: str
    hash: str
    """`sha256:` and 64 hex digits, as `mcpops-broker hash-key` prints it."""
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    expires: float | None = None
    """Seconds since 1970; None: never."""


@dataclass(frozen=True, slots=True)
class CertificateOptions:
    """A header in which proxies tell whose certificate a client has shown them (mutual TLS)."""

    header: bytes
    """Its name, in lower case."""
    proxies: tuple[Network, ...]
    """Addresses from which it is believed. From anywhere else it means nothing."""
    part: str = ""
    """The part of the header that names the client, where it is Envoy's `x-forwarded-client-cert` (`URI`, `Subject`,
    `Hash`, ...); empty: all of it."""
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AuthOptions:
    """How principals are recognized. With nothing configured nobody is asked who they are."""

    anonymous: bool = False
    """Whether requests without credentials are served, too. Wrong credentials are refused all the same."""
    resource: str = ""
    """The URI that clients know the broker by and that tokens must be for (RFC 8707, RFC 9728); empty: not given."""
    resource_name: str = "MCP Server"
    resource_documentation: str = ""
    scopes: tuple[str, ...] = ()
    """What every token must have."""
    scopes_supported: tuple[str, ...] = ()
    """What clients are told to ask for; empty: `scopes`."""
    issuers: tuple[IssuerOptions, ...] = ()
    clock_skew: float = 60.0
    """Seconds that the clocks of issuers may differ from ours."""
    api_keys: tuple[ApiKey, ...] = ()
    certificates: CertificateOptions | None = None

    @property
    def recognizes(self) -> bool:
        """Whether there is any way for a client to say who it is."""
        return bool(self.issuers or self.api_keys or self.certificates)


NO_AUTH = AuthOptions()


def open_to_all(options: AuthOptions, address: str, anonymous: bool) -> str:
    """Tell in a sentence why the broker may not listen on an address with these options; empty when it may.

    A broker that asks nobody who they are serves its own machine, or says aloud that it serves everybody. `anonymous`:
    the command line has said it.
    """
    if options.recognizes or options.anonymous or anonymous or is_loopback(address):
        return ""
    return (
        f"the broker would serve everybody who reaches {address}: say in broker.auth whom it serves (issuers, apiKeys "
        "or certificates), or that it is everybody (broker.auth.anonymous: true, or --anonymous), for example since a "
        "gateway in front decides"
    )


def parse_auth(fields: Fields) -> AuthOptions:
    """Read the mapping."""
    default = AuthOptions()
    fields.refuse_unknown(_KEYS)
    issuers = tuple(_issuers(fields))
    certificates = fields.inside("certificates")
    options = AuthOptions(
        anonymous=fields.switch("anonymous", default.anonymous),
        resource=_resource(fields),
        resource_name=fields.text("resourceName") or default.resource_name,
        resource_documentation=_address(fields, "resourceDocumentation"),
        scopes=_scopes(fields, "scopes"),
        scopes_supported=_scopes(fields, "scopesSupported"),
        issuers=issuers,
        clock_skew=fields.number("clockSkew", default.clock_skew, low=0, high=600),
        api_keys=tuple(_api_keys(fields)),
        certificates=_certificates(certificates) if fields.has("certificates") else None,
    )
    if issuers and not options.resource and not fields.has("resource"):
        must = "with 'issuers' it must be the URL that clients use, since tokens must be issued for it"
        fields.problem("resource", "", must)
    return options


def _issuers(fields: Fields) -> Iterator[IssuerOptions]:
    seen: set[str] = set()
    for one in fields.elements("issuers"):
        one.refuse_unknown(_ISSUER_KEYS)
        issuer = _address(one, "issuer")
        if not issuer and not one.has("issuer"):
            one.problem("issuer", "", "it must be the issuer's identifier, an https:// address")
        elif "?" in issuer or "#" in issuer:
            one.problem("issuer", issuer, "an issuer has no query and no fragment (RFC 8414 section 2)")
        if issuer in seen:
            one.problem("issuer", issuer, "another element has this issuer; give each one once")
        seen.add(issuer)
        default = IssuerOptions(issuer)
        algorithms = one.texts("algorithms") or ALGORITHMS
        if unknown := [name for name in algorithms if name not in ALGORITHMS]:
            one.problem("algorithms", unknown[0], f"every element must be one of {', '.join(ALGORITHMS)}")
        yield IssuerOptions(
            issuer=issuer,
            jwks_uri=_address(one, "jwksUri"),
            audiences=one.texts("audiences"),
            algorithms=algorithms,
            principal_claim=one.text("principalClaim") or default.principal_claim,
            name_claim=one.text("nameClaim") or one.text("principalClaim") or default.name_claim,
            groups_claim=one.text("groupsClaim") or default.groups_claim,
            scopes_claim=one.text("scopesClaim"),
            ca_cert=pem(one, "caCert"),
            keys_max_age=one.number("keysMaxAge", default.keys_max_age, low=1, high=86_400),
            keys_cooldown=one.number("keysCooldown", default.keys_cooldown, low=0.1, high=3600),
        )


def _api_keys(fields: Fields) -> Iterator[ApiKey]:
    names: set[str] = set()
    hashes: set[str] = set()
    for one in fields.elements("apiKeys"):
        one.refuse_unknown(_API_KEY_KEYS)
        name, digest = one.text("name"), one.text("hash")
        if not name or name in names or not name.isprintable():
            one.problem("name", name, "every key needs a name, and no other may have the same")
        if not HASH.match(digest):
            one.secret_problem("hash", "it must be what 'mcpops-broker hash-key' prints: sha256: and 64 hex digits")
        elif digest in hashes:
            one.secret_problem("hash", "another element has the same key")
        names.add(name)
        hashes.add(digest)
        yield ApiKey(name, digest, frozenset(_scopes(one, "scopes")), frozenset(one.texts("groups")), _expiry(one))


def _certificates(fields: Fields) -> CertificateOptions:
    fields.refuse_unknown(_CERTIFICATE_KEYS)
    header = fields.text("header")
    if not _HEADER_NAME.match(header):
        fields.problem("header", header, "it must be the name of the header, such as x-forwarded-client-cert")
    proxies: list[Network] = []
    for text in fields.texts("proxies"):
        try:
            proxies.append(ip_network(text))
        except ValueError:
            fields.problem("proxies", text, "every element must be an IP address, or a network such as 10.0.0.0/8")
    if not fields.items("proxies"):
        fields.problem("proxies", [], "without the addresses of the proxies anybody could send the header")
    if any(network.prefixlen == 0 for network in proxies):
        fields.problem("proxies", "0.0.0.0/0 or ::/0", "anybody could send the header; name the proxies' networks")
    return CertificateOptions(
        header=header.lower().encode("ascii", "replace"),
        proxies=tuple(proxies),
        part=fields.text("part"),
        scopes=frozenset(_scopes(fields, "scopes")),
        groups=frozenset(fields.texts("groups")),
    )


def _resource(fields: Fields) -> str:
    resource = _address(fields, "resource")
    if "?" in resource or "#" in resource:
        fields.problem("resource", resource, "it must be an address without query and fragment")
    return resource.rstrip("/")


def _address(fields: Fields, key: str) -> str:
    """Return an address that credentials or trust depend on: https, or http on this machine."""
    url = fields.text(key)
    if not url:
        return ""
    if (problem := address_problem(url)) is not None:
        fields.problem(key, url, f"it must be {problem}")
    return url


def address_problem(url: str) -> str | None:
    """Tell what an address must be so that answers from there can be trusted; None when it is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:  # a port that is no number, brackets that do not match
        host, port = "", None
    if not host or port == 0 or "@" in parts.netloc or not url.isascii() or not url.isprintable() or " " in url:
        return "an https:// address with a host, and without user name and blanks"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)):
        return None
    return "an https:// address (http:// only on this machine, 127.0.0.1)"


def is_loopback(host: str) -> bool:
    """Tell whether an IP address, or a name in an address, is that of this machine for itself."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _scopes(fields: Fields, key: str) -> tuple[str, ...]:
    scopes = fields.texts(key)
    if wrong := [scope for scope in scopes if not _SCOPE.match(scope)]:
        fields.problem(key, wrong[0], 'every element must be one scope: visible ASCII without blanks, " and \\')
    return scopes


def _expiry(fields: Fields) -> float | None:
    """Return a moment that YAML or a text gives (2027-01-31, 2027-01-31T12:00:00Z); without a zone it is UTC."""
    value = fields.raw("expires")
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime) and isinstance(moment, date):
            moment = datetime.combine(moment, time.min)
        if isinstance(moment, datetime):
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        pass  # told below
    fields.problem("expires", value, "it must be a date, or a date with a time, such as 2027-01-31T12:00:00Z")
    return math.inf
