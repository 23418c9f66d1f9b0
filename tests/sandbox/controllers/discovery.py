# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server serves."""

from __future__ import annotations

import asyncio
import logging

from sandbox.client import ApiError, Client, Resource

log = logging.getLogger("sandbox.discovery")


async def served(client: Client) -> list[Resource]:
    """All resources that can be listed and deleted, each in the first of its group's versions that serves it."""
    groups = await client.request("GET", "/apis")
    paths = [("", "v1", "/api/v1")]
    for group in groups["groups"]:
        name = group["name"]
        paths += [(name, entry["version"], f"/apis/{name}/{entry['version']}") for entry in group["versions"]]
    answers = await asyncio.gather(*(_resources(client, *path) for path in paths))
    found: dict[tuple[str, str], Resource] = {}
    for resource in (resource for answer in answers for resource in answer):
        found.setdefault((resource.group, resource.plural), resource)
    return list(found.values())


async def _resources(client: Client, group: str, version: str, path: str) -> list[Resource]:
    try:
        answer = await client.request("GET", path)
    except ApiError as error:
        log.debug("discovery of %s: %s", path, error)
        return []  # a CRD that is just going away; the next look sees the rest
    return [
        Resource(group, version, entry["name"], entry["kind"], namespaced=entry["namespaced"])
        for entry in answer["resources"]
        if {"list", "delete"} <= set(entry.get("verbs") or []) and "/" not in entry["name"]
    ]
