# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""A Gateway and its listeners, from the options of the modules to manifests. All functions are pure."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION, GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest, texts

Options = t.Mapping[str, t.Any]


def skeleton(name: str, namespace: str) -> Manifest:
    """A Gateway of which nothing is said but its name."""
    return {"apiVersion": API_VERSION, "kind": "Gateway", "metadata": {"name": name, "namespace": namespace}}


def gateway_manifest(params: Options, listeners: list[dict[str, t.Any]]) -> Manifest:
    """The Gateway as the options describe it."""
    manifest = skeleton(params["name"], params["namespace"])
    for key in ("labels", "annotations"):
        if params.get(key):
            manifest["metadata"][key] = texts(params[key])
    spec = manifest["spec"] = {"gatewayClassName": params["gateway_class_name"], "listeners": listeners}
    if params.get("addresses"):
        spec["addresses"] = [_said(address, ("type", "value")) for address in params["addresses"]]
    return manifest


def listener_manifest(options: Options) -> dict[str, t.Any]:
    """One entry of ``spec.listeners``; defaults inside lists that are one value are written out."""
    manifest = _said(options, ("name", "port", "protocol", "hostname"))
    if options.get("tls"):
        manifest["tls"] = _tls(options["tls"])
    if options.get("allowed_routes"):
        manifest["allowedRoutes"] = _allowed_routes(options["allowed_routes"])
    return manifest


def _tls(tls: Options) -> dict[str, t.Any]:
    manifest = _said(tls, ("mode",))
    if tls.get("options"):
        manifest["options"] = texts(tls["options"])
    if tls.get("certificate_refs"):
        manifest["certificateRefs"] = [
            {
                "group": ref.get("group") or "",
                "kind": ref.get("kind") or "Secret",
                **_said(ref, ("name", "namespace")),
            }
            for ref in tls["certificate_refs"]
        ]
    return manifest


def _allowed_routes(allowed: Options) -> dict[str, t.Any]:
    manifest: dict[str, t.Any] = {}
    namespaces = allowed.get("namespaces")
    if namespaces:
        chosen = manifest["namespaces"] = _said(namespaces, ("from",))
        if namespaces.get("selector") is not None:
            chosen["selector"] = _selector(namespaces["selector"])
    if allowed.get("kinds"):
        manifest["kinds"] = [
            {"group": kind.get("group") or GROUP, **_said(kind, ("kind",))} for kind in allowed["kinds"]
        ]
    return manifest


def _selector(selector: Options) -> dict[str, t.Any]:
    """A label selector whose labels are text, whatever YAML made of them."""
    found = dict(selector)
    if isinstance(found.get("matchLabels"), dict):
        found["matchLabels"] = texts(found["matchLabels"])
    return found


def _said(options: Options, names: t.Sequence[str]) -> dict[str, t.Any]:
    """Those options that say something."""
    return {name: options[name] for name in names if options.get(name) not in {None, ""}}
