# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What the pods of a workload tell about a rollout that does not come forward. No input, no output.

A Deployment says how many replicas are ready, and not why the others are not: that stands in its pods.
"""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import FAILED, PENDING, Rollout, Verdict

Object = dict[str, t.Any]

HASHES = ("pod-template-hash", "controller-revision-hash")
"""Labels with which Kubernetes tells pods of one template from those of the one before."""
HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"})
"""Reasons of a waiting container that end only when somebody changes something (after the goal's grace)."""
CRASHES = 4
"""From so many restarts on a container in CrashLoopBackOff counts as hopeless: about a minute on a real cluster.
Fewer are normal while what a program needs is still starting."""

LAST_WORDS = 600
"""Characters of a program's termination message that are told: its end, where the reason is."""


class Pods:
    """The pods of one workload, as they are told one by one."""

    def __init__(self) -> None:
        self._pods: dict[str, Object] = {}

    def take(self, name: str, live: Object | None) -> None:
        """A pod as it is now; None when it is gone."""
        if live is None:
            self._pods.pop(name, None)
        else:
            self._pods[name] = live

    def judge(self, verdict: Verdict) -> Verdict:
        """The workload's own verdict, with the reason that its newest pods give while it is pending."""
        if verdict.state != PENDING:
            return verdict
        troubles = [found for pod in self._newest() for found in _troubles(pod)]
        if not troubles:
            return verdict
        worst = next((found for found in troubles if found.state == FAILED), troubles[0])
        return Verdict(worst.state, f"{verdict.seen}; {worst.seen}")

    def _newest(self) -> list[Object]:
        """Pods of the newest template that are not on their way out."""
        pods = [pod for pod in self._pods.values() if not pod["metadata"].get("deletionTimestamp")]
        if not pods:
            return []
        pods.sort(key=lambda pod: (str(pod["metadata"].get("creationTimestamp") or ""), pod["metadata"]["name"]))
        template = _template(pods[-1])
        return [pod for pod in pods if _template(pod) == template]


def selector_of(live: Object | None) -> str | None:
    """The label selector of a workload's pods; None when it cannot be written as ``a=b`` terms."""
    selector = ((live or {}).get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not labels or selector.get("matchExpressions"):
        return None
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def has_pods(goal: t.Any) -> bool:
    """Whether what is waited for is a rollout."""
    return isinstance(goal, Rollout)


def _template(pod: Object) -> str | None:
    labels = pod["metadata"].get("labels") or {}
    return next((labels[name] for name in HASHES if name in labels), None)


def _troubles(pod: Object) -> t.Iterator[Verdict]:
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    scheduled = _conditions.find(status.get("conditions"), "PodScheduled")
    if scheduled is not None and scheduled.get("status") == "False":
        # A node may be added any time, so there is hope.
        yield Verdict(PENDING, f"pod {name} cannot be scheduled: {scheduled.get('message') or scheduled.get('reason')}")
    for entry in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        yield from _container_troubles(f"pod {name}, container {entry.get('name')}", entry)


def _container_troubles(said: str, entry: Object) -> t.Iterator[Verdict]:
    state = entry.get("state") or {}
    waiting = state.get("waiting")
    reason = str((waiting or {}).get("reason") or "")
    if waiting and reason not in ("", "ContainerCreating", "PodInitializing"):
        restarts = int(entry.get("restartCount") or 0)
        hopeless = reason in HOPELESS or (reason == "CrashLoopBackOff" and restarts >= CRASHES)
        ended = _end(entry.get("lastState"))
        words = (
            f"{said}: {reason}" + (f" after {restarts} restarts" if restarts else "") + (f", {ended}" if ended else "")
        )
        message = str(waiting.get("message") or "")
        if message and not ended:
            words += f" ({message})"
        yield Verdict(FAILED if hopeless else PENDING, words)
    elif state.get("terminated") and _end(state):
        yield Verdict(PENDING, f"{said}: {_end(state)}")
    elif state.get("running") is not None and entry.get("ready") is False:
        yield Verdict(PENDING, f"{said} runs and is not ready")


def _end(state: Object | None) -> str:
    """How a container ended, in words; empty when it did not, or ended well."""
    ended = (state or {}).get("terminated") or {}
    code = ended.get("exitCode")
    if not code:
        return ""
    reason = ended.get("reason")
    words = f"its program ended with exit code {code}" + (f" ({reason})" if reason not in (None, "", "Error") else "")
    said = " / ".join(line.strip() for line in str(ended.get("message") or "").splitlines() if line.strip())
    return f"{words} and said: {'...' if len(said) > LAST_WORDS else ''}{said[-LAST_WORDS:]}" if said else words
