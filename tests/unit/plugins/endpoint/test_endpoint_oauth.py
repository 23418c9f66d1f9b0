# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether clients find out where to get a token, with servers of the official SDK and with wrong documents."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import OAuth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth_server import addresses
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_sdk import serve, weather_server
from endpoint_servers import RawServer, http_answer, mcp_responder
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.routes import create_auth_routes
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

Start = Callable[..., RawServer]


class Verifier:
    """Knows one token."""

    async def verify_token(self, token: str) -> AccessToken | None:
        return AccessToken(token=token, client_id="me", scopes=["read"]) if token == "good" else None


@dataclass
class Guarded:
    """A server that asks for a token, and the one that gives tokens."""

    url: str
    issuer: str


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    resource, issuer = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    found = Guarded(f"http://127.0.0.1:{resource.getsockname()[1]}/mcp", f"http://127.0.0.1:{issuer.getsockname()[1]}/")
    settings = AuthSettings(
        issuer_url=AnyHttpUrl(found.issuer),
        resource_server_url=AnyHttpUrl(found.url),
        required_scopes=["read"],
        validate_token_resource=False,
    )
    server = weather_server(auth=settings, token_verifier=Verifier())
    provider: Any = object()  # the metadata asks nothing of it
    with ExitStack() as stack:
        stack.enter_context(serve(server.streamable_http_app(), resource))
        stack.enter_context(serve(Starlette(routes=create_auth_routes(provider, AnyHttpUrl(found.issuer))), issuer))
        yield found


def wrong(url: str, **oauth: Any) -> EndpointError:
    """The failure of the metadata check alone."""
    with pytest.raises(EndpointError) as caught:
        probe(Wanted(url, handshake=False, oauth_metadata=OAuth(**oauth)))
    assert "\n" not in str(caught.value)
    return caught.value


def metadata_server(documents: dict[str, Any]) -> Callable[[bytes], bytes]:
    """Serves documents by path. With ``challenge`` among them, a POST without a token is refused with that."""
    works = mcp_responder()

    def respond(request: bytes) -> bytes:
        method, path = request.split(b" ")[:2]
        if method == b"GET":
            document = documents.get(path.decode())
            return http_answer("", "404 Not Found") if document is None else http_answer(document)
        if "challenge" in documents and b"authorization" not in request.lower():
            return http_answer("", "401 Unauthorized", WWW_Authenticate=documents["challenge"])
        return works(request)

    return respond


def test_a_guarded_endpoint_without_a_token(guarded: Guarded) -> None:
    oauth = OAuth(expect_auth=True, check_authorization_servers=True)

    found = probe(Wanted(guarded.url, handshake=False, oauth_metadata=oauth))["oauth"]

    assert found["metadata_url"] == guarded.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert found["resource"] == guarded.url
    assert found["authorization_servers"] == [guarded.issuer]
    assert found["scopes_supported"] == ["read"]
    assert found["challenge"].startswith("Bearer ")
    assert found["authorization_server_metadata"][guarded.issuer]["token_endpoint"] == f"{guarded.issuer}token"


def test_a_guarded_endpoint_with_a_token(guarded: Guarded) -> None:
    headers = {"Authorization": "Bearer good"}

    result = probe(Wanted(guarded.url, headers=headers, oauth_metadata=OAuth(expect_auth=True)))

    assert result["tools"] == ["forecast", "alerts"]
    assert result["oauth"]["resource"] == guarded.url


def test_a_token_is_never_sent_along(raw_server: Start) -> None:
    server = raw_server(lambda _r: http_answer("", "404 Not Found"))

    with pytest.raises(EndpointError):
        probe(Wanted(server.url, handshake=False, headers={"Authorization": "Bearer x"}, oauth_metadata=OAuth()))

    assert len(server.requests) == 2
    assert not any(b"authorization" in request.lower() for request in server.requests)


def test_an_open_endpoint_that_should_be_guarded(sdk_url: str) -> None:
    failed = wrong(sdk_url, expect_auth=True)

    assert "HTTP 200 instead of 401, so the endpoint is open to everybody" in str(failed)


def test_an_endpoint_without_metadata_names_both_places(sdk_url: str) -> None:
    failed = wrong(sdk_url)

    assert "/.well-known/oauth-protected-resource/mcp: it is answered with HTTP 404" in str(failed)
    assert "/.well-known/oauth-protected-resource: it is answered with HTTP 404" in str(failed)
    assert failed.layer == "assert"
    assert set(failed.facts["timing"]) == {"dns", "connect", "first_byte"}


@pytest.mark.parametrize(
    ("suffix", "resource", "works"),
    [
        ("/mcp", "{origin}/mcp", True),
        ("/mcp", "{origin}/mcp/", True),
        ("/mcp", "{origin}", False),
        ("/mcp", "/mcp", False),
        ("/mcp", None, False),
        ("", "{origin}", True),
        ("", "{origin}/mcp", True),
        ("", "http://other.example.com/mcp", False),
    ],
)
def test_the_resource_has_to_be_the_endpoint(raw_server: Start, suffix: str, resource: str | None, works: bool) -> None:
    documents: dict[str, Any] = {}
    server = raw_server(metadata_server(documents))
    named = resource.format(origin=server.url.removesuffix("/mcp")) if resource else resource
    documents[f"/.well-known/oauth-protected-resource{suffix}"] = {
        "resource": named,
        "authorization_servers": ["https://sso.example.com"],
    }

    if works:
        assert probe(Wanted(server.url, oauth_metadata=OAuth()))["oauth"]["resource"] == named
    else:
        assert f"has the resource {named!r} instead of '{server.url}'" in str(wrong(server.url))


