# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Sets of objects of which those no longer wanted are removed: the ApplySet convention of Kubernetes (KEP-3659).

A Secret is the set's parent: its annotations say which kinds and namespaces the set may have members in. Members carry
the label ``applyset.kubernetes.io/part-of``. Only what carries that label of this set is ever removed.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._delete import Strip
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest, check
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import (
    NAMESPACE,
    SECRET,
    Resource,
    label_of,
)

ID = "applyset.kubernetes.io/id"
PART_OF = "applyset.kubernetes.io/part-of"
TOOLING = "applyset.kubernetes.io/tooling"
KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
TOOL = "mcpops.gateway"


class ApplySet:
    """One set, named by its parent Secret. Its own bookkeeping is no part of the report."""

    def __init__(self, engine: Engine, name: str, namespace: str) -> None:
        self._engine = engine
        self._name = name
        self._namespace = namespace
        self.id = set_id(name, namespace)

    def apply(self, manifests: t.Sequence[Manifest], *, remove: bool = True) -> Report:
        """Apply the manifests as members of the set. ``remove``: they are all of it, so other members are removed."""
        engine = self._engine
        parent = self._parent()
        if parent is None and not manifests:
            return Report()
        steps = engine.plan([self._labelled(manifest) for manifest in manifests])
        self._refuse_members_of_others(steps)
        kinds = {(step.identity[0], step.kind) for step in steps}
        places = {step.namespace for step in steps if step.namespace}
        recorded_kinds, recorded_places = _recorded(parent)
        # First the record, then the members: a run that is cut off leaves nothing that it does not cover.
        self._record(parent, kinds | recorded_kinds, places | recorded_places, steps)
        report = engine.carry_out(steps)
        if not remove:
            return report
        wanted = {step.identity for step in steps}
        leftovers = [
            step
            for step in self._members(kinds | recorded_kinds, places | recorded_places)
            if step.identity not in wanted
        ]
        report.add(engine.remove_steps(leftovers))
        if (kinds, places) != (kinds | recorded_kinds, places | recorded_places):
            self._record(self._parent(), kinds, places, steps)
        return report

    def remove(self, manifests: t.Sequence[Manifest], *, only_own: bool = False, strip: Strip | None = None) -> Report:
        """Remove all members, what the manifests name, and the record."""
        engine = self._engine
        parent = self._parent()
        report = engine.remove(manifests, only_own=only_own, strip=strip)
        seen = {_identity(outcome.manifest) for outcome in report.outcomes}
        if parent is not None:
            members = self._members(*_recorded(parent))
            report.add(engine.remove_steps([step for step in members if step.identity not in seen], strip=strip))
            if not engine.check:
                engine.client.delete(SECRET, self._name, self._namespace)
        return report

    def _labelled(self, manifest: Manifest) -> Manifest:
        check(manifest)
        metadata = manifest["metadata"]
        labels = {**(metadata.get("labels") or {}), PART_OF: self.id}
        return {**manifest, "metadata": {**metadata, "labels": labels}}

    def _refuse_members_of_others(self, steps: t.Sequence[Step]) -> None:
        """An object in two sets would be taken by each of them in turn."""
        for step in steps:
            labels = ((step.live or {}).get("metadata") or {}).get("labels") or {}
            if labels.get(PART_OF) not in {None, self.id} and not self._engine.force:
                raise Refused(
                    f"{label_of(step.manifest)} belongs to another set of prune (label {PART_OF}: {labels[PART_OF]}); "
                    "leave it to that set, or set force_conflicts to true to move it into this one."
                )

    def _parent(self) -> Object | None:
        found = self._engine.client.get(SECRET, self._name, self._namespace)
        if found is None:
            return None
        metadata = found["metadata"]
        tool = (metadata.get("annotations") or {}).get(TOOLING, "")
        if (metadata.get("labels") or {}).get(ID) != self.id or not tool.startswith(TOOL + "/"):
            owner = f"belongs to the tool {tool}" if tool else "is no record of a set"
            raise Refused(
                f"The Secret {self._namespace}/{self._name} {owner}, so it cannot record the set {self._name} of "
                "prune; choose another prune.name."
            )
        return found

    def _record(
        self, parent: Object | None, kinds: set[tuple[str, str]], places: set[str], steps: t.Sequence[Step]
    ) -> None:
        manifest: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": self._name,
                "namespace": self._namespace,
                "labels": {ID: self.id},
                "annotations": {
                    TOOLING: f"{TOOL}/v1",
                    KINDS: ",".join(sorted(f"{kind}.{group}" if group else kind for group, kind in kinds)),
                    NAMESPACES: ",".join(sorted(places - {self._namespace})),
                },
            },
        }
        engine = self._engine
        home = [
            step for step in steps if step.kind == NAMESPACE.kind and step.name == self._namespace and not step.live
        ]
        if parent is None and home:
            engine.carry_out(home, told=False)
        engine.carry_out(engine.plan([manifest]), told=False)

    def _members(self, kinds: set[tuple[str, str]], places: set[str]) -> list[Step]:
        found = []
        for group, kind in sorted(kinds):
            resource = self._resource(group, kind)
            if resource is None:
                continue
            for place in sorted(places | {self._namespace}) if resource.namespaced else [None]:
                items, _version = self._engine.client.list(resource, place, labels=f"{PART_OF}={self.id}")
                found += [Step(_identity_manifest(resource, item), resource, live=item) for item in items]
        return found

    def _resource(self, group: str, kind: str) -> Resource | None:
        core = self._engine.discovery.find("v1", kind) if not group else None
        return core or (self._engine.discovery.find_in_group(group, kind) if group else None)


def set_id(name: str, namespace: str) -> str:
    """KEP-3659: ``applyset-<base64url(sha256(name.namespace.kind.group))>-v1``."""
    digest = hashlib.sha256(f"{name}.{namespace}.Secret.".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


def _recorded(parent: Object | None) -> tuple[set[tuple[str, str]], set[str]]:
    annotations = ((parent or {}).get("metadata") or {}).get("annotations") or {}
    kinds = {
        (entry.partition(".")[2], entry.partition(".")[0])
        for entry in str(annotations.get(KINDS, "")).split(",")
        if entry
    }
    places = {entry for entry in str(annotations.get(NAMESPACES, "")).split(",") if entry}
    return kinds, places


def _identity(manifest: t.Mapping[str, t.Any]) -> tuple[str, str, str | None, str]:
    metadata = manifest["metadata"]
    return (
        str(manifest["apiVersion"]).rpartition("/")[0],
        str(manifest["kind"]),
        metadata.get("namespace"),
        metadata["name"],
    )


def _identity_manifest(resource: Resource, item: Object) -> Manifest:
    metadata = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
