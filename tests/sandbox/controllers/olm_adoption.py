# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: what belongs to an operator carries its component label.

As operator-lifecycle-manager does it in pkg/controller/operators/adoption_controller.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from sandbox.client import Object
from sandbox.controllers.olm_base import OlmController, component_label, is_copied
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CSVS, INSTALL_PLANS, SUBSCRIPTIONS


class AdoptionController(OlmController):
    """Puts the operator's component label on a Subscription, its ClusterServiceVersion and its InstallPlan."""

    name: ClassVar[str] = "olm"

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(SUBSCRIPTIONS),
            Watch(CSVS, self._subscriptions_beside),
            Watch(INSTALL_PLANS, self._subscriptions_beside),
        ]

    def _subscriptions_beside(self, obj: Object) -> Iterable[Key]:
        namespace = obj["metadata"]["namespace"]
        return [(namespace, sub["metadata"]["name"]) for sub in self.cache(SUBSCRIPTIONS).list(namespace)]

    async def reconcile(self, key: Key) -> float | None:
        sub = self.cache(SUBSCRIPTIONS).get(*key)
        if sub is None or sub["metadata"].get("deletionTimestamp"):
            return None
        status = sub.get("status") or {}
        label = component_label(sub["spec"]["name"], key[0])
        csv = self.cache(CSVS).get(key[0], status.get("installedCSV", ""))
        if csv and is_copied(csv):
            csv = None
        reference = status.get("installPlanRef") or {"name": ""}
        install_plan = self.cache(INSTALL_PLANS).get(key[0], reference["name"])
        for resource, obj in ((SUBSCRIPTIONS, sub), (CSVS, csv), (INSTALL_PLANS, install_plan)):
            if obj and not label.items() <= (obj["metadata"].get("labels") or {}).items():
                await self.patch(resource, obj, {"metadata": {"labels": label}})
        return None
