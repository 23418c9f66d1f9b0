# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""The job of module ``virtual_server``: a named selection of tools and prompts."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import check_told
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import GROUP, VERSIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import KIND as EXTENSION
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._report import Report
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._virtual_server_tools import unknown_tools

Params = dict[str, t.Any]
KIND = "MCPVirtualServer"
ONLY_NAMESPACE = "mcp-system"
"""Before 0.8 the operator writes virtual servers only to the gateway of this namespace."""


def virtual_server_job(engine: Engine, params: Params) -> tuple[Report, Params]:
    """An MCPVirtualServer, present or absent.

    There is nothing to wait for: no version of the operator writes its status.
    """
    manifest = virtual_server_manifest(params)
    if params["state"] == "absent":
        return engine.remove([manifest]), {"unknown_tools": None}
    check_told(params["broker"])
    report = engine.apply([manifest])
    _warn_of_old_operator(engine)
    return report, {"unknown_tools": _check_tools(engine, report, manifest, params)}


def _check_tools(engine: Engine, report: Report, manifest: Manifest, params: Params) -> list[str] | None:
    if not (params["check_tools"] and report.changed and engine.wait) or engine.check:
        return None
    unknown = unknown_tools(engine, params["tools"], params["broker"])
    if unknown:
        engine.warn(
            f"{label_of(manifest)} lists tools that no MCP server offers now: {', '.join(unknown)}. Clients will not "
            "see them; correct the names (a tool's name begins with the prefix of its server), or register the server."
        )
    return unknown


def virtual_server_manifest(params: Params) -> Manifest:
    """The object as the options describe it; the cluster's version is filled in later."""
    name, namespace = params["name"], params["namespace"]
    manifest: Manifest = {"apiVersion": GROUP, "kind": KIND, "metadata": {"name": name, "namespace": namespace}}
    if params["state"] == "absent":
        return manifest
    if not params["tools"]:
        raise ConfigError(f"{KIND} {namespace}/{name}: tools is empty; name at least one tool, with its prefix.")
    for option in ("tools", "prompts"):
        if any(not one.strip() for one in params[option] or []):
            raise ConfigError(f"{KIND} {namespace}/{name}: {option} has an empty name; remove it.")
    spec = {field: params[field] for field in ("description", "tools", "prompts")}
    manifest["spec"] = {field: value for field, value in spec.items() if value not in (None, "")}
    return manifest


def _warn_of_old_operator(engine: Engine) -> None:
    if engine.discovery.find(f"{GROUP}/{VERSIONS[0]}", EXTENSION) is not None:
        return
    resource = engine.discovery.find_in_group(GROUP, EXTENSION)
    if resource is None or engine.client.list(resource, ONLY_NAMESPACE)[0]:
        return
    engine.warn(
        f"The installed operator is older than 0.8, which gives virtual servers only to the gateway of namespace "
        f"{ONLY_NAMESPACE}, and there is no MCPGatewayExtension there: clients will not see this one."
    )
