# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of requests that change something: dry run, field manager, field validation, deletion policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import ApiError, bad_request, invalid
from .fields import FieldError, forbidden_value, invalid_value, not_supported, required
from .http import Request
from .objects import Object
from .requests import flag, integer

_VALIDATIONS = ("Ignore", "Warn", "Strict")
_POLICIES = ("Foreground", "Background", "Orphan")
Admit = Callable[[Object, Object | None], None]
"""Refuses a new object, or a change of one, by raising an ApiError."""


def _everything(new: Object, old: Object | None) -> None:
    """Refuses nothing."""


@dataclass
class WriteOptions:
    """How a create, update, patch or apply is to be done; warnings for the caller are collected here."""

    manager: str
    dry_run: bool = False
    force: bool = False
    validation: str = "Warn"
    warnings: list[str] = field(default_factory=list)
    admit: Admit = _everything

    @classmethod
    def of(cls, request: Request, kind: str, warnings: list[str], apply: bool = False) -> WriteOptions:
        """Read the query; ``kind`` names the options in errors (CreateOptions, UpdateOptions, PatchOptions)."""
        query = request.query
        errors: list[FieldError] = []
        dry_run = _dry_run(request.query_lists.get("dryRun", []), errors)
        validation = query.get("fieldValidation") or "Warn"
        if validation not in _VALIDATIONS:
            errors.append(not_supported("fieldValidation", validation, ("", *sorted(_VALIDATIONS))))
        manager = query.get("fieldManager", "")
        force = flag(query, "force")
        if apply and not manager:
            errors.append(required("fieldManager", "is required for apply patch"))
        elif "force" in query and not apply and kind == "PatchOptions":
            errors.append(forbidden_value("force", "may not be specified for non-apply patch"))
        if len(manager) > 128:
            errors.append(FieldError("FieldValueTooLong", "fieldManager", "", "may not be more than 128 bytes"))
        for at, letter in enumerate(manager):
            if not letter.isprintable():
                problem = f"invalid character U+{ord(letter):04X} (at position {at})"
                errors.append(invalid_value("fieldManager", manager, problem))
        if errors:
            raise invalid("meta.k8s.io", kind, "", errors)
        agent = request.headers.get("user-agent", "").partition("/")[0]
        return cls(manager or agent or "unknown", dry_run, force, validation, warnings)


def _dry_run(values: list[str], errors: list[FieldError]) -> bool:
    if any(value != "All" for value in values):
        errors.append(not_supported("dryRun", values, ("All",)))
    return bool(values)


@dataclass(frozen=True)
class DeleteOptions:
    """How a deletion is to be done."""

    dry_run: bool = False
    grace: int | None = None
    policy: str | None = None
    uid: str | None = None
    resource_version: str | None = None

    @classmethod
    def of(cls, request: Request, body: Object | None) -> DeleteOptions:
        """Read the body (a DeleteOptions object) and the query; the body wins."""
        body = body or {}
        query = request.query
        errors: list[FieldError] = []
        stated: list[str] = body.get("dryRun") or request.query_lists.get("dryRun", [])
        dry_run = _dry_run(stated, errors)
        policy: Any = body.get("propagationPolicy") or query.get("propagationPolicy") or None
        if policy is not None and policy not in _POLICIES:
            errors.append(not_supported("propagationPolicy", policy, (*_POLICIES, "nil")))
        orphan = body.get("orphanDependents", flag(query, "orphanDependents") if "orphanDependents" in query else None)
        if orphan is not None and policy is not None:
            problem = "orphanDependents and deletionPropagation cannot be both set"
            errors.append(invalid_value("propagationPolicy", policy, problem))
        if orphan is not None and policy is None:
            policy = "Orphan" if orphan else "Background"
        grace = body.get("gracePeriodSeconds")
        if grace is None:
            grace = integer(query, "gracePeriodSeconds")
        if errors:
            raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
        conditions = body.get("preconditions") or {}
        return cls(dry_run, grace, policy, conditions.get("uid"), conditions.get("resourceVersion"))


def strict_error(kind: str, version: str, unknown: list[str]) -> ApiError:
    """400 for fields that fieldValidation=Strict does not let pass."""
    problems = ", ".join(f'unknown field "{path}"' for path in unknown)
    return bad_request(
        f'{kind} in version "{version}" cannot be handled as a {kind}: strict decoding error: {problems}'
    )
