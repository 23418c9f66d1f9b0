# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What differs between a manifest and the live object, as server-side apply would see it.

One Difference feeds ``changed``, the diff and the decision to write, so they cannot disagree. Compared are the
fields that the manifest states, and those that our manager applied earlier and the manifest no longer states.
How a list is compared (by keys, as a set, as one value) is read from ``managedFields``, where the API server
has written down its schema's choice.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.mcpops.gateway.plugins.module_utils._fields import (
    Tree,
    applied_by,
    child,
    children,
    item_key,
    owned_by_others,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import is_built_in
from ansible_collections.mcpops.gateway.plugins.module_utils._schema import Schema
from ansible_collections.mcpops.gateway.plugins.module_utils._values import DIFFERENT, MAYBE, SAME, alike

MISSING: t.Any = object()
IDENTITY = ("apiVersion", "kind")
METADATA_IDENTITY = ("name", "namespace")


@dataclass
class Difference:
    """The outcome of a comparison.

    ``fields``: paths that change value, are added or removed. ``taken``: paths that already have the wanted value
    but are not ours yet. ``uncertain``: paths where only the API server knows whether the value differs.
    ``before`` and ``after`` hold only fields that we state or own. ``missing``: the object does not exist.
    """

    fields: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)
    before: t.Any = None
    after: t.Any = None
    missing: bool = False

    def __bool__(self) -> bool:
        """True when the object has to be sent to the API server."""
        return self.missing or bool(self.fields or self.taken or self.uncertain)

    @property
    def changes(self) -> list[str]:
        """The paths to report once the API server has confirmed a change."""
        return self.fields or self.taken or self.uncertain


def compare(
    wanted: t.Mapping[str, t.Any], live: t.Mapping[str, t.Any] | None, manager: str, schema: Schema | None = None
) -> Difference:
    """The Difference between a normalized manifest and the live object (None: it does not exist).

    With a schema, its defaults settle what else is uncertain.
    """
    difference = Difference()
    identity = {key: wanted[key] for key in IDENTITY}
    content = _content(wanted)
    if live is None:
        difference.missing = True
        difference.fields = list(content)
        difference.before, difference.after = {}, {**identity, **dict(wanted)}
        return difference
    walk = _Walk(difference, built_in=is_built_in(str(wanted["apiVersion"])))
    spot = _Spot(applied_by(live, manager) or {}, owned_by_others(live, manager), schema)
    difference.before, difference.after = walk.mapping(content, _content(live), spot)
    names = {key: wanted["metadata"][key] for key in METADATA_IDENTITY if key in wanted["metadata"]}
    for side in (difference.before, difference.after):
        side.update(identity)
        side["metadata"] = {**names, **side.get("metadata", {})}
    return difference


