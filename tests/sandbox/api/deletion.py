# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion: at once, or marked until finalizers and running pods are done."""

from __future__ import annotations

from . import errors
from .errors import ApiError
from .objects import Object, now
from .options import DeleteOptions
from .registry import Outcome, Registry, Target
from .resources import Resource

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_FINALIZERS = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}


def delete(registry: Registry, target: Target, options: DeleteOptions) -> Outcome:
    """Delete an object, or mark it for those who have to finalize it.

    ``created`` of the outcome is True when the object is gone. Raises 404, 403, and 409 for preconditions.
    """
    resource = target.resource
    obj = resource.load(registry.get(target))
    metadata = obj["metadata"]
    _check_preconditions(resource, metadata, options)
    refusal = resource.strategy.refuse_delete(obj)
    if refusal:
        raise errors.forbidden(resource, target.name, refusal)
    known = bool(metadata.get("deletionTimestamp"))
    resource.strategy.prepare_delete(obj)
    finalizers = _finalizers(metadata, options)
    grace = _grace(resource, obj, options)
    if not finalizers and grace == 0 and not resource.strategy.is_held(obj):
        if resource.strategy.graceful:
            _mark(resource, metadata, 0, finalizers)
        if not options.dry_run:
            registry.remove(resource, obj)
        return Outcome(obj, created=True)
    changed = _mark(resource, metadata, grace, finalizers)
    if (changed or not known) and not options.dry_run:
        registry.put(resource, obj)
    return Outcome(obj)


def _check_preconditions(resource: Resource, metadata: Object, options: DeleteOptions) -> None:
    why = ""
    if options.uid is not None and options.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif options.resource_version not in (None, metadata["resourceVersion"]):
        why = (
            f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
            f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have been modified"
        )
    if why:
        name, about = metadata["name"], errors.qualified(resource.group, resource.kind)
        details = {"name": name, "group": resource.group, "kind": resource.kind}
        message = f'Operation cannot be fulfilled on {about} "{name}": {why}'
        raise ApiError(409, "Conflict", message, {key: value for key, value in details.items() if value})


def _finalizers(metadata: Object, options: DeleteOptions) -> list[str]:
    """The finalizers there are, with the one that the propagation policy asks for."""
    stated = list(metadata.get("finalizers") or ())
    policy = options.policy
    if policy is None:
        policy = "Orphan" if ORPHAN in stated else "Foreground" if FOREGROUND in stated else "Background"
    kept = [finalizer for finalizer in stated if finalizer not in (ORPHAN, FOREGROUND)]
    return kept + _FINALIZERS.get(policy, [])


def _grace(resource: Resource, obj: Object, options: DeleteOptions) -> int:
    """Seconds that a running pod gets to stop; 0 for everything else."""
    spec = obj.get("spec", {})
    finished = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if not resource.strategy.graceful or not spec.get("nodeName") or finished:
        return 0
    grace: int = options.grace if options.grace is not None else spec.get("terminationGracePeriodSeconds", 30)
    left: int | None = obj["metadata"].get("deletionGracePeriodSeconds")
    return grace if left is None else min(grace, left)


def _mark(resource: Resource, metadata: Object, grace: int, finalizers: list[str]) -> bool:
    """Write down that deletion has begun; returns whether that is news."""
    states_grace = resource.strategy.states_grace
    changed = not metadata.get("deletionTimestamp")
    if states_grace and metadata.get("deletionGracePeriodSeconds") != grace:
        metadata["deletionGracePeriodSeconds"] = grace
        changed = True
    if finalizers != list(metadata.get("finalizers") or ()):
        metadata["finalizers"] = finalizers
        changed = True
    if not metadata.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = now()
        if metadata.get("generation") and states_grace:
            metadata["generation"] += 1
    return changed
