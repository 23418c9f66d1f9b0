# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Digests of the broker's configuration: another one needs another start."""

from __future__ import annotations

import hashlib
import hmac
import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import YamlError, load_all_yaml

START_KEYS = ("cluster", "drain")
"""Of the mapping ``broker``, beside ``store``; everything else takes effect while it runs."""
STORE_KEYS = ("urlFile", "urlEnv", "passwordFile", "passwordEnv", "prefix", "caCert")
"""Of ``store``, whose values are no secrets, but for ``url``, of which only the address counts."""
SERVER_KEYS = ("servers", "virtualServers")
"""Of the configuration: what is served, as opposed to how."""


def settings_digest(config: str, key: str) -> str:
    """A digest of everything but the servers. ``config`` is the text of ``config.yaml``.

    It may be shown to anybody although there are passwords among the settings: ``key`` is secret, and without it
    guesses cannot be compared (RFC 2104).
    """
    try:
        content = next(iter(load_all_yaml(str.encode(config).decode())), None)  # PyYAML takes no subclass
    except YamlError:
        content = None  # of somebody else: any other text is another configuration
    text = config
    if isinstance(content, dict):
        settings = {name: value for name, value in content.items() if name not in SERVER_KEYS}
        text = json.dumps(settings, sort_keys=True, default=str)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]


def start_digest(config: t.Mapping[str, t.Any]) -> str:
    """A digest of these settings; empty when none is given. ``config`` is the content of ``config.yaml``.

    It may be shown to anybody: no password is part of it, and no file or variable that holds one is looked into.
    """
    options = config.get("broker") or {}
    found = {key: options[key] for key in START_KEYS if options.get(key) is not None}
    store = options.get("store") or {}
    shared = {key: store[key] for key in STORE_KEYS if store.get(key)}
    if store.get("url"):
        shared["url"] = _address(str(store["url"]))
    if shared:
        found["store"] = shared
    text = json.dumps(found, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16] if found else ""


def _address(url: str) -> list[t.Any]:
    """The parts of a URL but for the password; none of one that the broker does not take."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return []
    user = parts.username if parts.password else None  # alone it may be a password at the wrong place
    return [parts.scheme, user, host, port, parts.path] if host else []
