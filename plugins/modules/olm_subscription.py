#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: olm_subscription
short_description: Install an operator with the Operator Lifecycle Manager
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes the OperatorGroup (or uses the one that is there) and the Subscription of an operator, and follows the
    installation until the operator runs - the InstallPlan, upgrades along the channel, the ClusterServiceVersion, and
    the CRDs that it owns.
  - Catalog, package, channel, version and install modes are checked before anything is written, as far as they can be
    read, and so are another Subscription of the package and a ClusterServiceVersion that an earlier one has left.
  - Fails as soon as OLM says that it cannot go on, with OLM's own reason.
  - With O(state=absent), the Subscription and its ClusterServiceVersion are removed, and the OperatorGroup if this
    module made it and nothing else in the namespace needs it. CRDs stay unless O(remove_crds=true).
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the Subscription.
    type: str
    default: mcp-gateway
  namespace:
    description:
      - Namespace of the Subscription. It has to exist.
    type: str
    required: true
  package:
    description:
      - Name of the operator's package. The default is O(name).
    type: str
  channel:
    description:
      - The channel to follow. Without it, the package's default channel.
    type: str
  source:
    description:
      - Name of the CatalogSource.
    type: str
    default: redhat-operators
  source_namespace:
    description:
      - Namespace of the CatalogSource.
    type: str
    default: openshift-marketplace
  starting_csv:
    description:
      - The version (name of its ClusterServiceVersion) to install first, such as V(mcp-gateway.v0.6.0).
      - It counts only when the Subscription is made. With O(install_plan_approval=Automatic), OLM upgrades from there
        at once.
    type: str
  install_plan_approval:
    description:
      - Whether OLM carries out InstallPlans by itself.
    type: str
    choices: [Automatic, Manual]
    default: Automatic
  approve:
    description:
      - Approve the Subscription's own InstallPlan when it waits for approval. With O(starting_csv), only one that
        installs that version.
      - A plan that also installs or upgrades the operators of other Subscriptions of the namespace is refused and they
        are named. Operators that this one depends on are approved with it, and a warning names them.
    type: bool
    default: false
  operator_group:
    description:
      - The OperatorGroup to make when the namespace has none. An existing one that fits is used; two are an error.
    type: dict
    suboptions:
      name:
        description:
          - Its name. The default is O(name).
        type: str
      target_namespaces:
        description:
          - Namespaces that the operator watches. The default is O(namespace); an empty list means all namespaces.
        type: list
        elements: str
  wait_timeout:
    description:
      - With O(state=absent), how many seconds to wait until everything is gone. An installation has the timeouts
        O(install_plan_ref_timeout), O(install_plan_timeout) and O(csv_timeout).
    type: int
    default: 120
  remove_crds:
    description:
      - With O(state=absent), also remove the CRDs that the operator owns. Refused while there are objects of them.
    type: bool
    default: false
  install_plan_ref_timeout:
    description:
      - Seconds until OLM must have made an InstallPlan, or said that it unpacks the operator's bundle for one.
    type: int
    default: 10
  install_plan_timeout:
    description:
      - Seconds until the bundle must have been unpacked, and until an InstallPlan must have been carried out.
    type: int
    default: 60
  csv_timeout:
    description:
      - Seconds until a ClusterServiceVersion must have succeeded. Every version on the way to the newest has as long.
    type: int
    default: 300
seealso:
  - name: Operator Lifecycle Manager
    description: Documentation of OLM.
    link: https://olm.operatorframework.io/docs/
"""

EXAMPLES = r"""
- name: The MCP gateway operator
  mcpops.gateway.olm_subscription:
    namespace: mcp-system
    channel: preview

- name: One version, and no other without being asked
  mcpops.gateway.olm_subscription:
    namespace: mcp-system
    channel: preview
    starting_csv: mcp-gateway.v0.6.0
    install_plan_approval: Manual
    approve: true

- name: Remove it with its CRDs
  mcpops.gateway.olm_subscription:
    namespace: mcp-system
    state: absent
    remove_crds: true
"""

RETURN = r"""
objects:
  description: What happened to every object, as in RV(mcpops.gateway.apply#module:objects).
  returned: always
  type: list
  elements: dict
  sample:
    - api_version: operators.coreos.com/v1alpha1
      kind: Subscription
      namespace: mcp-system
      name: mcp-gateway
      action: updated
      fields: [spec.channel]
      resource_version: "4711"
requests:
  description: How many requests the job took, as in RV(mcpops.gateway.apply#module:requests).
  returned: always
  type: dict
  sample:
    reads: 2
    writes: 1
csv:
  description: The installed ClusterServiceVersion; null when there is none.
  returned: always
  type: str
  sample: mcp-gateway.v0.9.0
version:
  description: The installed version.
  returned: always
  type: str
  sample: 0.9.0
install_plan:
  description: The InstallPlan that the Subscription refers to.
  returned: always
  type: str
  sample: install-4rql7
subscription_state:
  description: The state that OLM gives the Subscription, V(AtLatestKnown) when there is nothing newer.
  returned: always
  type: str
  sample: AtLatestKnown
crds:
  description: Names of the CRDs that the operator owns.
  returned: always
  type: list
  elements: str
  sample:
    - mcpgatewayextensions.mcp.kuadrant.io
    - mcpserverregistrations.mcp.kuadrant.io
    - mcpvirtualservers.mcp.kuadrant.io
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run
from ansible_collections.mcpops.gateway.plugins.module_utils._olm_job import olm_job

OPTIONS = {
    "name": {"type": "str", "default": "mcp-gateway"},
    "namespace": {"type": "str", "required": True},
    "package": {"type": "str"},
    "channel": {"type": "str"},
    "source": {"type": "str", "default": "redhat-operators"},
    "source_namespace": {"type": "str", "default": "openshift-marketplace"},
    "starting_csv": {"type": "str"},
    "install_plan_approval": {"type": "str", "choices": ["Automatic", "Manual"], "default": "Automatic"},
    "approve": {"type": "bool", "default": False},
    "operator_group": {
        "type": "dict",
        "options": {"name": {"type": "str"}, "target_namespaces": {"type": "list", "elements": "str"}},
    },
    "remove_crds": {"type": "bool", "default": False},
    "install_plan_ref_timeout": {"type": "int", "default": 10},
    "install_plan_timeout": {"type": "int", "default": 60},
    "csv_timeout": {"type": "int", "default": 300},
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {}
JOB = olm_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
