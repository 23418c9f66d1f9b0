# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The FastAPI part: health, status, OAuth metadata, OpenAPI, the page. Everything but `/mcp`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request

from mcpops_broker import __version__
from mcpops_broker.broker import Broker
from mcpops_broker.status import ServerStatus, Status, server_status, status
from mcpops_broker.web.admin_access import AdminAccess
from mcpops_broker.web.asgi import read_headers
from mcpops_broker.web.health import CHECKS, Health
from mcpops_broker.web.oauth import oauth_router
from mcpops_broker.web.ui import Pages
from mcpops_broker.web.user_tokens import user_token_routes

_STATUS_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
}
_NOT_PUBLIC = "Send the token of broker.admin.token as a bearer token, or name status in broker.admin.public"


def admin_app(broker: Broker, access: AdminAccess) -> FastAPI:
    """Build the application for one broker; `access` says who may see what."""

    def for_readers(request: Request) -> None:
        if not access.may_read("status", read_headers(request.scope)):
            raise HTTPException(401, _NOT_PUBLIC, {"WWW-Authenticate": "Bearer"})

    def cors() -> dict[str, str]:
        """Let pages of any site read the status where it is said to be for everybody; not where the broker serves its
        own machine: a page in a browser there is somebody else's."""
        return _STATUS_CORS if "status" in (broker.config.broker.admin.public or ()) else {}

    app = FastAPI(
        title="mcpops-broker",
        version=__version__,
        summary="Status of an MCP gateway broker. MCP itself is served at /mcp.",
        docs_url=None,
        redoc_url=None,
    )

    for path, check in CHECKS.items():
        app.get(path, response_class=PlainTextResponse, tags=["health"], responses={503: {}}, name=path[1:])(
            _health(broker, check)
        )

    status_routes = APIRouter(tags=["status"], dependencies=[Depends(for_readers)], responses={401: {}})

    @status_routes.get("/status")
    @status_routes.get("/status/", include_in_schema=False)
    async def whole_status(response: Response) -> Status:
        """Describe the broker and all its upstreams. Always 200: being unhealthy is in the body."""
        response.headers.update(cors())
        return status(broker)

    @status_routes.get("/status/{name:path}", responses={404: {}})
    async def one_status(name: str, response: Response) -> ServerStatus:
        """Describe one upstream, by its name (`namespace/registration`)."""
        upstream = broker.upstreams.get(name)
        if upstream is None:
            raise HTTPException(
                404,
                f"Server '{name}' not found. Use format 'namespace/route-name' or check available servers at /status",
            )
        response.headers.update(cors())
        return server_status(broker, upstream)

    app.include_router(status_routes)
    app.include_router(Pages(broker, access).router())
    app.include_router(oauth_router(broker))

    app.include_router(user_token_routes(broker))

    @app.exception_handler(HTTPException)
    async def problem(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers or {})
        text = error.detail
        if request.url.path.startswith("/status"):
            headers |= cors()
            if error.status_code == 405:
                text = "Method not allowed. Supported methods: GET"
        return JSONResponse({"error": text}, status_code=error.status_code, headers=headers)

    return app


def _health(broker: Broker, check: Callable[[Broker], Health]) -> Callable[[], Awaitable[Response]]:
    """Describe a check for the API's documentation; the application answers probes before they come here."""

    async def answer() -> Response:
        status_code, text = check(broker)
        return PlainTextResponse(text, status_code)

    answer.__doc__ = check.__doc__
    return answer
