# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three kinds of API server: the embedded one, envtest's, and a cluster of your own."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Any, Protocol

import yaml
from sandbox import processes
from sandbox.api.kubeconfig import kubeconfig
from sandbox.controllers.ports import free_port
from sandbox.state import Folder, SandboxError

READY_SECONDS = 60.0
"""How long an API server may take; the embedded one needs about a second, envtest's three."""

FAULTS = "sandbox.faults.rules:middleware"
"""What sees every request of the embedded server first."""

ADMIN, CONTROLLERS = "sandbox-admin", "sandbox-controllers"


class Backend(Protocol):
    """One kind of API server. ``cleans_up`` says whether it empties namespaces and collects orphans itself."""

    title: str
    cleans_up: bool
    ours: bool

    def start(self, folder: Folder, *, tied: bool = False) -> None:
        """Starts what has to be started; `Folder.controllers_kubeconfig` exists when it may be talked to.

        ``tied``: it ends with this process, however that ends.
        """

    def complaint(self, folder: Folder) -> str | None:
        """Why it will never become ready, or None while there is hope."""


def choose(name: str) -> Backend:
    """The backend of a name in `sandbox.state.APIS`; raises `SandboxError` when its requirements are not met."""
    kinds: dict[str, type[Backend]] = {"embedded": Embedded, "envtest": Envtest, "kubeconfig": Kubeconfig}
    return kinds[name]()


class Embedded:
    """The sandbox's own API server (`sandbox.api`)."""

    title = "embedded API server"
    cleans_up = True
    ours = True

    def start(self, folder: Folder, *, tied: bool = False) -> None:
        command = processes.python(
            "sandbox.api",
            "--dir",
            str(folder.path),
            "--state",
            str(folder.path / "objects.log"),
            "--middleware",
            FAULTS,
        )
        log = folder.logs / "api.log"
        processes.start_detached(folder.processes, "api", command, log, processes.environment(), tied=tied)

    def complaint(self, folder: Folder) -> str | None:
        return _ended(folder, "api")


