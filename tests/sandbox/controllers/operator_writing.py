# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: writing the broker's configuration, which three controllers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sandbox.client import ApiError, Object
from sandbox.controllers.operator_base import OperatorController, RetryError
from sandbox.controllers.operator_config import (
    EMPTY_CONFIG,
    Config,
    ConfigError,
    config_secret,
    encoded,
    read_config,
    write_config,
)
from sandbox.controllers.operator_release import CONFIG_SECRET
from sandbox.controllers.operator_secrets import labelled, value
from sandbox.kinds import SECRETS

Change = Callable[[Config], None]


class ConfigWriter(OperatorController):
    """Reads, changes and writes the configuration Secret of a namespace.

    Like the operator, it sees the Secret only with its label: without it, making one fails because the name is taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[str, list[tuple[Change, asyncio.Future[None]]]] = {}
        self._writing: set[str] = set()

    def config_of(self, namespace: str) -> Object | None:
        """The configuration Secret of a namespace, if there is one."""
        secret = self.cache(SECRETS).get(namespace, CONFIG_SECRET)
        return secret if secret and labelled(secret) else None

    async def ensure_config(self, namespace: str) -> None:
        """Makes an empty configuration where there is none."""
        if self.config_of(namespace) is None:
            await self.create(SECRETS, config_secret(namespace, EMPTY_CONFIG))

    async def empty_config(self, namespace: str) -> None:
        """Empties the configuration, also one that is gone: then it comes back, empty (#1512)."""
        secret = self.config_of(namespace)
        if secret is None:
            await self.create(SECRETS, config_secret(namespace, EMPTY_CONFIG))
        elif value(secret, "config.yaml") != EMPTY_CONFIG:
            await self._store(secret, EMPTY_CONFIG)

    async def change_config(self, namespace: str, change: Change) -> None:
        """Changes the configuration; creates the Secret if need be. Raises RetryError when it cannot be read.

        Changes that come while one is being written are written together, by whoever came first.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changes.setdefault(namespace, []).append((change, written))
        if namespace not in self._writing:
            self._writing.add(namespace)
            try:
                while batch := self._changes.pop(namespace, None):
                    await self._write_config(namespace, batch)
            finally:
                self._writing.discard(namespace)
        await written

    async def _write_config(self, namespace: str, batch: Sequence[tuple[Change, asyncio.Future[None]]]) -> None:
        try:
            await self._change(namespace, [change for change, _ in batch])
        except (ApiError, RetryError) as error:
            for _, written in batch:
                written.set_exception(error)
        except BaseException:
            for _, written in batch:
                written.cancel()
            raise
        else:
            for _, written in batch:
                written.set_result(None)

    async def _change(self, namespace: str, changes: Sequence[Change]) -> None:
        secret = self.config_of(namespace)
        try:
            config, before = read_config(secret or {}), read_config(secret or {})
        except ConfigError as error:
            raise RetryError(str(error)) from error
        for change in changes:
            change(config)
        if secret is None:
            await self.create(SECRETS, config_secret(namespace, write_config(config)))
        elif config != before:
            await self._store(secret, write_config(config))

    async def _store(self, secret: Object, text: str) -> None:
        data = {**(secret.get("data") or {}), "config.yaml": encoded(text)}
        await self.replace(SECRETS, {**secret, "data": data})
