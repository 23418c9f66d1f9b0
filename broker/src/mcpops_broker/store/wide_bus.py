# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Messages between the workers of all replicas: to those of this one as ever, to the others over the store.

Workers know each other by keys in the store that expire, and say goodbye when they stop. While the store is away the
workers of this replica go on alone; messages to the others wait and go out when it is back, so what was under way
between replicas is late and not lost. A worker counts as gone when it does not come back soon after the store did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.bus import GONE, STARTED, Bus, Handler
from mcpops_broker.sealed_box import Keys
from mcpops_broker.store.pair import Frame, Pair, What
from mcpops_broker.store.redis_link import RedisLink, StoreDownError

BEAT = 1.0
"""Seconds between two signs of life."""
LEASE = 8.0
"""Seconds after the last one until a worker counts as gone."""
PAUSE = 0.1
"""Seconds between two attempts while the store refuses a command."""
_BEATS_UNTIL_AGAIN = 3
"""Beats without any news of what is on its way until it is sent again."""
_BATCH = 1 << 20
"""Bytes that are sent to the store at once."""
_READS = 64
"""Frames read before other work gets its turn."""


class WideBus(Bus):
    """One worker's end. `local` is its end of the bus of its replica."""

    def __init__(self, local: Bus, link: RedisLink, keys: Keys, background: Background) -> None:
        super().__init__(local.here)
        self._local = local
        self._link = link
        self._keys = keys
        self._background = background
        self._pairs: dict[str, Pair] = {}
        self._control: list[tuple[str, bytes]] = []
        """Frames that are no pieces, and for whom."""
        self._work = asyncio.Event()
        self._listening = asyncio.Event()
        """Set while this worker hears what is sent to it."""
        self._hearing: asyncio.Timeout | None = None
        self._heard = 0.0
        """Time of the event loop when this worker last heard itself."""
        self._patience = 0.0
        """Time of the event loop until which nobody counts as gone, since the store has just come back."""
        link.when_lost(self._deaf)

    @property
    def others(self) -> Collection[str]:
        """The addresses of the other workers that answer now."""
        if not self._link.connected:
            return self._local.others
        return {*self._local.others, *(address for address, pair in self._pairs.items() if pair.known)}

    @property
    def alone(self) -> bool:
        """Whether there is no other worker, and will not be one: replicas may come at any time."""
        return False

    @property
    def local(self) -> Bus:
        """The bus of this replica's own workers alone."""
        return self._local

    @property
    def waits(self) -> bool:
        """Whether what is sent to other replicas waits now, until the way to them is open again."""
        return not self._listening.is_set()

    def knows(self, address: str) -> bool:
        """Tell whether a message to this other worker will arrive, now or once the store is back."""
        return address in self._pairs or self._local.knows(address)

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` for every message of this kind, after the handlers that were given for it before."""
        super().on(kind, handler)
        self._local.on(kind, handler)

    def connect(self) -> None:
        """Begin to receive, inside the running event loop, and tell the others that this worker is there."""
        self._local.connect()
        self._link.start()
        for work, name in ((self._listen, "hear"), (self._beat, "beat"), (self._send, "send")):
            self._background.start(work(), f"bus: {name}")

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        """Send a message to the worker with this address, or to all others. Never waits."""
        if to is None or to in self._local.others:
            self._local.send(kind, value, to)
            if to is not None:
                return
        message = orjson.dumps([kind, value])
        for address in list(self._pairs) if to is None else [to]:
            pair = self._pairs.get(address)  # None: it has gone in the meantime
            if pair is not None and not pair.put(message):
                logs.error("worker.deaf", worker=address, kind=kind)
        self._work.set()

    async def close(self) -> None:
        """Say goodbye and receive nothing more."""

        async def leave(redis: Redis) -> None:
            async with redis.pipeline(transaction=False) as all_at_once:
                all_at_once.delete(self._key(self.here))
                all_at_once.srem(self._members, self.here)
                for address, pair in self._pairs.items():
                    for frame in (*pair.frames(), pair.bye()):
                        all_at_once.publish(*self._sealed(address, frame))
                await all_at_once.execute()

        try:
            await self._link.run(leave)
        except StoreDownError as error:
            logs.debug("bus.left", problem=str(error))  # the others find out

    @property
    def _members(self) -> str:
        return f"{self._link.prefix}workers"

    def _key(self, address: str) -> str:
        return f"{self._link.prefix}worker:{address}"

    def _channel(self, address: str) -> str:
        return f"{self._link.prefix}to:{address}"

    def _sealed(self, address: str, frame: bytes) -> tuple[str, bytes]:
        channel = self._channel(address)
        return channel, self._keys.seal(frame, channel.encode())

    def _say(self, address: str, frame: bytes) -> None:
        self._control.append((address, frame))
        self._work.set()

    def _pair(self, address: str) -> Pair:
        pair = self._pairs.get(address)
        if pair is None:
            pair = self._pairs[address] = Pair(self.here)
            self._say(address, pair.hello())
        return pair

    async def _listen(self) -> None:
        """Hear what is sent to this worker, whenever the store is there."""
        while True:
            await self._link.wait_connected()
            try:
                await self._subscribe()
            except TimeoutError:
                pass  # told to begin anew
            except ResponseError as error:
                self._link.refused(error)
                await asyncio.sleep(BEAT)
            except (RedisError, OSError) as error:
                self._link.failed(error)

    async def _subscribe(self) -> None:
        channel = self._link.client.pubsub()
        try:
            async with asyncio.timeout(None) as self._hearing:
                await channel.subscribe(self._channel(self.here))
                await self._hear(channel)
        finally:
            self._hearing = None
            self._listening.clear()
            await channel.aclose()  # type: ignore[no-untyped-call]  # redis-py has no annotation there

    def _deaf(self) -> None:
        """Subscribe anew: the connection is of no use, whether or not it looks so."""
        self._listening.clear()
        if self._hearing is not None and not self._hearing.expired():
            self._hearing.reschedule(asyncio.get_running_loop().time())

    async def _hear(self, channel: Any) -> None:
        reads = 0
        async for message in channel.listen():
            if message["type"] == "subscribe":
                self._heard = asyncio.get_running_loop().time()
                self._patience = self._heard + LEASE
                self._listening.set()
                for address, pair in self._pairs.items():
                    self._say(address, pair.have(again=True) if pair.known else pair.hello())
            elif message["type"] == "message":
                self._frame(message["data"])
            reads += 1
            if reads % _READS == 0:
                await asyncio.sleep(0)

    def _frame(self, sealed: bytes) -> None:
        if not sealed:
            self._heard = asyncio.get_running_loop().time()
            return
        plain = self._keys.open(sealed, self._channel(self.here).encode())
        if plain is None:
            return  # of a broker with another signing key, or of nobody who has one
        try:
            frame = Frame.unpack(plain)
        except ValueError:
            return  # of another release, while the broker is replaced
        pair = self._pair(frame.sender)
        if frame.what is What.HELLO:
            if pair.greeted(frame):
                logs.info("worker.met", worker=frame.sender)
                self._deliver(STARTED, None, frame.sender)
            if frame.yours != pair.mine:
                self._say(frame.sender, pair.hello())
            self._work.set()
        elif not pair.fits(frame):
            self._say(frame.sender, pair.hello())
        elif frame.what is What.PIECE:
            message = pair.take(frame)
            if pair.wants_to_say:
                self._say(frame.sender, pair.have())
            if message is not None:
                self._received(message, frame.sender)
        elif frame.what is What.HAVE:
            pair.arrived(frame.number, again=frame.flag)
            self._work.set()
        else:
            self._gone(frame.sender)

    def _gone(self, address: str) -> None:
        del self._pairs[address]
        logs.info("worker.gone", worker=address)
        self._deliver(GONE, None, address)

    async def _send(self) -> None:
        """Send what waits, whenever the store is there."""
        while True:
            await self._work.wait()
            await self._listening.wait()  # an answer to what is sent must be heard
            self._work.clear()
            try:
                while batch := self._batch():
                    await self._link.run(_publish(batch))
            except StoreDownError:
                self._work.set()
                for pair in self._pairs.values():
                    pair.rewind()
                await asyncio.sleep(PAUSE)

    def _batch(self) -> list[tuple[str, bytes]]:
        batch = [self._sealed(*one) for one in self._control]
        self._control.clear()
        size = 0
        for address, pair in self._pairs.items():
            for frame in pair.frames():
                batch.append(self._sealed(address, frame))
                size += len(frame)
                if size > _BATCH:
                    return batch
        return batch

    async def _beat(self) -> None:
        """Show that this worker lives, and see who else does."""
        while True:
            await self._listening.wait()
            try:
                self._meet(await self._link.run(self._show))
            except StoreDownError:
                await asyncio.sleep(PAUSE)
                continue
            if asyncio.get_running_loop().time() - self._heard > LEASE:
                self._deaf()
            for address, pair in self._pairs.items():
                if not pair.known:
                    self._say(address, pair.hello())
                elif pair.has_unsaid:
                    self._say(address, pair.have())
                if pair.stuck(_BEATS_UNTIL_AGAIN):
                    pair.rewind()
                    self._work.set()
            await asyncio.sleep(BEAT)

    async def _show(self, redis: Redis) -> set[str]:
        """Return the addresses of all workers that live."""
        async with redis.pipeline(transaction=False) as all_at_once:
            all_at_once.set(self._key(self.here), b"", px=round(LEASE * 1000))
            all_at_once.sadd(self._members, self.here)
            all_at_once.smembers(self._members)
            all_at_once.publish(self._channel(self.here), b"")
            members = [one.decode() for one in (await all_at_once.execute())[2]]
        living = await redis.mget([self._key(one) for one in members])
        dead = [one for one, lives in zip(members, living, strict=True) if lives is None]
        if dead:
            await redis.srem(self._members, *dead)
        return set(members) - set(dead)

    def _meet(self, living: set[str]) -> None:
        for address in living - {self.here, *self._local.others}:
            self._pair(address)
        if asyncio.get_running_loop().time() >= self._patience:
            for address in self._pairs.keys() - living:
                self._gone(address)


def _publish(batch: Iterable[tuple[str, bytes]]) -> Callable[[Redis], Any]:
    async def work(redis: Redis) -> None:
        async with redis.pipeline(transaction=False) as all_at_once:
            for channel, frame in batch:
                all_at_once.publish(channel, frame)
            await all_at_once.execute()

    return work
