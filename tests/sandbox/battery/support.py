# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the battery's tests share: a cluster to talk to, a custom resource of their own, ways to run clients."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

GROUP = "battery.mcpops.example.com"
API_VERSION = f"{GROUP}/v1"
CRD_NAME = f"widgets.{GROUP}"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"

CRD: Object = yaml.safe_load((Path(__file__).parent / "widgets.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; ``body`` is its JSON."""

    status: int
    body: Any
    warnings: list[str]
    text: str = ""

    def ok(self) -> Object:
        """The body of an answer that must be a success."""
        assert self.status < 300, f"{self.status}: {self.body}"
        body: Object = self.body
        return body


@dataclass(frozen=True)
class Cluster:
    """The API server under test, and plain HTTP access to it."""

    kubeconfig: Path
    embedded: bool
    server: str
    token: str
    tls: ssl.SSLContext

    @classmethod
    def of(cls, kubeconfig: Path, embedded: bool) -> Cluster:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        tls = ssl.create_default_context()
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        else:
            tls.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        return cls(kubeconfig, embedded, cluster["server"], user["token"], tls)

    def open(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request and return the open answer, as for watches. Headers are given with underscores."""
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "User-Agent": "battery/1"}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.server + path, data, sent, method=method)  # noqa: S310
        return urllib.request.urlopen(request, context=self.tls, timeout=20)  # noqa: S310

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; errors of HTTP are answers like others."""
        try:
            answer = self.open(method, path, body, **headers)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
            warnings = answer.headers.get_all("Warning") or []
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return Answer(answer.status, json.loads(text) if is_json and text else None, warnings, text)

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> Answer:
        return self.request("PUT", path, body, **headers)

    def delete(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("DELETE", path, body, **headers)

    def patch(self, path: str, body: Any, kind: str = MERGE_PATCH) -> Answer:
        return self.request("PATCH", path, body, Content_Type=kind)

    def apply(self, path: str, body: Object, manager: str, query: str = "") -> Answer:
        """Server-side apply."""
        return self.patch(f"{path}?fieldManager={manager}{query}", body, APPLY_PATCH)

    def events(self, path: str) -> Iterator[Object]:
        """The events of a watch, until it ends."""
        with self.open("GET", path) as answer:
            for line in answer:
                yield json.loads(line)

    def has_controllers(self) -> bool:
        """Whether something collects garbage and finalizes namespaces: the embedded API does, envtest does not."""
        return (
            self.embedded
            or self.get("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-controller-manager").status
            == 200
        )


@contextlib.contextmanager
def embedded_server(*arguments: str, tokens: str = "") -> Iterator[Path]:
    """Start an embedded API server, with more users in a file of tokens; yields its directory and ends it."""
    with tempfile.TemporaryDirectory(prefix="battery-") as name:
        directory = Path(name)
        if tokens:
            (directory / "tokens.csv").write_text(tokens, encoding="utf-8")
        with serving(directory, *arguments):
            yield directory


@contextlib.contextmanager
def serving(directory: Path, *arguments: str, kill: bool = False) -> Iterator[Cluster]:
    """An embedded API server in a directory, ended in the end: by SIGTERM, or by SIGKILL."""
    command = [sys.executable, "-m", "sandbox.api", "--dir", str(directory), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("Kubernetes API at"), f"the API server did not start: {line!r}"
            yield Cluster.of(directory / "kubeconfig", embedded=True)
        finally:
            process.kill() if kill else process.terminate()
            assert process.wait(timeout=10) == (-9 if kill else 0), "the API server did not end cleanly"


def until(check: Callable[[], Any], what: str, seconds: float = 15) -> Any:
    """Wait until a check returns something true, and return that."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Space:
    """A namespace for a test module, and the paths in it."""

    cluster: Cluster
    name: str

    @property
    def widgets(self) -> str:
        return f"/apis/{API_VERSION}/namespaces/{self.name}/widgets"

    def core(self, plural: str) -> str:
        return f"/api/v1/namespaces/{self.name}/{plural}"

    def apps(self, plural: str) -> str:
        return f"/apis/apps/v1/namespaces/{self.name}/{plural}"

    def widget(self, name: str, spec: Any, **metadata: Any) -> Object:
        """A Widget to send."""
        return {
            "apiVersion": API_VERSION,
            "kind": "Widget",
            "metadata": {"name": name, "namespace": self.name, **metadata},
            "spec": spec,
        }

    def config_map(self, name: str, data: Object, **metadata: Any) -> Object:
        """A ConfigMap to send."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": self.name, **metadata},
            "data": data,
        }

    def deployment(self, name: str, **spec: Any) -> Object:
        """A Deployment to send."""
        labels = {"app": name}
        container = {"name": "main", "image": "example.com/image:1", "ports": [{"containerPort": 80}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.name},
            "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
        }


def run(*command: str | Path, stdin: str | None = None, codes: tuple[int, ...] = (0,), **environment: str) -> str:
    """Run a program; returns what it printed. Fails when it ends with another code."""
    result = subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )
    printed = result.stdout + result.stderr
    assert result.returncode in codes, f"{command} ended with {result.returncode}:\n{printed}"
    return printed


def program(name: str) -> Path:
    """A program of the virtual environment that the tests run in."""
    return Path(sys.executable).parent / name
