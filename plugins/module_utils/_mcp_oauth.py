# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Whether a client can find out where to get a token: RFC 9728 and the authorization chapter of MCP."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_bare import single_initialize
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth_server import authorization_server
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_status import resource_metadata_of
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wellknown import OtherWire, get_document
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

WELL_KNOWN = "/.well-known/oauth-protected-resource"


@dataclasses.dataclass(frozen=True)
class OAuth:
    """What to check; the fields are the suboptions of ``oauth_metadata``."""

    resource: str | None = None
    check_authorization_servers: bool = False
    expect_auth: bool = False


def check_oauth(wire: Wire, oauth: OAuth, other: OtherWire) -> Json:
    """Read the metadata of the protected resource, and what it points to. The caller's headers, which may hold a
    token, go nowhere here; ``other`` makes the connection to another server.

    Returns what was found. Raises :class:`EndpointError`.
    """
    url = wire.target.url
    origin, path = _split(url)
    challenge, named = _challenge(wire) if oauth.expect_auth else ("", "")
    candidates = [origin + WELL_KNOWN + path, origin + WELL_KNOWN] if path else [origin + WELL_KNOWN]
    documents: dict[str, Json] = {}
    missing: dict[str, str] = {}
    for address in dict.fromkeys([named, *candidates] if named else candidates):
        document, problem = get_document(other(address))
        if document is None:
            missing[address] = problem
        else:
            documents[address] = document
    if named and named not in documents:
        raise _wrong(
            url, f"the challenge of the endpoint points to {named}, but {missing[named]}; correct the AuthPolicy"
        )
    if not documents:
        seen = "; ".join(f"{address}: {problem}" for address, problem in missing.items())
        raise _wrong(
            url,
            f"there is no metadata of the protected resource (RFC 9728): {seen}; route this path to the broker and set"
            " its OAUTH_RESOURCE and OAUTH_AUTHORIZATION_SERVERS",
        )
    if oauth.expect_auth and not named:
        raise _wrong(
            url,
            f"the challenge ({excerpt(challenge) or 'no WWW-Authenticate'}) names no resource_metadata, so clients"
            f" cannot find {next(iter(documents))}; add it to the AuthPolicy",
        )
    for address, document in documents.items():
        _check_document(url, oauth, address, document, is_root=address == origin + WELL_KNOWN and bool(path))
    address, document = next(iter(documents.items()))
    found: Json = {
        "metadata_url": address,
        "metadata_urls": list(documents),
        "resource": document["resource"],
        "authorization_servers": document["authorization_servers"],
        "scopes_supported": document.get("scopes_supported") or [],
    }
    if oauth.expect_auth:
        found["challenge"] = challenge
    if oauth.check_authorization_servers:
        found["authorization_server_metadata"] = {
            issuer: authorization_server(url, issuer, other) for issuer in document["authorization_servers"]
        }
    return found


def _challenge(wire: Wire) -> tuple[str, str]:
    """The challenge to a request without a token, and the metadata's address in it ("" when there is none)."""
    with single_initialize(wire, anonymous=True) as answer:
        status, challenge = answer.status, answer.header("WWW-Authenticate") or ""
    if status != 401:
        raise EndpointError(
            "http" if status >= 500 else "assert",
            f"{wire.target.url}: a request without a token is answered with HTTP {status} instead of 401, so the"
            + (
                " endpoint is open to everybody; attach an AuthPolicy to its listener"
                if status < 300
                else " endpoint is not ready or wrong"
            ),
            retry=True,
            http_status=status,
        )
    return challenge, resource_metadata_of(challenge) or ""


def _check_document(url: str, oauth: OAuth, address: str, document: Json, *, is_root: bool) -> None:
    """RFC 9728, section 3.3: the resource is what the address was made from, letter for letter but for a last slash.

    A document at the root, which older clients read, may name the whole server or the endpoint.
    """
    resource = document.get("resource")
    expected = [oauth.resource or url]
    if is_root:
        expected.append(_split(url)[0])
    if not isinstance(resource, str) or _plain(resource) not in [_plain(one) for one in expected]:
        raise _wrong(
            url,
            f"the metadata at {address} has the resource {resource!r} instead of {expected[0]!r}, so clients refuse it"
            " or ask for a token of the wrong audience; set OAUTH_RESOURCE of the broker",
            metadata=document,
        )
    servers = document.get("authorization_servers")
    if (
        not isinstance(servers, list)
        or not servers
        or not all(isinstance(one, str) and urlsplit(one).scheme in ("http", "https") for one in servers)
    ):
        raise _wrong(
            url,
            f"the metadata at {address} has the authorization_servers {servers!r}, and clients need at least one URL"
            " there; set OAUTH_AUTHORIZATION_SERVERS of the broker",
            metadata=document,
        )


def _split(url: str) -> tuple[str, str]:
    """Origin and path of the endpoint; a path of nothing but a slash counts as none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def _plain(url: str) -> str:
    """A URL for comparison: scheme and host in small letters, without the scheme's own port and a last slash."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return url
    own = {"http": 80, "https": 443}.get(parts.scheme)
    place = (parts.hostname or "") + (f":{port}" if port not in (None, own) else "")
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}" + (f"?{parts.query}" if parts.query else "")


def _wrong(url: str, text: str, **facts: t.Any) -> EndpointError:
    return EndpointError("assert", f"{url}: {text}", **facts)
