# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What can be waited for on one object. A goal judges a live object; it does no input or output."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError

DONE, PENDING, FAILED = "done", "pending", "failed"


class Remedy(t.NamedTuple):
    """What helps against a reason; ``at_once``: no other object is involved, so no controller that lags is to blame."""

    fix: str = ""
    at_once: bool = False


class Verdict(t.NamedTuple):
    """``state`` and what was seen, in words; with a failure, what helps better than the goal's own ``fix``."""

    state: str
    seen: str
    remedy: Remedy = Remedy()


Failing: t.TypeAlias = "t.Mapping[str, t.Mapping[str, Remedy] | t.Collection[str]]"
"""Condition types to the reasons with which they end a wait; as a mapping of reasons to Remedy, also what helps."""


class Goal(t.Protocol):
    """Something to wait for.

    ``what`` completes "waited for OBJECT to ..."; ``fix`` is a hint or empty; ``grace`` is for how many seconds
    a failure must last before it is believed (controllers that have not yet seen a neighbour object).
    """

    @property
    def what(self) -> str: ...

    @property
    def fix(self) -> str: ...

    @property
    def grace(self) -> float: ...

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        """``live`` is None when the object does not exist."""


@dataclass
class Conditions:
    """All of ``wanted`` (type to status), on the current generation.

    ``failing`` maps a type to the reasons with which a status other than the wanted one ends the wait.
    """

    wanted: t.Mapping[str, str]
    failing: Failing | None = None
    fix: str = ""
    grace: float = 0.0

    @property
    def what(self) -> str:
        return "have " + " and ".join(f"{name}={status}" for name, status in self.wanted.items())

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        status = live.get("status")
        conditions = status.get("conditions") if isinstance(status, dict) else None
        return judge(live, conditions, self.wanted, self.failing or {})


def judge(live: dict[str, t.Any], conditions: t.Any, wanted: t.Mapping[str, str], failing: Failing) -> Verdict:
    """Judge a list of conditions that belongs to ``live`` (its own, a listener's, a route parent's)."""
    missing = []
    for name, status in wanted.items():
        condition = _conditions.find(conditions, name)
        current = condition is not None and _conditions.is_current(condition, live)
        if condition is not None and current and str(condition.get("status")) == status:
            continue
        seen = _conditions.describe(condition, name, live)
        settled = condition is not None and current and str(condition.get("status")) in {"True", "False"}
        reasons = failing.get(name, ())
        if condition is not None and settled and condition.get("reason") in reasons:
            reason = str(condition["reason"])
            return Verdict(FAILED, seen, reasons[reason] if isinstance(reasons, t.Mapping) else Remedy())
        missing.append(seen)
    return Verdict(PENDING, "; ".join(missing)) if missing else Verdict(DONE, "")


def worst(verdicts: t.Sequence[Verdict]) -> Verdict:
    """All of several verdicts as one: failed before pending before done."""
    for state in (FAILED, PENDING):
        found = [verdict for verdict in verdicts if verdict.state == state]
        if found:
            fixes = dict.fromkeys(verdict.remedy.fix for verdict in found if verdict.remedy.fix)
            remedy = Remedy("; ".join(fixes), any(verdict.remedy.at_once for verdict in found))
            return Verdict(state, "; ".join(dict.fromkeys(verdict.seen for verdict in found)), remedy)
    return Verdict(DONE, "")


@dataclass
class Exists:
    """The object exists."""

    fix: str = ""
    grace: float = 0.0
    what: str = "exist"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        return Verdict(DONE, "") if live is not None else Verdict(PENDING, "it does not exist")


@dataclass
class Gone:
    """The object no longer exists (or exists again as another object than ``uid``)."""

    uid: str | None = None
    fix: str = ""
    grace: float = 0.0
    what: str = "be removed"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        metadata = (live or {}).get("metadata") or {}
        if live is None or (self.uid and metadata.get("uid") != self.uid):
            return Verdict(DONE, "")
        if metadata.get("finalizers"):
            return Verdict(PENDING, _held_by(live, metadata["finalizers"]))
        status = live.get("status") or {}
        said = [
            str(condition.get("message"))
            for condition in status.get("conditions") or []
            if live.get("kind") == "Namespace" and condition.get("status") == "True" and condition.get("message")
        ]
        return Verdict(PENDING, "; ".join(said) or "its deletion has been asked for and it is still there")


OF_KUBERNETES = {
    "customresourcecleanup.apiextensions.k8s.io": "the API server first removes all objects of its kind",
    "foregroundDeletion": "what it owns is removed first",
    "orphan": "what it owns is let go first",
    "kubernetes.io/pvc-protection": "a pod still uses it",
    "kubernetes.io/pv-protection": "a claim still uses it",
}
"""Finalizers that Kubernetes takes off by itself; taking them off by hand leaves rubbish behind or loses data."""


def _held_by(live: dict[str, t.Any], finalizers: list[str]) -> str:
    said = [OF_KUBERNETES[name] for name in finalizers if name in OF_KUBERNETES]
    names = (live.get("spec") or {}).get("names") or {}
    if live.get("kind") == "CustomResourceDefinition" and said:
        said.append(
            f"look for finalizers on those that are left: kubectl get {names.get('plural')}."
            f"{live['spec'].get('group')} --all-namespaces"
        )
    others = finalizers_of_controllers(live)
    if others:
        noun, owned = ("finalizer", "it") if len(others) == 1 else ("finalizers", "them")
        said.append(
            f"it is held by the {noun} {', '.join(others)}; the controller that owns {owned} has to let go (is it "
            "still installed and running?)"
        )
    return "; ".join(said)


