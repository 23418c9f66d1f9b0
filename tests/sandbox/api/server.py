# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server: everything put together, a port, TLS, kubeconfigs, and a clean end."""

from __future__ import annotations

import asyncio
import secrets
import signal
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import builtins
from .application import Application
from .audit import AuditLog
from .authentication import Authenticator, User, read_token_file
from .authorization import MASTERS, Authorizer
from .bootstrap import furnish
from .customresources import DefinitionController
from .http import Middleware
from .identities import AccountTokens, RoleAggregator
from .journal import Journal
from .kubeconfig import kubeconfig, write_private
from .lifecycle import Lifecycle
from .listener import Listener
from .openapi import OpenApi
from .rbac import Policy
from .registry import Registry
from .resources import Catalog
from .store import Store

ADMIN = "sandbox-admin"
CONTROLLERS = "sandbox-controllers"
_KUBECONFIGS = {ADMIN: "kubeconfig", CONTROLLERS: "controllers.kubeconfig"}
_CERTIFICATE_AGE = 300 * 24 * 3600
"""Seconds after which certificates found in the directory are made anew."""


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    directory: Path
    port: int = 0
    state: Path | None = None
    """File in which objects outlive the process."""
    history: int = 5000
    audit: bool = True
    middleware: Middleware | None = None
    """Sees every request before it is answered."""


def build(
    users: dict[str, User], audit: AuditLog, history: int, authority: Path, journal: Journal | None = None
) -> Application:
    """An API server without a network: the handler of requests, with what a new cluster has in its store.

    ``authority`` has the certificate that goes along with the token of a service account, ``journal`` what an earlier
    server stored.
    """
    store = Store(history)
    catalog = Catalog()
    definitions = builtins.load_definitions()
    builtins.register(catalog, definitions)
    registry = Registry(store, catalog)
    DefinitionController(registry, definitions)
    Lifecycle(registry)
    RoleAggregator(registry)
    accounts = AccountTokens(registry, authority)
    authorizer = Authorizer(Policy(store))
    if journal:
        registry.restore(journal)
    furnish(registry)
    authenticator = Authenticator(users, accounts.find)
    return Application(registry, OpenApi(catalog, definitions), authenticator, authorizer, audit, accounts=accounts)


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; the kubeconfigs appear when requests are answered."""
    directory = settings.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    certificates = await _start_certificates(directory)
    users = _users(directory / "tokens.csv")
    audit = AuditLog(directory / "audit.jsonl" if settings.audit else None)
    authority = directory / "ca.crt"
    journal = Journal(settings.state) if settings.state else None
    application = build(users, audit, settings.history, authority, journal)
    if certificates and await certificates.wait() != 0:
        raise RuntimeError(f"No certificates could be made in {directory}; see the messages above.")
    listener = Listener(settings.port, _tls(directory), application, settings.middleware)
    listener.start()
    url = f"https://127.0.0.1:{listener.port}"
    for token, user in users.items():
        if user.name in _KUBECONFIGS:
            text = kubeconfig(url, authority.read_bytes(), user.name, token)
            write_private(directory / _KUBECONFIGS[user.name], text)
    print(f"Kubernetes API at {url}, kubeconfig {directory / 'kubeconfig'}", flush=True)
    await _until_signal()
    await listener.close()
    audit.close()
    if journal:
        journal.close()


async def _start_certificates(directory: Path) -> asyncio.subprocess.Process | None:
    """Make certificates in a child process, unless there are young ones from an earlier run."""
    made = directory / "tls.crt"
    if made.exists() and time.time() - made.stat().st_mtime < _CERTIFICATE_AGE:
        return None
    module = f"{__package__}.certificates"
    return await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(directory))


def _users(path: Path) -> dict[str, User]:
    """The users in a file of tokens, to which our own are added when they are not there."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = {user.name for user in read_token_file(path).values()} if text else set()
    for name in _KUBECONFIGS:
        if name not in known:
            text += f'{secrets.token_urlsafe(24)},{name},{name},"{MASTERS}"\n'
    write_private(path, text)
    return read_token_file(path)


def _tls(directory: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    return context


async def _until_signal() -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
