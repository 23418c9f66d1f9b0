# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand custom resources on the sandbox's API server, and on a real one when KUBEBUILDER_ASSETS names it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from sandbox.backends import Backend, choose
from sandbox.battery.support import CRD, Cluster, Space, until
from sandbox.down import stop_processes
from sandbox.state import Folder

from bench.results import Result

COUNT = 1000
CONNECTIONS = 4
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_APPLY = "application/apply-patch+yaml"


class Caller:
    """One connection that is kept open."""

    def __init__(self, cluster: Cluster) -> None:
        self._link = http.client.HTTPSConnection(cluster.server.removeprefix("https://"), context=cluster.tls)
        self._headers = {"Authorization": f"Bearer {cluster.token}", "Accept": "application/json"}

    def __call__(self, method: str, path: str, body: bytes | None = None, media: str = "application/json") -> bytes:
        """Send a request; the body of its answer. RuntimeError when it is refused."""
        self._link.request(method, path, body, {**self._headers, "Content-Type": media})
        answer = self._link.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} was answered by {answer.status}: {content[:500]!r}")
        return content


def measure() -> list[Result]:
    """The figures of both servers; those of the real one have ``real`` in their names."""
    found = _figures("embedded", "sandbox")
    if os.environ.get("KUBEBUILDER_ASSETS"):
        found += _figures("envtest", "sandbox.real")
    return found


def _figures(api: str, prefix: str) -> list[Result]:
    with tempfile.TemporaryDirectory() as name:
        folder = Folder(Path(name, "api"))
        folder.make()
        backend = choose(api)
        started = time.perf_counter()
        with running(backend, folder) as cluster:
            ready = time.perf_counter() - started
            created, applied = _create(cluster, "created", _post), _create(cluster, "applied", _apply)
            listed = _list_seconds(cluster) * 1000
            memory = sum(_memory(entry.process()) for entry in folder.records()) / 1e6
    note = f"{COUNT} custom resources with defaults and rules, {CONNECTIONS} connections"
    return [
        Result(f"{prefix}.ready_s", ready, "s", f"goal: < 5; {backend.title}"),
        Result(f"{prefix}.create_{COUNT}.rate", created, "1/s", f"goal: >= 400; {note}"),
        Result(f"{prefix}.apply_{COUNT}.rate", applied, "1/s", f"goal: >= 400; {note}, by server-side apply"),
        Result(f"{prefix}.list_{COUNT}_ms", listed, "ms", f"goal: < 100; median of 7, {COUNT} objects over TLS"),
        Result(f"{prefix}.memory_mb", memory, "MB", f"goal: < 200; RSS with {2 * COUNT} objects"),
    ]


@contextlib.contextmanager
def running(backend: Backend, folder: Folder) -> Iterator[Cluster]:
    """An API server that is ready, and nothing beside it; stopped at the end."""
    backend.start(folder)
    try:
        until(folder.kubeconfig.exists, "the kubeconfig is written", 60)
        cluster = Cluster.of(folder.kubeconfig, embedded=backend.cleans_up)
        until(lambda: _answers(cluster), "the API server is ready", 60)
        yield cluster
    finally:
        stop_processes(folder)


def _answers(cluster: Cluster) -> bool:
    try:
        return cluster.get("/readyz").status == 200
    except OSError:
        return False


def _create(cluster: Cluster, namespace: str, send: Callable[[Caller, Space, int], None]) -> float:
    """Objects a second."""
    space = Space(cluster, namespace)
    cluster.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}).ok()
    if cluster.get(space.widgets).status == 404:
        cluster.post(_CRDS, CRD).ok()
        until(lambda: cluster.get(space.widgets).status == 200, "widgets are served", 30)
        cluster.post(space.widgets, space.widget("first", {"size": 1})).ok()
    numbers = [range(start, COUNT, CONNECTIONS) for start in range(CONNECTIONS)]

    def work(part: range) -> None:
        call = Caller(cluster)
        for number in part:
            send(call, space, number)

    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as workers:
        list(workers.map(work, numbers))
    return COUNT / (time.perf_counter() - started)


def _widget(space: Space, number: int) -> bytes:
    ports = [{"name": "main", "port": 8000 + number}]
    return json.dumps(space.widget(f"item-{number:04}", {"size": 3, "ports": ports}, labels={"part": "bench"})).encode()


def _post(call: Caller, space: Space, number: int) -> None:
    call("POST", space.widgets, _widget(space, number))


def _apply(call: Caller, space: Space, number: int) -> None:
    path = f"{space.widgets}/item-{number:04}?fieldManager=bench&force=true"
    call("PATCH", path, _widget(space, number), _APPLY)


def _list_seconds(cluster: Cluster) -> float:
    call, taken = Caller(cluster), []
    for _ in range(7):
        started = time.perf_counter()
        content = call("GET", Space(cluster, "created").widgets)
        taken.append(time.perf_counter() - started)
    found = len(json.loads(content)["items"])
    if found < COUNT:
        raise RuntimeError(f"the list has {found} objects, and {COUNT} were created")
    return statistics.median(taken)


def _memory(process: psutil.Process | None) -> int:
    return int(process.memory_info().rss) if process else 0
