# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules under faults: both transports, a namespace with all that every module needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils import _client, _wait
from integration.gateways import ALL, GATEWAYS, gateway_class
from integration.kit import ApiServer, Json, Modules

EXEC = """\
import json
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                   "status": {{"token": {token!r}}}}}))
"""
"""A credential plugin: with it the modules use the full Kubernetes client instead of their own transport."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of attempts, with shorter pauses between them."""
    monkeypatch.setattr(_client, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(_wait, "FIRST_PAUSE", 0.02)


@pytest.fixture(params=["light", "full"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(api_server: ApiServer, tmp_path: Path, transport: str) -> Callable[[], Json]:
    """The option ``kubeconfig`` for the transport, as it leads to the API server now."""

    def options() -> Json:
        if transport == "light":
            return {"kubeconfig": api_server.kubeconfig}
        plugin = tmp_path / "credentials.py"
        plugin.write_text(EXEC.format(token=api_server.token))
        config = yaml.safe_load(Path(api_server.kubeconfig).read_text())
        user = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(plugin)],
            "interactiveMode": "Never",
        }
        config["users"][0]["user"] = {"exec": user}
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return {"kubeconfig": str(path)}

    return options


class Product:
    """Runs modules through one of the transports."""

    def __init__(self, api: ApiServer, connect: Callable[[], Json]) -> None:
        self._modules = Modules(api)
        self._connect = connect

    def __call__(self, module: str, **options: Any) -> Json:
        return self._modules(module, **self._connect(), **options)

    def fails(self, module: str, **options: Any) -> str:
        return self._modules.fails(module, **self._connect(), **options)


@pytest.fixture
def product(api_server: ApiServer, connect: Callable[[], Json]) -> Product:
    return Product(api_server, connect)


@pytest.fixture
def home(api_server: ApiServer, ns: str) -> str:
    """A namespace with a Gateway and a catalog, as the modules need them."""
    gateway_class(api_server)
    spec = {
        "gatewayClassName": "istio",
        "listeners": [
            {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", "allowedRoutes": ALL}
        ],
    }
    gateway = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "theirs"}}
    api_server.apply(f"{GATEWAYS.format(ns=ns)}/theirs", {**gateway, "spec": spec})
    catalog = {"apiVersion": "operators.coreos.com/v1alpha1", "kind": "CatalogSource", "metadata": {"name": "cat"}}
    path = f"/apis/operators.coreos.com/v1alpha1/namespaces/{ns}/catalogsources/cat"
    api_server.apply(path, {**catalog, "spec": {"sourceType": "grpc"}})
    return ns


def jobs(ns: str) -> dict[str, Json]:
    """For every module that writes: options with which it makes something in ``ns``."""
    listener = {"name": "web", "port": 8081, "protocol": "HTTP", "hostname": "web.example.com"}
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": ns},
        "data": {"a": "b"},
    }
    return {
        "apply": {"definition": config},
        "gateway": {
            "name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False, "listeners": [listener],
        },
        "gateway_listener": {"gateway": "theirs", "namespace": ns, "wait": False, **listener},
        "reference_grant": {"name": "grant", "namespace": ns, "from": [{"namespace": "team-a"}], "to": [{}]},
        "olm_subscription": {"namespace": ns, "wait": False, "source": "cat", "source_namespace": ns},
        "extension": {"name": "ext", "namespace": ns, "gateway": "theirs", "listener": "mcps", "wait": False},
    }  # fmt: skip


MODULES = tuple(jobs(""))
