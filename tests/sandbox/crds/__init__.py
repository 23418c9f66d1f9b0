# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CRDs that a cluster has before anything of this product is installed.

They are written for the sandbox and describe the same objects as the originals, as far as this product uses them.
The MCP gateway operator's own CRDs come with its package: see ``sandbox.catalog``.
"""

from __future__ import annotations

from sandbox.crds import cert_manager, gateway_api, http_route, istio, kuadrant, olm
from sandbox.crds.schema import Schema


def load() -> list[Schema]:
    """Gateway API, OLM, Istio, Kuadrant and issuers of cert-manager, as a prepared cluster has them."""
    return [
        gateway_api.gateway_class(),
        gateway_api.gateway(),
        gateway_api.reference_grant(),
        http_route.http_route(),
        olm.catalog_source(),
        olm.subscription(),
        olm.install_plan(),
        olm.cluster_service_version(),
        olm.operator_group(),
        olm.package_manifest(),
        istio.envoy_filter(),
        istio.service_entry(),
        istio.destination_rule(),
        kuadrant.kuadrant(),
        kuadrant.dns_policy(),
        kuadrant.tls_policy(),
        kuadrant.auth_policy(),
        kuadrant.rate_limit_policy(),
        cert_manager.issuer(),
        cert_manager.cluster_issuer(),
    ]
