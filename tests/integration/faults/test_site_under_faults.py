# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site.yml on one sandbox whose controllers, processes and API server fail in turn. The tests run in this order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from integration.kit import Json, Modules, until
from integration.product.harness import Sandbox, running
from sandbox.faults.control import fault
from sandbox.state import Folder

TIME_LIMITS = {"mcp_gateway_install_plan_ref_timeout": 1, "mcp_gateway_csv_timeout": 2, "mcp_gateway_wait_timeout": 4}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox; gone afterwards."""
    with running(tmp_path_factory.mktemp("faults") / "sandbox") as box:
        yield box


@pytest.fixture(scope="module")
def folder(sandbox: Sandbox) -> Folder:
    return Folder(sandbox.folder)


OPERATOR: dict[str, tuple[str, ...]] = {
    "olm-stuck": (
        "Waited 1 s for Subscription mcp-system/mcp-gateway to get an InstallPlan",
        "last seen",
    ),
    "csv-failing": (
        "Subscription mcp-system/mcp-gateway cannot be installed",
        'install strategy failed: Deployment.apps "operator" is invalid',
    ),
    "operator-crash-looping": (
        "Waited 2 s for Subscription mcp-system/mcp-gateway to have its operator running",
        "mcp-gateway-controller",
        "look at the operator's Deployment and its pods in namespace mcp-system",
    ),
}


@pytest.mark.parametrize("name", OPERATOR)
def test_an_operator_that_cannot_be_installed_is_told(sandbox: Sandbox, folder: Folder, name: str) -> None:
    with fault(folder, name):
        play = sandbox.play("site", variables=TIME_LIMITS)

    assert play.exit_code != 0
    assert "Traceback" not in play.output
    for words in OPERATOR[name]:
        assert words in play.message, play.message


def test_a_certificate_that_is_missing_is_told(sandbox: Sandbox, folder: Folder) -> None:
    with fault(folder, "certificate-missing"):
        play = sandbox.play("site", variables={"mcp_gateway_wait_timeout": 4})

    assert play.exit_code != 0
    assert "openshift-ingress/default-ingress-cert" in play.message, play.message
    assert "Traceback" not in play.output
    secret = sandbox.get("v1", "Secret", "default-ingress-cert", "openshift-ingress")
    assert secret["type"] == "kubernetes.io/tls" and set(secret["data"]) == {"tls.crt", "tls.key"}


def test_a_restless_api_server_does_not_disturb_what_is_left_to_do(sandbox: Sandbox, folder: Folder) -> None:
    with ExitStack() as stack:
        begun = [
            stack.enter_context(fault(folder, name, count=count, agent="mcpops.gateway", **options))
            for name, count, options in (
                ("api-throttled", 1, {}),
                ("api-error", 3, {"code": 503}),
                ("api-conflict", 2, {}),
                ("api-drop", 2, {}),
                ("api-drop", 2, {"when": "after", "verb": "patch"}),
                ("api-watch-end", 4, {"after": 0.1}),
            )
        ]
        play = sandbox.play("site")
        struck = [len(active.strikes()) for active in begun]

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] > 0
    assert struck[:4] == [1, 3, 2, 2], struck


def test_afterwards_nothing_is_left_to_do(sandbox: Sandbox) -> None:
    objects, requests = sandbox.snapshot(), len(sandbox.audit())

    play = sandbox.play("site")

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0, play.output
    assert sandbox.writes(requests) == []
    assert sandbox.snapshot() == objects


class Endpoint:
    """The module endpoint on the sandbox's gateway, calling a tool of the server weather."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = f"http://localhost:{sandbox.variables['mcp_gateway_port']}/mcp"

    def __call__(self, seconds: float, **more: Any) -> Json:
        call = {"name": "weather_list_cities"}
        return Modules.without_cluster("endpoint", url=self.url, wait_timeout=seconds, call=call, **more)

    def works(self) -> None:
        """Waits until tools of both servers can be called."""
        until(lambda: not self(5, expect_prefixes=["weather_", "time_"]).get("failed"), lambda: "it does not recover")


@pytest.fixture
def endpoint(sandbox: Sandbox) -> Iterator[Endpoint]:
    """A gateway that works before the test, and again after it."""
    one = Endpoint(sandbox)
    one.works()
    yield one
    one.works()


LOST: dict[str, tuple[str, Json, str]] = {
    "upstream-dead": ("upstream-dead", {}, "weather: answered HTTP 503"),
    "upstream-hung": (
        "upstream-hung",
        {},
        "no complete answer within 3 s; the endpoint or what stands behind it hangs",
    ),
    "HTTP 500": ("upstream-malformed", {}, "weather: answered HTTP 500"),
    "HTML": ("upstream-malformed", {"how": "content-type"}, "weather: answered with content type 'text/html'"),
    "broken JSON": ("upstream-malformed", {"how": "json"}, "weather: sent what is not JSON-RPC"),
    "broken events": ("upstream-malformed", {"how": "sse"}, "weather: sent what is not JSON-RPC"),
    "half an answer": ("upstream-malformed", {"how": "cut"}, "weather: the answer broke off"),
}


@pytest.mark.parametrize(("name", "options", "sentence"), LOST.values(), ids=LOST)
def test_a_server_behind_the_gateway_that_fails_is_told(
    folder: Folder, endpoint: Endpoint, name: str, options: Json, sentence: str
) -> None:
    with fault(folder, name, server="weather", **options):
        result = endpoint(1, timeout=3)
        other = Modules.without_cluster("endpoint", url=endpoint.url, expect_prefixes=["time_"], wait_timeout=5)

    assert result.get("failed")
    assert sentence in result["msg"], result["msg"]
    assert not other.get("failed"), other["msg"]


def test_a_slow_server_is_waited_for(folder: Folder, endpoint: Endpoint) -> None:
    with fault(folder, "upstream-slow", server="weather", delay=0.5) as active:
        assert not endpoint(5).get("failed")
        assert active.strikes()


def test_envoy_down_is_told(folder: Folder, endpoint: Endpoint) -> None:
    with fault(folder, "envoy-down"):
        result = endpoint(1)

    assert result.get("failed")
    assert "nothing listens on localhost" in result["msg"] and "check that the listener" in result["msg"]


def test_one_crash_of_the_broker_is_survived(folder: Folder, endpoint: Endpoint) -> None:
    with fault(folder, "broker-crash", count=1):
        result = endpoint(30)

    assert not result.get("failed"), result["msg"]


def test_a_broker_that_crashes_again_and_again_is_told(folder: Folder, endpoint: Endpoint) -> None:
    with fault(folder, "broker-crash", every=0) as active:
        until(lambda: len(active.strikes()) > 1, lambda: "it crashed only once")
        result = endpoint(1)

    assert result.get("failed")
    assert "check that the Pods of the broker (Deployment mcp-gateway) are ready" in result["msg"], result["msg"]


def test_verify_under_a_broken_data_path_fails_with_one_sentence(sandbox: Sandbox, folder: Folder) -> None:
    with fault(folder, "envoy-down"):
        play = sandbox.play("verify", variables={"mcp_gateway_wait_timeout": 1})

    assert play.exit_code != 0 and "Traceback" not in play.output
    assert "nothing listens on" in play.message
    assert sandbox.play("verify").exit_code == 0


def test_every_fault_is_over(sandbox: Sandbox) -> None:
    assert '"faults": []' in sandbox.command("status", "--json").stdout
