# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: what its controllers share: conditions, finalizers, the configuration Secret."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar

import yaml
from sandbox.client import ApiError, Object, Resource
from sandbox.controllers.operator_objects import EMPTY_CONFIG, config_secret, encoded
from sandbox.controllers.operator_release import (
    CONFIG_SECRET,
    DEPLOYMENTS,
    ENVOY_FILTERS,
    FINALIZER,
    SECRETS,
    Release,
    running_release,
)
from sandbox.controllers.operator_secrets import value
from sandbox.controllers.runtime import CRDS, Controller, Key, Watch, key_of

Config = dict[str, Any]
Change = Callable[[Config], None]

# libyaml reads and writes a configuration of hundreds of servers ten times faster.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def nothing(_: Object) -> Iterable[Key]:
    """Mapping for what is read but leads to no reconcile, because the operator does not watch it."""
    return []


def read_config(secret: Object) -> Config:
    """The broker's configuration in a Secret; an empty one when there is none or it cannot be read.

    The lists in it are the caller's to change, their entries are not.
    """
    config = _parse((secret.get("data") or {}).get("config.yaml", ""))
    servers, virtual = config.get("servers") or [], config.get("virtualServers") or []
    return {**config, "servers": list(servers), "virtualServers": list(virtual)}


@lru_cache(maxsize=16)
def _parse(data: str) -> Config:
    try:
        config = yaml.load(base64.b64decode(data), LOADER)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, binascii.Error, UnicodeDecodeError):
        return {}
    return config if isinstance(config, dict) else {}


def with_condition(conditions: Sequence[Object], condition: Object) -> list[Object]:
    """The conditions with one set; its time of transition moves only with its status."""
    result = [deepcopy(entry) for entry in conditions]
    for index, old in enumerate(result):
        if old["type"] == condition["type"]:
            same = old["status"] == condition["status"]
            time = old["lastTransitionTime"] if same else _now()
            result[index] = {**condition, "lastTransitionTime": time}
            return result
    return [*result, {**condition, "lastTransitionTime": _now()}]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class OperatorController(Controller):
    """Works only while the operator's Deployment runs, and by the rules of the version that it runs."""

    name: ClassVar[str] = "mcp_controller"

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[str, list[tuple[Change, asyncio.Future[None]]]] = {}
        self._writing: set[str] = set()

    def operator_watches(self, own: Sequence[Resource]) -> list[Watch]:
        """The operator's own Deployment: when it starts, everything is reconciled."""

        def everything(deployment: Object) -> Iterable[Key]:
            if running_release([deployment]) is None:
                return []
            return {key_of(obj) for resource in own for obj in self.cache(resource).list()}

        return [Watch(DEPLOYMENTS, everything), Watch(CRDS, nothing)]

    def release(self) -> Release | None:
        """The release that runs; without the CRD of EnvoyFilter the operator cannot start."""
        if self.cache(CRDS).get("", ENVOY_FILTERS.crd_name) is None:
            return None
        return running_release(self.cache(DEPLOYMENTS).list())

    async def add_finalizer(self, resource: Resource, obj: Object) -> bool:
        """Puts the operator's finalizer on the object; says whether it had to."""
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            return False
        await self.patch(resource, obj, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
        return True

    async def drop_finalizer(self, resource: Resource, obj: Object) -> None:
        """Lets a deleted object go."""
        finalizers = obj["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            rest = [entry for entry in finalizers if entry != FINALIZER]
            await self.patch(resource, obj, {"metadata": {"finalizers": rest}})

    async def set_condition(self, resource: Resource, obj: Object, condition: Object, **status: Any) -> None:
        """Writes a condition (and other status fields) if that changes anything."""
        old = obj.get("status") or {}
        new = {**old, **status, "conditions": with_condition(old.get("conditions") or [], condition)}
        if new != old:
            await self.replace(resource, {**obj, "status": new}, subresource="status")

    async def change_config(self, namespace: str, change: Change) -> None:
        """Changes the broker's configuration of a namespace; creates the Secret if need be.

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
            secret = self.cache(SECRETS).get(namespace, CONFIG_SECRET)
            config = read_config(secret or {})
            before = read_config(secret or {})
            for change, _ in batch:
                change(config)
            if secret is None or config != before or not value(secret, "config.yaml"):
                text = yaml.dump(config, Dumper=DUMPER, sort_keys=False, allow_unicode=True, width=1000)
                if secret is None:
                    await self.create(SECRETS, config_secret(namespace, text))
                else:
                    await self.replace(SECRETS, {**secret, "data": {"config.yaml": encoded(text)}})
        except ApiError as error:
            for _, written in batch:
                written.set_exception(error)
        except BaseException:
            for _, written in batch:
                written.cancel()
            raise
        else:
            for _, written in batch:
                written.set_result(None)

    async def empty_config(self, namespace: str) -> None:
        """Empties the configuration; like the operator it creates the Secret even when it is gone."""
        secret = self.cache(SECRETS).get(namespace, CONFIG_SECRET)
        if secret is None:
            await self.create(SECRETS, config_secret(namespace, EMPTY_CONFIG))
        elif value(secret, "config.yaml") != EMPTY_CONFIG:
            await self.replace(SECRETS, {**secret, "data": {"config.yaml": encoded(EMPTY_CONFIG)}})