def test_the_metadata_is_read_where_the_endpoint_is_dialed(raw_server: Start) -> None:
    url, issuer = "http://mcp.invalid/mcp", "http://mcp.invalid/realms/mcp"
    server = raw_server(
        metadata_server(
            {
                "/.well-known/oauth-protected-resource/mcp": {"resource": url, "authorization_servers": [issuer]},
                "/.well-known/oauth-authorization-server/realms/mcp": {
                    "issuer": f"{issuer}/",
                    "authorization_endpoint": f"{issuer}/auth",
                    "token_endpoint": f"{issuer}/token",
                    "code_challenge_methods_supported": ["S256"],
                },
            }
        )
    )
    oauth = OAuth(check_authorization_servers=True)

    result = probe(Wanted(url, connect_to=f"127.0.0.1:{server.port}", oauth_metadata=oauth))

    assert result["oauth"]["authorization_server_metadata"][issuer]["token_endpoint"] == f"{issuer}/token"
    assert all(b"Host: mcp.invalid\r\n" in request for request in server.requests)


def test_another_resource_can_be_expected(raw_server: Start) -> None:
    public = "https://mcp.example.com/mcp"
    document = {"resource": public, "authorization_servers": ["https://sso.example.com"]}
    server = raw_server(metadata_server({"/.well-known/oauth-protected-resource/mcp": document}))

    assert probe(Wanted(server.url, oauth_metadata=OAuth(resource=public)))["oauth"]["resource"] == public


@pytest.mark.parametrize("servers", [None, [], "https://sso.example.com", ["sso.example.com"]])
def test_authorization_servers_have_to_be_urls(raw_server: Start, servers: Any) -> None:
    documents: dict[str, Any] = {}
    server = raw_server(metadata_server(documents))
    documents["/.well-known/oauth-protected-resource"] = {"resource": server.url, "authorization_servers": servers}

    assert f"has the authorization_servers {servers!r}, and clients need" in str(wrong(server.url))


@pytest.mark.parametrize(
    ("challenge", "said"),
    [
        ("Bearer", "the challenge (Bearer) names no resource_metadata"),
        (
            'Bearer resource_metadata="{origin}/elsewhere"',
            "points to {origin}/elsewhere, but it is answered with HTTP 404",
        ),
    ],
)
def test_a_challenge_that_leads_nowhere(raw_server: Start, challenge: str, said: str) -> None:
    documents: dict[str, Any] = {}
    server = raw_server(metadata_server(documents))
    origin = server.url.removesuffix("/mcp")
    documents["challenge"] = challenge.format(origin=origin)
    documents["/.well-known/oauth-protected-resource"] = {
        "resource": server.url,
        "authorization_servers": ["https://sso.example.com"],
    }

    assert said.format(origin=origin) in str(wrong(server.url, expect_auth=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"issuer": "https://other.example.com"}, "its issuer is 'https://other.example.com', which must be the same"),
        ({"token_endpoint": None}, "it has no token_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "does not hold S256"),
    ],
)
def test_metadata_of_an_authorization_server_that_is_wrong(
    raw_server: Start, change: dict[str, Any], said: str
) -> None:
    documents: dict[str, Any] = {}
    server = raw_server(metadata_server(documents))
    issuer = server.url.replace("/mcp", "/realms/mcp")
    documents["/.well-known/oauth-protected-resource"] = {"resource": server.url, "authorization_servers": [issuer]}
    documents["/realms/mcp/.well-known/openid-configuration"] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/auth",
        "token_endpoint": f"{issuer}/token",
        "code_challenge_methods_supported": ["S256"],
        **change,
    }

    assert said in str(wrong(server.url, check_authorization_servers=True))


def test_an_authorization_server_that_is_not_there(raw_server: Start) -> None:
    documents: dict[str, Any] = {}
    server = raw_server(metadata_server(documents))
    issuer = "https://sso.invalid"
    documents["/.well-known/oauth-protected-resource"] = {"resource": server.url, "authorization_servers": [issuer]}

    failed = wrong(server.url, check_authorization_servers=True)

    assert f"the authorization server {issuer} cannot be asked" in str(failed)
    assert failed.layer == "dns"


def test_where_clients_look_for_the_authorization_server() -> None:
    assert addresses("https://sso.example.com/realms/mcp") == [
        "https://sso.example.com/.well-known/oauth-authorization-server/realms/mcp",
        "https://sso.example.com/.well-known/openid-configuration/realms/mcp",
        "https://sso.example.com/realms/mcp/.well-known/openid-configuration",
    ]
    assert len(addresses("https://sso.example.com")) == 2


def test_a_server_that_fails_is_not_taken_for_missing_metadata(raw_server: Start) -> None:
    failed = wrong(raw_server(lambda _r: http_answer("", "503 Service Unavailable")).url)

    assert (failed.layer, failed.retry) == ("http", True)
    assert json.dumps(failed.facts["http_status"]) == "503"
