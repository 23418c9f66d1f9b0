# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Labels of the objects of the collection's own broker."""

from __future__ import annotations


def selector(name: str) -> dict[str, str]:
    """Those by which its Pods are found."""
    return {"app.kubernetes.io/name": "mcpops-broker", "app.kubernetes.io/instance": name}


def labels(name: str) -> dict[str, str]:
    """Those of every object."""
    return {**selector(name), "app.kubernetes.io/managed-by": "mcpops.gateway"}
