# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The rules of Kuadrant's DNSPolicy that its options alone can break. Pure functions."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._values import duration

Params = t.Mapping[str, t.Any]
MOST_EXCLUDED = 20
HEALTH_PORTS = "80, 443 or 1024 to 49151"
_PATH = re.compile(r"[/?][\w\-.~:/?#\[\]@!$&'()*+,;=]+[a-zA-Z0-9/]")


def option_problems(params: Params) -> list[str]:
    """The rules of the DNSPolicy's definition that the options of module ``dns_policy`` break; each names its option.

    What is missing breaks none.
    """
    found = []
    secrets, excluded = params.get("provider_secrets") or [], params.get("exclude_addresses") or []
    if len(secrets) > 1:
        found.append(f"provider_secrets has {', '.join(map(str, secrets))}, and Kuadrant takes one")
    if secrets and params.get("delegate"):
        found.append("delegate and provider_secrets exclude each other: the provider is that of the other cluster")
    if len(excluded) > MOST_EXCLUDED:
        found.append(f"exclude_addresses has {len(excluded)} entries, and Kuadrant takes at most {MOST_EXCLUDED}")
    balancing, check = params.get("load_balancing") or {}, params.get("health_check") or {}
    if balancing.get("geo") is not None and len(balancing["geo"]) < 2:
        found.append(f"load_balancing.geo {balancing['geo']!r} is no code of a region, such as EU or US-NY")
    if (balancing.get("weight") or 0) < 0:
        found.append(f"load_balancing.weight {balancing['weight']} is less than 0")
    port, threshold = check.get("port"), check.get("failure_threshold")
    if port is not None and port not in {80, 443} and not 1024 <= port <= 49151:
        found.append(f"health_check.port {port} is none that Kuadrant takes ({HEALTH_PORTS})")
    if threshold is not None and threshold < 1:
        found.append(f"health_check.failure_threshold {threshold} is less than 1")
    if check.get("path") and not _PATH.fullmatch(check["path"]):
        found.append(f"health_check.path {check['path']!r} is none; write a path such as /healthz")
    if check.get("interval") and not duration(check["interval"]):
        found.append(f"health_check.interval {check['interval']!r} is no time; write it as 5m or 90s")
    return found
