# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests of modules."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from integration.extensions import EXTENSIONS, LISTENERS, grant, options
from integration.gateways import GATEWAYS
from integration.kit import ApiServer, Json


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> Iterator[str]:
    """A Gateway in a namespace of its own that trusts extensions of ``ns``; the name of that namespace."""
    home = api_server.namespace(f"g-{uuid.uuid4().hex[:8]}")
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    spec = {"gatewayClassName": "istio", "listeners": list(LISTENERS)}
    api_server.apply(f"{GATEWAYS.format(ns=home)}/gw", {**kind, "metadata": {"name": "gw"}, "spec": spec})
    grant(api_server, home, ns)
    yield home
    listed = api_server.get("/apis/mcp.kuadrant.io/v1/mcpgatewayextensions") or {"items": []}
    for item in listed["items"]:
        metadata = item["metadata"]
        api_server.delete(f"{EXTENSIONS.format(ns=metadata['namespace'])}/{metadata['name']}")


@pytest.fixture
def wanted(ns: str, place: str) -> Json:
    """Options of an extension that the operator would accept."""
    return options(ns, place)
