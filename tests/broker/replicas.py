# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several brokers that share a store, behind a balancer that gives every connection to the next one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from broker.harness import BrokerProcess, Json, run_broker, wait_until
from broker.valkey_server import Valkey
from broker.valkey_server import running as valkey_running

KEY = "a signing key that all replicas share"


class Balancer:
    """Takes connections and hands each to the next of `targets`, which may change; runs in a thread of its own."""

    def __init__(self) -> None:
        self.targets: list[int] = []
        self.url = ""
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Balancer:
        self._thread.start()
        start = asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1000)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(timeout=20)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            reader, writer = await self._connect()
            await asyncio.gather(_pump(client, writer), _pump(reader, back))
        except OSError:
            pass  # the replica is gone: the client sees its connection close
        finally:
            back.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the next target; to another one when it has been taken away meanwhile."""
        while True:
            self._turn += 1
            target = self.targets[self._turn % len(self.targets)]
            try:
                return await asyncio.open_connection("127.0.0.1", target)
            except ConnectionRefusedError:
                if target in self.targets:
                    raise


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass  # one side has broken off: the other one is closed
    finally:
        with suppress(OSError, RuntimeError):
            sink.close()


class Replicas:
    """The brokers, their store, and the balancer in front of them."""

    def __init__(
        self, directory: Path, config: Json, store: Valkey, balancer: Balancer, options: tuple[str, ...]
    ) -> None:
        self._directory = directory
        self._config = config
        self._options = options
        self._stack = ExitStack()
        self.store = store
        self.balancer = balancer
        self.all: list[BrokerProcess] = []

    def add(self) -> BrokerProcess:
        """Start one more, and let it have connections once it is ready."""
        broker = self._stack.enter_context(
            run_broker(
                self._directory / f"replica-{len(list(self._directory.iterdir()))}",
                self._config,
                *self._options,
                env={"GATEWAY_SIGNING_KEY": KEY, "CACHE_CONNECTION_STRING": self.store.url},
            )
        )
        wait_until(lambda: broker.request("GET", "/readyz").status == 200, "the replica is ready")
        self.all.append(broker)
        self.balancer.targets.append(port_of(broker))
        return broker

    def remove(self, broker: BrokerProcess) -> None:
        """Give one no more connections."""
        self.all.remove(broker)
        self.balancer.targets.remove(port_of(broker))

    def meet(self) -> None:
        """Wait until all know each other."""
        for one in self.all:
            wait_until(partial(self._knows_others, one), "the workers of other replicas are known")

    def _knows_others(self, one: BrokerProcess) -> bool:
        elsewhere = sum(other.workers for other in self.all if other is not one)
        asked = range(1 if one.workers == 1 else 12)  # each time any worker answers
        return all(one.status()["store"]["workersElsewhere"] == elsewhere for _ in asked)

    def close(self) -> None:
        """End all."""
        self._stack.close()


@contextmanager
def run_replicas(directory: Path, config: Json, count: int, *options: str) -> Iterator[tuple[Replicas, BrokerProcess]]:
    """Run so many brokers; the second value speaks to them through the balancer."""
    directory.mkdir(parents=True, exist_ok=True)
    with valkey_running(directory / "store") as store, Balancer() as balancer:
        replicas = Replicas(directory, config, store, balancer, options)
        try:
            for _ in range(count):
                replicas.add()
            first = replicas.all[0]
            facade = BrokerProcess(first.process, first.config_file, first.log_file, balancer.url)
            replicas.meet()
            yield replicas, facade
        finally:
            replicas.close()


def port_of(broker: BrokerProcess) -> int:
    """Return the port that a broker listens on."""
    port = urlsplit(broker.url).port
    assert port is not None
    return port
