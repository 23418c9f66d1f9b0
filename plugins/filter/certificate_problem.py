# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._certificate import pair_problem

DOCUMENTATION = r"""
name: certificate_problem
short_description: Why a certificate and a private key cannot serve TLS
version_added: 0.1.0
author:
  - mcpops contributors (@mcpops)
description:
  - Looks for PEM blocks, an encrypted key, a key that belongs to another certificate, and the end of validity.
options:
  _input:
    description: The certificate and its chain, as PEM text.
    type: str
    required: true
  key:
    description: The private key, as PEM text.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Stop when they do not fit
  ansible.builtin.fail:
    msg: "The pair {{ problem }}."
  vars:
    problem: >-
      {{ lookup('ansible.builtin.file', 'tls.crt')
         | mcpops.gateway.certificate_problem(key=lookup('ansible.builtin.file', 'tls.key')) }}
  when: problem | length > 0
"""

RETURN = r"""
_value:
  description: The end of a sentence, with the names that the two have in a Secret; empty when they can be used.
  type: str
  sample: has a private key (tls.key) that does not belong to its certificate (the first one in tls.crt)
"""


class FilterModule:
    """The filter's name and function."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"certificate_problem": pair_problem}
