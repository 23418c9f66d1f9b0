# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What an HTTP status means on the way to an MCP endpoint behind a Gateway, and what to do about it."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target

HeaderLookup = t.Callable[[str], "str | None"]

_METADATA = re.compile(r'resource_metadata\s*=\s*"?([^",\s]+)"?', re.IGNORECASE)

# Statuses that another try cannot change: the request itself, or who sends it, has to change.
_FINAL = frozenset({301, 302, 303, 307, 308, 400, 401, 403, 405, 406, 407, 413, 415, 426})


def status_failure(target: Target, status: int, header: HeaderLookup, body: bytes) -> EndpointError:
    """The failure for an answer that is not 2xx; ``header`` looks up one of the answer's headers."""
    said = excerpt(body)
    meaning = _meaning(target, status, header)
    text = f"{target.url}: HTTP {status}" + (f" ({said})" if said else "") + f": {meaning}"
    facts: dict[str, t.Any] = {"http_status": status}
    challenge = header("WWW-Authenticate")
    if challenge:
        facts["www_authenticate"] = challenge
        found = resource_metadata_of(challenge)
        if found:
            facts["resource_metadata"] = found
    return EndpointError("http", text, retry=status not in _FINAL, **facts)


def resource_metadata_of(challenge: str) -> str | None:
    """The address of the OAuth metadata in a WWW-Authenticate header (RFC 9728, section 5.1)."""
    found = _METADATA.search(challenge)
    return found.group(1) if found else None


def _meaning(target: Target, status: int, header: HeaderLookup) -> str:
    host, path = target.host, target.path
    if status in (301, 302, 303, 307, 308):
        return f"it redirects to {header('Location') or 'an unnamed place'}; put that address into url"
    if status == 401:
        return _unauthorized(header("WWW-Authenticate"))
    if status == 404:
        return (
            f"the gateway has no route for host {host} and path {path}; check that the listener's hostname covers"
            f" {host}, that the HTTPRoute is accepted by that listener and names this host, and that the path is"
            " right (usually /mcp)"
        )
    if status == 429:
        after = header("Retry-After")
        return "a rate limit is in the way; wait" + (f" {after} s" if after else "") + " or raise the limit"
    if status in _MEANINGS:
        return _MEANINGS[status].format(host=host, path=path)
    if status >= 500:
        return "the gateway or the broker behind it failed; look at the log of the broker's Pod and of the gateway"
    return "this is not an answer of an MCP endpoint; check host, port and path of url"


def _unauthorized(challenge: str | None) -> str:
    if challenge is None:
        return (
            "a token is asked for, but WWW-Authenticate is missing, so clients cannot find out where to get one;"
            " set it in the AuthPolicy, and pass a token in headers (Authorization)"
        )
    found = resource_metadata_of(challenge)
    if found:
        return f"a token is asked for (metadata: {found}); pass one in headers (Authorization: Bearer ...)"
    return f"a token is asked for ({excerpt(challenge)}) without resource_metadata; pass one in headers (Authorization)"


_MEANINGS: dict[int, str] = {
    400: "the endpoint refuses the request as malformed; check protocol_version and headers",
    403: "the request is refused; the token lacks a scope or role, or a policy forbids this client or Origin",
    405: "POST is not allowed at {path}; the MCP endpoint is probably at another path (usually /mcp), or the server"
    " knows only the old HTTP+SSE transport (protocol_version 2024-11-05 or auto)",
    406: "the endpoint wants another Accept header; it is not a Streamable HTTP endpoint",
    407: "a proxy in between wants credentials; send Proxy-Authorization in proxy_headers",
    413: "the request is too large for the gateway; raise its limit",
    415: "the endpoint does not take JSON; it is not an MCP endpoint, or a proxy changes Content-Type",
    421: (
        "the server behind this address does not serve host {host}; check the URL's host, and the server's list of"
        " allowed hosts"
    ),
    426: "the server wants another protocol (HTTP/2 or TLS); check the listener's protocol",
    500: "the gateway or the broker failed; look at the log of the broker's Pod (Deployment mcp-gateway)",
    502: "the gateway got no valid answer from the broker; check that the broker's Service points to the right port",
    503: (
        "no healthy endpoint stands behind the route; check that the Pods of the broker (Deployment mcp-gateway)"
        " are ready and that its Service selects them"
    ),
    504: "the broker did not answer the gateway in time; look at its log and at the upstream MCP servers",
}
