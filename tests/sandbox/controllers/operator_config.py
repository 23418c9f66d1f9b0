# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: the broker's configuration in a Secret. Pure functions.

Source: Kuadrant/mcp-gateway, internal/config at v0.6.0 and v0.9.0. The text is YAML with sorted keys; a key with an
empty value is left out, but for ``servers`` and for a server's ``name``, ``url`` and ``state`` (0.6.0: ``enabled``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import yaml
from sandbox.controllers.operator_release import AGGREGATED_LABEL, CONFIG_SECRET, SECRET_LABEL, Object, Release, named

Config = dict[str, Any]
EMPTY_CONFIG = "servers: []\nvirtualServers: []\n"

# libyaml reads and writes a configuration of hundreds of servers ten times faster.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


TEXT = "tag:yaml.org,2002:str"


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes text of several lines as a block, and quotes what would not be read as text, as the operator does."""


_RESOLVER: Any = yaml.resolver.Resolver()


@lru_cache(maxsize=8192)
def _style(value: str) -> str | None:
    if "\n" in value:
        return "|"
    return None if _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == TEXT else '"'


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar(TEXT, value, style=_style(value))


_Dumper.add_representer(str, _text)


class ConfigError(ValueError):
    """The configuration in the Secret cannot be read; the operator then changes nothing and tries again."""


def encoded(text: str) -> str:
    """Base64, as Secrets carry their values."""
    return base64.b64encode(text.encode()).decode()


def config_secret(namespace: str, config: str) -> Object:
    """The Secret with the broker's configuration; it has no owner and stays when the extension goes."""
    labels = {"app": "mcp-gateway", **AGGREGATED_LABEL, **SECRET_LABEL}
    return {
        "metadata": {"name": CONFIG_SECRET, "namespace": namespace, "labels": labels},
        "type": "Opaque",
        "data": {"config.yaml": encoded(config)},
    }


def read_config(secret: Object) -> Config:
    """The configuration in a Secret; an empty one when it has none. Raises ConfigError.

    The lists in it are the caller's to change, their entries are not.
    """
    config = _parse((secret.get("data") or {}).get("config.yaml", ""))
    servers, virtual = config.get("servers") or [], config.get("virtualServers") or []
    return {**config, "servers": list(servers), "virtualServers": list(virtual)}


@lru_cache(maxsize=16)
def _parse(data: str) -> Config:
    try:
        config = yaml.load(base64.b64decode(data), LOADER) or {}  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, binascii.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"failed to unmarshal broker config: {error}") from error
    if not isinstance(config, dict):
        raise ConfigError(f"failed to unmarshal broker config: it is {config!r}, not an object")
    return config


def write_config(config: Config) -> str:
    """The configuration as text."""
    kept = {key: config[key] for key in ("virtualServers", "gatewayCACertPEM") if config.get(key)}
    content = {"servers": config.get("servers") or [], **kept}
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=True, allow_unicode=True))


def server_entry(
    registration: Mapping[str, Any], url: str, hostname: str, release: Release, *, credential: str, ca: str
) -> dict[str, Any]:
    """A server's entry, in the keys of the operator's version."""
    spec = registration["spec"]
    common = {"hostname": hostname, "credential": credential}
    always = {"name": named(dict(registration)), "url": url}
    if not release.modern:
        found = {**common, "toolPrefix": spec.get("toolPrefix")}
        return {**always, **_filled(found), "enabled": True}
    found = {
        **common,
        "prefix": spec.get("prefix"),
        "caCert": ca,
        "userSpecificList": spec.get("userSpecificList") == "Enabled",
        **{field: spec.get(field) for field in ("category", "hint", "tags")},
    }
    entry = {**always, **_filled(found), "state": spec.get("state", "")}
    if "tokenURLElicitation" in spec:
        entry["tokenURLElicitation"] = _filled({"url": spec["tokenURLElicitation"].get("url")})
    return entry


def virtual_server_entry(virtual_server: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """A virtual server's entry; one without prompts shows all of them."""
    spec = virtual_server["spec"]
    found = {"name": named(dict(virtual_server)), "tools": spec["tools"]}
    return {**found, **(_filled({"prompts": spec.get("prompts")}) if release.modern else {})}


def upsert(config: Config, entry: dict[str, Any]) -> None:
    """Puts a server's entry in the place of the one of that name, or at the end; no change if it says the same."""
    servers = config["servers"]
    for index, server in enumerate(servers):
        if server.get("name") == entry["name"]:
            if _comparable(server) != _comparable(entry):
                servers[index] = entry
            return
    servers.append(entry)


def _comparable(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What decides whether a server has changed: the order of its tags does not."""
    return {**entry, "state": entry.get("state") or "Enabled", "tags": sorted(entry.get("tags") or [])}


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value}
