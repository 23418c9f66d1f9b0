# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What discovery found, kept between tasks: one small file an API server, in Ansible's own folder.

Only what is served is kept, for a few minutes, so that a kind that appears is seen at once. A kind that vanished
meanwhile answers 404 without a Status, and the job is done again without this. The file holds names of kinds and no
secret; a folder or file that belongs to somebody else is not read. Where no folder can be written (a read-only
home), nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource

LIFETIME = 300.0
"""Seconds for which a version's list of kinds is believed."""
FOLDER = "mcpops.gateway"


class DiscoveryCache:
    """Lists of kinds by apiVersion and of versions by group. Failures of the file system mean an empty cache."""

    def __init__(self, host: str, folder: str | None = None) -> None:
        self._path = os.path.join(folder or default_folder(), hashlib.sha256(host.encode()).hexdigest()[:32] + ".json")
        self._entries: dict[str, t.Any] | None = None

    def get(self, api_version: str) -> dict[str, Resource] | None:
        """The kinds of a version, or None when they have to be asked for."""
        rows = self._fresh(api_version, "kinds")
        return None if rows is None else {fields[3]: Resource(*fields) for fields in rows}

    def versions(self, group: str) -> list[str] | None:
        """The versions of a group, the best one first, or None when they have to be asked for."""
        return self._fresh(group, "versions")

    def put(self, api_version: str, kinds: t.Mapping[str, Resource]) -> None:
        """Keep the kinds of a version."""
        self._keep(
            api_version,
            "kinds",
            [[one.group, one.version, one.plural, one.kind, one.namespaced] for one in kinds.values()],
        )

    def put_versions(self, group: str, versions: list[str]) -> None:
        """Keep the versions of a group."""
        self._keep(group, "versions", versions)

    def clear(self) -> None:
        """Forget everything about this API server."""
        self._entries = {}
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _fresh(self, name: str, what: str) -> list[t.Any] | None:
        entry = self._load().get(name)
        if entry is None or not 0 <= time.time() - entry["at"] < LIFETIME:
            return None
        found: list[t.Any] | None = entry.get(what)
        return found

    def _keep(self, name: str, what: str, found: list[t.Any]) -> None:
        """Beside what other tasks, which may run at the same time, have kept meanwhile."""
        self._entries = {**_read(self._path), name: {"at": time.time(), what: found}}
        self._save(self._entries)

    def _load(self) -> dict[str, t.Any]:
        if self._entries is None:
            self._entries = _read(self._path)
        return self._entries

    def _save(self, entries: dict[str, t.Any]) -> None:
        folder = os.path.dirname(self._path)
        if not os.path.isabs(folder):
            return  # there is no home
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            if not _is_ours(os.stat(folder)):
                return
            handle, name = tempfile.mkstemp(dir=folder)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(entries, file)
                os.replace(name, self._path)
            except OSError:
                os.unlink(name)
                raise


def default_folder() -> str:
    """Beside Ansible's own temporary files: in ``$ANSIBLE_HOME`` or ``~/.ansible``."""
    home = os.environ.get("ANSIBLE_HOME") or os.path.join(os.path.expanduser("~"), ".ansible")
    return os.path.join(home, "cache", FOLDER)


def _read(path: str) -> dict[str, t.Any]:
    try:
        with open(path, encoding="utf-8") as file:
            if not _is_ours(os.fstat(file.fileno())):
                return {}
            found = json.load(file)
        for entry in found.values():
            float(entry["at"])
            for fields in entry.get("kinds") or []:
                Resource(*fields)
            ".".join(entry.get("versions") or [])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}  # no file, or a damaged one
    return dict(found)


def _is_ours(found: os.stat_result) -> bool:
    """Nobody else may have written it."""
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
