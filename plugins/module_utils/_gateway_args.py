# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Options of listeners, shared by the modules ``gateway`` and ``gateway_listener``."""

from __future__ import annotations

from ansible_collections.mcpops.gateway.plugins.module_utils._args import Spec
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import FROM, PROTOCOLS

LISTENER: Spec = {
    "port": {"type": "int"},
    "protocol": {"type": "str", "choices": list(PROTOCOLS)},
    "hostname": {"type": "str"},
    "tls": {
        "type": "dict",
        "options": {
            "mode": {"type": "str", "choices": ["Terminate", "Passthrough"]},
            "certificate_refs": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                    "kind": {"type": "str", "default": "Secret"},
                    "group": {"type": "str", "default": ""},
                },
            },
            "options": {"type": "dict"},
        },
    },
    "allowed_routes": {
        "type": "dict",
        "options": {
            "namespaces": {
                "type": "dict",
                "options": {
                    "from": {"type": "str", "choices": list(FROM)},
                    "selector": {"type": "dict"},
                },
            },
            "kinds": {
                "type": "list",
                "elements": "dict",
                "options": {"kind": {"type": "str", "required": True}, "group": {"type": "str"}},
            },
        },
    },
}
