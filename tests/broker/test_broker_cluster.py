# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cluster mode: what the broker serves, and what it says in the status of objects, as they come, change and go.

The API server is the embedded one, or the one in `SANDBOX_BATTERY_KUBECONFIG`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from broker.harness import BrokerProcess, run_broker, wait_until
from broker.raw_upstream import RawUpstream
from sandbox.battery.support import Cluster

from broker import cluster_objects as objects

PLACE = "team-a"

BROKER = {"cluster": objects.GATEWAY, "upstreamAddresses": {"allow": ["loopback"]}}
"""The servers of these tests are on this machine, where those of a cluster must not be."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with objects.running_cluster(PLACE, "gateways", "other") as found:
        objects.apply(found, objects.front(), objects.service(PLACE))
        yield found


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    with RawUpstream("echo", "slow") as server:
        yield server


@pytest.fixture(scope="module")
def port(upstream: RawUpstream) -> int:
    return int(upstream.url.rpartition(":")[2].partition("/")[0])


@pytest.fixture(scope="module")
def broker(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory = tmp_path_factory.mktemp("broker")
    with run_broker(
        directory,
        {"servers": [], "broker": BROKER},
        *("--cluster", "--namespace", PLACE),
        env={"KUBECONFIG": str(cluster.kubeconfig)},
    ) as process:
        wait_until(lambda: process.request("GET", "/readyz").status == 200, "it is ready")
        process.initialize()
        yield process


def becomes(cluster: Cluster, manifest: objects.Json, reason: str) -> str:
    """Wait until the Ready condition has this reason; return its message."""
    found = wait_until(
        lambda: (one := objects.ready(cluster, manifest)).get("reason") == reason and one,
        f"{manifest['metadata']['name']} becomes {reason}",
        30,
    )
    assert found["status"] == str(reason == "Ready")
    assert found["observedGeneration"] == cluster.get(objects.path(manifest)).ok()["metadata"]["generation"]
    message: str = found["message"]
    return message


def test_a_registration_is_served_and_goes_again(cluster: Cluster, broker: BrokerProcess, port: int) -> None:
    weather = objects.registration(PLACE, "weather", prefix="weather_")
    objects.apply(cluster, objects.route(PLACE, "weather", port), weather)

    said = becomes(cluster, weather, "Ready")
    assert said == "server added successfully. Total tools added 2. Total prompts added 0"
    assert sorted(broker.tools()) == ["weather_echo", "weather_slow"]
    assert broker.call("weather_echo", {"text": "hello"})["result"]["content"][0]["text"]

    cluster.delete(objects.path(weather)).ok()
    wait_until(lambda: broker.tools() == [], "its tools go")


def test_a_server_that_does_not_answer_is_not_ready(cluster: Cluster, broker: BrokerProcess) -> None:
    absent = objects.registration(PLACE, "absent")
    objects.apply(cluster, objects.route(PLACE, "absent", 1), absent)

    assert "no connection to localhost:1" in becomes(cluster, absent, "NotReady")

    objects.apply(cluster, {**absent, "spec": {**absent["spec"], "state": "Disabled"}})
    assert becomes(cluster, absent, "Disabled") == "server is disabled"
    cluster.delete(objects.path(absent)).ok()


def test_what_is_missing_is_told_until_it_is_there(
    cluster: Cluster, broker: BrokerProcess, upstream: RawUpstream, port: int
) -> None:
    upstream.users.add("Bearer right")
    needy = objects.registration(PLACE, "needy", credentialRef={"name": "token", "key": "header"})
    objects.apply(cluster, needy)

    missing = 'failed to get targeted httproute HTTPRoute.gateway.networking.k8s.io "needy" not found'
    assert becomes(cluster, needy, "NotReady") == missing

    def becomes_message(message: str) -> None:
        wait_until(lambda: objects.ready(cluster, needy).get("message") == message, message, 30)

    objects.apply(cluster, objects.route(PLACE, "needy", port, accepted=False))
    becomes_message("no valid gateways for httproute")
    objects.apply(cluster, objects.route(PLACE, "needy", port))
    becomes_message("credential secret token not found")
    objects.apply(cluster, objects.secret(PLACE, "token", labelled=False, header="Bearer right"))
    objects.apply(cluster, {**needy, "spec": {**needy["spec"], "hint": "Secrets are read again with a change"}})
    becomes_message("credential secret token is missing required label mcp.kuadrant.io/secret=true")
    objects.apply(cluster, objects.secret(PLACE, "token", header="Bearer right"))
    objects.apply(cluster, {**needy, "spec": {**needy["spec"], "hint": "or after a minute"}})
    assert becomes(cluster, needy, "Ready")
    assert "Bearer right" not in broker.log + str(broker.status())

    upstream.users.clear()
    cluster.delete(objects.path(needy)).ok()


def test_what_is_attached_to_another_port_is_somebody_elses(cluster: Cluster, broker: BrokerProcess, port: int) -> None:
    foreign = objects.registration(PLACE, "foreign")
    objects.apply(cluster, objects.route(PLACE, "foreign", port, listener="web"), foreign)

    why = wait_until(lambda: broker.status()["cluster"]["elsewhere"].get(f"{PLACE}/foreign"), "it is told")

    assert why == "its HTTPRoute is not attached to the port of the broker's listener"
    assert broker.tools() == [] and objects.ready(cluster, foreign) == {}
    cluster.delete(objects.path(foreign)).ok()


def test_a_virtual_server_tells_what_is_missing(cluster: Cluster, broker: BrokerProcess, port: int) -> None:
    weather = objects.registration(PLACE, "weather", prefix="w_")
    travel = objects.virtual_server(PLACE, "travel", "w_echo", "w_fly")
    objects.apply(cluster, objects.route(PLACE, "weather", port), weather, travel)

    assert becomes(cluster, travel, "NotReady") == "no server offers w_fly"
    assert broker.tools({"x-mcp-virtualserver": f"{PLACE}/travel"}) == ["w_echo"]

    objects.apply(cluster, {**travel, "spec": {"tools": ["w_echo"]}})
    assert becomes(cluster, travel, "Ready") == "1 tools and 0 prompts are offered"
    for manifest in (travel, weather):
        cluster.delete(objects.path(manifest)).ok()


def test_nobody_is_led_to_the_brokers_own_machine(
    cluster: Cluster, broker: BrokerProcess, upstream: RawUpstream, port: int
) -> None:
    inward = objects.registration(PLACE, "inward")
    broker.configure({"servers": [], "broker": {"cluster": objects.GATEWAY}})
    wait_until(lambda: "config.loaded" in broker.log, "it has read the file again")
    before = upstream.initialized
    objects.apply(cluster, objects.route(PLACE, "inward", port), inward)

    assert "loopback" in becomes(cluster, inward, "NotReady")

    assert upstream.initialized == before
    broker.configure({"servers": [], "broker": BROKER})
    becomes(cluster, inward, "Ready")
    cluster.delete(objects.path(inward)).ok()


def test_the_file_comes_first_and_is_still_watched(
    cluster: Cluster, broker: BrokerProcess, upstream: RawUpstream, port: int
) -> None:
    weather = objects.registration(PLACE, "weather")
    entry = {"name": f"{PLACE}/weather", "url": upstream.url, "prefix": "file_"}
    broker.configure({"servers": [entry], "broker": BROKER})
    objects.apply(cluster, objects.route(PLACE, "weather", port), weather)

    assert "configuration file has a server of the name" in becomes(cluster, weather, "NotReady")
    wait_until(lambda: sorted(broker.tools()) == ["file_echo", "file_slow"], "the file's server is served")

    broker.configure({"servers": [], "broker": BROKER})
    becomes(cluster, weather, "Ready")
    cluster.delete(objects.path(weather)).ok()


def test_one_of_two_writes_and_the_other_follows(
    cluster: Cluster, broker: BrokerProcess, tmp_path: Path, port: int
) -> None:
    environment = {"KUBECONFIG": str(cluster.kubeconfig)}
    config = {"servers": [], "broker": BROKER}
    weather = objects.registration(PLACE, "weather")
    objects.apply(cluster, objects.route(PLACE, "weather", port))
    with run_broker(tmp_path, config, "--cluster", env=environment) as second:  # of all namespaces
        wait_until(lambda: (second.status()["cluster"] or {}).get("leaderIdentity"), "it sees the leader")
        first = broker.status()["cluster"]
        assert first["leader"] and not second.status()["cluster"]["leader"]
        assert second.status()["cluster"]["leaderIdentity"] == first["leaderIdentity"]

        assert broker.stop() == 0

        wait_until(lambda: second.status()["cluster"]["leader"], "the other one follows at once", 10)
        objects.apply(cluster, weather)
        becomes(cluster, weather, "Ready")
        assert second.status()["cluster"]["problems"] == []
        assert second.stop() == 0
    cluster.delete(objects.path(weather)).ok()


def test_definitions_may_come_later_and_be_the_oldest(cluster: Cluster, tmp_path: Path, port: int) -> None:
    names = [f"{plural}.mcp.kuadrant.io" for plural in ("mcpserverregistrations", "mcpvirtualservers")]
    for name in names:
        cluster.delete(f"{objects.CRDS}/{name}").ok()
    config = {"servers": [], "broker": BROKER}
    environment = {"KUBECONFIG": str(cluster.kubeconfig)}
    with run_broker(tmp_path, config, "--cluster", "--namespace", PLACE, env=environment) as broker:
        wait_until(lambda: broker.request("GET", "/readyz").status == 200, "it serves without them")
        broker.initialize()
        said = "the cluster does not serve the kind MCPServerRegistration of mcp.kuadrant.io"
        assert said in broker.status()["cluster"]["problems"]

        objects.define(cluster, "0.6.0")
        old = objects.registration(PLACE, "old", "v1alpha1", toolPrefix="old_")
        travel = objects.virtual_server(PLACE, "travel", "old_echo", version="v1alpha1")
        objects.apply(cluster, objects.route(PLACE, "old", port), old, travel)

        becomes(cluster, old, "Ready")
        assert cluster.get(objects.path(old)).ok()["status"]["discoveredTools"] == 2
        wait_until(lambda: broker.status()["virtualServers"], "the other kind is read, too")
        assert broker.tools({"x-mcp-virtualserver": f"{PLACE}/travel"}) == ["old_echo"]
        assert broker.status()["cluster"]["problems"] == []
