# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a web page may use the endpoint, with Starlette's CORS middleware and with wrong answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_cors import Cors
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_sdk import serve, weather_server
from endpoint_servers import RawServer, http_answer, mcp_responder
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.cors import CORSMiddleware

Start = Callable[..., RawServer]

PAGE = "https://inspector.example.com"
NAMES = "Content-Type, Mcp-Protocol-Version, Mcp-Session-Id"


def page_server(preflight: dict[str, str], answer: dict[str, str]) -> Callable[[bytes], bytes]:
    """A server with these headers in the answers to OPTIONS and to POST; it opens a session."""
    works = mcp_responder(Mcp_Session_Id="abc", **answer)

    def respond(request: bytes) -> bytes:
        return http_answer("", "204 No Content", **preflight) if request.startswith(b"OPTIONS") else works(request)

    return respond


def wrong(url: str, **cors: Any) -> str:
    """The message about a page that may not use the endpoint."""
    with pytest.raises(EndpointError) as caught:
        probe(Wanted(url, handshake=False, cors=Cors(**{"origin": PAGE, **cors})))
    assert caught.value.layer == "assert"
    assert "cors" in caught.value.facts
    return str(caught.value)


@pytest.mark.parametrize(("origins", "credentials"), [([PAGE], True), (["*"], False)])
def test_a_server_that_allows_the_page(origins: list[str], credentials: bool) -> None:
    trusted = TransportSecuritySettings(allowed_hosts=["127.0.0.1:*"], allowed_origins=[PAGE])
    app = CORSMiddleware(
        weather_server().streamable_http_app(transport_security=trusted),
        allow_origins=origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["content-type", "mcp-protocol-version", "mcp-session-id", "authorization"],
        allow_credentials=credentials,
        expose_headers=["Mcp-Session-Id"],
    )
    page = Cors(PAGE, "DELETE", ["Content-Type", "authorization", "mcp-session-id"], credentials=credentials)
    with serve(app) as origin:
        result = probe(Wanted(f"{origin}/mcp", cors=page, headers={"Authorization": "Bearer x"}))

    cors = result["cors"]
    assert cors["allow_origin"] == origins[0]
    assert cors["allow_credentials"] is credentials
    assert cors["expose_headers"] == ["Mcp-Session-Id"]
    assert (cors["preflight_status"], cors["answer_status"]) == (200, 200)
    assert result["tools"] == ["forecast", "alerts"]


def test_a_server_without_cors(sdk_url: str) -> None:
    assert "the preflight (OPTIONS) is answered with HTTP 403, and a browser wants 2xx" in wrong(sdk_url)


def test_cors_headers_before_a_server_that_refuses_the_origin() -> None:
    app = CORSMiddleware(weather_server().streamable_http_app(), allow_origins=[PAGE], allow_headers=["*"])
    with serve(app) as origin:
        assert "the answer to POST is HTTP 403, so the server refuses this origin" in wrong(f"{origin}/mcp")


def test_the_preflight_is_that_of_a_browser(raw_server: Start) -> None:
    allows = {"Access_Control_Allow_Origin": PAGE, "Access_Control_Allow_Headers": NAMES}
    exposes = {"Access_Control_Allow_Origin": PAGE, "Access_Control_Expose_Headers": "mcp-session-id"}
    server = raw_server(page_server(allows, exposes))

    probe(Wanted(server.url, handshake=False, cors=Cors(PAGE), headers={"Authorization": "Bearer x"}))

    preflight, post, delete = server.requests
    assert preflight.startswith(b"OPTIONS /mcp HTTP/1.1\r\n")
    assert b"Access-Control-Request-Method: POST\r\n" in preflight
    assert b"Access-Control-Request-Headers: content-type,mcp-protocol-version,mcp-session-id\r\n" in preflight
    assert b"Authorization" not in preflight
    assert all(f"Origin: {PAGE}\r\n".encode() in one for one in (preflight, post))
    assert b"Authorization: Bearer x" in post
    assert delete.startswith(b"DELETE")


@pytest.mark.parametrize(
    ("preflight", "answer", "page", "said"),
    [
        ({}, {}, {}, "the preflight has no Access-Control-Allow-Origin"),
        ({"Origin": "https://other.example.com"}, {}, {}, "the preflight allows the origin https://other.example.com"),
        ({"Origin": PAGE}, {}, {}, "the answer to POST (HTTP 200) has no Access-Control-Allow-Origin"),
        ({"Origin": PAGE}, {"Origin": PAGE}, {}, "the answer to POST hides mcp-session-id from the page"),
        ({"Origin": "*"}, {}, {"credentials": True}, "allows the origin *, which a browser does not take"),
        ({"Origin": PAGE}, {}, {"credentials": True}, "has no Access-Control-Allow-Credentials: true"),
        ({"Origin": PAGE, "Methods": "POST"}, {}, {"method": "DELETE"}, "does not allow the method DELETE"),
        ({"Origin": PAGE, "Headers": "content-type"}, {}, {}, "the headers mcp-protocol-version, mcp-session-id (it"),
        ({"Origin": "*", "Headers": "*"}, {}, {"headers": ["authorization"]}, "* counts neither"),
        ({"Origin": PAGE, "Headers": "*"}, {}, {"credentials": True}, "does not allow the headers content-type"),
        ({"Origin": PAGE}, {}, {"expose": ["WWW-Authenticate"]}, "hides mcp-session-id, www-authenticate"),
    ],
)
def test_what_a_browser_refuses(
    raw_server: Start, preflight: dict[str, str], answer: dict[str, str], page: dict[str, Any], said: str
) -> None:
    def named(parts: dict[str, str]) -> dict[str, str]:
        return {f"Access_Control_Allow_{name}": value for name, value in parts.items()}

    assert said in wrong(raw_server(page_server(named(preflight), named(answer))).url, **page)


def test_an_origin_with_a_path_is_wrong_input(raw_server: Start) -> None:
    server = raw_server(mcp_responder())

    with pytest.raises(EndpointError, match="is no origin") as caught:
        probe(Wanted(server.url, handshake=False, cors=Cors(f"{PAGE}/app")))

    assert caught.value.layer == "input"
    assert server.requests == []
