# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Secrets that the operator's objects refer to, looked at before anything is written.

The source of every rule is the operator's controllers (0.6 to 0.9), whose words appear in a Ready condition only
after the write.
"""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._x509 import blocks

Object = t.Mapping[str, t.Any]
SECRET_LABEL = "mcp.kuadrant.io/secret"  # noqa: S105 - the name of a label
"""The operator sees only Secrets that have this label with the value "true", but for those of trusted headers."""


class Reference(t.NamedTuple):
    """A Secret that an option of a module names, the entry that is read, and what must be true of it.

    ``authorities``: the entry holds CA certificates in PEM, at most so many bytes (0: it holds none).
    """

    option: str
    name: str
    key: str
    labelled: bool = True
    authorities: int = 0


def check_secrets(engine: Engine, label: str, namespace: str, references: t.Iterable[Reference]) -> None:
    """Raise Refused for the first Secret of ``label``'s that the operator would not take; in check mode one that is
    not there may be a warning. What may not be read is a warning."""
    for reference in references:
        said = f"{label}: the Secret {namespace}/{reference.name} of {reference.option}"
        fix = f"create it with the entry {reference.key}"
        fix += f" and the label {SECRET_LABEL}=true" if reference.labelled else ""
        secret = engine.read_secret(reference.name, namespace, said, missing="secret", fix=fix)
        problem = secret_problem(secret, reference) if secret is not None else ""
        if problem:
            raise Refused(f"{said} {problem}; correct the Secret or the option.")


def secret_problem(secret: Object, reference: Reference) -> str:
    """Why the operator will not take a Secret (completes "the Secret X ..."); empty when it will."""
    key = reference.key
    labels = (secret.get("metadata") or {}).get("labels") or {}
    if reference.labelled and labels.get(SECRET_LABEL) != "true":
        return f"lacks the label {SECRET_LABEL}=true, without which the operator does not see it"
    data = secret.get("data") or {}
    if key not in data:
        return f"has no entry {key} (it has: {', '.join(sorted(data)) or 'none'})"
    if not data[key]:
        return f"has an empty entry {key}"
    return _authorities_problem(str(data[key]), reference) if reference.authorities else ""


def _authorities_problem(encoded: str, reference: Reference) -> str:
    try:
        content = base64.b64decode(encoded)
    except binascii.Error:
        return f"has an entry {reference.key} that cannot be decoded"
    if len(content) > reference.authorities:
        return f"has more than {reference.authorities} bytes in its entry {reference.key}"
    kinds = [block.label for block in blocks(content.decode(errors="replace"))]
    if not kinds:
        return f"has no PEM certificate in its entry {reference.key}"
    others = [kind for kind in kinds if kind != "CERTIFICATE"]
    return f"has a PEM block {others[0]} in its entry {reference.key}, where only certificates may be" if others else ""
