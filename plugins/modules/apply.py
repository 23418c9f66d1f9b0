#!/usr/bin/python

# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: Make a list of Kubernetes manifests true, writing only what differs
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Applies any number of manifests by server-side apply. What exists is read first (one list request a kind and
    namespace), and only objects that differ are written, side by side and in the order of their kinds.
  - An unchanged object costs no request of its own and keeps its C(resourceVersion).
  - Only fields that the manifests state are compared and owned. Fields of other managers stay as they are; a clash is
    an error that names the field and the manager.
  - With O(prune), objects that an earlier run applied and this one no longer lists are removed.
extends_documentation_fragment:
  - kubernetes.core.k8s_auth_options
  - mcpops.gateway.common
  - mcpops.gateway.attributes
options:
  definition:
    description:
      - The manifests, as a list, as one mapping or as YAML text with any number of documents. A C(List) is unfolded.
      - A null says nothing and is left out, also where a kind takes any content.
      - An C(apiVersion) that names only a group, as C(mcp.kuadrant.io), leaves the version to the cluster. Field names
        are those of the newest version; where the cluster's version has another name for one it is translated, and a
        field that it lacks is refused by name.
      - Required unless O(src) is given.
    type: raw
  src:
    description:
      - Files with manifests in YAML or JSON, on the host where the module runs.
    type: list
    elements: path
  namespace:
    description:
      - The namespace of namespaced objects that name none. Without it, that of the kubeconfig's context, else
        V(default).
    type: str
  existing:
    description:
      - V(leave) makes only what is missing and leaves every object that exists exactly as it is, without owning any of
        it. It cannot go with O(prune).
    type: str
    choices: [update, leave]
    default: update
  prune:
    description:
      - Keep a record of what is applied as one set (the ApplySet convention of Kubernetes), and remove members of the
        set that are no longer listed.
      - Nothing outside the set is ever removed. With O(state=absent), all members and the record are removed.
    type: dict
    suboptions:
      name:
        description:
          - Name of the set, which is also that of the Secret that records it.
        type: str
        required: true
      namespace:
        description:
          - Namespace of that Secret. The default is O(namespace).
        type: str
      remove:
        description:
          - V(false) only keeps the record, for a later run that removes.
        type: bool
        default: true
  only_own:
    description:
      - With O(state=absent), remove only objects that this field manager has applied. Others of the same name stay, and
        a warning names them.
    type: bool
    default: false
  strip_finalizers:
    description:
      - With O(state=absent), take finalizers off objects whose controller does not do it. This skips the controller's
        own cleaning up, so it is for controllers that are gone for good. A warning names every object.
    type: dict
    suboptions:
      names:
        description:
          - The finalizers that may be taken off.
        type: list
        elements: str
        required: true
      after:
        description:
          - Seconds that the controller has, from the deletion on.
        type: int
        default: 10
  wait_for:
    description:
      - What to wait for, beyond or instead of what the module knows of a kind (rollouts, pods, jobs, CRDs, Gateways,
        routes, MCP gateway extensions and registrations).
      - Every entry applies to the objects of the list that it selects; objects with an entry are judged by their
        entries only. An entry that selects none of them is an error.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - Only objects of this kind.
        type: str
      name:
        description:
          - Only objects of this name.
        type: str
      namespace:
        description:
          - Only objects of this namespace.
        type: str
      condition:
        description:
          - Status conditions, as V(Ready) or V(Ready=False). They must speak of the object's current generation.
        type: list
        elements: str
      failure:
        description:
          - Status conditions of which each ends the wait at once, as V(Degraded) or V(Accepted=False).
        type: list
        elements: str
      jmespath:
        description:
          - A JMESPath expression on the whole object. It is met when it gives a value that is not empty.
        type: str
      value:
        description:
          - The value that O(wait_for[].jmespath) has to give, compared as text.
        type: str
      any:
        description:
          - One of the conditions, or the expression, is enough. By default all of them have to be met.
        type: bool
        default: false
requirements:
  - jmespath (only for O(wait_for[].jmespath))
seealso:
  - module: kubernetes.core.k8s
"""

EXAMPLES = r"""
- name: A namespace and what belongs into it
  mcpops.gateway.apply:
    definition:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: mcp-servers
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: settings
          namespace: mcp-servers
        data:
          greeting: hello

- name: Files, as one set from which objects that are no longer listed are removed
  mcpops.gateway.apply:
    src:
      - manifests/servers.yml
    namespace: mcp-servers
    prune:
      name: team-a-servers

- name: Wait for something that only this kind knows
  mcpops.gateway.apply:
    definition: "{{ lookup('ansible.builtin.template', 'issuer.yml.j2') }}"
    wait_for:
      - kind: Issuer
        condition: Ready
      - kind: Service
        jmespath: status.loadBalancer.ingress[0].ip

