# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data plane in a running sandbox: Gateways on Envoy, Deployments as processes, MCP through both."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
import sys

import aiohttp
import psutil
import pytest
from dataplane_box import APPS, INFRA, Box, Json, alive, conditions, listener, local_port, until
from mcp.client.client import Client as McpClient
from sandbox import seed
from sandbox.controllers.ports import free_port
from sandbox.kinds import DEPLOYMENTS, GATEWAYS, HTTP_ROUTES, PODS, SECRETS, SERVICES

WEATHER = "weather.mcp.local"
ECHO = """
import http.server, os, pathlib, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '/none')
        body = (os.environ.get('WORD', '') + (path.read_text() if path.exists() else '')).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"""


def echo_container(*arguments: str, **more: object) -> Json:
    """A container that answers with $WORD and the content of a file."""
    command = [sys.executable, "-c", ECHO, *arguments]
    return {"image": "sandbox.mcpops.io/local:1", "command": command, "ports": [{"containerPort": 9090}], **more}


async def get(port: int, host: str, path: str = "/") -> tuple[int, str]:
    """Status and text of a GET through a Gateway."""
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": host}) as answer:
        return answer.status, await answer.text()


async def initialize(port: int, host: str) -> Json:
    """The result of an initialize request through a Gateway."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    headers = {"Host": host, "Accept": "application/json, text/event-stream"}
    url = f"http://127.0.0.1:{port}/mcp"
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        text = await answer.text()
        assert answer.status == 200, text
    data = next((line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:")), text)
    found = json.loads(data)["result"]
    assert isinstance(found, dict)
    return found


async def test_mcp_server_answers_through_the_gateway(cluster: Box) -> None:
    gateway = await cluster.gateway(listener(hostname="*.mcp.local"), listener("local", hostname="localhost"))
    route = await cluster.route("weather", WEATHER, "weather")
    assert conditions(gateway["status"])["Programmed"]["status"] == "True"
    assert {kind: entry["status"] for kind, entry in conditions(route["status"]["parents"][0]).items()} == {
        "Accepted": "True",
        "ResolvedRefs": "True",
    }
    shown = await cluster.client.get(SERVICES, "gw-openshift-default", INFRA)
    assert shown is not None
    assert shown["status"]["loadBalancer"]["ingress"][0]["ip"] == "127.0.0.1"
    port = local_port(gateway, 80)
    assert (await initialize(port, WEATHER))["serverInfo"]["name"] == "weather"
    assert (await get(port, "localhost"))[0] == 404


async def test_official_client_talks_to_both_demo_servers(cluster: Box) -> None:
    gateway = await cluster.gateway(listener(hostname="localhost"))
    for name in seed.DEMO_SERVERS:
        await cluster.route(name, "localhost", name)
        url = f"http://localhost:{local_port(gateway, 80)}/mcp"
        async with McpClient(url) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools & {"get_weather", "get_current_time"}
        await cluster.client.delete(HTTP_ROUTES, name, APPS)


async def test_listener_waits_for_its_certificate_and_follows_it(cluster: Box) -> None:
    tls = {"mode": "Terminate", "certificateRefs": [{"name": "late"}]}
    secure = listener("https", 443, protocol="HTTPS", hostname="mcp.example.com", tls=tls)
    gateway = await cluster.gateway(listener(), secure)
    found = {entry["name"]: conditions(entry) for entry in gateway["status"]["listeners"]}
    assert found["https"]["ResolvedRefs"]["reason"] == "InvalidCertificateRef"
    assert found["https"]["Programmed"]["status"] == "False"
    assert found["http"]["Programmed"]["status"] == "True"
    chain, key = seed.self_signed("mcp.example.com")
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    await cluster.make(SECRETS, "late", INFRA, type="kubernetes.io/tls", data=data)

    async def programmed() -> Json | None:
        seen = await cluster.client.get(GATEWAYS, "gw", INFRA)
        assert seen is not None
        states = {entry["name"]: conditions(entry) for entry in seen["status"]["listeners"]}
        return seen if states["https"]["Programmed"]["status"] == "True" else None

    gateway = await until(programmed)
    trusting = ssl.create_default_context(cadata=chain.decode())
    _, writer = await asyncio.open_connection(
        "127.0.0.1", local_port(gateway, 443), ssl=trusting, server_hostname="mcp.example.com"
    )
    writer.close()
    await cluster.client.delete(SECRETS, "late", INFRA)

    async def withdrawn() -> bool:
        seen = await cluster.client.get(GATEWAYS, "gw", INFRA)
        assert seen is not None
        states = {entry["name"]: conditions(entry) for entry in seen["status"]["listeners"]}
        return bool(states["https"]["Programmed"]["status"] == "False")

    await until(withdrawn)


async def test_wanted_port_is_bound_when_free_and_mapped_when_taken(cluster: Box) -> None:
    wanted = free_port()
    gateway = await cluster.gateway(listener(port=wanted))
    assert local_port(gateway, wanted) == wanted
    taken = free_port()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", taken)
    async with server:
        gateway = await cluster.gateway(listener(port=taken))
        assert local_port(gateway, taken) != taken
    assert conditions(gateway["status"])["Programmed"]["status"] == "True"
    shown = next(entry for entry in cluster.status()["gateways"] if entry["name"] == "gw")
    assert shown["listeners"][0]["local_port"] == local_port(gateway, taken)


async def test_backend_problem_is_reported_and_ends_when_the_service_comes(cluster: Box) -> None:
    gateway = await cluster.gateway(listener())
    route = await cluster.route("later", "later.org", "later")
    assert conditions(route["status"]["parents"][0])["ResolvedRefs"]["reason"] == "BackendNotFound"
    port = local_port(gateway, 80)
    assert (await get(port, "later.org"))[0] == 500
    await cluster.service("later")

    async def unready() -> bool:
        return (await get(port, "later.org"))[0] == 503

    await until(unready)
    await cluster.deployment("later", echo_container(env=[{"name": "WORD", "value": "hello"}]))
    await cluster.available("later")

    async def answers() -> bool:
        return await get(port, "later.org") == (200, "hello")

    await until(answers)


async def test_secret_volume_follows_its_secret_without_a_restart(cluster: Box) -> None:
    gateway = await cluster.gateway(listener())
    await cluster.secret("words", text="first")
    container = echo_container("/etc/words/text", volumeMounts=[{"name": "words", "mountPath": "/etc/words"}])
    await cluster.deployment("reader", container, volumes=[{"name": "words", "secret": {"secretName": "words"}}])
    await cluster.service("reader")
    await cluster.available("reader")
    await cluster.route("reader", "reader.org", "reader")
    port = local_port(gateway, 80)

    async def says(text: str) -> bool:
        return await get(port, "reader.org") == (200, text)

    await until(lambda: says("first"))
    before = await cluster.pods("reader")
    await cluster.secret("words", text="second")
    async with asyncio.timeout(3.0):  # it takes a few hundredths of a second; machines for tests can be busy
        await until(lambda: says("second"))
    after = await cluster.pods("reader")
    assert [pod["metadata"]["uid"] for pod in after] == [pod["metadata"]["uid"] for pod in before]
    files = [path for path in (cluster.folder / "pods").rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    assert {oct(path.stat().st_mode)[-3:] for path in files} == {"600"}


async def test_pod_waits_for_what_it_refers_to(cluster: Box) -> None:
    value = {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "wanted", "key": "word"}}}
    await cluster.deployment("waiter", echo_container(env=[value]))

    async def waiting() -> str | None:
        for pod in await cluster.pods("waiter"):
            for status in (pod.get("status") or {}).get("containerStatuses") or []:
                return str(status["state"].get("waiting", {}).get("message"))
        return None

    assert await until(waiting) == 'secret "wanted" not found'
    await cluster.secret("wanted", word="here")
    await cluster.available("waiter")


async def test_unknown_image_is_not_pulled(cluster: Box) -> None:
    await cluster.deployment("stranger", {"image": "docker.io/library/nginx:1"})

    async def waiting() -> Json | None:
        for pod in await cluster.pods("stranger"):
            for status in (pod.get("status") or {}).get("containerStatuses") or []:
                found = dict(status["state"].get("waiting") or {})
                return found if found.get("reason") == "ImagePullBackOff" else None
        return None

    found = await until(waiting)
    assert "nginx" in found["message"]


async def test_scaling_rolling_update_and_recovery(cluster: Box) -> None:
    word = [{"name": "WORD", "value": "one"}]
    await cluster.deployment("web", echo_container(env=word), replicas=2)
    await cluster.available("web")
    first = {pod["metadata"]["name"] for pod in await cluster.pods("web")}
    assert len(first) == 2
    await cluster.deployment("web", echo_container(env=[{"name": "WORD", "value": "two"}]), replicas=1)
    await cluster.available("web")

    async def renewed() -> set[str] | None:
        names = {pod["metadata"]["name"] for pod in await cluster.pods("web")}
        return names if len(names) == 1 and not names & first else None

    (second,) = await until(renewed)
    pid = next(number for name, number in cluster.pids().items() if second in name)
    os.kill(pid, signal.SIGKILL)

    async def restarted() -> bool:
        pod = await cluster.client.get(PODS, second, APPS)
        assert pod is not None
        status = pod["status"]["containerStatuses"][0]
        return bool(status["restartCount"] == 1 and status["ready"])

    await until(restarted)
    await cluster.client.delete(PODS, second, APPS)

    async def replaced() -> bool:
        names = {pod["metadata"]["name"] for pod in await cluster.pods("web")}
        return len(names) == 1 and second not in names

    await until(replaced)
    await cluster.available("web")


async def test_deleted_deployment_leaves_no_process_and_no_file(cluster: Box) -> None:
    await cluster.deployment("short", echo_container())
    await cluster.available("short")
    (pid,) = [number for name, number in cluster.pids().items() if "-short-" in name]
    await cluster.client.delete(DEPLOYMENTS, "short", APPS)

    async def gone() -> bool:
        return not alive(pid) and not list((cluster.folder / "pods").glob("*short*"))

    await until(gone)


async def test_broker_image_runs_our_broker(cluster: Box) -> None:
    servers = [
        {"name": f"{APPS}/{name}", "url": f"http://{name}.{APPS}.svc.cluster.local:9090/mcp", "prefix": f"{name}_"}
        for name in seed.DEMO_SERVERS
    ]
    await cluster.secret("broker-config", **{"config.yaml": json.dumps({"servers": servers, "virtualServers": []})})
    await cluster.secret("broker-key", key="0" * 64)
    container = {
        "image": "ghcr.io/kuadrant/mcp-gateway:v0.9.0",
        "command": [
            "./mcp_gateway",
            "--mcp-broker-public-address=0.0.0.0:8080",
            "--mcp-gateway-config=/config/config.yaml",
            "--mcp-gateway-public-host=localhost",
        ],
        "env": [{"name": "GATEWAY_SIGNING_KEY", "valueFrom": {"secretKeyRef": {"name": "broker-key", "key": "key"}}}],
        "ports": [{"name": "http", "containerPort": 8080}, {"name": "grpc", "containerPort": 50051}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "initialDelaySeconds": 5},
        "volumeMounts": [{"name": "config", "mountPath": "/config", "readOnly": True}],
    }
    volumes = [{"name": "config", "secret": {"secretName": "broker-config"}}]
    await cluster.deployment("mcp-gateway", container, volumes=volumes)
    await cluster.service("mcp-gateway", 8080)
    await cluster.available("mcp-gateway")
    gateway = await cluster.gateway(listener(hostname="localhost"))
    await cluster.route("broker", "localhost", "mcp-gateway", port=8080)
    async with McpClient(f"http://localhost:{local_port(gateway, 80)}/mcp") as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("weather_get_weather", {"city": "Oslo"})
    assert {"weather_get_weather", "time_get_current_time"} <= tools
    assert not answer.is_error


async def test_an_unrelated_change_leads_to_no_write(cluster: Box) -> None:
    audit = cluster.folder / "audit.jsonl"
    if not audit.exists():
        pytest.skip("this API server's audit log is elsewhere")

    def writes() -> list[str]:
        events = [json.loads(line) for line in audit.read_text().splitlines()]
        written = [event for event in events if event["verb"] in ("create", "update", "patch", "delete")]
        return [f"{event['verb']} {event['requestURI'].partition('?')[0]}" for event in written]

    async def attached(count: int) -> bool:
        gateway = await cluster.client.get(GATEWAYS, "gw", INFRA)
        return bool(gateway and gateway["status"]["listeners"][0]["attachedRoutes"] == count)

    async def quiet() -> bool:
        """What earlier tests deployed is gone."""
        return not await cluster.pods("mcp-gateway")

    await until(quiet)
    await cluster.gateway(listener())
    await cluster.route("first", "first.org", "weather")
    await until(lambda: attached(1))
    before = len(writes())
    await cluster.make(SECRETS, "unrelated", INFRA, stringData={"a": "b"})
    # Every controller looks again because of the Secret, and again because of this route, which must show.
    await cluster.route("second", "second.org", "weather")
    await until(lambda: attached(2))
    routes = f"/apis/gateway.networking.k8s.io/v1/namespaces/{APPS}/httproutes"
    expected = [
        f"patch /api/v1/namespaces/{INFRA}/secrets/unrelated",
        f"patch {routes}/second",
        f"update /apis/gateway.networking.k8s.io/v1/namespaces/{INFRA}/gateways/gw/status",
        f"update {routes}/second/status",
    ]
    assert sorted(entry for entry in writes()[before:] if "/leases/" not in entry) == sorted(expected)


def test_files_and_folders_are_private(box: Box) -> None:
    open_ones = []
    for path in [box.folder, *box.folder.rglob("*")]:
        with contextlib.suppress(FileNotFoundError):  # its owner has replaced it meanwhile
            if not path.is_symlink() and path.stat().st_mode & 0o077:
                open_ones.append(path)
    assert open_ones == []


def test_memory_is_within_its_limit(box: Box) -> None:
    if box.api != "embedded":
        pytest.skip("a real kube-apiserver needs more")
    assert box.status()["memory"]["pss"] < 400e6


def test_up_again_changes_nothing(box: Box) -> None:
    before = box.pids()
    assert json.loads(box.run("up", "--json").stdout)["changed"] is False
    assert box.pids() == before


def test_listens_on_loopback_only(box: Box) -> None:
    pids = set(box.pids().values())
    sockets = [entry for entry in psutil.net_connections("tcp") if entry.pid in pids]
    listening = {entry.laddr[0] for entry in sockets if entry.laddr and entry.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
