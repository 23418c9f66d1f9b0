# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that are served: one `Resource` for each group, version and plural, and the `Catalog` of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from .errors import qualified
from .objects import Object, encode
from .schema import Schema
from .store import Location, Record
from .strategies import Strategy

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
Cell = str | int | float | bool | None


@dataclass(frozen=True)
class Column:
    """One column of a table; ``cell`` reads it from an object."""

    name: str
    type: str
    cell: Callable[[Object], Cell]
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True)
class ScalePaths:
    """Where a resource keeps what its scale subresource shows."""

    spec_replicas: tuple[str, ...] = ("spec", "replicas")
    status_replicas: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ()


def _as_it_is(obj: Object) -> Object:
    return obj


_UNSTATED = Location("", "")


@dataclass(eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    schema: Schema
    strategy: Strategy
    storage_version: str
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    """Fields besides name and namespace that a fieldSelector may use."""
    scale: ScalePaths | None = None
    location: Location = _UNSTATED
    custom: bool = False
    returns_deleted: bool = False
    """Whether a deletion answers with the object instead of a Status."""
    deprecated: str = ""
    """Warning for every use of this version."""
    schema_revision: int = 0
    """Store revision at which the schema last changed; records older than that are read through the schema."""
    from_storage: Callable[[Object], Object] = field(default=_as_it_is)
    to_storage: Callable[[Object], Object] = field(default=_as_it_is)

    def __post_init__(self) -> None:
        self.singular = self.singular or self.kind.lower()
        self.list_kind = self.list_kind or f"{self.kind}List"
        if self.location == _UNSTATED:
            self.location = Location(self.group, self.plural)

    @property
    def api_version(self) -> str:
        """``group/version``, or only the version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def qualified(self) -> str:
        """``plural.group``, as messages name a resource."""
        return qualified(self.group, self.plural)

    @property
    def shows_stored(self) -> bool:
        """Whether objects are stored just as they are shown in this version."""
        return self.storage_version == self.api_version and self.from_storage is _as_it_is

    def load(self, record: Record) -> Object:
        """A stored object in this version."""
        obj = self.from_storage(record.load())
        if record.revision < self.schema_revision or obj["apiVersion"] != self.api_version:
            obj["apiVersion"] = self.api_version
            obj["kind"] = self.kind
            self.strategy.read(obj)
        return obj

    def present(self, record: Record) -> bytes:
        """A stored object in this version, as JSON."""
        if self.shows_stored and record.revision >= self.schema_revision:
            return record.raw
        return encode(self.load(record))

    def present_in_list(self, record: Record) -> bytes:
        """A stored object as an item of a list; items of built-in lists do not repeat what the list says."""
        raw = self.present(record)
        prefix = b'{"apiVersion":"%b","kind":"%b",' % (self.api_version.encode(), self.kind.encode())
        return b"{" + raw[len(prefix) :] if not self.custom and raw.startswith(prefix) else raw

    def stored(self, obj: Object) -> Object:
        """An object of this version as it is stored."""
        kept = self.to_storage(obj)
        return kept if kept["apiVersion"] == self.storage_version else {**kept, "apiVersion": self.storage_version}


_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sort key that puts the newest stable version first, then beta, alpha and other names."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (3, 0, 0, version)
    stage = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return (stage, -int(match[1]), -int(match[3] or 0), version)


class Catalog:
    """All served resources."""

    def __init__(self) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._by_location: dict[Location, list[Resource]] = {}
        self.generation = 0
        """Counts changes, for caches of what is derived from the catalog."""

    def add(self, resource: Resource) -> None:
        self._resources[resource.group, resource.version, resource.plural] = resource
        versions = [known for known in self._by_location.get(resource.location, []) if not _same(known, resource)]
        self._by_location[resource.location] = [*versions, resource]
        self.generation += 1

    def remove(self, location: Location) -> None:
        """Serve nothing from a location any more."""
        for resource in self._by_location.pop(location, []):
            del self._resources[resource.group, resource.version, resource.plural]
        self.generation += 1

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def at(self, location: Location) -> list[Resource]:
        """The versions in which a location is served."""
        return self._by_location.get(location, [])

    def storage(self, location: Location) -> Resource | None:
        """The version to use for a location when any will do: the stored one if it is served."""
        served = self.at(location)
        return next((r for r in served if r.api_version == r.storage_version), served[0] if served else None)

    def of_kind(self, api_version: str, kind: str, exact: bool = False) -> Resource | None:
        """A resource by what objects call it, in any version of the group unless that has to be ``exact``."""
        group = api_version.rpartition("/")[0]
        found = (r for r in self._resources.values() if r.group == group and r.kind == kind)
        return next((r for r in found if not exact or r.api_version == api_version), None)

    def schema(self, location: Location, api_version: str) -> Schema | None:
        """The schema of a location's objects in a version, or None when that is not served."""
        return next((r.schema for r in self.at(location) if r.api_version == api_version), None)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, preferred ones first."""
        found: dict[str, set[str]] = {}
        for resource in self:
            found.setdefault(resource.group, set()).add(resource.version)
        return {group: sorted(versions, key=version_rank) for group, versions in found.items()}

    def of_version(self, group: str, version: str) -> Iterable[Resource]:
        return [r for r in self if r.group == group and r.version == version]


def _same(left: Resource, right: Resource) -> bool:
    return (left.group, left.version) == (right.group, right.version)
