# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that the modules which write to a cluster share."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) makes the object as described; what is not mentioned here and belongs to others stays as it is.
      - V(absent) removes it, and is no change when it is not there.
    type: str
    choices: [present, absent]
    default: present
  field_manager:
    description:
      - The name under which fields are owned (server-side apply). Fields applied under this name earlier and no longer
        stated are removed.
    type: str
    default: mcpops.gateway
  force_conflicts:
    description:
      - Take over fields that another manager owns with another value, instead of failing.
    type: bool
    default: false
  take_over:
    description:
      - Field managers whose fields are taken over when they clash with what is stated here, with a warning that names
        them. The default are those of people and of client-side apply (C(kubectl), C(oc), the OpenShift console,
        M(kubernetes.core.k8s)), so that an object that was made that way before does not end in a conflict.
      - Only fields that were not set by server-side apply are taken over. What is not stated here stays as it is.
      - What is stated here is no longer owned by these managers afterwards, so leaving it out later removes it.
      - An empty list makes every clash an error.
    type: list
    elements: str
    default:
      - kubectl-client-side-apply
      - kubectl-create
      - kubectl-edit
      - kubectl-patch
      - kubectl-replace
      - kubectl-label
      - kubectl-annotate
      - kubectl-set
      - kubectl-run
      - kubectl-expose
      - kubectl-rollout
      - kubectl
      - oc
      - Mozilla
      - OpenAPI-Generator
  assume:
    description:
      - In check mode, what an earlier task of the same play will have made by then. What is missing and listed here is
        taken to be there and predicted without asking the cluster; what is missing and not listed is an error, as in a
        real run.
      - Without this option, everything that is missing in check mode is a warning.
      - V(namespace) and V(kind) are those of the objects, V(catalog) is OLM's catalog, V(class) the GatewayClass,
        V(certificate) the Secret of a listener, V(gateway) a Gateway with its listeners, V(grant) a ReferenceGrant,
        V(route) an HTTPRoute, V(secret) a Secret that is referred to, and V(extension) the MCPGatewayExtension.
    type: list
    elements: str
    choices: [namespace, kind, catalog, class, certificate, gateway, grant, route, secret, extension]
  wait:
    description:
      - Wait until the cluster has really done what was asked, by watching the objects.
      - With O(state=absent), wait until the objects are gone.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds to wait at most, for everything together.
    type: int
    default: 120
requirements:
  - python >= 3.11
  - PyYAML
  - kubernetes and openshift (only for exec plugins, OIDC and other auth providers, and proxies, also those of the
    environment variables E(HTTPS_PROXY) and E(ALL_PROXY))
notes:
  - Check mode asks the API server with dry runs, so it needs the same permissions as a real run. What cannot be asked
    because a namespace or kind does not exist yet is predicted, with a warning that names it.
"""
