# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What has to be done so that a list of manifests is true: read what exists, compare, decide. Writes nothing."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._diff import Difference, compare, show_segments
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import (
    Forbidden,
    KindNotServed,
    ManifestError,
    McpopsError,
    NamespaceMissing,
    NamespaceTerminating,
    Outdated,
    Refused,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._fields import held_together
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest, normalize, rank
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Outcome, Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import (
    NAMESPACE,
    Resource,
    label_of,
    names_group_only,
    split_api_version,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema, read_schema
from ansible_collections.mcpops.gateway.plugins.module_utils._status import terminating
from ansible_collections.mcpops.gateway.plugins.module_utils._versions import speak

WORKERS = 16
Missing = t.Callable[[str, str, str, type[McpopsError]], None]
SINGLE_READS = 3
"""Up to so many objects of one kind and namespace are read one by one; more are read as one list."""


@dataclass
class Step:
    """One object of the plan.

    ``resource`` is None while its kind is not served; ``local`` says why the API server cannot be asked about it
    (the namespace or the kind does not exist yet), empty when it can.
    """

    manifest: Manifest
    resource: Resource | None
    live: Object | None = None
    difference: Difference = field(default_factory=Difference)
    local: str = ""

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str | None:
        found: str | None = self.manifest["metadata"].get("namespace")
        return found

    @property
    def identity(self) -> tuple[str, str, str | None, str]:
        """Group, kind, namespace and name: what makes two manifests the same object."""
        group, _version = split_api_version(str(self.manifest["apiVersion"]))
        return (group, self.kind, self.namespace, self.name)


class Planner:
    """Makes plans against one API server.

    ``missing`` is told of a kind or namespace that does not exist; when it does not raise, the object is planned
    locally. ``take_over``: managers that give up what we state, as a person's tools do.
    """

    def __init__(
        self,
        client: ApiClient,
        discovery: Discovery,
        *,
        namespace: str,
        missing: Missing,
        take_over: t.Collection[str] = (),
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._namespace = namespace
        self._missing = missing
        self._take_over = take_over
        self._schemas: dict[Resource, Schema | None] = {}

    def plan(self, manifests: t.Sequence[Manifest], manager: str, *, leave: bool = False) -> list[Step]:
        """Steps in the order of writing. Raises the typed failures for what can be known to fail before writing.

        ``leave``: what exists already is left as it is, whatever the manifest says.
        """
        steps = self.resolve(manifests)
        self.look(steps, manager, leave=leave)
        self._check_namespaces(steps)
        return sorted(steps, key=lambda step: rank(step.kind))

    def look(self, steps: t.Sequence[Step], manager: str, *, leave: bool = False) -> None:
        """Read what exists and compare."""
        self.read(steps)
        for step in steps:
            refuse_deleting(step)
            if not (leave and step.live is not None):
                step.difference = self._compare(step, manager)

    def _compare(self, step: Step, manager: str) -> Difference:
        """Compare; what is uncertain only because of defaults is settled by the kind's schema, read once."""
        known = self._schemas.get(step.resource) if step.resource else None
        difference = compare(step.manifest, step.live, manager, known)
        in_doubt = difference.uncertain and not difference.fields and not difference.taken
        if in_doubt and known is None and step.resource is not None:
            schema = self._schema(step.resource)
            difference = compare(step.manifest, step.live, manager, schema) if schema else difference
        shared = held_together(step.live or {}, manager, self._take_over)
        difference.taken += [path for path in map(show_segments, sorted(shared)) if path not in difference.changes]
        return difference

    def _schema(self, resource: Resource) -> Schema | None:
        if resource not in self._schemas:
            self._schemas[resource] = read_schema(self._client, resource)
        return self._schemas[resource]

    def resolve(self, manifests: t.Sequence[Manifest]) -> list[Step]:
        """Normalized manifests with their resources; the namespace is filled in, duplicates are refused."""
        steps = [Step(normalize(manifest), None) for manifest in manifests]
        coming = {
            kind for step in steps if step.kind == "CustomResourceDefinition" for kind in _kinds_of_crd(step.manifest)
        }
        seen: dict[tuple[str, str, str | None, str], Step] = {}
        for step in steps:
            api_version = str(step.manifest["apiVersion"])
            if names_group_only(api_version):
                step.resource = self._discovery.find_in_group(api_version, step.kind)
                if step.resource is not None:
                    self._speak(step.manifest, step.resource)
            else:
                step.resource = self._discovery.find(api_version, step.kind)
            if step.resource is None:
                step.local = self._not_served(step, coming)
            self.place(step)
            if step.identity in seen:
                raise ManifestError(f"{label_of(step.manifest)} is given twice; leave one of the two manifests out.")
            seen[step.identity] = step
        return steps

    def _speak(self, manifest: Manifest, resource: Resource) -> None:
        """Write it in the resource's version. What a version known from an earlier task lacks, a newer one may have."""
        try:
            speak(manifest, resource, self._schema(resource) if "spec" in manifest else None)
        except Refused as refused:
            if resource in self._client.remembered:
                raise Outdated(refused.message) from refused
            raise

    def place(self, step: Step) -> None:
        """Fill in or take out the namespace, by the scope of the kind."""
        metadata = step.manifest["metadata"]
        if step.resource is not None and not step.resource.namespaced:
            metadata.pop("namespace", None)
        elif step.resource is not None:
            metadata.setdefault("namespace", self._namespace)

    def read(self, steps: t.Sequence[Step]) -> None:
        """Fill in ``live``: a LIST for many objects of one kind and namespace, GETs for a few."""
        groups: dict[tuple[Resource, str | None], list[Step]] = {}
        for step in steps:
            if step.resource is not None:
                groups.setdefault((step.resource, step.namespace), []).append(step)
        jobs: list[t.Callable[[], None]] = []
        for (resource, namespace), members in groups.items():
            if len(members) > SINGLE_READS:
                jobs.append(_bind(self._read_list, resource, namespace, members))
            else:
                jobs += [_bind(self._read_one, resource, step) for step in members]
        run_all(jobs)

    def _read_one(self, resource: Resource, step: Step) -> None:
        step.live = self._client.get(resource, step.name, step.namespace)

    def _read_list(self, resource: Resource, namespace: str | None, members: list[Step]) -> None:
        try:
            items, _version = self._client.list(resource, namespace)
        except Forbidden:
            # A narrow role may allow get by name and not list.
            for step in members:
                self._read_one(resource, step)
            return
        found = {item["metadata"]["name"]: item for item in items}
        for step in members:
            step.live = found.get(step.name)

    def _not_served(self, step: Step, coming: set[tuple[str, str]]) -> str:
        api_version = str(step.manifest["apiVersion"])
        if (split_api_version(api_version)[0], step.kind) in coming:
            return f"the kind {step.kind} is defined by the same list"
        sentence = self._discovery.why_not(api_version, step.kind).rstrip(".")
        self._missing("kind", f"{label_of(step.manifest)}: {sentence[:1].lower()}{sentence[1:]}", "", KindNotServed)
        return f"the kind {step.kind} is not served yet"

    def _check_namespaces(self, steps: t.Sequence[Step]) -> None:
        """Before anything is written: every namespace that gets a new object exists and is not on its way out."""
        made = {step.name for step in steps if step.kind == "Namespace"}
        new = {step.name for step in steps if step.kind == "Namespace" and step.live is None}
        wanted = {
            step.namespace
            for step in steps
            if step.live is None and step.namespace and step.resource is not None and step.namespace not in made
        }
        for step in steps:
            if step.namespace in new and step.live is None and step.resource is not None:
                step.local = step.local or f"the namespace {step.namespace} is made by the same list"
        for namespace in sorted(wanted):
            members = [step for step in steps if step.namespace == namespace and step.live is None]
            try:
                found = self._client.get(NAMESPACE, namespace)
            except Forbidden:
                continue  # a role without rights on namespaces; the write will tell
            if found is None:
                self._missing_namespace(namespace, members)
            elif (found.get("metadata") or {}).get("deletionTimestamp"):
                raise NamespaceTerminating(terminating(namespace, label_of(members[0].manifest)))

    def _missing_namespace(self, namespace: str, members: t.Sequence[Step]) -> None:
        said = label_of(members[0].manifest)
        sentence = f"The namespace {namespace} does not exist, so {said} cannot be created"
        self._missing("namespace", sentence, "create the namespace first", NamespaceMissing)
        for step in members:
            step.local = step.local or f"the namespace {namespace} does not exist yet"


def refuse_deleting(step: Step) -> None:
    """Raise when the live object is on its way out: what is applied to it would vanish with it."""
    metadata = (step.live or {}).get("metadata") or {}
    if metadata.get("deletionTimestamp") and step.kind == "Namespace":
        raise NamespaceTerminating(
            f"The namespace {step.name} is Terminating; wait until it is gone (objects with finalizers hold it back) "
            "and run again."
        )
    if metadata.get("deletionTimestamp"):
        held = ", ".join(metadata.get("finalizers") or []) or "none"
        raise Refused(
            f"{label_of(step.manifest)} is being deleted (finalizers: {held}); wait until it is gone and run again."
        )


def _kinds_of_crd(manifest: Manifest) -> list[tuple[str, str]]:
    spec = manifest.get("spec")
    names = spec.get("names") if isinstance(spec, dict) else None
    return (
        [(str(spec.get("group")), str(names.get("kind")))] if isinstance(spec, dict) and isinstance(names, dict) else []
    )


def _bind(call: t.Callable[..., None], *arguments: t.Any) -> t.Callable[[], None]:
    return lambda: call(*arguments)


def run_all(jobs: t.Sequence[t.Callable[[], t.Any]]) -> list[t.Any]:
    """Run jobs side by side, results in order. After a failure nothing new is started, and it is raised.

    What runs then is waited for, so that a report is whole. When the task is interrupted or its time is up, nothing is
    waited for: the threads end with the process (those of an executor would hold it).
    """
    if len(jobs) <= 1:
        return [job() for job in jobs]
    results: list[t.Any] = [None] * len(jobs)
    failures: list[BaseException] = []
    waiting = iter(range(len(jobs)))
    lock = threading.Lock()

    def work() -> None:
        while not failures:
            with lock:
                place = next(waiting, None)
            if place is None:
                return
            try:
                results[place] = jobs[place]()
            except BaseException as failure:  # raised again below
                failures.append(failure)

    threads = [threading.Thread(target=work, daemon=True) for _thread in range(min(WORKERS, len(jobs)))]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException as interruption:
        failures.append(interruption)
        raise
    if failures:
        raise failures[0]
    return results


def run_steps(
    steps: t.Sequence[Step],
    act: t.Callable[[Step], Outcome],
    report: Report,
    *,
    asks: t.Callable[[Step], bool] = lambda _step: True,
) -> None:
    """Act on the steps side by side. The report gets their outcomes in order, also when one fails.

    ``asks``: whether acting on a step sends a request; what does not is done at once, without a thread.
    """
    outcomes: list[Outcome | None] = [None if asks(step) else act(step) for step in steps]

    def job(place: int, step: Step) -> None:
        outcomes[place] = act(step)

    try:
        run_all([_bind(job, place, step) for place, step in enumerate(steps) if outcomes[place] is None])
    finally:
        report.outcomes += [outcome for outcome in outcomes if outcome is not None]
