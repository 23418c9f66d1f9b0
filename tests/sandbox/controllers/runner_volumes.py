# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secret and ConfigMap volumes of pods, written and updated the way the kubelet does it.

The files of a volume are in a folder with a timestamp in its name; ``..data`` is a symbolic link to it
and the visible names are links into ``..data``. An update makes a new folder and replaces the one link,
so a reader sees the old files or the new ones, never a mixture.
"""

from __future__ import annotations

import base64
import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Lookup = Callable[[str, str], "Json | None"]
"""Finds an object of the pod's namespace by kind (Secret, ConfigMap) and name."""


class NotReadyError(Exception):
    """Something that the pod refers to is missing; the message is what the kubelet would report."""


def write(folder: Path, files: Mapping[str, bytes]) -> bool:
    """Makes ``folder`` show exactly these files; returns whether anything changed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    link = folder / "..data"
    if link.exists() and _read(link) == files:
        return False
    old = link.readlink() if link.is_symlink() else None
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=folder))  # mode 0700
    for name, content in files.items():
        target = fresh / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.touch(mode=0o600)
        target.write_bytes(content)
    draft = folder / "..data_tmp"
    with contextlib.suppress(FileNotFoundError):
        draft.unlink()
    draft.symlink_to(fresh.name)
    draft.replace(link)
    tops = {Path(name).parts[0] for name in files}
    for name in tops:
        shown = folder / name
        if not shown.is_symlink():
            shown.symlink_to(Path("..data") / name)
    for shown in folder.iterdir():
        if not shown.name.startswith("..") and shown.name not in tops:
            shown.unlink()
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)
    return True


def _read(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def volume_files(volume: Json, lookup: Lookup) -> dict[str, bytes]:
    """The files of a volume of a pod; one of another type (emptyDir, …) is an empty folder.

    Raises `NotReadyError` when a Secret, ConfigMap or key that is not optional is missing.
    """
    if source := volume.get("secret"):
        return _source_files("Secret", source["secretName"], source, volume["name"], lookup)
    if source := volume.get("configMap"):
        return _source_files("ConfigMap", source["name"], source, volume["name"], lookup)
    files: dict[str, bytes] = {}
    for part in (volume.get("projected") or {}).get("sources") or []:
        for kind, field in (("Secret", "secret"), ("ConfigMap", "configMap")):
            if source := part.get(field):
                files |= _source_files(kind, source["name"], source, volume["name"], lookup)
    return files


def _source_files(kind: str, name: str, source: Json, volume: str, lookup: Lookup) -> dict[str, bytes]:
    obj = lookup(kind, name)
    if obj is None:
        if source.get("optional"):
            return {}
        raise NotReadyError(f'MountVolume.SetUp failed for volume "{volume}" : {kind.lower()} "{name}" not found')
    data = content(obj)
    if not source.get("items"):
        return data
    chosen = {}
    for item in source["items"]:
        if item["key"] in data:
            chosen[item["path"]] = data[item["key"]]
        elif not source.get("optional"):
            what = f"references non-existent {kind.lower()} key: {item['key']}"
            raise NotReadyError(f'MountVolume.SetUp failed for volume "{volume}" : {what}')
    return chosen


def content(obj: Json) -> dict[str, bytes]:
    """The data of a Secret or ConfigMap as bytes."""
    if obj["kind"] == "Secret":
        return {key: base64.b64decode(value or "") for key, value in (obj.get("data") or {}).items()}
    text = {key: value.encode() for key, value in (obj.get("data") or {}).items()}
    return text | {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}


def environment(container: Json, pod: Json, lookup: Lookup) -> dict[str, str]:
    """The container's environment variables with every reference resolved; raises `NotReadyError` like the kubelet."""
    values: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if reference := source.get(field):
                obj = lookup(kind, reference["name"])
                if obj is None and not reference.get("optional"):
                    raise NotReadyError(f'{kind.lower()} "{reference["name"]}" not found')
                values |= {
                    source.get("prefix", "") + key: data.decode() for key, data in (content(obj) if obj else {}).items()
                }
    for entry in container.get("env") or []:
        value = _value(entry, pod, lookup)
        if value is not None:
            values[entry["name"]] = value
    return values


def _value(entry: Json, pod: Json, lookup: Lookup) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return str(entry.get("value") or "")
    for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if reference := source.get(field):
            obj = lookup(kind, reference["name"])
            if obj is not None and reference["key"] in content(obj):
                return content(obj)[reference["key"]].decode()
            if reference.get("optional"):
                return None
            if obj is None:
                raise NotReadyError(f'{kind.lower()} "{reference["name"]}" not found')
            where = f"{pod['metadata']['namespace']}/{reference['name']}"
            raise NotReadyError(f"couldn't find key {reference['key']} in {kind} {where}")
    path = (source.get("fieldRef") or {}).get("fieldPath", "")
    fields = {
        "metadata.name": pod["metadata"]["name"],
        "metadata.namespace": pod["metadata"]["namespace"],
        "status.podIP": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "spec.nodeName": "sandbox",
    }
    return str(fields.get(path, ""))
