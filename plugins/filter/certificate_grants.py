# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_values import certificate_grants

DOCUMENTATION = r"""
name: certificate_grants
short_description: The ReferenceGrants that a Gateway needs for certificates in other namespaces
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Makes one ReferenceGrant in every namespace, other than the Gateway's, with certificates that its listeners refer
    to, as manifests for M(mcpops.gateway.apply). Only those Secrets are granted.
options:
  _input:
    description: Listeners as the option O(mcpops.gateway.gateway#module:listeners) takes them.
    type: list
    elements: dict
    required: true
  gateway:
    description: Name of the Gateway.
    type: str
    required: true
  namespace:
    description: Namespace of the Gateway.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the grants
  ansible.builtin.debug:
    msg: "{{ listeners | mcpops.gateway.certificate_grants(gateway='public', namespace='openshift-ingress') }}"
  vars:
    listeners:
      - name: https
        port: 443
        protocol: HTTPS
        hostname: mcp.example.com
        tls:
          certificate_refs:
            - name: mcp-tls
              namespace: certificates
"""

RETURN = r"""
_value:
  description: Manifests.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_grants": certificate_grants}
