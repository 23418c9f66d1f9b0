# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: what a broker says of its servers, which 0.6.0 asks before a registration is Ready.

Source: Kuadrant/mcp-gateway, internal/controller/server_validator.go at v0.6.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from sandbox.client import Object
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.controllers.operator_objects import HTTP_PORT
from sandbox.controllers.operator_release import BROKER

STATUS_SECONDS = 10.0


class BrokerError(Exception):
    """The broker did not say anything useful; the text is what the operator writes into the condition."""


async def broker_status(namespace: str, service: Object | None, pods: list[Object]) -> list[Mapping[str, Any]]:
    """The servers on the status page of a namespace's broker. Raises BrokerError.

    The broker's pod is a process of this machine: its annotation says where its port is. What is told when there is
    none is what a client in a cluster sees, without a Service and with one that has no endpoint.
    """
    host = f"{BROKER}.{namespace}.svc.cluster.local"
    failed = f'Validation failed: failed to send request: Get "http://{host}:{HTTP_PORT}/status": '
    port = next((found for pod in pods if (found := _local_port(pod))), None)
    if service is None:
        raise BrokerError(f"{failed}dial tcp: lookup {host}: no such host")
    if port is None:
        address = service["spec"].get("clusterIP")
        raise BrokerError(f"{failed}dial tcp {address}:{HTTP_PORT}: connect: connection refused")
    timeout = aiohttp.ClientTimeout(total=STATUS_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"http://127.0.0.1:{port}/status") as answer,
        ):
            status, text = answer.status, await answer.text()
    except TimeoutError as error:
        raise BrokerError(f"{failed}context deadline exceeded") from error
    except aiohttp.ClientError as error:
        raise BrokerError(f"{failed}{error}") from error
    if status != HTTPStatus.OK:
        raise BrokerError(f"Validation failed: received status {status}")
    try:
        return list(json.loads(text).get("servers") or [])
    except (ValueError, AttributeError) as error:
        raise BrokerError(f"Validation failed: failed to decode response: {error}") from error


def _local_port(pod: Object) -> int | None:
    """Where the sandbox's runner made the pod's HTTP port reachable on this machine."""
    ports = json.loads((pod["metadata"].get("annotations") or {}).get(PORTS_ANNOTATION, "{}"))
    found = ports.get(str(HTTP_PORT))
    return int(found) if found else None
