# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the Kubernetes client can do: exec plugins, auth providers and proxies, all of them real."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import socketserver
import ssl
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError, ConnectionFailed
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import resolve
from ansible_collections.mcpops.gateway.plugins.module_utils._transport_full import FullTransport
from sandbox.seed import self_signed
from unit.plugins.module_utils.scripted import Server, says, serving

Json = dict[str, Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def kubeconfig(folder: Path, host: str, user: Json, **cluster: Any) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": host, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def transport(**options: Any) -> FullTransport:
    settings = resolve(options, {})
    assert settings.beyond
    return FullTransport(settings)


def sent(server: Server) -> list[str]:
    return [seen.headers["Authorization"] for seen in server.seen]


class TestExec:
    @staticmethod
    def plugin(folder: Path, body: str) -> Json:
        """A plugin that counts its calls in a file beside it; ``out`` prints its answer."""
        script = folder / "plugin"
        head = f"""\
            #!{sys.executable}
            import json, os, sys
            calls = os.path.join({str(folder)!r}, "calls")
            open(calls, "a").write("x")
            count = len(open(calls).read())
            def out(**status):
                print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                                  "status": status}}))
        """
        script.write_text(textwrap.dedent(head) + body)
        script.chmod(0o700)
        return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
                         "env": [{"name": "WHO", "value": "me"}], "interactiveMode": "Never"}}  # fmt: skip

    def test_its_token_by_a_path_beside_the_file(self, server: Server, tmp_path: Path) -> None:
        user = self.plugin(tmp_path, "out(token='t-' + os.environ['WHO'])")
        server.will(says({}), says({}))
        client = transport(kubeconfig=kubeconfig(tmp_path, server.url, user))
        client.request("GET", "/x")
        client.request("GET", "/x")

        assert sent(server) == ["Bearer t-me"] * 2
        assert (tmp_path / "calls").read_text() == "x"

    def test_a_token_that_expired_is_renewed(self, server: Server, tmp_path: Path) -> None:
        user = self.plugin(tmp_path, "out(token=f't{count}', expirationTimestamp='2020-01-01T00:00:00Z')")
        server.will(says({}))
        transport(kubeconfig=kubeconfig(tmp_path, server.url, user)).request("GET", "/x")

        assert sent(server)[0] != "Bearer t1"

    def test_the_host_of_the_options_stays_after_a_renewal(self, server: Server, tmp_path: Path) -> None:
        user = self.plugin(tmp_path, "out(token='t', expirationTimestamp='2020-01-01T00:00:00Z')")
        server.will(says({}), says({}))
        client = transport(kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1:9", user), host=server.url)
        client.request("GET", "/x")
        client.request("GET", "/x")

        assert len(server.seen) == 2

    def test_the_kubeconfig_as_a_dictionary_and_several_files(self, server: Server, tmp_path: Path) -> None:
        user = self.plugin(tmp_path, "out(token='t')")
        path = kubeconfig(tmp_path, server.url, user)
        other = tmp_path / "other"
        other.write_text(yaml.safe_dump({"current-context": "c"}))
        server.will(says({}), says({}))
        user["exec"]["command"] = str(tmp_path / "plugin")
        content = yaml.safe_load(Path(kubeconfig(tmp_path, server.url, user)).read_text())
        transport(kubeconfig=content).request("GET", "/x")
        transport(kubeconfig=f"{other}{os.pathsep}{path}").request("GET", "/x")

        assert sent(server) == ["Bearer t"] * 2

    def test_its_client_certificate(self, tmp_path: Path) -> None:
        chain, key = self_signed("api.example.com")
        (tmp_path / "tls.pem").write_bytes(chain + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.pem")
        context.load_verify_locations(cadata=chain.decode())
        context.verify_mode = ssl.CERT_REQUIRED
        body = f"out(clientCertificateData={chain.decode()!r}, clientKeyData={key.decode()!r})"
        user = self.plugin(tmp_path, body)
        authority = {
            "certificate-authority-data": base64.b64encode(chain).decode(),
            "tls-server-name": "api.example.com",
        }
        with serving(context) as server:
            server.will(says({}))

            answer = transport(kubeconfig=kubeconfig(tmp_path, server.url, user, **authority)).request("GET", "/x")

        assert answer.status == 200

    def test_one_that_fails_is_told_with_its_own_words(self, server: Server, tmp_path: Path) -> None:
        user = self.plugin(tmp_path, "sys.exit('please log in again')")

        with pytest.raises(ConfigError, match=r"exec in kubeconfig .* gave no credentials.*please log in again"):
            transport(kubeconfig=kubeconfig(tmp_path, server.url, user))

    def test_one_that_is_not_there(self, server: Server, tmp_path: Path) -> None:
        user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin"}}

        with pytest.raises(ConfigError, match="/no/such/plugin"):
            transport(kubeconfig=kubeconfig(tmp_path, server.url, user))


class TestAuthProvider:
    def test_oidc_with_a_token_that_is_valid(self, server: Server, tmp_path: Path) -> None:
        token = _jwt(time.time() + 3600)
        provider = {"name": "oidc", "config": {"id-token": token}}
        server.will(says({}))
        transport(kubeconfig=kubeconfig(tmp_path, server.url, {"auth-provider": provider})).request("GET", "/x")

        assert sent(server) == [f"Bearer {token}"]

    @pytest.mark.parametrize("persist", [True, False])
    def test_oidc_renews_an_expired_token(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, persist: bool
    ) -> None:
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the issuer of this test has no TLS
        fresh = _jwt(time.time() + 3600)
        with serving() as issuer:
            answer = {"id_token": fresh, "access_token": "a", "refresh_token": "r2", "token_type": "Bearer"}
            issuer.will(says({"token_endpoint": f"{issuer.url}/token"}), says(answer, Content_Type="application/json"))
            config = {"id-token": _jwt(1), "refresh-token": "r1", "idp-issuer-url": issuer.url, "client-id": "i",
                      "client-secret": "s"}  # fmt: skip
            path = kubeconfig(tmp_path, server.url, {"auth-provider": {"name": "oidc", "config": config}})
            server.will(says({}))
            transport(kubeconfig=path, persist_config=persist).request("GET", "/x")

        assert sent(server) == [f"Bearer {fresh}"]
        assert (fresh in Path(path).read_text()) is persist

    def test_one_that_nobody_knows(self, server: Server, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path, server.url, {"auth-provider": {"name": "azure", "config": {}}})

        with pytest.raises(ConfigError, match=r"auth-provider in kubeconfig .* gave no credentials"):
            transport(kubeconfig=path)


class TestProxy:
    @pytest.fixture
    @staticmethod
    def proxy() -> Iterator[_Proxy]:
        with _Proxy() as running:
            threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            yield running
            running.shutdown()

    @pytest.fixture
    @staticmethod
    def secure(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
        chain, key = self_signed("api.example.com")
        (tmp_path / "tls.pem").write_bytes(chain + key)
        (tmp_path / "ca.crt").write_bytes(chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.pem")
        with serving(context) as running:
            yield running, tmp_path / "ca.crt"

    def test_a_tunnel_with_credentials_and_the_right_tls(
        self, proxy: _Proxy, secure: tuple[Server, Path], tmp_path: Path
    ) -> None:
        server, authority = secure
        proxy.target = server.server_address[1]
        server.will(says({}))
        client = transport(
            host="https://api.example.com:6443",
            api_key="t0ken",
            ca_cert=str(authority),
            proxy=proxy.url,
            proxy_headers={"proxy_basic_auth": "bob:secret", "user_agent": "me"},
        )

        assert client.request("GET", "/x").status == 200
        asked = proxy.seen[0]
        assert asked.startswith("CONNECT api.example.com:6443 ")
        assert "Basic " + base64.b64encode(b"bob:secret").decode() in asked
        assert "t0ken" not in asked
        assert sent(server) == ["Bearer t0ken"]

    def test_that_of_the_kubeconfig_and_that_of_the_environment(
        self, proxy: _Proxy, secure: tuple[Server, Path], tmp_path: Path
    ) -> None:
        server, _authority = secure
        proxy.target = server.server_address[1]
        server.will(says({}), says({}))
        host = "https://api.example.com:6443"
        path = kubeconfig(tmp_path, host, {"token": "t"}, **{"certificate-authority": "ca.crt", "proxy-url": proxy.url})
        FullTransport(resolve({"kubeconfig": path}, {})).request("GET", "/x")
        path = kubeconfig(tmp_path, host, {"token": "t"}, **{"certificate-authority": "ca.crt"})
        FullTransport(resolve({"kubeconfig": path}, {"HTTPS_PROXY": proxy.url})).request("GET", "/x")

        assert len(proxy.seen) == 2 and len(server.seen) == 2

    def test_one_that_is_away_is_told(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"

            with pytest.raises(ConnectionFailed, match="proxy cannot be reached"):
                transport(host="https://api.example.com", api_key="t", proxy=url).request("GET", "/x")


class _Proxy(socketserver.ThreadingTCPServer):
    """A proxy that tunnels: every name leads to ``target``, a port of this machine; ``seen`` has what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.target = 0
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Tunnel(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode()).strip():
            lines.append(line)
        self.server.seen.append("".join(lines))
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ends = {self.connection: there, there: self.connection}
            while True:
                for one in select.select(list(ends), [], [], 10)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    ends[one].sendall(data)


def _jwt(expires: float) -> str:
    parts = [{"alg": "none"}, {"exp": int(expires)}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2ln"])
