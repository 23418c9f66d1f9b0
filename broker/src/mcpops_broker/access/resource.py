# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The broker as a resource of OAuth: its URIs, its metadata (RFC 9728), and how it tells clients to get a token.

Clients know a virtual server by a path below that of the broker, and each such path is a resource of its own: a token
for one is not for another. A token for the broker is for all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from mcpops_broker.config.auth import AuthOptions

WELL_KNOWN = "/.well-known/oauth-protected-resource"
ENDPOINT = "/mcp"
"""The path of the endpoint at the broker itself; a proxy in front may have another one."""
VIRTUAL = "/v/"
"""What comes after the endpoint's path in that of a virtual server."""


class Resource:
    """What of the configuration clients are told."""

    def __init__(self, options: AuthOptions) -> None:
        self._options = options
        parts = urlsplit(options.resource)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path
        self._endpoint = parts.path or ENDPOINT

    def audiences(self, path: str) -> tuple[str, ...]:
        """Return the values of `aud` that mean the resource with this path at the broker."""
        own = self._options.resource
        whole = (own, own + "/") if not self._path else (own,)  # without a path both are the same URI
        virtual = _virtual(path, ENDPOINT)
        return (*whole, self._origin + self._endpoint + virtual) if virtual else whole

    def challenge(self, path: str, error: str = "", why: str = "", scopes: Iterable[str] = ()) -> bytes:
        """Return the value of `WWW-Authenticate` for a request to this path at the broker (RFC 6750 section 3, RFC 9728
        section 5.1)."""
        told = {
            "error": error,
            "error_description": re.sub(r"[^ -~]", "?", why).replace('"', "'").replace("\\", "/"),
            "scope": " ".join(scopes),
            "resource_metadata": self._metadata_url(path) if self._options.issuers else "",
        }
        pairs = [f'{name}="{value}"' for name, value in told.items() if value]
        return ("Bearer " + ", ".join(pairs or ['realm="mcp"'])).encode("ascii", "replace")

    def metadata(self, suffix: str) -> dict[str, Any] | None:
        """Return the metadata at the well-known path followed by `suffix`; None when there is no such resource."""
        resource = self._resource_at(suffix)
        if resource is None:
            return None
        options = self._options
        told: dict[str, Any] = {
            "resource": resource,
            "authorization_servers": [issuer.issuer for issuer in options.issuers],
            "bearer_methods_supported": ["header"],
            "resource_name": options.resource_name,
        }
        if scopes := options.scopes_supported or options.scopes:
            told["scopes_supported"] = list(scopes)
        if options.resource_documentation:
            told["resource_documentation"] = options.resource_documentation
        return told

    def _metadata_url(self, path: str) -> str:
        virtual = _virtual(path, ENDPOINT)
        return self._origin + WELL_KNOWN + (self._endpoint + virtual if virtual else self._path)

    def _resource_at(self, suffix: str) -> str | None:
        if suffix.rstrip("/") in ("", self._path, ENDPOINT):
            return self._options.resource
        for endpoint in (self._endpoint, ENDPOINT):  # the second when a proxy in front has taken its own path away
            if virtual := _virtual(suffix, endpoint):
                return self._origin + self._endpoint + virtual
        return None


def _virtual(path: str, endpoint: str) -> str:
    """Return the part of a path after that of the endpoint when it is that of a virtual server, written as in a URL."""
    rest = path.removeprefix(endpoint)
    return quote(rest.rstrip("/"), safe="/~") if rest != path and rest.startswith(VIRTUAL) else ""
