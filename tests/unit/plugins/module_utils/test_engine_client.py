# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API client and its light transport against a server that misbehaves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _client, _errors
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ATTEMPTS, ApiClient
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import BUILT_IN
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import Settings
from ansible_collections.mcpops.gateway.plugins.module_utils._transport import LightTransport
from unit.plugins.module_utils.scripted import (
    Reply,
    Server,
    breaks_off,
    closes_after,
    config_map,
    hangs_up,
    listed,
    refuses,
    says,
    serving,
)

MAPS = BUILT_IN["v1", "ConfigMap"]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def get(client: ApiClient) -> object:
    return client.get(MAPS, "x", "ns")


class TestRequests:
    def test_a_get(self, server: Server) -> None:
        client, _slept = server.client(headers=[("Impersonate-Group", "a"), ("Impersonate-Group", "b")])
        server.will(says(config_map()))

        assert get(client) == config_map()
        request = server.seen[0]
        assert (request.method, request.path) == ("GET", "/api/v1/namespaces/ns/configmaps/x")
        assert request.headers["Authorization"] == "Bearer t0ken"
        assert request.headers.get_all("Impersonate-Group") == ["a", "b"]
        assert (client.reads, client.writes) == (1, 0)

    def test_what_is_not_there_is_none(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(refuses(404, "NotFound"))

        assert get(client) is None

    def test_server_side_apply(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(says(config_map(), 201))

        _now, created = client.apply(MAPS, config_map(), manager="me", force=True, dry_run=True)

        request = server.seen[0]
        assert created and request.method == "PATCH" and request.body == config_map()
        assert request.query == {"fieldManager": "me", "force": "true", "dryRun": "All"}
        assert request.headers["Content-Type"] == "application/apply-patch+yaml"

    def test_a_host_with_a_path(self, server: Server) -> None:
        client = ApiClient(LightTransport(Settings(host=f"{server.url}/k8s/clusters/c-1")))
        server.will(says(config_map()))

        get(client)

        assert server.seen[0].path == "/k8s/clusters/c-1/api/v1/namespaces/ns/configmaps/x"

    def test_a_token_file_is_read_anew(self, server: Server, tmp_path: Path) -> None:
        file = tmp_path / "token"
        transport = LightTransport(Settings(host=server.url, token_file=str(file)))
        for token in ("one", "two"):
            file.write_text(token + "\n")
            server.will(says(config_map()))
            get(ApiClient(transport))

        assert [request.headers["Authorization"] for request in server.seen] == ["Bearer one", "Bearer two"]

    def test_warnings_of_the_server_are_kept_once(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(*[says(config_map(), Warning='299 - "v1alpha1 is deprecated"')] * 2)

        get(client)
        get(client)

        assert client.warnings == ["v1alpha1 is deprecated"]

    def test_an_answer_that_is_no_object(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(says("<html>welcome</html>"))

        with pytest.raises(_errors.ServerError, match="not a Kubernetes object"):
            get(client)


class TestLists:
    def test_pages_are_put_together(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(says(listed(config_map("a"), more="next")), says(listed(config_map("b"), version="11")))

        items, version = client.list(MAPS, "ns", labels="a=b")

        assert [item["metadata"]["name"] for item in items] == ["a", "b"] and version == "11"
        assert server.seen[1].query == {"limit": "500", "continue": "next", "labelSelector": "a=b"}

    def test_pages_that_expire_are_read_again_at_once(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(says(listed(config_map("a"), more="next")), refuses(410, "Expired"), says(listed(config_map("b"))))

        items, _version = client.list(MAPS, "ns")

        assert [item["metadata"]["name"] for item in items] == ["b"]
        assert "limit" not in server.seen[2].query

    def test_a_history_that_is_always_too_short_is_told(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(refuses(410, "Expired"), refuses(410, "Expired"))

        with pytest.raises(_errors.Gone):
            client.list(MAPS, "ns")


class TestRepeating:
    @pytest.mark.parametrize("code", [429, 500, 502, 503, 504, 409])
    def test_what_passes_is_repeated(self, server: Server, code: int) -> None:
        client, slept = server.client()
        server.will(refuses(code), refuses(code), says(config_map()))

        assert get(client) and len(server.seen) == 3 and client.reads == 3
        assert slept == [0.2, 0.4]

    def test_as_long_as_the_server_asks_for(self, server: Server) -> None:
        client, slept = server.client()
        server.will(refuses(429, Retry_After="3"), says(config_map()))

        get(client)

        assert slept == [3.2]

    def test_as_long_as_its_answer_asks_for(self, server: Server) -> None:
        client, slept = server.client()
        status = {"kind": "Status", "message": "busy", "code": 503, "details": {"retryAfterSeconds": 4}}
        server.will(says(status, 503), says(config_map()))

        get(client)

        assert slept == [4.2]

    def test_not_for_ever(self, server: Server) -> None:
        client, slept = server.client()
        server.will(*[refuses(503, message="etcd is away")] * ATTEMPTS)

        with pytest.raises(_errors.ServerError, match="etcd is away"):
            get(client)
        assert len(server.seen) == ATTEMPTS and sum(slept) < 15

    @pytest.mark.parametrize("code", [400, 401, 403, 422, 501])
    def test_what_does_not_pass_is_not_repeated(self, server: Server, code: int) -> None:
        client, _slept = server.client()
        server.will(refuses(code))

        with pytest.raises(_errors.ApiError):
            get(client)
        assert len(server.seen) == 1

    def test_a_conflict_of_fields_is_not_repeated(self, server: Server) -> None:
        client, _slept = server.client()
        causes = [{"reason": "FieldManagerConflict", "message": 'conflict with "b"', "field": ".data.k"}]
        server.will(says({"kind": "Status", "message": "no", "details": {"causes": causes}}, 409))

        with pytest.raises(_errors.FieldConflict):
            client.apply(MAPS, config_map(), manager="me")
        assert len(server.seen) == 1


class TestConnections:
    def test_one_connection_serves_many_requests(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(*[says(config_map())] * 3)
        for _time in range(3):
            get(client)

        assert len({request.connection for request in server.seen}) == 1

    def test_threads_do_not_share_one_at_a_time(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(*[says(config_map())] * 40)

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _number: get(client), range(40)))

        assert found == [config_map()] * 40
        assert len({request.connection for request in server.seen}) <= 8

    def test_a_kept_connection_that_died_is_replaced_without_counting(self, server: Server) -> None:
        client, slept = server.client()
        server.will(closes_after(config_map()), says(config_map()))

        get(client)
        get(client)

        assert slept == [] and client.reads == 2

    def test_a_server_that_has_answered_before_is_waited_for(self, server: Server) -> None:
        client, slept = server.client()
        server.will(says(config_map()), hangs_up, hangs_up, says(config_map()))

        get(client)
        get(client)

        assert slept == [0.2]  # the kept connection was replaced at once, the second loss was waited out

    @pytest.mark.parametrize("breaks", [hangs_up, breaks_off])
    def test_a_connection_that_broke_is_made_again(self, server: Server, breaks: Reply) -> None:
        client, slept = server.client()
        server.will(breaks, says(config_map()))

        assert get(client) == config_map() and slept == [0.2]

    def test_one_that_always_breaks_is_given_up(self, server: Server) -> None:
        client, slept = server.client()
        server.will(*[hangs_up] * ATTEMPTS)

        with pytest.raises(_errors.ConnectionFailed, match=r"broke: it was closed before the answer was complete; .*"):
            get(client)
        assert len(slept) == ATTEMPTS - 1

    def test_patience_ends_before_the_attempts_do(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_client, "PATIENCE", -1.0)
        client, slept = server.client()
        server.will(refuses(503))

        with pytest.raises(_errors.ServerError, match="run again when the cluster is healthy"):
            get(client)
        assert slept == []

    def test_nobody_listens(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        with pytest.raises(_errors.ConnectionFailed, match=rf"127\.0\.0\.1:{port} cannot be reached: .*refused"):
            get(ApiClient(LightTransport(Settings(host=f"https://127.0.0.1:{port}"))))

    def test_a_name_that_does_not_resolve(self) -> None:
        with pytest.raises(_errors.ConnectionFailed, match="cannot be resolved"):
            get(ApiClient(LightTransport(Settings(host="https://no-such-host.invalid"))))

    def test_not_http(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            settings = Settings(host=f"http://127.0.0.1:{listener.getsockname()[1]}")

            def serve() -> None:
                connection, _address = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"SSH-2.0-OpenSSH\r\n")

            with ThreadPoolExecutor(1) as pool:
                pool.submit(serve)
                with pytest.raises(_errors.ConnectionFailed, match="does not answer in HTTP"):
                    get(ApiClient(LightTransport(settings)))

    @pytest.mark.parametrize("host", ["ftp://x", "https://", "https://x:notaport"])
    def test_an_address_that_is_none(self, host: str) -> None:
        with pytest.raises(_errors.ConfigError):
            LightTransport(Settings(host=host))


class TestTls:
    def test_the_given_ca_and_server_name(self, secure: Server, pem: tuple[Path, str, str]) -> None:
        client, _slept = secure.client(ca=pem[1], server_name="api.example.com")
        secure.will(says(config_map()))

        assert get(client)

    def test_another_name_is_refused(self, secure: Server, pem: tuple[Path, str, str]) -> None:
        client, _slept = secure.client(ca=pem[1])

        with pytest.raises(_errors.ConnectionFailed, match="not trusted"):
            get(client)

    def test_an_unknown_ca_is_refused(self, secure: Server) -> None:
        client, _slept = secure.client(server_name="api.example.com")

        with pytest.raises(_errors.ConnectionFailed, match=r"not trusted.*ca_cert"):
            get(client)

    def test_verification_can_be_switched_off(self, secure: Server) -> None:
        client, _slept = secure.client(verify=False)
        secure.will(says(config_map()))

        assert get(client)

    def test_a_client_certificate(self, secure: Server, pem: tuple[Path, str, str]) -> None:
        client, _slept = secure.client(verify=False, client_cert=pem[1], client_key=pem[2])
        secure.will(says(config_map()))

        assert get(client)

    def test_plain_http_behind_https(self, server: Server) -> None:
        transport = LightTransport(Settings(host=server.url.replace("http:", "https:"), verify=False))

        with pytest.raises(_errors.ConnectionFailed, match="plain HTTP"):
            get(ApiClient(transport))

    @pytest.mark.parametrize("bad", [{"ca": "no PEM"}, {"client_cert": "no PEM", "client_key": "no PEM"}])
    def test_material_that_is_not_pem(self, bad: dict[str, str]) -> None:
        with pytest.raises(_errors.ConfigError):
            LightTransport(Settings(host="https://x", **bad))  # type: ignore[arg-type]


class TestDeleting:
    def test_only_the_incarnation_that_was_meant(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(says({"kind": "Status", "status": "Success"}))

        assert client.delete(MAPS, "x", "ns", uid="u1")
        assert (server.seen[0].body or {})["preconditions"] == {"uid": "u1"}

    def test_another_incarnation_is_told_at_once(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(refuses(409, "Conflict", "Precondition failed: UID in precondition: u1, UID in object meta: u2"))

        with pytest.raises(_errors.Conflict):
            client.delete(MAPS, "x", "ns", uid="u1")
        assert len(server.seen) == 1

    def test_what_is_gone_is_gone(self, server: Server) -> None:
        client, _slept = server.client()
        server.will(refuses(404, "NotFound"))

        assert client.delete(MAPS, "x", "ns") is False
