# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image table: what a container becomes on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from sandbox.controllers import images
from sandbox.controllers.gateway_world import Json

OPERATOR_COMMAND = [
    "./mcp_gateway",
    "--mcp-broker-public-address=0.0.0.0:8080",
    "--mcp-gateway-private-host=gw-openshift-default.infra.svc.cluster.local:8080",
    "--mcp-gateway-config=/config/config.yaml",
    "--mcp-check-interval=60",
    "--mcp-gateway-public-host=localhost",
]


def container(image: str, *command: str, port: int | None = 9090) -> Json:
    ports = [{"containerPort": port}] if port else []
    return {"name": "c", "image": image, "command": list(command), "ports": ports}


def program(one: Json, place: images.Place) -> images.Program:
    image = images.find(one["image"])
    assert image is not None
    assert image.program is not None
    return image.program(one, place)


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/kuadrant/mcp-gateway:v0.9.0",
        "registry.redhat.io/rhcl-1/mcp-gateway-rhel9@sha256:" + "0" * 64,
        "localhost:5000/x/mcp-gateway",
        "mcp-gateway:latest",
    ],
)
def test_operators_broker_becomes_our_broker(image: str, tmp_path: Path) -> None:
    one = container(image, *OPERATOR_COMMAND)
    found = images.find(image)
    assert found is not None
    assert found.port(one) == 8080
    command = list(program(one, images.Place({8080: 4000}, {"/config": tmp_path})).command)
    assert command[:4] == [sys.executable, "-m", "mcpops_broker", "serve"]
    assert command[command.index("--config") + 1] == str(tmp_path / "config.yaml")
    assert command[command.index("--port") + 1] == "4000"
    assert command[command.index("--public-host") + 1] == "localhost"
    assert "--log-level" not in command


def test_the_brokers_own_image_keeps_its_arguments(tmp_path: Path) -> None:
    one = container("registry.example.com/mcp/mcpops-broker:0.1.0", port=8080)
    one["args"] = ["serve", "--config", "/config/config.yaml", "--host", "0.0.0.0", "--port", "8080", "--workers", "2"]

    command = list(program(one, images.Place({8080: 4000}, {"/config": tmp_path})).command)

    assert command[1:] == [
        "-m", "mcpops_broker", "serve", "--config", f"{tmp_path}/config.yaml", "--host", "127.0.0.1", "--port", "4000",
        "--workers", "2", "--allowed-host", "*",
    ]  # fmt: skip


def test_operators_controller_is_only_pretended() -> None:
    found = images.find("ghcr.io/kuadrant/mcp-controller:v0.9.0")
    assert found is not None
    assert found.program is None
    assert found.port({}) is None


def test_demo_servers() -> None:
    place = images.Place({9090: 4000})
    weather = program(container("sandbox.mcpops.io/weather:1"), place).command
    assert list(weather[-3:]) == ["sandbox.servers.weather", "--port", "4000"]
    time = program(container("sandbox.mcpops.io/mcp-server-time:1"), place).command
    assert "mcp_server_time.server:create_server" in time


def test_any_local_program(tmp_path: Path) -> None:
    one = container("sandbox.mcpops.io/local", "/bin/server", "--config=x", "/data/a.txt")
    found = program(one, images.Place({9090: 4000}, {"/data": tmp_path}))
    assert list(found.command) == ["/bin/server", "--config=x", str(tmp_path / "a.txt")]
    assert found.env == {"PORT": "4000"}


@pytest.mark.parametrize("image", ["nginx", "docker.io/library/redis:7", "example.org/mcp-gateway-ui:1", "weather:1"])
def test_unknown_images(image: str) -> None:
    assert images.find(image) is None


def test_the_longest_mount_wins(tmp_path: Path) -> None:
    place = images.Place({}, {"/a": tmp_path / "short", "/a/b": tmp_path / "long"})
    assert place.on_host("/a/b/c") == str(tmp_path / "long" / "c")
    assert place.on_host("/a/bc") == str(tmp_path / "short" / "bc")
    assert place.on_host("/elsewhere") == "/elsewhere"