- name: Remove them
  mcpops.gateway.apply:
    src:
      - manifests/servers.yml
    state: absent
"""

RETURN = r"""
objects:
  description:
    - What happened to every object (in check mode, what would happen), in the order of writing.
    - When the job fails, what had happened until then; C(changed) says whether anything was written by it.
  returned: always
  type: list
  elements: dict
  contains:
    api_version:
      description: The object's apiVersion.
      type: str
      returned: always
    kind:
      description: The object's kind.
      type: str
      returned: always
    namespace:
      description: The object's namespace, null for a cluster-scoped object.
      type: str
      returned: always
    name:
      description: The object's name.
      type: str
      returned: always
    action:
      description: One of V(created), V(updated), V(unchanged), V(deleted), V(absent).
      type: str
      returned: always
    fields:
      description: Paths of the fields that changed.
      type: list
      elements: str
      returned: always
    resource_version:
      description: The object's resourceVersion afterwards; null when it does not exist.
      type: str
      returned: always
  sample:
    - api_version: v1
      kind: ConfigMap
      namespace: mcp-servers
      name: settings
      action: updated
      fields: [data.greeting]
      resource_version: "4711"
conflicts:
  description: The fields that another manager holds with another value, one entry a manager.
  returned: when the job failed because of them
  type: list
  elements: dict
  contains:
    manager:
      description: The manager's name.
      type: str
      returned: always
    fields:
      description: Paths of the fields.
      type: list
      elements: str
      returned: always
    declared:
      description: Whether the manager uses server-side apply, so that O(take_over) does not count for it.
      type: bool
      returned: always
  sample:
    - manager: argocd
      fields: [spec.replicas]
      declared: true
refused:
  description: What the API server did not take, one text a field.
  returned: when the job failed because it refused the content of an object
  type: list
  elements: str
  sample: ["spec.listeners[0].port is 99999: it should be less than or equal to 65535"]
waited_for:
  description: What had to happen.
  returned: when a wait failed
  type: str
  sample: have Ready=True
last_seen:
  description: How it looked in the end.
  returned: when a wait failed
  type: str
  sample: "Ready is False (Waiting: no address yet)"
finalizers:
  description:
    - Finalizers, other than those of Kubernetes itself, on objects that were to be removed and are still there. Their
      controllers have to take them off; O(strip_finalizers) does it in their place.
  returned: when a wait for a removal failed because of them
  type: list
  elements: str
  sample: [mcp.kuadrant.io/finalizer]
verb:
  description: The right that is missing, in the words of RBAC; RV(resource) and RV(namespace) say on what.
  returned: when the job failed because this user may not do something
  type: str
  sample: patch
resource:
  description: The resource on which the right is missing.
  returned: when the job failed because this user may not do something
  type: str
  sample: gateways.gateway.networking.k8s.io
namespace:
  description: The namespace in which the right is missing; null for the whole cluster.
  returned: when the job failed because this user may not do something
  type: str
  sample: openshift-ingress
requests:
  description: How many requests the job took.
  returned: always
  type: dict
  contains:
    reads:
      description: Requests that only read.
      type: int
      returned: always
    writes:
      description: Requests that write; in check mode they are dry runs.
      type: int
      returned: always
  sample:
    reads: 2
    writes: 1
"""

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._apply_job import apply_job
from ansible_collections.mcpops.gateway.plugins.module_utils._args import argument_spec
from ansible_collections.mcpops.gateway.plugins.module_utils._module import run

OPTIONS = {
    "definition": {"type": "raw"},
    "src": {"type": "list", "elements": "path"},
    "namespace": {"type": "str"},
    "existing": {"type": "str", "choices": ["update", "leave"], "default": "update"},
    "prune": {
        "type": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "remove": {"type": "bool", "default": True},
        },
    },
    "only_own": {"type": "bool", "default": False},
    "strip_finalizers": {
        "type": "dict",
        "options": {
            "names": {"type": "list", "elements": "str", "required": True},
            "after": {"type": "int", "default": 10},
        },
    },
    "wait_for": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str"},
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "condition": {"type": "list", "elements": "str"},
            "failure": {"type": "list", "elements": "str"},
            "jmespath": {"type": "str"},
            "value": {"type": "str"},
            "any": {"type": "bool", "default": False},
        },
        "required_one_of": [("condition", "jmespath")],
        "required_by": {"value": ["jmespath"]},
    },
}

SPEC = argument_spec(OPTIONS)
CONSTRAINTS: dict[str, t.Any] = {"required_one_of": [("definition", "src", "prune")]}
JOB = apply_job


def main() -> None:
    run(SPEC, JOB, **CONSTRAINTS)


if __name__ == "__main__":
    main()
