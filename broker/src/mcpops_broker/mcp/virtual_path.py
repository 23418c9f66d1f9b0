# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Virtual servers by path: `/mcp/v/NAME` is the endpoint of one, as `/mcp` with the header `x-mcp-virtualserver: NAME`.

A client cannot leave a path out as it can a header, and OAuth knows the path as a resource of its own. So a path must
mean one thing to every program on the way: nothing is decoded or resolved here, and what would need it names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mcpops_broker.access.access import VIRTUAL_SERVER
from mcpops_broker.mcp.http import bad
from mcpops_broker.protocol.jsonrpc import INVALID_REQUEST, RpcError
from mcpops_broker.web.asgi import Headers

VIRTUAL_PATHS = "/mcp/v/"
"""What comes before the name of a virtual server, which may have slashes (`NAMESPACE/NAME`)."""
_NAME = re.compile(rb"[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*")
"""Characters that no URL encodes (RFC 3986, unreserved)."""


def take_virtual_server(scope: Mapping[str, Any], headers: Headers) -> str | None:
    """Return the virtual server that a request's path names, and put it into its headers; None for other paths.

    Raises `RpcError` with status 404 for a path that can be read in several ways, and 400 when the header names another
    one. Whether it exists is not looked at here.
    """
    if not scope["path"].startswith(VIRTUAL_PATHS):
        return None
    prefix = VIRTUAL_PATHS.encode()
    raw: bytes = scope["raw_path"]
    name = raw.removeprefix(prefix)
    if name == raw or not _NAME.fullmatch(name) or not {b".", b".."}.isdisjoint(name.split(b"/")):
        raise unknown_path()
    if headers.get(VIRTUAL_SERVER, name) != name:
        raise bad(400, "path and x-mcp-virtualserver header name different virtual servers")
    headers[VIRTUAL_SERVER] = name
    return name.decode("ascii")


def unknown_path() -> RpcError:
    """Build the refusal for a path that names no virtual server."""
    return RpcError(INVALID_REQUEST, "Not found: there is no virtual server of this name", status=404)
