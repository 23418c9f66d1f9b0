# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One extension or several from the variables of role extension, and what belongs to them."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._role_extensions import (
    extensions,
    objects,
    without_contents,
)

DEFAULTS: dict[str, Any] = {
    "state": "present",
    "name": "mcp-gateway",
    "namespace": "mcp-system",
    "gateway": "gw",
    "gateway_namespace": "infra",
    "listener": "mcps",
    "reference_grant": "true",
    "reference_grant_name": "allow-mcp-system",
}
SECRETS = """
- namespace: team
  session_store: {secret_name: store, connection_string: hush-1}
  trusted_headers_key: {secret_name: keys, public_key: hush-2}
  ca_cert_bundle_ref: {name: ca, certificates: hush-3}
"""


def names(found: list[dict[str, Any]], part: str) -> list[str]:
    made = objects(found, part)
    return [f"{one['kind']} {one['metadata'].get('namespace', '-')}/{one['metadata']['name']}" for one in made]


def test_without_a_list_there_is_one() -> None:
    (one,) = extensions("", {**DEFAULTS, "session_store": "secret_name: s"})

    assert {key: one[key] for key in DEFAULTS} == DEFAULTS
    assert one["session_store"] == {"secret_name": "s"}


def test_entries_say_what_differs_and_the_grant_is_named_after_the_namespace() -> None:
    found = extensions([{"namespace": "a", "listener": ""}, {"namespace": "b", "state": "absent"}], DEFAULTS)

    assert [one["listener"] for one in found] == ["mcps", "mcps"]
    assert [one["state"] for one in found] == ["present", "absent"]
    assert names(found, "grants") == ["ReferenceGrant infra/allow-a", "ReferenceGrant infra/allow-b"]
    assert names(found, "namespaces") == ["Namespace -/a", "Namespace -/b"]


def test_all_are_absent_when_the_role_is() -> None:
    assert [one["state"] for one in extensions([{"namespace": "a"}], {**DEFAULTS, "state": "absent"})] == ["absent"]


def test_a_grant_is_made_only_where_it_is_needed_and_wanted() -> None:
    assert objects(extensions([], {**DEFAULTS, "reference_grant": "no"}), "grants") == []
    assert objects(extensions([], {**DEFAULTS, "gateway_namespace": "mcp-system"}), "grants") == []


def test_secrets_have_the_label_that_the_operator_looks_for() -> None:
    made = {one["metadata"]["name"]: one for one in objects(extensions(SECRETS, DEFAULTS), "secrets")}

    assert {name: one["stringData"] for name, one in made.items()} == {
        "keys": {"key": "hush-2"},
        "store": {"CACHE_CONNECTION_STRING": "hush-1"},
        "ca": {"ca.crt": "hush-3"},
    }
    assert [one["metadata"].get("labels") for one in made.values()] == [
        None,
        {"mcp.kuadrant.io/secret": "true"},
        {"mcp.kuadrant.io/secret": "true"},
    ]


def test_what_is_shown_has_no_content_of_a_secret() -> None:
    shown = [without_contents(one) for one in extensions(SECRETS, DEFAULTS)]

    assert "hush" not in json.dumps(shown)
    assert shown[0]["session_store"] == {"secret_name": "store"}
    assert objects(shown, "secrets") == []


def test_leftovers_and_remains() -> None:
    found = extensions(SECRETS, DEFAULTS)

    assert names(found, "leftovers") == [
        "EnvoyFilter infra/mcp-ext-proc-team-gateway",
        "Secret team/mcp-gateway-config",
        "Secret team/keys",
        "Secret team/store",
        "Secret team/ca",
    ]
    assert all("stringData" not in one for one in objects(found, "leftovers"))
    assert names(found, "itself") == ["MCPGatewayExtension team/mcp-gateway"]
    assert {"Deployment team/mcp-gateway", "HTTPRoute team/mcp-gateway-route"} <= set(names(found, "remains"))
