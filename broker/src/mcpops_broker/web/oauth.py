# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Where clients learn how to get a token for the broker (OAuth protected resource metadata, RFC 9728)."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mcpops_broker.access.resource import WELL_KNOWN
from mcpops_broker.broker import Broker

_METADATA_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS, HEAD",
    "Access-Control-Allow-Headers": "Content-Type, Authorization, Accept, Origin, X-Requested-With",
    "Access-Control-Max-Age": "3600",
    "Access-Control-Allow-Credentials": "true",
}


def oauth_router(broker: Broker) -> APIRouter:
    """Build the routes for one broker."""
    router = APIRouter(tags=["oauth"])

    @router.get(WELL_KNOWN)
    @router.get(WELL_KNOWN + "{suffix:path}", include_in_schema=False)
    async def protected_resource(suffix: str = "") -> JSONResponse:
        """Tell clients where to get tokens for this resource (RFC 9728), or for the virtual server whose path follows:
        from the configuration, or without issuers there from the OAUTH_* environment."""
        if not broker.config.broker.auth.issuers:
            return JSONResponse(protected_resource_metadata(dict(os.environ)), headers=_METADATA_CORS)
        metadata = broker.authentication.resource.metadata(suffix)
        if metadata is None:
            raise HTTPException(404, f"There is no resource with the path {suffix}", headers=_METADATA_CORS)
        return JSONResponse(metadata, headers=_METADATA_CORS)

    @router.options(WELL_KNOWN, include_in_schema=False)
    @router.options(WELL_KNOWN + "{suffix:path}", include_in_schema=False)
    async def preflight() -> Response:
        return Response(headers=_METADATA_CORS)

    return router


def protected_resource_metadata(environment: dict[str, str]) -> dict[str, Any]:
    """Return the metadata, with the defaults of the operator's broker; lists are comma-separated."""

    def values(name: str, default: list[str]) -> list[str]:
        items = [item.strip() for item in environment.get(name, "").split(",")]
        return [item for item in items if item] or default

    return {
        "resource_name": environment.get("OAUTH_RESOURCE_NAME") or "MCP Server",
        "resource": environment.get("OAUTH_RESOURCE") or "/mcp",
        "authorization_servers": values("OAUTH_AUTHORIZATION_SERVERS", []),
        "bearer_methods_supported": values("OAUTH_BEARER_METHODS_SUPPORTED", ["header"]),
        "scopes_supported": values("OAUTH_SCOPES_SUPPORTED", ["basic"]),
    }