class Envtest:
    """A real etcd and kube-apiserver, as the envtest of controller-runtime lays them out."""

    title = "kube-apiserver and etcd"
    cleans_up = False
    ours = True

    def __init__(self) -> None:
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        if not assets:
            raise SandboxError(
                "--api envtest needs KUBEBUILDER_ASSETS: set it to the folder with etcd and kube-apiserver"
            )
        self._assets = Path(assets).absolute()
        for name in ("etcd", "kube-apiserver"):
            if not os.access(self._assets / name, os.X_OK):
                raise SandboxError(f"KUBEBUILDER_ASSETS={assets} has no program {name}: set it to envtest's folder")
        self._server = ""

    def start(self, folder: Folder, *, tied: bool = False) -> None:
        keys = folder.path / "pki"
        keys.mkdir(mode=0o700, exist_ok=True)
        _write_keys(keys)
        admin, controllers = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        masters = '"system:masters"'
        lines = [f"{token},{user},{user},{masters}" for token, user in ((admin, ADMIN), (controllers, CONTROLLERS))]
        processes.write_private(keys / "tokens.csv", "\n".join(lines) + "\n")
        processes.write_private(keys / "audit.yaml", AUDIT_POLICY)
        client, peer, secure = free_port(), free_port(), free_port()
        self._server = f"https://127.0.0.1:{secure}"
        env = dict(os.environ)
        for name, command in (
            ("api-etcd", self._etcd(folder, client, peer)),
            ("api", self._apiserver(folder, client, secure)),
        ):
            processes.start_detached(folder.processes, name, command, folder.logs / f"{name}.log", env, tied=tied)
        authority = (keys / "ca.crt").read_bytes()
        processes.write_private(folder.ca, authority.decode())
        for path, user, token in (
            (folder.kubeconfig, ADMIN, admin),
            (folder.controllers_kubeconfig, CONTROLLERS, controllers),
        ):
            processes.write_private(path, kubeconfig(self._server, authority, user, token))

    def _etcd(self, folder: Folder, client: int, peer: int) -> list[str]:
        here, there = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        return [
            str(self._assets / "etcd"),
            "--name=sandbox",
            f"--data-dir={folder.path / 'etcd'}",
            f"--listen-client-urls={here}",
            f"--advertise-client-urls={here}",
            f"--listen-peer-urls={there}",
            f"--initial-advertise-peer-urls={there}",
            f"--initial-cluster=sandbox={there}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver(self, folder: Folder, client: int, secure: int) -> list[str]:
        keys = folder.path / "pki"
        return [
            str(self._assets / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={secure}",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={keys / 'tls.crt'}",
            f"--tls-private-key-file={keys / 'tls.key'}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={keys / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys / 'sa.key'}",
            f"--service-account-signing-key-file={keys / 'sa.key'}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={keys / 'audit.yaml'}",
            f"--audit-log-path={folder.audit}",
            "--audit-log-mode=blocking",
        ]

    def complaint(self, folder: Folder) -> str | None:
        return _ended(folder, "api-etcd") or _ended(folder, "api")


AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
"""


class Kubeconfig:
    """A cluster of the user's: nothing is started, and what is not the sandbox's stays untouched."""

    title = "the cluster in KUBECONFIG"
    cleans_up = False
    ours = False

    def __init__(self) -> None:
        given = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
        self._source = Path(given.split(os.pathsep)[0])
        if not self._source.is_file():
            raise SandboxError(
                f"--api kubeconfig: there is no {self._source}: set KUBECONFIG to your cluster's kubeconfig"
            )

    def start(self, folder: Folder, *, tied: bool = False) -> None:
        """Copies the current context, with the files that it refers to, into the state directory."""
        try:
            config = yaml.safe_load(self._source.read_text(encoding="utf-8")) or {}
            text = yaml.safe_dump(_flat(config, self._source.absolute().parent), sort_keys=False)
        except (OSError, ValueError, KeyError, yaml.YAMLError) as error:
            raise SandboxError(f"{self._source} is not a usable kubeconfig: {error}") from error
        processes.write_private(folder.kubeconfig, text)
        processes.write_private(folder.controllers_kubeconfig, text)

    def complaint(self, folder: Folder) -> str | None:
        return None


def _flat(config: dict[str, Any], base: Path) -> dict[str, Any]:
    """A kubeconfig of only the current context, its files read in."""
    current = config.get("current-context")
    chosen = _entry(config, "contexts", current)
    cluster = _entry(config, "clusters", chosen["context"]["cluster"])
    user = _entry(config, "users", chosen["context"].get("user"))
    for holder in (cluster["cluster"], user["user"]):
        for key in ("certificate-authority", "client-certificate", "client-key"):
            if holder.get(key):
                holder[f"{key}-data"] = base64.b64encode((base / holder.pop(key)).read_bytes()).decode()
        if holder.get("tokenFile"):
            holder["token"] = (base / holder.pop("tokenFile")).read_text(encoding="utf-8").strip()
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [cluster],
        "users": [user],
        "contexts": [chosen],
        "current-context": current,
    }


def _entry(config: dict[str, Any], section: str, name: str | None) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return dict(entry)
    raise ValueError(f"{section} has no entry named {name!r}")


def _ended(folder: Folder, name: str) -> str | None:
    """What a service wrote last, if it has ended."""
    entry = next((entry for entry in folder.records() if entry.name == name), None)
    if entry is None or entry.process():
        return None
    said = processes.log_tail(Path(entry.log))
    return f"{name} ended at once ({said or 'it said nothing'}); its log is {entry.log}"


def _write_keys(folder: Path) -> None:
    """The certificates of the API server, and the key that signs service account tokens."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (only envtest needs it here)
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from sandbox.api.certificates import write_certificates  # noqa: PLC0415

    write_certificates(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    text = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, plain).decode()
    processes.write_private(folder / "sa.key", text)
