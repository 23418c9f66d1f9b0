# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The options of the module ``endpoint``."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import AUTO, REVISIONS

Spec = dict[str, t.Any]

CORS: Spec = {
    "origin": {"type": "str", "required": True},
    "method": {"type": "str", "choices": ["POST", "GET", "DELETE"], "default": "POST"},
    "headers": {
        "type": "list",
        "elements": "str",
        "default": ["content-type", "mcp-protocol-version", "mcp-session-id"],
    },
    "expose": {"type": "list", "elements": "str", "default": []},
    "credentials": {"type": "bool", "default": False},
}
OAUTH: Spec = {
    "resource": {"type": "str"},
    "check_authorization_servers": {"type": "bool", "default": False},
    "expect_auth": {"type": "bool", "default": False},
}
CALL: Spec = {
    "name": {"type": "str", "required": True},
    "arguments": {"type": "dict", "default": {}},
    "expect_text": {"type": "str"},
}

SPEC: Spec = {
    "url": {"type": "str", "required": True},
    "connect_to": {"type": "str"},
    "connect_to_when": {"type": "str", "choices": ["always", "unresolved"], "default": "always"},
    "protocol_version": {"type": "str", "choices": [AUTO, *REVISIONS]},
    "headers": {"type": "dict", "default": {}, "no_log": True},
    "ca_cert": {"type": "str"},
    "validate_certs": {"type": "bool", "default": True},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "proxy": {"type": "str"},
    "proxy_headers": {"type": "dict", "default": {}, "no_log": True},
    "timeout": {"type": "float", "default": 10},
    "wait_timeout": {"type": "float", "default": 0},
    "bare": {"type": "bool", "default": False},
    "handshake": {"type": "bool", "default": True},
    "pings": {"type": "int", "default": 1},
    "expect_protocol_versions": {
        "type": "list",
        "elements": "str",
        "choices": list(REVISIONS),
        "default": [],
    },
    "expect_header_check": {"type": "bool", "default": False},
    "expect_server_name": {"type": "str"},
    "expect_status_servers": {"type": "list", "elements": "str", "default": []},
    "expect_tools": {"type": "list", "elements": "str", "default": []},
    "expect_prefixes": {"type": "list", "elements": "str", "default": []},
    "min_tools": {"type": "int"},
    "cors": {"type": "dict", "options": CORS},
    "oauth_metadata": {"type": "dict", "options": OAUTH},
    "call": {"type": "dict", "options": CALL},
}
