# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The battery runs against the embedded API server that it starts itself, or, unchanged, against the cluster in
``SANDBOX_BATTERY_KUBECONFIG`` (a kubeconfig with a token that may do everything)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox.battery.support import CRD, CRD_NAME, Cluster, Space, embedded_server, until

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The API server under test, with the battery's custom resource served."""
    named = os.environ.get("SANDBOX_BATTERY_KUBECONFIG")
    if named:
        found = Cluster.of(Path(named), embedded=False)
        yield from _with_widgets(found)
        return
    with embedded_server() as directory:
        yield from _with_widgets(Cluster.of(directory / "kubeconfig", embedded=True))


def _with_widgets(found: Cluster) -> Iterator[Cluster]:
    path = f"{CRDS}/{CRD_NAME}"
    found.delete(path)
    until(lambda: found.get(path).status == 404, "an old definition goes away")
    found.post(CRDS, CRD).ok()
    until(lambda: found.get(f"/apis/{CRD['spec']['group']}/v1/widgets").status == 200, "widgets are served", 30)
    yield found
    found.delete(path)


@pytest.fixture(scope="module")
def space(cluster: Cluster) -> Iterator[Space]:
    """A namespace of the test module's own."""
    name = f"battery-{secrets.token_hex(3)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    cluster.post("/api/v1/namespaces", body).ok()
    yield Space(cluster, name)
    cluster.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def controllers(cluster: Cluster) -> None:
    """For tests of what controllers do: a bare kube-apiserver has none, and differs for that reason."""
    if not cluster.has_controllers():
        pytest.skip("this cluster runs no controller-manager, so nothing collects garbage or finalizes namespaces")
