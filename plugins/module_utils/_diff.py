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
        return self.fields or self.uncertain or self.taken


def compare(wanted: t.Mapping[str, t.Any], live: t.Mapping[str, t.Any] | None, manager: str) -> Difference:
    """The Difference between a normalized manifest and the live object (None: it does not exist)."""
    difference = Difference()
    identity = {key: wanted[key] for key in IDENTITY}
    content = _content(wanted)
    if live is None:
        difference.missing = True
        difference.fields = [key for key, value in content.items() if key != "metadata" or value]
        difference.before, difference.after = {}, {**identity, **dict(wanted)}
        return difference
    walk = _Walk(difference)
    tree = applied_by(live, manager) or {}
    others = owned_by_others(live, manager)
    difference.before, difference.after = walk.mapping(content, _content(live), tree, others, ())
    names = {key: wanted["metadata"][key] for key in METADATA_IDENTITY if key in wanted["metadata"]}
    for side in (difference.before, difference.after):
        side.update(identity)
        side["metadata"] = {**names, **side.get("metadata", {})}
    return difference


def _content(manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    content = {key: value for key, value in manifest.items() if key not in IDENTITY}
    metadata = manifest.get("metadata") or {}
    content["metadata"] = {key: value for key, value in metadata.items() if key not in METADATA_IDENTITY}
    return content


class _Walk:
    """Walks manifest, live object and ownership trees side by side; fills the Difference, returns (before, after)."""

    def __init__(self, difference: Difference) -> None:
        self._difference = difference

    def value(
        self, wanted: t.Any, live: t.Any, own: Tree | None, others: list[Tree], path: tuple[str, ...]
    ) -> tuple[t.Any, t.Any]:
        if live is MISSING:
            if wanted in ({}, [], "") or wanted is False or wanted == 0:
                # The API server leaves empty values out of what it stores.
                if own is None and wanted not in ({}, []):
                    self._difference.uncertain.append(show(path))
            else:
                self._difference.fields.append(show(path))
            return MISSING, wanted
        if isinstance(wanted, dict) and isinstance(live, dict):
            if wanted and (own == {} or (own is None and {} in others)):
                return self._atomic(wanted, live, own, path)
            return self.mapping(wanted, live, own, others, path)
        if isinstance(wanted, list) and isinstance(live, list):
            return self._list(wanted, live, own, others, path)
        verdict = alike(wanted, live, path)
        if verdict == DIFFERENT:
            self._difference.fields.append(show(path))
        elif verdict == MAYBE:
            self._difference.uncertain.append(show(path))
        elif own is None:
            self._difference.taken.append(show(path))
        return live, wanted

    def mapping(
        self,
        wanted: dict[str, t.Any],
        live: dict[str, t.Any],
        own: Tree | None,
        others: list[Tree],
        path: tuple[str, ...],
    ) -> tuple[dict[str, t.Any], dict[str, t.Any]]:
        before: dict[str, t.Any] = {}
        after: dict[str, t.Any] = {}
        if not wanted and own is None and path not in ((), ("metadata",)):
            self._difference.taken.append(show(path))
        for key, value in wanted.items():
            segment = "f:" + key
            old, new = self.value(
                value, live.get(key, MISSING), child(own, segment), children(others, segment), (*path, key)
            )
            after[key] = new
            if old is not MISSING:
                before[key] = old
        for segment in own or {}:
            key = segment[2:]
            if segment.startswith("f:") and key not in wanted:
                self._dropped(live.get(key, MISSING), segment, others, (*path, key), before, after, key)
        return before, after

    def _dropped(
        self,
        live: t.Any,
        segment: str,
        others: list[Tree],
        path: tuple[str, ...],
        before: dict[str, t.Any],
        after: dict[str, t.Any],
        key: str,
    ) -> None:
        """A field that we applied earlier and no longer state: it goes, unless somebody else holds it, too."""
        if live is MISSING or children(others, segment):
            self._difference.taken.append(show(path))
            if live is not MISSING:
                before[key] = after[key] = live
            return
        self._difference.fields.append(show(path))
        before[key] = live

    def _list(
        self, wanted: list[t.Any], live: list[t.Any], own: Tree | None, others: list[Tree], path: tuple[str, ...]
    ) -> tuple[t.Any, t.Any]:
        trees = [own] if own else others
        keyed = next((key for tree in trees for key in tree if key.startswith("k:")), None)
        if keyed is not None and all(isinstance(item, dict) for item in wanted):
            return self._keyed_list(wanted, live, own, others, path, tuple(item_key(keyed)))
        if any(key.startswith("v:") for tree in trees for key in tree):
            return self._set(wanted, live, own, others, path)
        return self._atomic(wanted, live, own, path)

    def _keyed_list(
        self,
        wanted: list[dict[str, t.Any]],
        live: list[t.Any],
        own: Tree | None,
        others: list[Tree],
        path: tuple[str, ...],
        keys: tuple[str, ...],
    ) -> tuple[list[t.Any], list[t.Any]]:
        before: list[t.Any] = []
        after: list[t.Any] = []
        stated = set()
        for item in wanted:
            found = next((one for one in live if isinstance(one, dict) and _same_item(item, one, keys)), MISSING)
            identity = {key: (found if found is not MISSING else item).get(key) for key in keys}
            segment = next((one for one in own or {} if one.startswith("k:") and item_key(one) == identity), None)
            stated.add(segment)
            held = segment or _segment(identity)
            step = (*path[:-1], path[-1] + _item_name(identity))
            subtree = child(own, held)
            if found is not MISSING and subtree is None:
                subtree_others = children(others, held)
                old, new = self.mapping(item, found, None, subtree_others, step)
            else:
                old, new = self.value(item, found, subtree, children(others, held), step)
            after.append(new)
            if old is not MISSING:
                before.append(old)
        for segment in own or {}:
            if segment.startswith("k:") and segment not in stated:
                identity = item_key(segment)
                step = (*path[:-1], path[-1] + _item_name(identity))
                gone = next((one for one in live if isinstance(one, dict) and _same_item(identity, one, keys)), MISSING)
                if gone is MISSING or children(others, segment):
                    self._difference.taken.append(show(step))
                else:
                    self._difference.fields.append(show(step))
                    before.append(gone)
        return before, after

    def _set(
        self, wanted: list[t.Any], live: list[t.Any], own: Tree | None, others: list[Tree], path: tuple[str, ...]
    ) -> tuple[t.Any, t.Any]:
        before, after = [], list(wanted)
        for item in wanted:
            segment = "v:" + json.dumps(item, separators=(",", ":"))
            if item in live:
                before.append(item)
                if child(own, segment) is None:
                    self._difference.taken.append(show(path))
            else:
                self._difference.fields.append(show(path))
        for segment in own or {}:
            if segment.startswith("v:") and json.loads(segment[2:]) not in wanted:
                self._difference.fields.append(show(path))
                before.append(json.loads(segment[2:]))
        return before, after

    def _atomic(self, wanted: t.Any, live: t.Any, own: Tree | None, path: tuple[str, ...]) -> tuple[t.Any, t.Any]:
        """A value that the schema treats as one. What live has beyond it may be defaults: the API server knows."""
        verdict = covers(wanted, live, path)
        if verdict == DIFFERENT:
            self._difference.fields.append(show(path))
            return live, wanted
        if own is None:
            self._difference.taken.append(show(path))
        elif verdict == MAYBE:
            self._difference.uncertain.append(show(path))
            return live, wanted
        return wanted, wanted


def covers(wanted: t.Any, live: t.Any, path: t.Sequence[str] = ()) -> str:
    """SAME when both are equal, MAYBE when live only says more (defaults) or says it otherwise, DIFFERENT else."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        verdicts = [
            covers(value, live[key], (*path, key)) if key in live else _absent(value) for key, value in wanted.items()
        ]
        if set(live) - set(wanted):
            verdicts.append(MAYBE)
    elif isinstance(wanted, list) and isinstance(live, list):
        if len(wanted) != len(live):
            return DIFFERENT
        verdicts = [covers(one, other, path) for one, other in zip(wanted, live, strict=True)]
    elif isinstance(wanted, dict | list) or isinstance(live, dict | list):
        return DIFFERENT
    else:
        return alike(wanted, live, path)
    if DIFFERENT in verdicts:
        return DIFFERENT
    return MAYBE if MAYBE in verdicts else SAME


def _absent(wanted: t.Any) -> str:
    return MAYBE if wanted in ({}, [], "", 0) or wanted is False else DIFFERENT


def _same_item(wanted: dict[str, t.Any], live: dict[str, t.Any], keys: tuple[str, ...]) -> bool:
    return all(wanted[key] == live.get(key) for key in keys if key in wanted)


def _segment(identity: dict[str, t.Any]) -> str:
    return "k:" + json.dumps(identity, separators=(",", ":"), sort_keys=True)


def _item_name(identity: dict[str, t.Any]) -> str:
    return "[" + ",".join(f"{key}={value}" for key, value in identity.items()) + "]"


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
