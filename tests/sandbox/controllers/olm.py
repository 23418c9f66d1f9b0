# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Operator Lifecycle Manager v0: from a Subscription to a running operator.

| part | turns | into |
| --- | --- | --- |
| `olm_catalogs` | CatalogSource | connection state READY, PackageManifests |
| `olm_operator_groups` | OperatorGroup | the namespaces it covers |
| `olm_subscriptions` | Subscription | InstallPlan, and its own status |
| `olm_install_plans` | InstallPlan | ClusterServiceVersion, CRDs, ServiceAccount, RBAC |
| `olm_csvs` | ClusterServiceVersion | Deployment; phases up to Succeeded; upgrades |
| `olm_copies` | ClusterServiceVersion | its copies in the other namespaces of its OperatorGroup |
| `olm_adoption` | Subscription | the component label on what belongs to it |

Left out: catalogues' priorities (each package is in one catalogue), dependencies between catalogues, the upgrade
strategy TechPreviewUnsafeFailForward, APIServices, webhooks and OperatorConditions.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.olm_adoption import AdoptionController
from sandbox.controllers.olm_catalogs import CatalogController
from sandbox.controllers.olm_copies import CopyController
from sandbox.controllers.olm_csvs import CsvController
from sandbox.controllers.olm_install_plans import InstallPlanController
from sandbox.controllers.olm_operator_groups import OperatorGroupController
from sandbox.controllers.olm_subscriptions import SubscriptionController
from sandbox.controllers.runtime import Controller


def controllers() -> Sequence[Controller]:
    """Every part of the stand-in."""
    return [
        CatalogController(),
        OperatorGroupController(),
        SubscriptionController(),
        AdoptionController(),
        InstallPlanController(),
        CsvController(),
        CopyController(),
    ]
