# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Options that several modules share."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

Spec = dict[str, t.Any]

ASSUMED = ("namespace", "kind", "catalog", "class", "certificate", "gateway", "grant", "route", "secret", "extension")
"""What an earlier task of the same play may make: the choices of ``assume``."""

BY_HAND = (
    "kubectl-client-side-apply",
    "kubectl-create",
    "kubectl-edit",
    "kubectl-patch",
    "kubectl-replace",
    "kubectl-label",
    "kubectl-annotate",
    "kubectl-set",
    "kubectl-run",
    "kubectl-expose",
    "kubectl-rollout",
    "kubectl",
    "oc",
    "Mozilla",
    "OpenAPI-Generator",
)
"""Field managers of people and of client-side apply: kubectl and oc, the OpenShift console, kubernetes.core.k8s."""

COMMON: Spec = {
    "assume": {"type": "list", "elements": "str", "choices": list(ASSUMED)},
    "field_manager": {"type": "str", "default": "mcpops.gateway"},
    "force_conflicts": {"type": "bool", "default": False},
    "take_over": {"type": "list", "elements": "str", "default": list(BY_HAND)},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 120},
}

STATE: Spec = {"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}}


def argument_spec(*parts: Spec) -> Spec:
    """The auth options of kubernetes.core, the common options, ``state``, and those of the module."""
    spec: Spec = copy.deepcopy({**AUTH_ARG_SPEC, **COMMON, **STATE})
    for part in parts:
        spec.update(copy.deepcopy(part))
    return spec
