# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe and the collection's broker: every revision, the broker's servers, its OAuth metadata."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_oauth import OAuth
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe, probe_until
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import (
    SESSION_REVISIONS,
    STATELESS_REVISION,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_servers import RawServer, http_answer

PUBLIC = "https://mcp.example.com/mcp"
REVISIONS = (*SESSION_REVISIONS, STATELESS_REVISION)


@dataclass
class Broker:
    """A broker that runs with one server that works and one that does not."""

    url: str


@pytest.fixture(scope="module")
def broker(sdk_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    directory = tmp_path_factory.mktemp("broker")
    servers = [
        {"name": "mcp-test/weather", "url": sdk_url, "prefix": "weather_"},
        {"name": "mcp-test/gone", "url": "http://127.0.0.1:1/mcp", "prefix": "gone_"},
    ]
    (directory / "config.yaml").write_text(yaml.safe_dump({"servers": servers}))
    log = directory / "log"
    command = [
        sys.executable,
        "-m",
        "mcpops_broker",
        "serve",
        "--config",
        str(directory / "config.yaml"),
        "--port",
        "0",
    ]
    oauth = {"OAUTH_RESOURCE": PUBLIC, "OAUTH_AUTHORIZATION_SERVERS": "https://sso.example.com"}
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env={**os.environ, **oauth})
    try:
        url = _address(process, log)
        probe_until(Wanted(url, expect_prefixes=["weather_"]), 60)
        yield Broker(url)
    finally:
        process.terminate()
        process.wait(30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listening url=(http://\S+?/mcp)", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def test_the_broker_speaks_every_revision(broker: Broker) -> None:
    result = probe(
        Wanted(
            broker.url,
            protocol_version="auto",
            pings=3,
            expect_protocol_versions=REVISIONS,
            expect_tools=["weather_forecast"],
            call_name="weather_forecast",
            call_arguments={"city": "Brno"},
        )
    )

    assert result["protocol_versions"] == list(REVISIONS)
    assert result["protocol_version"] == STATELESS_REVISION
    assert result["call_result"]["content"][0]["text"] == "Brno: sunny"
    assert result["warnings"] == []


@pytest.mark.parametrize("version", REVISIONS)
def test_a_tool_is_called_through_the_broker_in_every_revision(broker: Broker, version: str) -> None:
    wanted = Wanted(broker.url, protocol_version=version, call_name="weather_forecast", call_arguments={"city": "Oslo"})

    result = probe(wanted)

    assert result["call_result"]["content"][0]["text"] == "Oslo: sunny"
    assert (result["protocol_version"], result["session"]) == (version, version != STATELESS_REVISION)


def test_the_broker_says_which_servers_are_ready(broker: Broker) -> None:
    result = probe(Wanted(broker.url, handshake=False, expect_status_servers=["mcp-test/weather"]))

    assert result["servers"] == {"mcp-test/weather": True, "mcp-test/gone": False}


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        (["*"], "mcp-test/gone is not ready ("),
        (["mcp-test/gone", "mcp-test/time"], "mcp-test/time is not registered; mcp-test/gone is not ready ("),
    ],
)
def test_servers_that_are_not_ready_are_named(broker: Broker, expected: list[str], said: str) -> None:
    with pytest.raises(EndpointError) as caught:
        probe(Wanted(broker.url, handshake=False, expect_status_servers=expected))

    assert said in str(caught.value)
    assert "weather" not in str(caught.value)
    assert caught.value.layer == "assert"


def test_a_broker_without_any_server(raw_server: Callable[..., RawServer]) -> None:
    server = raw_server(lambda _request: http_answer({"servers": []}))
    headers = {"Authorization": "Bearer x"}

    with pytest.raises(EndpointError, match="no server is registered"):
        probe(Wanted(server.url, handshake=False, headers=headers, expect_status_servers=["*"]))

    assert server.requests[0].startswith(b"GET /status HTTP/1.1")
    assert b"Authorization: Bearer x" in server.requests[0]


def test_an_endpoint_without_a_broker_has_no_status(sdk_url: str) -> None:
    with pytest.raises(EndpointError, match="/status: this is no status of a broker"):
        probe(Wanted(sdk_url, handshake=False, expect_status_servers=["*"]))


def test_the_brokers_oauth_metadata(broker: Broker) -> None:
    wanted: dict[str, Any] = {"handshake": False, "oauth_metadata": OAuth(resource=PUBLIC)}

    found = probe(Wanted(broker.url, **wanted))["oauth"]

    assert found["resource"] == PUBLIC
    assert found["authorization_servers"] == ["https://sso.example.com"]
    assert len(found["metadata_urls"]) == 2
