# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that offer each user something else (`userSpecificList`): lists and calls carry the user's authorization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, Json, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream, tool

from broker import stateless

ANN, BOB = {"authorization": "Bearer ann"}, {"authorization": "Bearer bob"}


@dataclass
class Setup:
    """A broker before a server that knows Ann and Bob, a server for all, and one that is not there."""

    broker: BrokerProcess
    personal: RawUpstream
    common: RawUpstream


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Start them once for the tests of this file."""
    with RawUpstream() as personal, RawUpstream("echo") as common:
        personal.tools = [tool("of_the_broker")]
        personal.tools_for = {
            "Bearer ann": [tool("ann"), tool("both")],
            "Bearer bob": [tool("bob"), tool("both")],
            "": [],
        }
        config = {
            "servers": [
                server("ns/common", common.url, "c_", credential="Bearer common"),
                server("ns/own", personal.url, "p_", userSpecificList=True, credential="Bearer broker"),
                server("ns/down", "http://127.0.0.1:9/mcp", "d_", userSpecificList=True),
            ],
            "virtualServers": [{"name": "ns/some", "tools": ["p_both", "p_gone"]}],
        }
        with run_broker(tmp_path_factory.mktemp("personal"), config, "--workers", "2") as broker:
            broker.wait_ready("ns/common", "ns/own")
            broker.initialize()
            yield Setup(broker, personal, common)


def listed(setup: Setup, headers: dict[str, str]) -> list[str]:
    """Return the names of the tools that a client without a session sees."""
    result = stateless.send(setup.broker, stateless.message("tools/list"), headers).json["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")
    return [tool["name"] for tool in result["tools"]]


def call(setup: Setup, name: str, headers: dict[str, str]) -> Json:
    """Call a tool as a client without a session."""
    response: Json = stateless.send(setup.broker, stateless.message("tools/call", {"name": name}), headers).json
    return response


def test_users_see_what_they_are_offered(setup: Setup) -> None:
    for _ in range(2):
        assert setup.broker.tools(ANN) == ["c_echo", "p_ann", "p_both"]
        assert setup.broker.tools(BOB) == ["c_echo", "p_bob", "p_both"]
        assert listed(setup, ANN) == ["c_echo", "p_ann", "p_both"]
        assert listed(setup, BOB) == ["c_echo", "p_bob", "p_both"]


def test_workers_that_use_the_same_session_use_different_ids(setup: Setup) -> None:
    assert len(set(setup.personal.list_ids)) == len(setup.personal.list_ids)


def test_nobody_sees_what_the_broker_itself_is_offered(setup: Setup) -> None:
    assert setup.broker.tools() == ["c_echo"]
    assert listed(setup, {}) == ["c_echo"]
    status = setup.broker.server("ns/own")
    assert (status["ready"], status["totalTools"]) == (True, 0)
    assert status["message"] == "userSpecificList server healthy, tools fetched per-user"


def test_calls_carry_the_users_authorization(setup: Setup) -> None:
    internal = {**ANN, "x-mcp-virtualserver": "ns/some", "cookie": "secret=1"}

    assert "result" in setup.broker.call("p_both", headers=internal)
    assert setup.personal.calls[-1]["headers"]["authorization"] == "Bearer ann"
    assert "result" in setup.broker.call("p_both", headers=BOB)
    assert setup.personal.calls[-1]["headers"]["authorization"] == "Bearer bob"
    assert "result" in call(setup, "p_ann", ANN)
    assert setup.personal.calls[-1]["headers"]["authorization"] == "Bearer ann"
    assert setup.personal.calls[-1]["name"] == "ann"
    assert not {"x-mcp-virtualserver", "cookie"} & setup.personal.calls[0]["headers"].keys()
    assert "result" in setup.broker.call("p_both")
    assert "authorization" not in setup.personal.calls[-1]["headers"]


def test_other_servers_never_get_the_users_authorization(setup: Setup) -> None:
    setup.broker.call("c_echo", headers=ANN)
    call(setup, "c_echo", ANN)

    assert {one["headers"]["authorization"] for one in setup.common.calls} == {"Bearer common"}


def test_virtual_servers_hold_for_personal_tools(setup: Setup) -> None:
    headers = {**ANN, "x-mcp-virtualserver": "ns/some"}

    assert setup.broker.tools(headers) == ["p_both"]
    assert setup.broker.call("p_ann", headers=headers)["error"]["message"] == "Unknown tool: p_ann"
    assert setup.broker.call("p_", headers=ANN)["error"]["message"] == "Unknown tool: p_"


def test_a_server_that_knows_only_users_is_there_for_them(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    raw.users = {"Bearer ann"}
    running = broker({"servers": [server("ns/own", raw.url, "p_", userSpecificList=True)]})
    running.wait_ready("ns/own")
    running.initialize()

    assert running.request("GET", "/readyz").status == 200
    assert (running.tools(ANN), running.tools(BOB), running.tools()) == (["p_echo"], [], [])
    assert "result" in running.call("p_echo", headers=ANN)
    refused = running.call("p_echo", headers=BOB)["error"]["message"]
    assert refused == "upstream ns/own: refused the authorization of the client (HTTP 401)"

    running.configure({"servers": [server("ns/own", raw.url, "p_", userSpecificList=True, credential="Bearer wrong")]})
    wait_until(lambda: running.server("ns/own")["state"] == "failed", "a credential that is refused is told")


def test_pages_hold_everything_once(setup: Setup) -> None:
    config = setup.broker.config_file.read_text()
    setup.broker.configure(config + "broker: {pageSize: 1}\n")
    wait_until(lambda: "nextCursor" in setup.broker.post(rpc("tools/list"), ANN).json["result"], "small pages")

    assert setup.broker.tools(ANN) == ["c_echo", "p_ann", "p_both"]


def test_a_personal_list_needs_a_prefix(setup: Setup) -> None:
    setup.broker.configure({"servers": [server("ns/own", setup.personal.url, userSpecificList=True)]})

    (problem,) = wait_until(lambda: setup.broker.status()["config"]["problems"], "the file is refused")
    assert problem == (
        "servers[0] (ns/own): key 'userSpecificList' has the value True: it needs a 'prefix', "
        "by which calls find the server"
    )
