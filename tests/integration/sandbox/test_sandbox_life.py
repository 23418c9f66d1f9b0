# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's life: crashes, interruptions, two at a time, a foreign cluster, and that nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
from dataplane_box import APPS, INFRA, Box, Json, alive, conditions, listener, local_port, strays, until
from sandbox import crds, processes
from sandbox.client import Client, Resource
from sandbox.controllers.ports import free_port, is_free
from sandbox.kinds import CONFIG_MAPS, CRDS, DEPLOYMENTS, GATEWAY_CLASSES, GATEWAYS, NAMESPACES, PODS, SECRETS

THEIR_CRD: Json = {
    "metadata": {"name": "dnspolicies.kuadrant.io"},
    "spec": {
        "group": "kuadrant.io",
        "names": {"kind": "DNSPolicy", "plural": "dnspolicies"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}


def ports_of(box: Box) -> set[int]:
    """Every port on which a process of the sandbox listens."""
    pids = set(box.pids().values())
    sockets = [entry for entry in psutil.net_connections("tcp") if entry.pid in pids]
    return {entry.laddr[1] for entry in sockets if entry.laddr and entry.status == psutil.CONN_LISTEN}


def test_down_leaves_no_process_no_port_and_no_file(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    pids, ports = fresh.pids(), ports_of(fresh)
    assert {"api", "controllers", "envoy"} <= set(pids)
    assert len(ports) >= 4
    done = fresh.run("down", "--json")
    assert set(json.loads(done.stdout)["stopped"]) == set(pids)
    assert not [pid for pid in pids.values() if alive(pid)]
    assert [port for port in ports if not is_free(port)] == []
    assert not fresh.folder.exists()


def test_logs_can_be_kept(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    fresh.run("down", "--keep-logs")
    assert [entry.name for entry in fresh.folder.iterdir()] == ["logs"]
    assert (fresh.folder / "logs" / "controllers.log").exists()
    fresh.run("up", "--api", fresh.api)


@pytest.mark.parametrize("victims", [["controllers"], ["api"], ["envoy"], ["api", "controllers", "envoy"]])
def test_killed_parts_do_not_stop_down(fresh: Box, victims: list[str]) -> None:
    fresh.run("up", "--api", fresh.api)
    pids = fresh.pids()
    for name in victims:
        os.kill(pids[name], signal.SIGKILL)
    fresh.run("down")
    assert not [pid for pid in pids.values() if alive(pid)]


def wait_for_the_end(pids: dict[str, int]) -> None:
    """Waits until what the controllers started has followed them."""
    deadline = time.monotonic() + 10
    while any(alive(pid) for name, pid in pids.items() if not name.startswith("api")):
        assert time.monotonic() < deadline


async def test_up_starts_dead_controllers_again_and_keeps_the_cluster(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    await fresh.connect()
    gateway = await fresh.gateway(listener())
    await fresh.route("weather", "weather.org", "weather")
    pids = fresh.pids()
    os.kill(pids["controllers"], signal.SIGKILL)
    wait_for_the_end(pids)
    status = fresh.run("status", "--json", check=False)
    assert status.returncode == 3
    assert json.loads(status.stdout)["healthy"] is False
    said = fresh.run("up", "--api", fresh.api).stdout
    assert "ended; starting them again" in said
    assert fresh.status()["healthy"] is True
    assert fresh.pids()["api"] == pids["api"]
    again = await fresh.client.get(GATEWAYS, "gw", INFRA)
    assert again is not None
    assert again["metadata"]["uid"] == gateway["metadata"]["uid"]
    port = local_port(gateway, 80)
    assert local_port(again, 80) == port

    async def answers() -> bool:
        try:
            url = f"http://127.0.0.1:{port}/healthz"
            async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": "weather.org"}) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(answers)
    await fresh.client.close()


def test_up_starts_anew_when_the_api_server_died(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    os.kill(fresh.pids()["api"], signal.SIGKILL)
    said = fresh.run("up", "--api", fresh.api).stdout
    assert "Clearing away what is left" in said
    assert "(api ended)" in said
    assert fresh.status()["healthy"] is True


async def test_killed_envoy_comes_back_with_its_configuration(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    await fresh.connect()
    gateway = await fresh.gateway(listener())
    port = local_port(gateway, 80)
    assert not is_free(port)
    old = fresh.pids()["envoy"]
    os.kill(old, signal.SIGKILL)

    async def back() -> bool:
        return fresh.pids().get("envoy") not in (None, old) and not is_free(port)

    await until(back)
    await fresh.gateway(listener(), listener("second", 81))
    assert fresh.status()["healthy"] is True
    await fresh.client.close()


def _heed_interrupts() -> None:
    """A shell without job control starts its background jobs, and so their children, with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupted_up_leaves_nothing_running(fresh: Box) -> None:
    command = [sys.executable, "-m", "sandbox", "up", "--api", fresh.api, "--dir", str(fresh.folder)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,  # noqa: PLW1509  (this process has no threads that could hold a lock)
    )
    while not list(fresh.folder.glob("processes/controllers.json")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "sandbox: interrupted; nothing was left running" in said
    assert strays(fresh.folder) == []


def test_second_command_is_told_to_wait(fresh: Box) -> None:
    command = [sys.executable, "-m", "sandbox", "up", "--api", fresh.api, "--dir", str(fresh.folder)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not (fresh.folder / "state.json").exists():
        assert first.poll() is None
    second = fresh.run("up", "--api", fresh.api, check=False)
    assert second.returncode == 1
    assert "is working on" in second.stderr
    assert first.wait(60) == 0


async def test_two_sandboxes_side_by_side(fresh: Box, tmp_path: Path) -> None:
    other = Box(tmp_path / "second")
    wanted = free_port()
    try:
        for one in (fresh, other):
            one.run("up", "--api", one.api)
            await one.connect()
        first = await fresh.gateway(listener(port=wanted))
        second = await other.gateway(listener(port=wanted))
        assert local_port(first, wanted) == wanted
        assert local_port(second, wanted) != wanted
        assert not set(fresh.pids().values()) & set(other.pids().values())
    finally:
        for one in (fresh, other):
            await one.client.close()
        other.run("down")
    assert fresh.status()["healthy"] is True


def test_kubernetes_profile(fresh: Box) -> None:
    said = fresh.run("up", "--api", fresh.api, "--profile", "kubernetes").stdout
    assert "GatewayClass istio, catalog operatorhubio-catalog" in said
    assert json.loads((fresh.folder / "vars.yml").read_text())["mcp_gateway_gateway_class"] == "istio"


async def test_deleted_namespaces_and_owners_take_their_objects_along(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    await fresh.connect()
    await fresh.client.create(NAMESPACES, {"metadata": {"name": "short"}})
    made = await fresh.client.create(CONFIG_MAPS, {"metadata": {"name": "owner", "namespace": "short"}})
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": made["metadata"]["uid"]}
    owned = {"metadata": {"name": "owned", "namespace": "short", "ownerReferences": [owner]}}
    await fresh.client.create(SECRETS, owned)
    await fresh.client.delete(CONFIG_MAPS, "owner", "short")

    async def collected() -> bool:
        return await fresh.client.get(SECRETS, "owned", "short") is None

    await until(collected)
    await fresh.client.create(SECRETS, {"metadata": {"name": "rest", "namespace": "short"}})
    await fresh.client.delete(NAMESPACES, "short")

    async def gone() -> bool:
        return await fresh.client.get(NAMESPACES, "short") is None

    await until(gone)
    await fresh.client.close()


class Foreign:
    """A bare API server that belongs to somebody else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = processes.python("sandbox.api", "--dir", str(folder))
        self.process = subprocess.Popen(command, env=processes.environment())
        deadline = time.monotonic() + 20
        while not (folder / "kubeconfig").exists():
            assert time.monotonic() < deadline

    @property
    def kubeconfig(self) -> str:
        return str(self.folder / "kubeconfig")


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[Foreign]:
    one = Foreign(tmp_path / "foreign")
    yield one
    one.process.terminate()
    one.process.wait(20)


async def test_foreign_cluster_gets_what_it_lacks_and_keeps_what_it_has(fresh: Box, foreign: Foreign) -> None:
    async with Client.from_kubeconfig(foreign.kubeconfig) as client:
        theirs = await client.create(CRDS, THEIR_CRD)
        await client.create(NAMESPACES, {"metadata": {"name": INFRA}})
        fresh.api = "kubeconfig"
        said = fresh.run("up", "--api", "kubeconfig", KUBECONFIG=foreign.kubeconfig).stdout
        assert f"{len(crds.load()) - 1} of {len(crds.load())} custom resources were missing" in said
        await fresh.connect()
        gateway = await fresh.gateway(listener())
        assert conditions(gateway["status"])["Programmed"]["status"] == "True"
        await fresh.available("weather")
        kept = await client.get(CRDS, THEIR_CRD["metadata"]["name"])
        assert kept is not None
        assert kept["spec"] == theirs["spec"]
        await fresh.client.delete(GATEWAYS, "gw", INFRA)
        await fresh.client.close()
        fresh.run("down")
        left = [entry["metadata"]["name"] for entry in (await client.list(CRDS))[0]]
        assert left == [THEIR_CRD["metadata"]["name"]]
        spaces = {entry["metadata"]["name"] for entry in (await client.list(NAMESPACES))[0]}
        assert INFRA in spaces
        assert APPS not in spaces
        assert (await client.list(DEPLOYMENTS))[0] == []


async def test_foreign_objects_keep_their_crd_and_namespace(fresh: Box, foreign: Foreign) -> None:
    async with Client.from_kubeconfig(foreign.kubeconfig) as client:
        fresh.api = "kubeconfig"
        fresh.run("up", "--api", "kubeconfig", KUBECONFIG=foreign.kubeconfig)
        await client.create(SECRETS, {"metadata": {"name": "precious", "namespace": APPS}})
        await fresh.connect()
        await fresh.gateway(listener())
        await fresh.client.close()
        done = fresh.run("down", check=False)
        assert done.returncode == 1
        assert "CustomResourceDefinition gateways.gateway.networking.k8s.io, which holds Gateway gw" in done.stderr
        assert f"Namespace {APPS}, which holds Secret precious" in done.stderr
        assert len((await client.list(CRDS))[0]) == 1
        assert await client.get(SECRETS, "precious", APPS)


async def test_foreign_class_with_the_same_controller_is_left_alone(fresh: Box, foreign: Foreign) -> None:
    async with Client.from_kubeconfig(foreign.kubeconfig) as client:
        fresh.api = "kubeconfig"
        fresh.run("up", "--api", "kubeconfig", KUBECONFIG=foreign.kubeconfig)
        spec = {"controllerName": "openshift.io/gateway-controller/v1"}
        await client.create(GATEWAY_CLASSES, {"metadata": {"name": "theirs"}, "spec": spec})
        await fresh.connect()
        await fresh.gateway(listener())
        found = await client.get(GATEWAY_CLASSES, "theirs")
        assert found is not None
        assert not any(entry["status"] == "True" for entry in (found.get("status") or {}).get("conditions") or [])
        await client.delete(GATEWAY_CLASSES, "theirs")
        await client.delete(GATEWAYS, "gw", INFRA)
        await fresh.client.close()
        fresh.run("down")


async def test_cluster_with_nodes_runs_its_pods_itself(fresh: Box, foreign: Foreign) -> None:
    nodes = Resource("", "v1", "nodes", "Node", namespaced=False)
    async with Client.from_kubeconfig(foreign.kubeconfig) as client:
        await client.create(nodes, {"metadata": {"name": "worker"}})
        fresh.api = "kubeconfig"
        said = fresh.run("up", "--api", "kubeconfig", KUBECONFIG=foreign.kubeconfig).stdout
        assert "the cluster has nodes: it runs the pods itself" in said
        assert (await client.list(PODS))[0] == []
        fresh.run("down")


def test_unreachable_cluster_is_one_sentence(fresh: Box, foreign: Foreign) -> None:
    foreign.process.terminate()
    foreign.process.wait(20)
    done = fresh.run("up", "--api", "kubeconfig", check=False, KUBECONFIG=foreign.kubeconfig)
    assert done.returncode == 1
    assert done.stderr.startswith("sandbox: waited 5 s for the API server https://127.0.0.1:")
    assert len(done.stderr.splitlines()) == 1


def test_refused_credentials_are_one_sentence(fresh: Box, foreign: Foreign, tmp_path: Path) -> None:
    config = json.loads(Path(foreign.kubeconfig).read_text())
    config["users"][0]["user"]["token"] = "wrong"
    wrong = tmp_path / "wrong"
    wrong.write_text(json.dumps(config))
    done = fresh.run("up", "--api", "kubeconfig", check=False, KUBECONFIG=str(wrong))
    assert done.returncode == 1
    assert "refuses the kubeconfig's credentials" in done.stderr
    assert len(done.stderr.splitlines()) == 1
