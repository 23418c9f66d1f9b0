# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The environment of the collection's own broker: of a container, or as a file of a service. Pure functions."""

from __future__ import annotations

import re
import shlex
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured

Entry = dict[str, t.Any]

SIGNING_KEY = "GATEWAY_SIGNING_KEY"
"""The role makes its value itself."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def environment(given: t.Any, protected: t.Any, url: str) -> list[Entry]:
    """The entries of a container's ``env``: those of the user, then what OAuth metadata the broker publishes."""
    entries: list[Entry] = [
        {"name": entry["name"], "valueFrom": entry["valueFrom"]}
        if entry.get("valueFrom")
        else {"name": entry["name"], "value": _text(entry.get("value"))}
        for entry in structured(given, "list")
    ]
    return entries + _oauth(structured(protected, "dict"), url)


def environment_file(given: t.Any, protected: t.Any, url: str) -> str:
    """The same as lines ``NAME='value'``, which systemd (``EnvironmentFile``) and the shell read alike."""
    entries = environment(given, protected, url)
    return "".join(f"{entry['name']}={shlex.quote(entry['value'])}\n" for entry in entries)


def environment_problems(given: t.Sequence[t.Mapping[str, t.Any]], *, protected: bool, host: bool) -> t.Iterator[str]:
    """Every broken rule as a sentence. ``protected``: the role sets OAUTH_* itself; ``host``: there are no Secrets."""
    seen: set[str] = set()
    for entry in given:
        name = str(entry.get("name") or "")
        if not _NAME.fullmatch(name):
            yield f"broker_env: {name!r} is no name of a variable (letters, digits and _, no digit first)"
            continue
        if name in seen:
            yield f"broker_env: {name} is there twice; leave one out"
        seen.add(name)
        if name == SIGNING_KEY:
            yield f"broker_env: {name} is made by the role; leave it out"
        if protected and name.startswith("OAUTH_"):
            yield f"broker_env: {name} comes from broker_oauth_protected_resource; set it there only"
        if entry.get("valueFrom") and entry.get("value") is not None:
            yield f"broker_env: {name} has value and valueFrom; leave one out"
        if host and entry.get("valueFrom"):
            yield f"broker_env: {name} has valueFrom, which only a cluster knows; on a host give value"
        if host and re.search(r"[\n\0]", str(entry.get("value") or "")):
            yield f"broker_env: the value of {name} has several lines, which a service's environment cannot hold"


def _oauth(protected: t.Mapping[str, t.Any], url: str) -> list[Entry]:
    """The protected resource metadata, with the defaults of the operator (which is wrong about resource)."""
    if not protected:
        return []
    values = {
        "OAUTH_RESOURCE_NAME": protected.get("resource_name") or "MCP Server",
        "OAUTH_RESOURCE": protected.get("resource") or url,
        "OAUTH_AUTHORIZATION_SERVERS": _joined(protected["authorization_servers"]),
        "OAUTH_BEARER_METHODS_SUPPORTED": _joined(protected.get("bearer_methods_supported") or ["header"]),
        "OAUTH_SCOPES_SUPPORTED": _joined(protected.get("scopes_supported") or ["basic"]),
    }
    return [{"name": name, "value": value} for name, value in values.items() if value]


def _joined(value: t.Any) -> str:
    return ",".join(str(part) for part in structured(value, "list"))


def _text(value: t.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