def finalizers_of_controllers(live: t.Mapping[str, t.Any]) -> list[str]:
    """The finalizers of an object that a controller beside Kubernetes itself has to take off."""
    return [name for name in live["metadata"].get("finalizers") or [] if name not in OF_KUBERNETES]


@dataclass
class CrdEstablished:
    """A CustomResourceDefinition is served."""

    fix: str = ""
    grace: float = 0.0
    what: str = "be served (Established)"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        names = _conditions.of_object(live, "NamesAccepted")
        if names is not None and names.get("status") == "False":
            return Verdict(FAILED, _conditions.describe(names, "NamesAccepted", live))
        established = _conditions.of_object(live, "Established")
        if established is not None and established.get("status") == "True":
            return Verdict(DONE, "")
        return Verdict(PENDING, _conditions.describe(established, "Established", live))


@dataclass
class Rollout:
    """A Deployment, StatefulSet or DaemonSet runs its current template on all replicas.

    The grace is for what its pods tell (``_pods``): a registry that hiccups once is no failure.
    """

    fix: str = "look at its pods: image, events, logs"
    grace: float = 5.0
    what: str = "be rolled out"

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        status, spec = live.get("status") or {}, live.get("spec") or {}
        if int(status.get("observedGeneration") or 0) < int((live.get("metadata") or {}).get("generation") or 0):
            return Verdict(PENDING, "its controller has not seen the last change")
        progressing = _conditions.of_object(live, "Progressing")
        if progressing is not None and progressing.get("reason") == "ProgressDeadlineExceeded":
            return Verdict(FAILED, _conditions.describe(progressing, "Progressing", live))
        old = 0
        if live.get("kind") == "DaemonSet":
            wanted, updated, ready = (
                status.get(key) or 0 for key in ("desiredNumberScheduled", "updatedNumberScheduled", "numberReady")
            )
        else:
            wanted = spec.get("replicas", 1)
            updated, ready = status.get("updatedReplicas") or 0, status.get("readyReplicas") or 0
        if live.get("kind") == "Deployment":
            old = max(0, (status.get("replicas") or 0) - updated)
        if updated >= _to_update(spec, wanted) and ready >= wanted and not old:
            return Verdict(DONE, "")
        more = f", {old} of the template before {'is' if old == 1 else 'are'} still there" if old else ""
        return Verdict(PENDING, f"{ready} of {wanted} replicas are ready, {updated} are up to date{more}")


def _to_update(spec: dict[str, t.Any], wanted: int) -> int:
    """How many pods a StatefulSet or DaemonSet brings up to date by itself."""
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return 0
    return max(0, wanted - int((strategy.get("rollingUpdate") or {}).get("partition") or 0))


class _Several:
    """What goals have in common that are waited for together."""

    word = ""

    def __init__(self, goals: t.Sequence[Goal]) -> None:
        self.goals = goals
        self.fix = "; ".join(dict.fromkeys(goal.fix for goal in goals if goal.fix))
        self.grace = max(goal.grace for goal in goals)
        self.what = self.word.join(goal.what for goal in goals)


class AnyOf(_Several):
    """One of several goals; a failure of one counts only when all have failed."""

    word = " or "

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        verdicts = [goal.judge(live) for goal in self.goals]
        if any(verdict.state == DONE for verdict in verdicts):
            return Verdict(DONE, "")
        return worst([verdict for verdict in verdicts if verdict.state == PENDING] or verdicts)


class AllOf(_Several):
    """Several goals together; the first failure fails."""

    word = " and "

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        return worst([goal.judge(live) for goal in self.goals])


class Unless:
    """Another goal, given up at once when one of ``conditions`` (type and status) is met."""

    def __init__(self, goal: Goal, conditions: t.Sequence[tuple[str, str]]) -> None:
        self._goal = goal
        self._conditions = conditions
        self.what = goal.what
        self.fix = goal.fix
        self.grace = goal.grace

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        for name, status in self._conditions if live is not None else ():
            if _conditions.holds(live, name, status):
                seen = _conditions.describe(_conditions.of_object(live, name), name, live or {})
                return Verdict(FAILED, seen, Remedy(at_once=True))
        return self._goal.judge(live)


class Jmespath:
    """A JMESPath expression on the whole object: true (not empty), or equal to ``value`` when one is given."""

    def __init__(self, expression: str, value: t.Any = None, fix: str = "") -> None:
        try:
            import jmespath.exceptions  # noqa: PLC0415 - only this goal needs it
        except ImportError as error:
            raise ConfigError(
                "Waiting for a JMESPath expression needs the Python library jmespath, which is missing; install it "
                "for the Python that runs this module."
            ) from error
        try:
            self._search = jmespath.compile(expression).search
            with contextlib.suppress(jmespath.exceptions.JMESPathTypeError):
                self._search({})  # functions are looked up when they are called
        except jmespath.exceptions.JMESPathError as error:
            first = str(error).splitlines()[0].rstrip(":")
            raise ConfigError(f"The JMESPath expression {expression!r} cannot be used: {first}.") from error
        self._runtime_error: type[Exception] = jmespath.exceptions.JMESPathError
        self._expression = expression
        self._value = value
        self.fix = fix
        self.grace = 0.0

    @property
    def what(self) -> str:
        return f"satisfy {self._expression!r}" + ("" if self._value is None else f" = {self._value!r}")

    def judge(self, live: dict[str, t.Any] | None) -> Verdict:
        if live is None:
            return Verdict(PENDING, "it does not exist")
        try:
            found = self._search(live)
        except self._runtime_error as error:
            return Verdict(PENDING, f"the expression does not fit the object yet ({str(error).splitlines()[0]})")
        done = bool(found) if self._value is None else found == self._value or str(found) == str(self._value)
        return Verdict(DONE, "") if done else Verdict(PENDING, f"the expression gives {found!r}"[:300])
