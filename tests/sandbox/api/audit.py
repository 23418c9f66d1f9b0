# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log: one JSON line for each finished request, as audit.k8s.io/v1 Event at level Metadata."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from .authentication import User
from .objects import new_uid, now_micro
from .requests import RequestInfo


@dataclass
class Entry:
    """What is logged of one request; it fills up while the request is handled."""

    info: RequestInfo
    agent: str
    received: str
    """When the request came, RFC 3339 with microseconds."""
    user: User | None = None
    code: int = 200
    reason: str = ""
    """Reason of the Status that refused it."""


class AuditLog:
    """Writes the lines that a kube-apiserver with a Metadata policy would write for the same requests."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[bytes] | None = None
        if path:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)

    def record(self, entry: Entry) -> None:
        """Write one line."""
        if self._file is None:
            return
        info = entry.info
        status: dict[str, object] = {"metadata": {}, "code": entry.code}
        if entry.reason:
            status |= {"status": "Failure", "reason": entry.reason}
        event: dict[str, object] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Metadata",
            "auditID": new_uid(),
            "stage": "ResponseComplete",
            "requestURI": info.target,
            "verb": info.verb,
            "user": entry.user.info() if entry.user else {},
            "sourceIPs": ["127.0.0.1"],
            "userAgent": entry.agent,
            "responseStatus": status,
            "requestReceivedTimestamp": entry.received,
            "stageTimestamp": now_micro(),
        }
        if info.resource:
            reference = {
                "resource": info.resource,
                "namespace": info.namespace,
                "name": info.name,
                "apiGroup": info.group,
                "apiVersion": info.version,
                "subresource": info.subresource,
            }
            event["objectRef"] = {key: value for key, value in reference.items() if value}
        self._file.write(orjson.dumps(event) + b"\n")

    def close(self) -> None:
        if self._file:
            self._file.close()
