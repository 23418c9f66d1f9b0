# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A right that is missing is told with the verb, the resource and the ClusterRoles that have it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._permissions import roles_with
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import Resource
from ansible_collections.mcpops.gateway.plugins.module_utils._status import Request, to_error

FILE = Path(__file__).resolve().parents[4] / "playbooks" / "files" / "permissions.yml"
VERBS = ("get", "list", "watch", "create", "patch", "update", "delete", "deletecollection")


def granted() -> dict[tuple[str, str], set[str]]:
    """Verb and resource (with its group) to the ClusterRoles of the file that have it."""
    found: dict[tuple[str, str], set[str]] = {}
    for role in yaml.safe_load(FILE.read_text())["items"]:
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for plural in rule["resources"]:
                    for verb in rule["verbs"]:
                        qualified = f"{plural}.{group}" if group else plural
                        found.setdefault((verb, qualified), set()).add(role["metadata"]["name"])
    return found


def test_the_table_says_what_the_file_says() -> None:
    file = granted()
    resources = {resource for _verb, resource in file}

    table = {
        (verb, resource): set(roles)
        for verb in VERBS
        for resource in resources
        if (roles := roles_with(verb, resource))
    }

    assert table == file


@pytest.mark.parametrize(("verb", "resource"), sorted(granted()), ids="-".join)
def test_each_rule_that_is_missing_is_named(verb: str, resource: str) -> None:
    plural, _dot, group = resource.partition(".")
    asked = Request(verb, "https://api", Resource(group, "v1", plural, "Kind", namespaced=True), "ns", "one")
    message = f'{resource} "one" is forbidden: User "bob" cannot {verb} resource "{plural}" in API group "{group}"'

    said = to_error(403, {"reason": "Forbidden", "message": message}, asked).message

    for words in ("bob", f"may not {verb} {resource} in namespace ns", *granted()[verb, resource]):
        assert words in said


def test_what_no_role_has_names_none() -> None:
    assert roles_with("delete", "nodes") == roles_with("update", "secrets") == []
