# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to the endpoint: through proxies, and with a certificate of the client."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import OAuth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_proxy import CREDENTIALS, ProxyServer
from endpoint_servers import Certificate, RawServer, mcp_responder

Start = Callable[..., RawServer]


@pytest.fixture
def proxy() -> Iterator[Callable[..., ProxyServer]]:
    started: list[ProxyServer] = []

    def start(**options: bool) -> ProxyServer:
        started.append(ProxyServer(**options))
        return started[-1]

    yield start
    for one in started:
        one.close()


def failure(wanted: Wanted) -> EndpointError:
    with pytest.raises(EndpointError) as caught:
        probe(wanted)
    return caught.value


def test_plain_http_asks_the_proxy_for_the_whole_url(raw_server: Start, proxy: Callable[..., ProxyServer]) -> None:
    server, way = raw_server(mcp_responder()), proxy(guarded=True)

    result = probe(Wanted(server.url, proxy=way.url, proxy_headers={"Proxy-Authorization": CREDENTIALS}))

    assert result["http_status"] == 200
    assert all(head.startswith(("POST http://", "DELETE http://")) for head in way.heads) and way.heads


def test_connect_to_goes_through_a_tunnel(raw_server: Start, proxy: Callable[..., ProxyServer]) -> None:
    server, way = raw_server(mcp_responder()), proxy()
    there = f"127.0.0.1:{server.port}"

    probe(Wanted("http://mcp.example.com/mcp", connect_to=there, proxy=way.url))

    assert all(head.startswith(f"CONNECT {there} ") for head in way.heads)
    assert b"Host: mcp.example.com\r\n" in server.requests[0] and server.requests[0].startswith(b"POST /mcp ")


def test_https_goes_through_a_tunnel_and_only_the_proxy_gets_its_headers(
    raw_server: Start, proxy: Callable[..., ProxyServer], authority: Certificate, tmp_path: Path
) -> None:
    server = raw_server(mcp_responder(), Certificate(tmp_path / "s.pem", authority, names=("127.0.0.1",)).context)
    way = proxy(guarded=True)
    headers = {"Proxy-Authorization": CREDENTIALS}

    result = probe(Wanted(server.url, ca_cert=authority.pem, proxy=way.url, proxy_headers=headers))

    assert result["http_status"] == 200 and all(CREDENTIALS in head for head in way.heads)
    assert not any(CREDENTIALS.encode() in request for request in server.requests)


def test_the_metadata_is_asked_through_the_proxy_too(raw_server: Start, proxy: Callable[..., ProxyServer]) -> None:
    server, way = raw_server(mcp_responder()), proxy(allowed=False)

    said = str(failure(Wanted(server.url, handshake=False, oauth_metadata=OAuth(), proxy=way.url)))

    assert "403" in said and server.requests == []


@pytest.mark.parametrize(
    ("options", "said", "retry"),
    [
        ({"guarded": True}, "wants credentials: send Proxy-Authorization in proxy_headers", False),
        ({"allowed": False}, "(HTTP 403 Forbidden); its rules forbid that address or port", False),
    ],
)
def test_a_proxy_that_refuses_is_told_from_the_endpoint(
    proxy: Callable[..., ProxyServer], options: dict[str, bool], said: str, retry: bool
) -> None:
    way = proxy(**options)

    failed = failure(Wanted("https://mcp.example.com/mcp", proxy=way.url))

    assert (failed.layer, failed.retry) == ("http", retry)
    assert f"the proxy {way.url[7:]} does not connect to mcp.example.com:443" in str(failed) and said in str(failed)


def test_what_is_no_proxy(raw_server: Start) -> None:
    server = raw_server(lambda _request: b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    assert "is no HTTP proxy (it sent 'SSH-2.0" in str(failure(Wanted("https://x/mcp", proxy=server.url[:-4])))


@pytest.mark.parametrize(
    ("proxy", "layer", "said"),
    [
        ("http://127.0.0.1:1", "tcp", "the proxy 127.0.0.1:1 cannot be reached (Connection refused); check proxy"),
        ("http://proxy.invalid:3128", "dns", "the name proxy.invalid does not resolve; correct proxy"),
        ("http://u:p@proxy:3128", "input", "must not hold a user name or password"),
        ("https://proxy:3128", "input", "write it as http://host:port"),
        ("proxy:3128", "input", "write it as http://host:port"),
    ],
)
def test_a_wrong_proxy_is_named(proxy: str, layer: str, said: str) -> None:
    failed = failure(Wanted("http://mcp.example.com/mcp", proxy=proxy))

    assert failed.layer == layer and said in str(failed)


@pytest.mark.parametrize("place", ["http://u:s3cret@x", "u:s3cret@x:80", "http://u:s3cret@x:y", "http://u:s3/cret@x"])
def test_a_password_in_an_address_is_refused_and_not_shown(place: str) -> None:
    for failed in (failure(Wanted(place)), failure(Wanted("http://mcp.example.com/mcp", proxy=place))):
        assert failed.layer == "input" and "must not hold a user name or password" in str(failed)
        assert "s3" not in str(failed)


def test_headers_without_a_proxy_are_wrong_input() -> None:
    assert "without proxy" in str(failure(Wanted("http://x/mcp", proxy_headers={"a": "b"})))


class TestClientCertificate:
    @pytest.fixture
    @staticmethod
    def guarded(raw_server: Start, authority: Certificate, tmp_path: Path) -> RawServer:
        """A server that wants certificates of its own authority."""
        context = Certificate(tmp_path / "server.pem", authority, names=("127.0.0.1",)).context
        context.load_verify_locations(cadata=authority.pem)
        context.verify_mode = ssl.CERT_REQUIRED
        return raw_server(mcp_responder(), context)

    def test_it_is_shown(self, guarded: RawServer, authority: Certificate, tmp_path: Path) -> None:
        own = Certificate(tmp_path / "client.pem", authority)

        assert probe(Wanted(guarded.url, ca_cert=authority.pem, client_cert=str(own.path)))["http_status"] == 200

    def test_without_it_or_with_a_wrong_one_the_message_names_the_option(
        self, guarded: RawServer, authority: Certificate, tmp_path: Path
    ) -> None:
        """The server's alert can be lost when it closes the connection behind it."""
        other = Certificate(tmp_path / "self.pem")
        for own in (None, str(other.path)):
            failed = failure(Wanted(guarded.url, ca_cert=authority.pem, client_cert=own))

            assert failed.layer in {"tls", "http"} and "client_cert" in str(failed)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"client_cert": "/not/there.pem"}, "client_cert: the file /not/there.pem does not exist"),
            ({"client_key": "/some/key.pem"}, "client_key is given without client_cert"),
            ({"client_cert": "/etc/hostname"}, "client_cert: /etc/hostname hold no certificate with its key"),
        ],
    )
    def test_wrong_files_are_named(self, options: dict[str, str], said: str) -> None:
        failed = failure(Wanted("https://127.0.0.1:1/mcp", **options))  # type: ignore[arg-type]  # of several types

        assert failed.layer == "input" and said in str(failed)


@pytest.mark.filterwarnings("ignore:.*TLSv1:DeprecationWarning")
def test_a_server_without_a_tls_version_in_common(raw_server: Start, tmp_path: Path) -> None:
    context = Certificate(tmp_path / "self.pem").context
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    server = raw_server(mcp_responder(), context)

    failed = failure(Wanted(server.url, validate_certs=False))

    assert failed.layer == "tls" and "TLS versions" in str(failed) and not failed.retry
