# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The metadata of an authorization server, as MCP clients look for it (RFC 8414, OpenID Connect Discovery)."""

from __future__ import annotations

from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wellknown import OtherWire, get_document

KEPT = ("issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint", "jwks_uri")


def addresses(issuer: str) -> list[str]:
    """Where the metadata of this issuer may be, in the order of the MCP specification (2025-11-25, authorization)."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    found = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
    ]
    return [*found, f"{origin}{path}/.well-known/openid-configuration"] if path else found


def authorization_server(url: str, issuer: str, other: OtherWire) -> Json:
    """The metadata's address and main values. ``url`` is the endpoint, for messages. Raises EndpointError."""
    seen = []
    for address in addresses(issuer):
        try:
            document, problem = get_document(other(address))
        except EndpointError as failure:
            raise EndpointError(
                failure.layer,
                f"{url}: the authorization server {issuer} cannot be asked: {failure}",
                retry=failure.retry,
                **failure.facts,
            ) from failure
        if document is not None:
            _check(url, issuer, address, document)
            return {"metadata_url": address, **{name: document[name] for name in KEPT if name in document}}
        seen.append(f"{address}: {problem}")
    raise EndpointError(
        "assert",
        f"{url}: the authorization server {issuer} has no metadata ({'; '.join(seen)}); correct the issuer in"
        " authorization_servers, or let the server publish its metadata",
    )


def _check(url: str, issuer: str, address: str, document: Json) -> None:
    wrong = []
    named = document.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        wrong.append(f"its issuer is {named!r}, which must be the same text (RFC 8414, section 3.3)")
    missing = [name for name in ("authorization_endpoint", "token_endpoint") if not document.get(name)]
    if missing:
        wrong.append(f"it has no {' and no '.join(missing)}")
    methods = document.get("code_challenge_methods_supported")
    if not isinstance(methods, list) or "S256" not in methods:
        wrong.append("code_challenge_methods_supported does not hold S256, so MCP clients refuse the server (PKCE)")
    if wrong:
        raise EndpointError(
            "assert",
            f"{url}: the metadata of the authorization server {issuer} at {address} is wrong: {'; '.join(wrong)}",
            metadata=document,
        )
