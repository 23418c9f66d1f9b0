# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Running the application on uvicorn: one worker, its signals and its end."""

from __future__ import annotations

import asyncio
import resource
import select
import signal
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from mcpops_broker import logs
from mcpops_broker.broker import Broker
from mcpops_broker.bus import Bus
from mcpops_broker.config.model import Config
from mcpops_broker.mcp import peers
from mcpops_broker.settings import Options
from mcpops_broker.web.app import App
from mcpops_broker.web.connection import Connection, Room, room_for_files
from mcpops_broker.web.guard import ALWAYS, ALWAYS_TLS
from mcpops_broker.workers import Worker

if TYPE_CHECKING:
    from mcpops_broker.cluster.source import Cluster
    from mcpops_broker.replicas import Replicas

KEEP_ALIVE = 650
"""Seconds that an idle client connection stays open: longer than the idle times of proxies in front, so that it is
they who close it and never a request that meets a connection just being closed."""

ACCEPTING = 2.0
"""Seconds at most in which, at the end, connections are accepted that wait for it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where certificate and private key are; without `key` both are in one file. Read at the start."""

    certificate: Path
    key: Path | None = None

    def problem(self) -> str:
        """Tell in a sentence why they cannot be used; empty when they can."""
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self.certificate, self.key)
        except FileNotFoundError:
            missing = self.certificate if not self.certificate.exists() else self.key
            return f"{missing}: there is no such file; give --tls-certificate and --tls-key files that exist"
        except PermissionError:
            return f"{self.certificate}, {self.key}: they cannot be read by this user"
        except ssl.SSLError as error:
            said = error.reason or error
            return f"{self.certificate}: certificate and private key cannot be used together ({said})"
        return ""


class _Server(uvicorn.Server):
    """uvicorn, told to let notification streams end when it is asked to stop; it waits for open answers."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._app.broker is not None:
            self._app.broker.begin_drain()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept the connections that wait for it before the sockets are closed, which would break them."""
        Connection.ending = True
        waiting, deadline = select.poll(), time.monotonic() + ACCEPTING
        for one in sockets or ():
            waiting.register(one, select.POLLIN)
        while waiting.poll(0) and time.monotonic() < deadline:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket, shared by all workers; port 0 takes a free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
        listener.setblocking(False)
        listener.set_inheritable(True)
    except OSError:
        listener.close()
        raise
    return listener


def allow_many_files() -> None:
    """Raise the number of files that the process may open to what it may ask for: every client and every upstream is
    a connection or more, and the usual 1,024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS calls its limit unlimited and then refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        logs.debug("files.allowed", before=soft, now=hard)


def serve(
    listener: socket.socket, options: Options, config: Config, worker: Worker | None = None, *, tls: Tls | None = None
) -> int:
    """Serve until SIGTERM or SIGINT, or as one of several workers until their parent is gone; return the exit code."""

    def parent_gone(alive: int) -> None:
        asyncio.get_running_loop().remove_reader(alive)
        logs.error("parent.died")
        server.should_exit = True

    async def make_broker() -> Broker:
        local = worker.bus if worker else Bus(f"{options.replica}0")
        replicas = _replicas(options, config, local)
        broker = Broker(options, config, replicas.bus if replicas else local, _cluster(options), replicas)
        peers.connect(broker)
        Connection.room = Room(lambda: min(broker.config.broker.limits.connections, room_for_files()))
        if worker is not None:
            asyncio.get_running_loop().add_reader(worker.parent, parent_gone, worker.parent)
        return broker

    app = App(make_broker)
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=Connection,
            ws="none",
            lifespan="on",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=ALWAYS_TLS if tls else ALWAYS,
            proxy_headers=False,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(config.broker.drain)),
        ),
        app,
    )

    def stop_early(number: int, frame: FrameType | None) -> None:
        """End at once when uvicorn does not handle signals yet; ignore the signal that it raises again at the end."""
        if not server.should_exit:
            raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_early)
    server.run(sockets=[listener])
    logs.info("stopped")
    return 0 if server.started else 1


def _cluster(options: Options) -> Cluster | None:
    if options.namespaces is None:
        return None
    from mcpops_broker.cluster.source import Cluster  # noqa: PLC0415 - an extra, loaded where it is wanted

    return Cluster(options.namespaces)


def _replicas(options: Options, config: Config, local: Bus) -> Replicas | None:
    if not config.broker.store.host:
        return None
    from mcpops_broker.replicas import Replicas  # noqa: PLC0415 - an extra, loaded where it is wanted

    return Replicas(config.broker.store, options.secrets(config.broker), local)
