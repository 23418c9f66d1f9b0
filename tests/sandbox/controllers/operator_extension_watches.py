# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: what makes the operator look at an MCPGatewayExtension again.

Source: Kuadrant/mcp-gateway, SetupWithManager in mcpgatewayextension_controller.go and session_store.go. Not watched,
so not noticed: other extensions, namespaces and their labels, Secrets without the label, the configuration Secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sandbox.client import Object
from sandbox.controllers.operator_base import OperatorController
from sandbox.controllers.operator_release import EXTENSIONS, GROUP, MANAGED_BY, SIGNING_KEY_SECRET
from sandbox.controllers.operator_secrets import labelled
from sandbox.controllers.runtime import Key, Watch, key_of, owner
from sandbox.kinds import (
    DEPLOYMENTS,
    ENVOY_FILTERS,
    GATEWAYS,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)

KIND = "MCPGatewayExtension"


def extension_watches(controller: OperatorController) -> list[Watch]:
    """The watches of the controller of extensions."""

    def where(fits: Callable[[Object], bool]) -> Iterable[Key]:
        release = controller.release()
        every = controller.cache(release.extensions).list() if release else []
        return [key_of(extension) for extension in every if fits(extension)]

    def targeting(gateway: Object) -> Iterable[Key]:
        wanted = key_of(gateway)

        def fits(extension: Object) -> bool:
            target = extension["spec"]["targetRef"]
            return (target.get("namespace"), target["name"]) == wanted

        return where(fits)

    def granted(grant: Object) -> Iterable[Key]:
        """The operator's index only knows the first entry under ``from``: later ones are not noticed."""
        first = (grant["spec"].get("from") or [{}])[0]
        if (first.get("group"), first.get("kind")) != (GROUP, KIND):
            return []
        return where(lambda extension: bool(extension["metadata"]["namespace"] == first["namespace"]))

    def using(secret: Object) -> Iterable[Key]:
        if not labelled(secret):
            return []
        namespace, name = key_of(secret)
        return where(lambda extension: extension["metadata"]["namespace"] == namespace and name in _secrets(extension))

    return [
        *(Watch(resource) for resource in EXTENSIONS),
        *(Watch(resource, owner(KIND)) for resource in (DEPLOYMENTS, SERVICES, SERVICE_ACCOUNTS, HTTP_ROUTES)),
        Watch(GATEWAYS, targeting),
        Watch(REFERENCE_GRANTS, granted),
        Watch(ENVOY_FILTERS, filtered),
        Watch(SECRETS, using),
    ]


def filtered(envoy_filter: Object) -> Iterable[Key]:
    """The extension that an EnvoyFilter's labels name."""
    labels = envoy_filter["metadata"].get("labels") or {}
    name, namespace = labels.get(f"{GROUP}/extension-name"), labels.get(f"{GROUP}/extension-namespace")
    managed = MANAGED_BY.items() <= labels.items()
    return [(namespace, name)] if managed and name and namespace else []


def _secrets(extension: Object) -> set[str]:
    spec = extension["spec"]
    names = {(spec.get(part) or {}).get("secretName", "") for part in ("sessionStore", "trustedHeadersKey")}
    return {SIGNING_KEY_SECRET, *names, (spec.get("caCertBundleRef") or {}).get("name", "")}
