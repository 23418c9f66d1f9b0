# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Ids of tasks as clients see them: `<upstream>.<owner>.<id>`.

A request about a task names no tool, so its id must say which upstream has the task: the first part is a digest of the
upstream's name. The second binds the task to the principal that began it: without the deployment's secret nobody can
make it. That needs no memory, so it holds at every worker and replica with the same secret, and after a restart.
"""

from __future__ import annotations

import hashlib
import hmac

from mcpops_broker.principal import Principal
from mcpops_broker.sealed_box import Secrets

_DIGEST = 16
"""Bytes of the part that binds."""


class TaskIds:
    """Makes and reads the ids. The first secret makes, all read."""

    def __init__(self, secrets: Secrets) -> None:
        self.use(secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._keys = [hashlib.blake2b(secret, person=b"mcpops task id").digest() for secret in secrets]

    def wrap(self, upstream: str, task: str, principal: Principal) -> str:
        """Return a task of an upstream, by the upstream's name, as the principal that began it sees it."""
        tag = tag_of(upstream)
        return f"{tag}.{_bound(self._keys[0], tag, task, principal)}.{task}"

    def unwrap(self, wrapped: str, principal: Principal) -> tuple[str, str] | None:
        """Return the tag of a task's upstream and its id there; None when it is no task of this principal."""
        tag, _, rest = wrapped.partition(".")
        said, _, task = rest.partition(".")
        for key in self._keys:
            if hmac.compare_digest(said.encode(), _bound(key, tag, task, principal).encode()):
                return tag, task
        return None


def tag_of(upstream: str) -> str:
    """Return what stands for an upstream."""
    return hashlib.blake2b(upstream.encode(), digest_size=6).hexdigest()


def _bound(key: bytes, tag: str, task: str, principal: Principal) -> str:
    said = principal.digest + tag.encode() + b"." + task.encode()
    return hashlib.blake2b(said, key=key, digest_size=_DIGEST).hexdigest()
