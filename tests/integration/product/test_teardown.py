# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The removal on clusters that are not as it wants them: others beside us, a dead operator, half an installation."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from harness import Play, Sandbox
from integration.kit import until

EVERYTHING = {"mcp_gateway_remove_crds": True, "mcp_gateway_remove_namespaces": True}
OLM = "operators.coreos.com/v1alpha1"
VIRTUAL = ("mcp.kuadrant.io/v1", "MCPVirtualServer")


@pytest.fixture(scope="module")
def empty(sandbox: Sandbox) -> set[str]:
    """What is in the cluster before anything was done."""
    return set(sandbox.snapshot())


@pytest.fixture
def installed(sandbox: Sandbox, empty: set[str]) -> Callable[..., None]:
    """Installs the gateway without asking it."""

    def install(*tags: str) -> None:
        assert empty
        play = sandbox.play("site", "--tags", ",".join(tags or ("operator", "gateway", "extension", "servers")))
        assert play.exit_code == 0, play.output

    return install


def teardown(sandbox: Sandbox, *words: str, **variables: Any) -> Play:
    return sandbox.play("teardown", *words, variables={**EVERYTHING, **variables})


def changed_tasks(play: Play) -> list[str]:
    """Names of the tasks that reported a change."""
    return re.findall(r"^TASK \[(.*?)\] \**\n(?:\[WARNING\].*\n)*changed:", play.output, re.MULTILINE)


def flat(play: Play) -> str:
    return " ".join(play.output.split())


def test_on_an_empty_cluster_there_is_nothing_to_do(sandbox: Sandbox, empty: set[str]) -> None:
    play = teardown(sandbox)

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0, play.output
    assert set(sandbox.snapshot()) == empty


def test_half_an_installation_is_removed(sandbox: Sandbox, empty: set[str], installed: Callable[..., None]) -> None:
    installed("operator")

    play = teardown(sandbox)

    assert play.exit_code == 0, play.output
    assert set(sandbox.snapshot()) == empty


def test_check_mode_names_the_tasks_that_then_change_something(
    sandbox: Sandbox, empty: set[str], installed: Callable[..., None]
) -> None:
    installed()
    before = sandbox.snapshot()

    predicted = teardown(sandbox, "--check")
    unchanged = sandbox.snapshot() == before
    play = teardown(sandbox)

    assert predicted.exit_code == play.exit_code == 0, predicted.output + play.output
    assert unchanged
    assert "Check mode: nothing was removed." in predicted.output
    assert changed_tasks(predicted) == changed_tasks(play) != []
    assert set(sandbox.snapshot()) == empty


def test_the_operator_stays_while_others_need_it(
    sandbox: Sandbox, empty: set[str], installed: Callable[..., None]
) -> None:
    installed()
    virtual = sandbox.client.resources.get(api_version=VIRTUAL[0], kind=VIRTUAL[1])
    theirs = {"apiVersion": VIRTUAL[0], "kind": VIRTUAL[1], "metadata": {"name": "theirs"}, "spec": {"tools": ["x"]}}
    virtual.create(body=theirs, namespace="default")

    play = teardown(sandbox)
    stays = {name.split(" ", 1)[1] for name in set(sandbox.snapshot()) - empty}
    again = teardown(sandbox)
    virtual.delete(name="theirs", namespace="default")
    rest = teardown(sandbox)

    assert play.exit_code == 0, play.output
    assert "The operator stays, because others need it: default/theirs." in flat(play)
    assert {"Deployment mcp-system/mcp-gateway-controller", "MCPVirtualServer default/theirs"} <= stays
    assert not {name for name in stays if name.startswith(("MCPGatewayExtension", "Gateway ", "HTTPRoute"))}
    assert again.recap()["changed"] == 0, again.output
    assert rest.exit_code == 0, rest.output
    assert set(sandbox.snapshot()) == empty


def test_without_an_operator_it_asks_before_it_strips_finalizers(
    sandbox: Sandbox, empty: set[str], installed: Callable[..., None]
) -> None:
    installed()
    client = sandbox.client
    client.resources.get(api_version=OLM, kind="Subscription").delete(name="mcp-gateway", namespace="mcp-system")
    csvs = client.resources.get(api_version=OLM, kind="ClusterServiceVersion")
    for csv in csvs.get(namespace="mcp-system").items:
        csvs.delete(name=csv.metadata.name, namespace="mcp-system")
    gone(sandbox, "Deployment mcp-system/mcp-gateway-controller")
    before = set(sandbox.snapshot())

    refused = teardown(sandbox)
    untouched = set(sandbox.snapshot()) == before
    play = teardown(sandbox, mcp_gateway_strip_finalizers="true")
    again = teardown(sandbox, mcp_gateway_strip_finalizers="true")

    assert refused.exit_code != 0
    for said in (
        "Nothing was removed",
        "mcp-servers/weather",
        "mcp-system/mcp-gateway",
        "mcp_gateway_strip_finalizers=true",
    ):
        assert said in flat(refused)
    assert untouched
    assert play.exit_code == 0, play.output
    assert "The finalizer mcp.kuadrant.io/finalizer was taken off MCPServerRegistration mcp-servers/weather" in flat(
        play
    )
    assert set(sandbox.snapshot()) == empty
    assert again.recap()["changed"] == 0, again.output


def test_what_somebody_puts_back_is_found_by_the_proof(
    sandbox: Sandbox, empty: set[str], installed: Callable[..., None]
) -> None:
    installed()
    with kept(sandbox, "HTTPRoute", "weather", "mcp-servers"):
        play = teardown(sandbox, mcp_gateway_remove_crds=False, mcp_gateway_remove_namespaces=False)
    rest = teardown(sandbox)

    assert play.exit_code != 0
    assert "Prove that no server, route or policy is left" in play.output
    assert "HTTPRoute mcp-servers/weather" in flat(play), play.output
    assert rest.exit_code == 0, rest.output
    assert set(sandbox.snapshot()) == empty


@contextmanager
def kept(sandbox: Sandbox, kind: str, name: str, namespace: str) -> Iterator[None]:
    """Put an object back whenever it is gone, in the collection's name, as a GitOps tool that applies its manifests."""
    client = sandbox.client
    objects = client.resources.get(api_version="gateway.networking.k8s.io/v1", kind=kind)
    found = objects.get(name=name, namespace=namespace).to_dict()
    body = {key: found[key] for key in ("apiVersion", "kind", "spec")}
    body["metadata"] = {"name": name, "namespace": namespace, "labels": found["metadata"].get("labels", {})}
    done = threading.Event()

    def keep() -> None:
        while not done.wait(0.1):
            if not objects.get(namespace=namespace, field_selector=f"metadata.name={name}").items:
                objects.server_side_apply(body=body, namespace=namespace, field_manager="mcpops.gateway")

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def gone(sandbox: Sandbox, name: str) -> None:
    """Waits until an object is gone."""
    until(lambda: not any(found.endswith(f" {name}") for found in sandbox.snapshot()), lambda: f"{name} is still there")
