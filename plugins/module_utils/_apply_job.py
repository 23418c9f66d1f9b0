# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``apply``: options to manifests, sets, waits."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._applyset import ApplySet
from ansible_collections.mcpops.gateway.plugins.module_utils._delete import Strip
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._wait_for import WaitFor

Params = dict[str, t.Any]


def apply_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """Present or absent, with or without a set."""
    manifests = _manifest.load(params["definition"], params["src"] or ())
    prune = params["prune"]
    leave = params["existing"] == "leave"
    if prune and leave:
        raise ConfigError("existing: leave and prune exclude one another: a set owns all of its objects.")
    if params["state"] == "absent":
        if prune:
            members = ApplySet(engine, prune["name"], prune["namespace"] or engine.namespace)
            return members.remove(manifests, only_own=params["only_own"], strip=_strip(params)), {}
        return engine.remove(manifests, only_own=params["only_own"], strip=_strip(params)), {}
    if prune and not manifests and params["definition"] != []:
        raise ConfigError(
            f"There is no manifest at all, so every object of the set {prune['name']} would be removed; if that is "
            "wanted, give definition as an empty list, or set state to absent."
        )
    wait_for = WaitFor(params["wait_for"] or [], manifests, engine.namespace)
    if prune:
        members = ApplySet(engine, prune["name"], prune["namespace"] or engine.namespace)
        report = members.apply(manifests, remove=prune["remove"])
    else:
        report = engine.apply(manifests, leave=leave)
    if engine.wait and not engine.check:
        engine.await_all(_targets(engine, report, wait_for))
    return report, {}


def _strip(params: Params) -> Strip | None:
    given = params["strip_finalizers"]
    return Strip(frozenset(given["names"]), given["after"]) if given else None


def _targets(engine: Engine, report: Report, wait_for: WaitFor) -> list[Target]:
    """What to wait for on the objects of a report."""
    found = []
    for outcome in report.outcomes:
        manifest = dict(outcome.manifest)
        goal = wait_for.goal(manifest) if outcome.live is not None else None
        if goal is not None:
            resource = engine.discovery.need(str(manifest["apiVersion"]), str(manifest["kind"]))
            metadata = manifest["metadata"]
            found.append(Target(resource, metadata["name"], metadata.get("namespace"), goal, outcome.live))
    return found
