#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: dns_policy
short_description: Manage a DNSPolicy (Kuadrant), which publishes a Gateway's host names
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Creates a DNSPolicy, with which Kuadrant makes DNS records for the listeners of a Gateway at a DNS provider.
  - What Kuadrant would complain of only in status is told before anything is written (the Gateway and its listener, the
    Secrets of the providers, an older policy with the same target).
  - It waits until the policy is C(Accepted) and C(Enforced), and warns when that is so without a single record.
  - RV(records) lists the records that the host names need, for the case that somebody else makes them.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  name:
    description:
      - Name of the DNSPolicy.
    type: str
    required: true
  namespace:
    description:
      - Its namespace, which is that of the Gateway and of the Secrets.
    type: str
    required: true
  gateway:
    description:
      - Name of the Gateway. Required with O(state=present).
    type: str
  listener:
    description:
      - Name of one listener. Without it, all listeners that have no policy of their own.
    type: str
  provider_secrets:
    description:
      - Name of the Secret with the credentials of the DNS provider; Kuadrant takes one. Its type is C(kuadrant.io/aws)
        (with C(AWS_ACCESS_KEY_ID) and C(AWS_SECRET_ACCESS_KEY)), C(kuadrant.io/gcp) (C(GOOGLE) and C(PROJECT_ID)),
        C(kuadrant.io/azure) (C(azure.json)) or C(kuadrant.io/coredns).
      - Without it, the one Secret of the namespace with the label C(kuadrant.io/default-provider), value V("true").
    type: list
    elements: str
  load_balancing:
    description:
      - How several clusters that publish the same host names share them.
    type: dict
    suboptions:
      geo:
        description:
          - The geographical code of this Gateway as the DNS provider knows it, such as V(EU) or V(US-NY).
        type: str
        required: true
      weight:
        description:
          - Its weight among the others of the same region.
        type: int
        default: 120
      default_geo:
        description:
          - Whether clients from elsewhere are sent here.
        type: bool
        default: false
  health_check:
    description:
      - Health checks of the published addresses.
    type: dict
    suboptions:
      path:
        description:
          - Path to ask for, such as V(/healthz).
        type: str
      port:
        description:
          - Port to ask at (80, 443 or 1024 to 49151). Kuadrant's default is 443.
        type: int
      protocol:
        description:
          - Protocol. Kuadrant's default is V(HTTPS).
        type: str
        choices: [HTTP, HTTPS]
      interval:
        description:
          - Time between two checks, such as V(90s). Kuadrant's default is V(5m).
        type: str
      failure_threshold:
        description:
          - After how many failures an address is taken out. Kuadrant's default is 5.
        type: int
  exclude_addresses:
    description:
      - Addresses of the Gateway (host names, IP addresses or ranges such as V(10.0.0.0/8)) that are not published, at
        most 20.
    type: list
    elements: str
  delegate:
    description:
      - Whether the records are left to a primary cluster to publish. It cannot be changed later and excludes
        O(provider_secrets). Kuadrant's default is V(false).
    type: bool
seealso:
  - module: mcpops.gateway.gateway
  - module: mcpops.gateway.gateway_info
    description: Its RV(mcpops.gateway.gateway_info#module:records) are the records when there is no Kuadrant.
  - name: DNSPolicy
    description: Reference of Kuadrant's DNSPolicy.
    link: https://docs.kuadrant.io/latest/kuadrant-operator/doc/reference/dnspolicy/
"""

EXAMPLES = r"""
- name: Publish the host names of a Gateway
  mcpops.gateway.dns_policy:
    name: mcp-gateway
    namespace: openshift-ingress
    gateway: mcp-gateway
    provider_secrets:
      - aws-credentials
  register: published

- name: Tell which records that means
  ansible.builtin.debug:
    var: published.records

- name: Remove it
  mcpops.gateway.dns_policy:
    name: mcp-gateway
    namespace: openshift-ingress
    state: absent
"""

RETURN = r"""
objects:
  description: What happened to every object, as in RV(mcpops.gateway.apply#module:objects).
  returned: always
  type: list
  elements: dict
  sample:
    - api_version: kuadrant.io/v1
      kind: DNSPolicy
      namespace: openshift-ingress
      name: mcp-gateway
      action: created
      fields: [spec]
      resource_version: "4711"
requests:
  description: How many requests the job took, as in RV(mcpops.gateway.apply#module:requests).
  returned: always
  type: dict
  sample:
    reads: 2
    writes: 1
conditions:
  description: The policy's status conditions.
  returned: always
  type: list
  elements: dict
  sample:
    - type: Enforced
      status: "True"
      reason: Enforced
      message: DNSPolicy has been successfully enforced
      observedGeneration: 1
      lastTransitionTime: "2026-01-01T00:00:00Z"
total_records:
  description: How many DNSRecord objects Kuadrant made for it.
  returned: always
  type: int
  sample: 1
records:
  description: The DNS records that the host names of the targeted listeners need, one a name and address.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: The host name.
      type: str
      returned: always
    type:
      description: One of V(A), V(AAAA), V(CNAME).
      type: str
      returned: always
    value:
      description: The Gateway's address.
      type: str
      returned: always
  sample:
    - name: mcp.example.com
      type: A
      value: 192.0.2.10
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._dns_policy_job import dns_policy_job
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

OPTIONS = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "gateway": {"type": "str"},
    "listener": {"type": "str"},
    "provider_secrets": {"type": "list", "elements": "str", "no_log": False},
    "load_balancing": {
        "type": "dict",
        "options": {
            "geo": {"type": "str", "required": True},
            "weight": {"type": "int", "default": 120},
            "default_geo": {"type": "bool", "default": False},
        },
    },
    "health_check": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "port": {"type": "int"},
            "protocol": {"type": "str", "choices": ["HTTP", "HTTPS"]},
            "interval": {"type": "str"},
            "failure_threshold": {"type": "int"},
        },
    },
    "exclude_addresses": {"type": "list", "elements": "str"},
    "delegate": {"type": "bool"},
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_if": [("state", "present", ("gateway",))]}
JOB = dns_policy_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
