# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server for tests, an administrator that owes nothing to the collection, and modules run as by Ansible."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as warning_store
from sandbox import backends, down
from sandbox.catalog.crds import operator_crds
from sandbox.crds import load
from sandbox.state import Folder

Json = dict[str, Any]

API = os.environ.get("SANDBOX_API", "embedded")
READY_SECONDS = 60.0
WRITES = {"create", "update", "patch", "delete", "deletecollection"}
MODULE_AGENT = "mcpops.gateway"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class RefusedError(Exception):
    """The API server refused a request of the administrator."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class ApiServer:
    """A running API server with the CRDs of Gateway API, OLM, Istio and the operator, and no controllers."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path)
        self.folder.make()
        self.backend = backends.choose(API)
        self.backend.start(self.folder, tied=True)
        self._until(self.folder.controllers_kubeconfig.exists)
        config = yaml.safe_load(self.folder.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self.token: str = config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        self._until(self._ready)

    @classmethod
    @contextlib.contextmanager
    def running(cls, path: Path, operator: str = "0.9.0") -> Iterator[Self]:
        """An API server in a new folder, with the CRDs of that version of the operator (empty: with none)."""
        server = cls(path)
        try:
            if operator:
                server.install(operator)
            yield server
        finally:
            server.stop()

    @property
    def kubeconfig(self) -> str:
        return str(self.folder.kubeconfig)

    def install(self, operator: str = "0.9.0") -> None:
        """The CRDs of everything; each is served when this returns."""
        self.install_crds([*load(), *operator_crds(operator)])

    def install_crds(self, crds: list[Json]) -> None:
        for crd in crds:
            self.apply(f"{CRDS}/{crd['metadata']['name']}", crd)
        for crd in crds:
            spec = crd["spec"]
            served = next(version["name"] for version in spec["versions"] if version.get("served"))
            address = f"/apis/{spec['group']}/{served}/{spec['names']['plural']}"
            self._until(lambda address=address: self.get(address) is not None)  # type: ignore[misc]

    def stop(self) -> None:
        down.stop_processes(self.folder)

    # ---- the administrator

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Json:
        request = urllib.request.Request(self.server + path, method=method)  # noqa: S310 - loopback
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("User-Agent", "mcpops-test")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            raise RefusedError(error.code, error.read().decode()) from error

    def get(self, path: str) -> Json | None:
        try:
            return self.request("GET", path)
        except RefusedError as refused:
            if refused.code in {404, 429}:  # 429: the storage of a new kind is being prepared
                return None
            raise

    def apply(self, path: str, manifest: Json, manager: str = "mcpops-test", *, force: bool = True) -> Json:
        address = f"{path}?fieldManager={manager}&force={'true' if force else 'false'}"
        return self.request("PATCH", address, manifest, "application/apply-patch+yaml")

    def merge(self, path: str, change: Json, manager: str = "mcpops-test") -> Json:
        return self.request("PATCH", f"{path}?fieldManager={manager}", change, "application/merge-patch+json")

    def status(self, path: str, status: Json) -> Json:
        """What a controller reports."""
        return self.request(
            "PATCH", f"{path}/status?fieldManager=controller", {"status": status}, "application/merge-patch+json"
        )

    def delete(self, path: str) -> None:
        with contextlib.suppress(RefusedError):
            self.request("DELETE", path)

    def namespace(self, name: str, **labels: str) -> str:
        self.apply(
            f"/api/v1/namespaces/{name}",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}},
        )
        return name

    # ---- what was asked of it

    def audit(self) -> list[Json]:
        text = self.folder.audit.read_text() if self.folder.audit.exists() else ""
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[str]]:
        """Collects the module's requests made inside the block, as ``verb uri``; dry runs are marked with ``dry``.

        A watch from before is written down when it ends, which may be now.
        """
        began = datetime.now(UTC)
        seen: list[str] = []
        yield seen
        for event in self.audit():
            ours = event.get("stage", "ResponseComplete") == "ResponseComplete" and event["userAgent"] == MODULE_AGENT
            if ours and datetime.fromisoformat(event["requestReceivedTimestamp"]) >= began:
                dry = "dry " if "dryRun=All" in event["requestURI"] else ""
                seen.append(f"{dry}{event['verb']} {event['requestURI']}")

    def _ready(self) -> bool:
        try:
            request = urllib.request.Request(self.server + "/readyz")  # noqa: S310 - loopback
            request.add_header("Authorization", f"Bearer {self.token}")
            with urllib.request.urlopen(request, context=self._context, timeout=5) as answer:  # noqa: S310
                return int(answer.status) == 200
        except OSError:
            return False

    def _until(self, true: Callable[[], bool]) -> None:
        def there() -> bool:
            complaint = self.backend.complaint(self.folder)
            assert complaint is None, complaint
            return true()

        until(there, lambda: "the API server is not ready")


def until(true: Callable[[], bool], complaint: Callable[[], str], seconds: float = READY_SECONDS) -> None:
    """Look again and again until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)


def writes(requests: list[str]) -> list[str]:
    """Of collected requests, those that could change something."""
    return [request for request in requests if request.split(" ", 1)[0] in WRITES]


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Runs a controller's part beside the block; its failure fails the test."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive(), "the controller's part of the test did not end"
    if failures:
        raise failures[0]


class Modules:
    """Runs modules in this process, through their ``main`` and Ansible's own argument handling."""

    def __init__(self, api: ApiServer) -> None:
        self._auth = {"kubeconfig": api.kubeconfig}

    def __call__(self, module: str, *, check: bool = False, diff: bool = False, **options: Any) -> Json:
        """The result of a successful run."""
        result = self.run(module, check=check, diff=diff, **options)
        assert not result.get("failed"), result["msg"]
        return result

    def fails(self, module: str, *, check: bool = False, **options: Any) -> str:
        """The message of a run that has to fail; it is one sentence without raw API text."""
        result = self.run(module, check=check, **options)
        assert result.get("failed"), result
        message = str(result["msg"])
        for raw in ("Traceback", '"kind": "Status"', "{'", "HTTPError"):
            assert raw not in message, message
        assert message.endswith((".", "?")), message
        return message

    def run(self, module: str, *, check: bool = False, diff: bool = False, **options: Any) -> Json:
        """The result, whatever it is."""
        return self.without_cluster(module, check=check, diff=diff, **{**self._auth, **options})

    @staticmethod
    def without_cluster(module: str, *, check: bool = False, diff: bool = False, **options: Any) -> Json:
        """The result of a module that needs no API server, whatever it is."""
        arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        warning_store._global_warnings.clear()
        name = f"ansible_collections.mcpops.gateway.plugins.modules.{module}"
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            importlib.import_module(name).main()
        return dict(json.loads(output.getvalue()))


def warnings_of(result: Json) -> list[str]:
    """The texts of a result's warnings, in the form of any ansible-core."""
    return [one if isinstance(one, str) else one["event"]["msg"] for one in result.get("warnings", [])]
