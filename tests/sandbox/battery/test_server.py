# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded server as a program: files, ports, tokens, the audit log, a short history, a clean end."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sandbox.battery.support import Cluster, Space, embedded_server


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A server with little history and one more user."""
    with embedded_server("--history", "20", tokens='guest-token,guest,7,"visitors"\n') as found:
        yield found


@pytest.fixture(scope="module")
def server(directory: Path) -> Cluster:
    return Cluster.of(directory / "kubeconfig", embedded=True)


@pytest.fixture(scope="module")
def default(server: Cluster) -> Space:
    return Space(server, "default")


def test_files_are_private(directory: Path) -> None:
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for name in ("kubeconfig", "controllers.kubeconfig", "ca.crt", "tls.key", "tokens.csv", "audit.jsonl"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600, name


def test_each_kubeconfig_is_a_user_of_its_own(directory: Path) -> None:
    for name, user in (("kubeconfig", "sandbox-admin"), ("controllers.kubeconfig", "sandbox-controllers")):
        cluster = Cluster.of(directory / name, embedded=True)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = cluster.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review).ok()
        assert answer["status"]["userInfo"]["username"] == user


def test_health_needs_no_token(server: Cluster) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        answer = server.get(path, Authorization="")
        assert (answer.status, answer.text) == (200, "ok")


def test_other_users_may_not_do_everything(server: Cluster) -> None:
    answer = server.get("/api/v1/namespaces/default/secrets", Authorization="Bearer guest-token")
    assert (answer.status, answer.body["reason"]) == (403, "Forbidden")
    assert answer.body["message"] == (
        'secrets is forbidden: User "guest" cannot list resource "secrets" in API group "" in the namespace "default"'
    )
    assert server.get("/version", Authorization="Bearer guest-token").status == 200


def test_service_accounts_get_tokens(server: Cluster, default: Space) -> None:
    """The token controller of a cluster fills Secrets of this type; envtest has none."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}}
    server.post(default.core("serviceaccounts"), account).ok()
    annotations = {"kubernetes.io/service-account.name": "robot"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token"}
    body = {**secret, "metadata": {"name": "robot-token", "annotations": annotations}}
    server.post(default.core("secrets"), body).ok()
    data = server.get(f"{default.core('secrets')}/robot-token").ok()["data"]
    assert sorted(data) == ["ca.crt", "namespace", "token"]
    bearer = f"Bearer {base64.b64decode(data['token']).decode()}"
    refused = server.get(default.core("pods"), Authorization=bearer)
    assert 'User "system:serviceaccount:default:robot" cannot list resource "pods"' in refused.body["message"]
    server.delete(f"{default.core('serviceaccounts')}/robot").ok()
    assert server.get(f"{default.core('secrets')}/robot-token").status == 404
    assert server.get("/version", Authorization=bearer).status == 401


def test_start_up_namespaces(server: Cluster) -> None:
    found = server.get("/api/v1/namespaces").ok()["items"]
    names = [item["metadata"]["name"] for item in found]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]


def test_every_request_is_audited(server: Cluster, directory: Path, default: Space) -> None:
    path = default.core("configmaps")
    server.post(f"{path}?dryRun=All", default.config_map("audited", {})).ok()
    server.get(f"{path}/missing")
    lines = [json.loads(line) for line in (directory / "audit.jsonl").read_text(encoding="utf-8").splitlines()]
    create, get = lines[-2:]
    assert (create["verb"], create["responseStatus"]["code"]) == ("create", 201)
    assert create["user"]["username"] == "sandbox-admin"
    assert create["userAgent"] == "battery/1"
    assert create["objectRef"] == {"resource": "configmaps", "namespace": "default", "apiVersion": "v1"}
    assert create["requestURI"] == f"{path}?dryRun=All"
    assert (create["kind"], create["stage"], create["level"]) == ("Event", "ResponseComplete", "Metadata")
    assert (get["verb"], get["objectRef"]["name"], get["responseStatus"]["code"]) == ("get", "missing", 404)


def test_history_is_bounded(default: Space) -> None:
    cluster, path = default.cluster, default.core("configmaps")
    page = cluster.get("/api/v1/namespaces?limit=1").ok()["metadata"]
    start = page["resourceVersion"]
    cluster.post(path, default.config_map("busy", {})).ok()
    for number in range(25):
        cluster.patch(f"{path}/busy", {"data": {"n": str(number)}}).ok()
    events = list(cluster.events(f"{path}?watch=true&timeoutSeconds=2&resourceVersion={start}"))
    assert [event["type"] for event in events] == ["ERROR"]
    assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")
    assert events[0]["object"]["message"].startswith(f"too old resource version: {start} (")
    answer = cluster.get(f"/api/v1/namespaces?limit=1&continue={page['continue']}")
    assert (answer.status, answer.body["reason"]) == (410, "Expired")
    assert "The provided continue parameter is too old" in answer.body["message"]
    assert cluster.get(f"/api/v1/namespaces?continue={answer.body['metadata']['continue']}").status == 200


def test_bodies_are_limited(default: Space) -> None:
    body = default.config_map("large", {"a": "x" * (4 * 1024 * 1024)})
    assert default.cluster.post(default.core("configmaps"), body).status == 413


def test_it_is_small(directory: Path) -> None:
    process = next(
        process for process in psutil.process_iter(["cmdline"]) if str(directory) in (process.info["cmdline"] or [])
    )
    assert process.memory_info().rss < 70 * 1024 * 1024
