# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cert-manager's Issuer and ClusterIssuer, which a TLSPolicy refers to; their kinds of issuers are not described."""

from __future__ import annotations

from sandbox.crds.schema import AGE, Schema, any_value, array, column, crd, obj, text, version

GROUP = "cert-manager.io"
TYPES = ("acme", "ca", "selfSigned", "vault", "venafi")


def _issuer(kind: str, *, namespaced: bool) -> Schema:
    spec = obj({name: any_value() for name in TYPES})
    condition = obj(
        {
            "type!": text(),
            "status!": text(),
            "reason": text(),
            "message": text(),
            "lastTransitionTime": text(),
        }
    )
    ready = '.status.conditions[?(@.type=="Ready")]'
    columns = [
        column("Ready", f"{ready}.status"),
        column("Status", f"{ready}.message", priority=1),
        AGE,
    ]
    only = version("v1", spec=spec, status=obj({"conditions": array(condition, kind=None)}), columns=columns)
    return crd(GROUP, kind, only, namespaced=namespaced)


def issuer() -> Schema:
    """Issuer."""
    return _issuer("Issuer", namespaced=True)


def cluster_issuer() -> Schema:
    """ClusterIssuer."""
    return _issuer("ClusterIssuer", namespaced=False)
