# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images that the sandbox knows: what a container of each becomes on this machine.

An image is recognised by its repository, whatever its registry, tag or digest. What is not in the table
behaves like an image that cannot be pulled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sandbox.controllers.operator_start import WATCHED
from sandbox.faults import switches
from sandbox.processes import python

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container runs: its local ports by container port, and host folders by mount path."""

    ports: Mapping[int, int]
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def on_host(self, path: str) -> str:
        """A path inside the container as a path of this machine; one outside every mount stays as it is."""
        inside = PurePosixPath(path)
        for mount in sorted(self.mounts, key=len, reverse=True):
            if inside.is_relative_to(mount):
                return str(self.mounts[mount] / inside.relative_to(mount))
        return path


@dataclass(frozen=True, slots=True)
class Program:
    """A local program: its command line and additional environment."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """What the sandbox does for an image.

    ``port`` gives the container port that the program serves (None: the container serves nothing);
    ``program`` the local program, or None for a container that is only pretended, because a controller
    of the sandbox does its work; such a container crashes while one of the CRDs that it ``needs`` is missing.
    """

    port: Callable[[Json], int | None]
    program: Callable[[Json, Place], Program] | None
    needs: Sequence[str] = ()


def find(image: str) -> Image | None:
    """The table's entry for a container image reference, or None."""
    repository = re.sub(r"@.*$", "", image)
    repository = re.sub(r":[^/]*$", "", repository)
    for pattern, entry in _TABLE:
        if re.fullmatch(pattern, repository):
            return CRASHING if entry.program is None and switches.on("operator-crash-looping") else entry
    return None


def is_broker(image: str) -> bool:
    """Whether an image runs our broker here: its own, or the operator's."""
    entry = find(image)
    return entry is not None and entry.program in (_broker, _own_broker)


def _arguments(container: Json) -> list[str]:
    return [*(container.get("command") or []), *(container.get("args") or [])]


def _flag(container: Json, name: str) -> str | None:
    """The value of ``--name=value`` (or ``--name value``) on the container's command line."""
    arguments = _arguments(container)
    for position, argument in enumerate(arguments):
        if argument.startswith(f"--{name}="):
            return argument.partition("=")[2]
        if argument == f"--{name}" and position + 1 < len(arguments):
            return arguments[position + 1]
    return None


def _first_port(container: Json) -> int | None:
    """The first declared container port."""
    for port in container.get("ports") or []:
        return int(port["containerPort"])
    return None


def _serves_nothing(_: Json) -> int | None:
    return None


def _broker_port(container: Json) -> int | None:
    """The operator's broker listens where --mcp-broker-public-address says; the default is its own."""
    address = _flag(container, "mcp-broker-public-address") or "0.0.0.0:8080"
    return int(address.rpartition(":")[2])


def _broker(container: Json, place: Place) -> Program:
    """The operator's broker-router: our broker, with the flags that it understands."""
    config = _flag(container, "mcp-gateway-config") or "/config/config.yaml"
    port = place.ports[_broker_port(container) or 0]
    command = [*python("mcpops_broker", "serve"), "--config", place.on_host(config)]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--allowed-origin", "*", "--allowed-host", "*"]  # the operator's own looks at no Origin and no Host
    for flag, ours in (("mcp-gateway-public-host", "--public-host"), ("log-level", "--log-level")):
        if value := _flag(container, flag):
            command += [ours, value]
    return Program(command)


def _own_broker(container: Json, place: Place) -> Program:
    """Our broker's image: its own command line, with the paths and the port of this machine."""
    words = [place.on_host(word) for word in _arguments(container)]
    inside = {"--host": "127.0.0.1"}
    if port := _first_port(container):
        inside["--port"] = str(place.ports[port])
    for position, word in enumerate(words[:-1]):
        if word in inside:
            words[position + 1] = inside[word]
    open_to_all = ["--allowed-host", "*"]  # in its Pod it does not listen for programs of the same machine only
    return Program([*python("mcpops_broker"), *words, *open_to_all])


def _server(module: str, *arguments: str) -> Callable[[Json, Place], Program]:
    """One of the demo MCP servers (``sandbox.servers``)."""

    def program(container: Json, place: Place) -> Program:
        port = place.ports[_first_port(container) or 0]
        return Program([*python(f"sandbox.servers.{module}"), *arguments, "--port", str(port)])

    return program


def _local(container: Json, place: Place) -> Program:
    """Any program of this machine: the container's own command line; ``$PORT`` is where it is to listen."""
    port = _first_port(container)
    env = {} if port is None else {"PORT": str(place.ports[port])}
    return Program([place.on_host(argument) for argument in _arguments(container)], env)


def _crash(_: Json, __: Place) -> Program:
    """A program that ends at once, as one does that lacks something it needs."""
    return Program(["/bin/sh", "-c", "echo 'panic: this image always fails' >&2; exit 1"])


def _health_port(_: Json) -> int:
    """Where the manager of an operator answers probes: without an answer, its pod is never ready."""
    return 8081


CRASHING = Image(_health_port, _crash)
"""An operator under the fault operator-crash-looping."""

_TIME = ("--server", "mcp_server_time.server:create_server", "--argument", "UTC")

_TABLE: Sequence[tuple[str, Image]] = (
    # Upstream ghcr.io/kuadrant/mcp-gateway and the product's builds of it (…/mcp-gateway-rhel9).
    (r"(.*/)?mcp-gateway(-rhel\d+)?", Image(_broker_port, _broker)),
    # The operator's controller: the sandbox's MCP operator does its work.
    (
        r"(.*/)?mcp-(gateway-)?controller(-rhel\d+)?",
        Image(_serves_nothing, None, [resource.crd_name for resource in WATCHED]),
    ),
    # Built of broker/Containerfile.
    (r"(.*/)?mcpops-broker", Image(_first_port, _own_broker)),
    (r"sandbox\.mcpops\.io/weather", Image(_first_port, _server("weather"))),
    (r"sandbox\.mcpops\.io/mcp-server-time", Image(_first_port, _server("bridge", *_TIME))),
    (r"sandbox\.mcpops\.io/local", Image(_first_port, _local)),
    (r"sandbox\.mcpops\.io/crash", Image(_serves_nothing, _crash)),
)