def _content(manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    content = {key: value for key, value in manifest.items() if key not in IDENTITY}
    metadata = {key: value for key, value in (manifest.get("metadata") or {}).items() if key not in METADATA_IDENTITY}
    if metadata:
        content["metadata"] = metadata
    else:
        content.pop("metadata", None)
    return content


@dataclass(frozen=True)
class _Spot:
    """A place in the object: who owns what there, its schema if known, and the path to it."""

    own: Tree | None
    others: list[Tree]
    schema: Schema | None = None
    path: tuple[str, ...] = ()

    def down(self, segment: str, step: str) -> _Spot:
        schema = self.schema.field(step) if self.schema else None
        return _Spot(child(self.own, segment), children(self.others, segment), schema, (*self.path, step))

    def item(self, segment: str, identity: t.Mapping[str, t.Any]) -> _Spot:
        """An item of a keyed list; its keys become part of the last step: ``listeners[name=mcps]``."""
        path = (*self.path[:-1], self.path[-1] + _item_name(identity))
        schema = self.schema.items() if self.schema else None
        return _Spot(child(self.own, segment), children(self.others, segment), schema, path)


def _item_name(identity: t.Mapping[str, t.Any]) -> str:
    return "[" + ",".join(f"{key}={value}" for key, value in identity.items()) + "]"


class _Walk:
    """Walks manifest, live object and ownership side by side; fills the Difference, returns (before, after)."""

    def __init__(self, difference: Difference, *, built_in: bool) -> None:
        self._difference = difference
        self._built_in = built_in

    def value(self, wanted: t.Any, live: t.Any, spot: _Spot) -> tuple[t.Any, t.Any]:
        if live is MISSING:
            return self._absent(wanted, spot)
        if isinstance(wanted, dict) and isinstance(live, dict):
            if wanted and (spot.own == {} or (spot.own is None and {} in spot.others)):
                return self._atomic(wanted, live, spot)
            if not wanted and spot.own is None:
                self._difference.taken.append(show(spot.path))
            return self.mapping(wanted, live, spot)
        if isinstance(wanted, list) and isinstance(live, list):
            return self._list(wanted, live, spot)
        verdict = alike(wanted, live, spot.path, built_in=self._built_in)
        if verdict == DIFFERENT:
            self._difference.fields.append(show(spot.path))
        elif verdict == MAYBE:
            self._difference.uncertain.append(show(spot.path))
        elif spot.own is None:
            self._difference.taken.append(show(spot.path))
        return live, wanted

    def _absent(self, wanted: t.Any, spot: _Spot) -> tuple[t.Any, t.Any]:
        """The API server leaves some empty values out of what it stores; that we applied one is still written down."""
        if _absent(wanted) == DIFFERENT:
            self._difference.fields.append(show(spot.path))
        elif spot.own is None and not (wanted == [] and spot.schema and spot.schema.is_associative):
            self._difference.uncertain.append(show(spot.path))
        return MISSING, wanted

    def mapping(self, wanted: dict[str, t.Any], live: dict[str, t.Any], spot: _Spot) -> tuple[t.Any, t.Any]:
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        for key, value in wanted.items():
            old, new = self.value(value, live.get(key, MISSING), spot.down("f:" + key, key))
            after[key] = new
            if old is not MISSING:
                before[key] = old
        for segment in spot.own or {}:
            key = segment[2:]
            if segment.startswith("f:") and key not in wanted:
                old, new = self._dropped(live.get(key, MISSING), spot.down(segment, key))
                if old is not MISSING:
                    before[key] = old
                if new is not MISSING:
                    after[key] = new
        return before, after

    def _dropped(self, live: t.Any, spot: _Spot) -> tuple[t.Any, t.Any]:
        """A field that we applied earlier and no longer state: it goes, unless somebody else holds it, too."""
        if live is MISSING:
            self._difference.taken.append(show(spot.path))
            return MISSING, MISSING
        if not spot.others:
            self._difference.fields.append(show(spot.path))
            return live, MISSING
        if spot.own and isinstance(live, dict):
            return self.mapping({}, live, spot)
        if spot.own and isinstance(live, list):
            return self._list([], live, spot)
        self._difference.taken.append(show(spot.path))
        return live, live

    def _list(self, wanted: list[t.Any], live: list[t.Any], spot: _Spot) -> tuple[t.Any, t.Any]:
        trees = [spot.own] if spot.own else spot.others
        keyed = next((key for tree in trees for key in tree if key.startswith("k:")), None)
        if keyed is not None and all(isinstance(item, dict) for item in wanted):
            return self._keyed_list(wanted, live, spot, tuple(item_key(keyed)))
        if any(key.startswith("v:") for tree in trees for key in tree):
            return self._set(wanted, live, spot)
        return self._atomic(wanted, live, spot)

    def _keyed_list(
        self, wanted: list[dict[str, t.Any]], live: list[t.Any], spot: _Spot, keys: tuple[str, ...]
    ) -> tuple[list[t.Any], list[t.Any]]:
        before: list[t.Any] = []
        after: list[t.Any] = []
        stated = set()
        for item in wanted:
            found = next((one for one in live if isinstance(one, dict) and _same_item(item, one, keys)), MISSING)
            identity = {key: (item if found is MISSING else found).get(key) for key in keys}
            segment = _segment_of(identity, spot)
            stated.add(segment)
            old, new = self.value(item, found, spot.item(segment, identity))
            after.append(new)
            if old is not MISSING:
                before.append(old)
        for segment in spot.own or {}:
            if segment.startswith("k:") and segment not in stated:
                identity = item_key(segment)
                gone = next((one for one in live if isinstance(one, dict) and _same_item(identity, one, keys)), MISSING)
                old, new = self._dropped(gone, spot.item(segment, identity))
                before += [old] if old is not MISSING else []
                after += [new] if new is not MISSING else []
        return before, after

    def _set(self, wanted: list[t.Any], live: list[t.Any], spot: _Spot) -> tuple[t.Any, t.Any]:
        own = [json.loads(segment[2:]) for segment in spot.own or {} if segment.startswith("v:")]
        others = [json.loads(segment[2:]) for tree in spot.others for segment in tree if segment.startswith("v:")]
        dropped = [item for item in own if item not in wanted]
        left = [item for item in dropped if item in others and item in live]
        if any(item not in live for item in wanted) or any(item in live and item not in left for item in dropped):
            self._difference.fields.append(show(spot.path))
        elif dropped or any(item not in own for item in wanted):
            self._difference.taken.append(show(spot.path))
        before = [item for item in [*wanted, *dropped] if item in live]
        return before, [*wanted, *left]

    def _atomic(self, wanted: t.Any, live: t.Any, spot: _Spot) -> tuple[t.Any, t.Any]:
        """A value that the schema treats as one. What live has beyond it may be defaults: the API server knows."""
        verdict = covers(wanted, live, spot.path, built_in=self._built_in)
        if verdict == MAYBE and spot.schema:
            verdict = covers(spot.schema.with_defaults(wanted), live, spot.path, built_in=self._built_in)
        if verdict == DIFFERENT:
            self._difference.fields.append(show(spot.path))
            return live, wanted
        if spot.own is None:
            self._difference.taken.append(show(spot.path))
        elif verdict == MAYBE:
            self._difference.uncertain.append(show(spot.path))
            return live, wanted
        return wanted, wanted


def covers(wanted: t.Any, live: t.Any, path: t.Sequence[str] = (), *, built_in: bool = False) -> str:
    """SAME when both are equal, MAYBE when live only says more (defaults) or says it otherwise, DIFFERENT else."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        verdicts = [
            covers(value, live[key], (*path, key), built_in=built_in) if key in live else _absent(value)
            for key, value in wanted.items()
        ]
        if set(live) - set(wanted):
            verdicts.append(MAYBE)
    elif isinstance(wanted, list) and isinstance(live, list):
        if len(wanted) != len(live):
            return DIFFERENT
        verdicts = [covers(one, other, path, built_in=built_in) for one, other in zip(wanted, live, strict=True)]
    elif isinstance(wanted, dict | list) or isinstance(live, dict | list):
        return DIFFERENT
    else:
        return alike(wanted, live, path, built_in=built_in)
    if DIFFERENT in verdicts:
        return DIFFERENT
    return MAYBE if MAYBE in verdicts else SAME


def _absent(wanted: t.Any) -> str:
    return MAYBE if wanted in ({}, [], "", 0) or wanted is False else DIFFERENT


def _same_item(wanted: dict[str, t.Any], live: dict[str, t.Any], keys: tuple[str, ...]) -> bool:
    return all(wanted[key] == live.get(key) for key in keys if key in wanted)


def _segment_of(identity: dict[str, t.Any], spot: _Spot) -> str:
    """The segment under which the trees hold the item; made up when none does."""
    for tree in ([spot.own] if spot.own else []) + spot.others:
        for segment in tree:
            if segment.startswith("k:") and item_key(segment) == identity:
                return segment
    return "k:" + json.dumps(identity, separators=(",", ":"), sort_keys=True)


def show_segments(path: t.Sequence[str]) -> str:
    """A path of an ownership tree in the same way."""
    shown: list[str] = []
    for segment in path:
        if segment.startswith("f:"):
            shown.append(segment[2:])
        elif segment.startswith("k:") and shown:
            shown[-1] += _item_name(item_key(segment))
    return show(shown)


def show(path: t.Sequence[str]) -> str:
    """A path as messages show it: ``spec.listeners[name=mcps].port``; keys with dots in brackets."""
    shown = ""
    for part in path:
        bare = part.partition("[")[0]
        if "." in bare or "/" in bare:
            shown += f"[{part}]"
        else:
            shown += ("." if shown else "") + part
    return shown
