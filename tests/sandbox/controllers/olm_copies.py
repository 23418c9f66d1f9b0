# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: copies of a ClusterServiceVersion show users of other namespaces which operator works for them.

As operator-lifecycle-manager does it in pkg/controller/operators/olm (syncCopyCSV, ensureCSVsInNamespaces).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from sandbox.client import Object
from sandbox.controllers.olm_base import COPIED_FROM, OlmController, is_copied
from sandbox.controllers.olm_csv_rules import UNCOPIABLE_REASONS, copy_of
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CSVS, NAMESPACES


class CopyController(OlmController):
    """Copies a ClusterServiceVersion to every namespace that its OperatorGroup targets, from the first phase on."""

    name: ClassVar[str] = "olm"

    def watches(self) -> Sequence[Watch]:
        return [Watch(CSVS, self._original), Watch(NAMESPACES, self._all)]

    def _original(self, csv: Object) -> Iterable[Key]:
        source = (csv["metadata"].get("labels") or {}).get(COPIED_FROM)
        return [(source or csv["metadata"]["namespace"], csv["metadata"]["name"])]

    def _all(self, _: Object) -> Iterable[Key]:
        return [key for csv in self.cache(CSVS).list() for key in self._original(csv)]

    def _targets(self, csv: Object | None) -> set[str]:
        if csv is None or csv["metadata"].get("deletionTimestamp"):
            return set()
        status = csv.get("status") or {}
        if not status.get("phase") or status.get("reason") in UNCOPIABLE_REASONS:
            return set()
        targets = (csv["metadata"].get("annotations") or {}).get("olm.targetNamespaces")
        if targets is None:
            return set()
        live = {
            namespace["metadata"]["name"]
            for namespace in self.cache(NAMESPACES).list()
            if not namespace["metadata"].get("deletionTimestamp")
        }
        wanted = live if targets == "" else live & set(targets.split(","))
        return wanted - {csv["metadata"]["namespace"]}

    async def reconcile(self, key: Key) -> float | None:
        csv = self.cache(CSVS).get(*key)
        if csv is not None and is_copied(csv):
            return None
        targets = self._targets(csv)
        copies = {
            copy["metadata"]["namespace"]: copy
            for copy in self.cache(CSVS).list(labels={COPIED_FROM: key[0]})
            if copy["metadata"]["name"] == key[1]
        }
        for namespace in sorted(copies.keys() - targets):
            await self.client.delete(CSVS, key[1], namespace)
        if csv is not None:
            for namespace in sorted(targets):
                await self._put(csv, namespace, copies.get(namespace))
        return None

    async def _put(self, csv: Object, namespace: str, found: Object | None) -> None:
        wanted = copy_of(csv, namespace)
        status = wanted.pop("status")
        if found is None:
            found = await self.create(CSVS, wanted)
        elif found["spec"] != wanted["spec"]:
            found = await self.apply(CSVS, wanted)
        await self.write_status(CSVS, found, status)
