# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sandbox's catalogue images differ from a good one: the image's tag says it.

| `sandbox.mcpops.io/catalog:…` | what goes wrong |
| --- | --- |
| `unhealthy` | the catalogue's pod does not answer: TRANSIENT_FAILURE |
| `broken-bundles` | the bundles cannot be unpacked |
| `slow-SECONDS` | unpacking a bundle takes so long |
| `unsatisfied-dependency` | every version requires a package that no catalogue has |
| `installplan-failing-SECONDS` | a bundle holds an object that the server does not know; OLM tries for so long |
| `broken-operator` | the operator's image cannot be pulled |
| `crashing-operator` | the operator ends as soon as it has started |
| `skipping` | nothing goes wrong: 0.9.0 skips 0.6.0 instead of replacing it |

Any other tag is a catalogue without faults. ``SECONDS`` may be left out; then it is as long as with OLM.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

Object = dict[str, Any]

SANDBOX_CATALOG = "sandbox.mcpops.io/catalog"
UNHEALTHY = f"{SANDBOX_CATALOG}:unhealthy"
BROKEN_BUNDLES = f"{SANDBOX_CATALOG}:broken-bundles"
SLOW = f"{SANDBOX_CATALOG}:slow"
UNSATISFIED_DEPENDENCY = f"{SANDBOX_CATALOG}:unsatisfied-dependency"
INSTALL_PLAN_FAILING = f"{SANDBOX_CATALOG}:installplan-failing"
BROKEN_OPERATOR = f"{SANDBOX_CATALOG}:broken-operator"
CRASHING_OPERATOR = f"{SANDBOX_CATALOG}:crashing-operator"
SKIPPING = f"{SANDBOX_CATALOG}:skipping"

RETRY_SECONDS = 60.0
"""How long OLM tries to carry out an InstallPlan (catalog-operator's flag ``--install-plan-retry-timeout``)."""
SLOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What is special about a catalogue; the defaults are those of one without faults.

    ``operator_image`` replaces the operator's own; ``requires`` are packages that its bundles need, with a range
    of versions; ``unknown_object`` puts an object of a kind that is not served into them; with ``skips`` a version
    skips the one before it.
    """

    answers: bool = True
    unpack_problem: str = ""
    unpack_seconds: float = 0.0
    retry_seconds: float = RETRY_SECONDS
    operator_image: str | None = None
    requires: tuple[tuple[str, str], ...] = ()
    unknown_object: bool = False
    skips: bool = False

    def objects(self) -> Sequence[Object]:
        """Further objects in the bundles."""
        if not self.unknown_object:
            return ()
        endpoints = {"selector": {"matchLabels": {"app": "mcp-controller"}}, "endpoints": [{"port": "metrics"}]}
        kind = {"apiVersion": "monitoring.coreos.com/v1", "kind": "ServiceMonitor"}
        return [{**kind, "metadata": {"name": "mcp-controller"}, "spec": endpoints}]


def behaviour_of(image: str | None) -> Behaviour:
    """How a catalogue with this image behaves."""
    found = re.fullmatch(r"(.*?)(?:-(\d+(?:\.\d+)?))?", image or "", re.DOTALL)
    if found is None or found[1] not in _TABLE:
        return Behaviour()
    usual = _TABLE[found[1]]
    if not found[2]:
        return usual
    seconds = float(found[2])
    return replace(usual, unpack_seconds=seconds) if found[1] == SLOW else replace(usual, retry_seconds=seconds)


_TABLE = {
    UNHEALTHY: Behaviour(answers=False),
    BROKEN_BUNDLES: Behaviour(unpack_problem="DeadlineExceeded: Job was active longer than specified deadline"),
    SLOW: Behaviour(unpack_seconds=SLOW_SECONDS),
    # What the bundles of 0.6.1 to 0.8 really ask for.
    UNSATISFIED_DEPENDENCY: Behaviour(requires=(("kuadrant-operator", ">=1.4.3"),)),
    INSTALL_PLAN_FAILING: Behaviour(unknown_object=True),
    BROKEN_OPERATOR: Behaviour(operator_image="sandbox.mcpops.io/missing:1"),
    SKIPPING: Behaviour(skips=True),
    CRASHING_OPERATOR: Behaviour(operator_image="sandbox.mcpops.io/crash:1"),
}
