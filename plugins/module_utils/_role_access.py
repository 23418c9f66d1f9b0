# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Who may use which tool, as authorization rules of an AuthPolicy (CEL).

The operator's router names the MCP server (namespace/name of its registration) and the tool, without the prefix, in
headers of the request. A claim that a token lacks is "no", never an error: every access to one is guarded.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true, structured
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import prefix_of

Object = dict[str, t.Any]
Settings = t.Mapping[str, t.Any]

SERVER = "request.headers['x-mcp-servername']"
KINDS = {"tools": ("tool", "x-mcp-toolname"), "prompts": ("prompt", "x-mcp-promptname")}
ANY = "*"


def quoted(text: t.Any) -> str:
    """A text as a CEL literal."""
    escaped = str(text).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def access_rules(settings: Settings) -> Object:
    """Named authorization rules; none when nothing is said about tools, which lets every caller use all of them.

    Once anything is said, what is not allowed is refused.
    """
    entries = structured(settings.get("tools"), "list")
    by_role = is_true(settings.get("tool_roles", False))
    if not entries and not by_role:
        return {}
    servers = structured(settings.get("servers"), "list")
    found: Object = {}
    for field, (word, header) in KINDS.items():
        allowed = [_by_role(settings, word, header)] if by_role else []
        for entry in entries:
            allowed += _by_group(settings, entry, field, header, servers)
        found[f"{word}-access"] = {
            "when": [{"predicate": f"request.headers.exists(h, h == {quoted(header)})"}],
            # In one expression, because an error on one side of || does not count when the other side is true.
            "patternMatching": {"patterns": [{"predicate": " || ".join(f"({one})" for one in allowed) or "false"}]},
        }
    return found


def _by_role(settings: Settings, word: str, header: str) -> str:
    """Keycloak's client roles: the client is the server (namespace/name), the role ``tool:NAME``."""
    prefix = settings.get("tool_role_prefix")
    role = quoted(f"{word}:" if prefix is None else str(prefix))
    access = "auth.identity['resource_access']"
    return (
        f"'resource_access' in auth.identity && {SERVER} in {access} && 'roles' in {access}[{SERVER}]"
        f" && ({role} + request.headers[{quoted(header)}]) in {access}[{SERVER}]['roles']"
    )


def _by_group(settings: Settings, entry: Settings, field: str, header: str, servers: t.Sequence[Settings]) -> list[str]:
    """Predicates of one entry, one for every server that its names belong to."""
    who = _claim(entry, settings)
    names = structured(entry.get(field), "list")
    if not names and not any(entry.get(other) for other in KINDS):
        names = [ANY]
    by_server: dict[str, list[str]] = {}
    for name in names:
        server, plain = _placed(str(name), entry.get("server"), servers, settings)
        by_server.setdefault(server, []).append(plain)
    predicates = []
    for server, plain_names in by_server.items():
        parts = [f"{SERVER} == {quoted(server)}"] if server else []
        if ANY not in plain_names:
            listed = ", ".join(quoted(name) for name in plain_names)
            parts.append(f"request.headers[{quoted(header)}] in [{listed}]")
        predicates.append(" && ".join([*parts, *who]) or "true")
    return predicates


def _placed(name: str, server: str | None, servers: t.Sequence[Settings], settings: Settings) -> tuple[str, str]:
    """Server (namespace/name, or empty for any) and plain name of a tool as it is listed, with its prefix."""
    if server:
        known = next((one for one in servers if one.get("name") == str(server).rpartition("/")[2]), None)
        full = (
            server if "/" in server else f"{(known or {}).get('namespace') or settings['servers_namespace']}/{server}"
        )
        return full, name.removeprefix(prefix_of(known) if known else "")
    fitting = [one for one in servers if prefix_of(one) and name.startswith(prefix_of(one))]
    if not fitting:
        return "", name
    best = max(fitting, key=lambda one: len(prefix_of(one)))
    return f"{best.get('namespace') or settings['servers_namespace']}/{best['name']}", name.removeprefix(
        prefix_of(best)
    )


def _claim(entry: Settings, settings: Settings) -> list[str]:
    """Guarded predicates: the claim exists and has one of the values."""
    found = []
    groups = structured(entry.get("groups"), "list")
    if groups:
        found.append(_holds(settings.get("groups_claim") or "groups", groups))
    for path, values in structured(entry.get("claims"), "dict").items():
        found.append(_holds(path, values if isinstance(values, list) else [values]))
    return found


def _holds(path: t.Any, values: t.Sequence[t.Any]) -> str:
    place, guards = "auth.identity", []
    for part in claim_path(path):
        guards.append(f"{quoted(part)} in {place}")
        place += f"[{quoted(part)}]"
    listed = ", ".join(quoted(value) for value in values)
    return " && ".join([*guards, f"({place} in [{listed}] || {place}.exists(one, one in [{listed}]))"])


def claim_path(path: t.Any) -> list[str]:
    """The names that lead to a claim: ``realm_access.roles``, or a list (or YAML text of one) when names have dots."""
    if isinstance(path, str) and not path.lstrip().startswith("["):
        return [path] if re.match(r"https?://", path) else path.split(".")
    return [str(part) for part in structured(path, "list")]
