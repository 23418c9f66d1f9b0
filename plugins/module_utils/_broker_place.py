# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Where the broker of a gateway is reached from here, and the option ``broker`` with which a user tells it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_endpoint import endpoint_of
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_connect import tls_context
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import parse_target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

Object = t.Mapping[str, t.Any]

REQUEST_TIMEOUT = 10.0
OPTION: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "url": {"type": "str"},
        "connect_to": {"type": "str"},
        "ca_cert": {"type": "str"},
        "validate_certs": {"type": "bool", "default": True},
        "headers": {"type": "dict", "no_log": True},
    },
}
"""The option ``broker`` of modules, documented in the fragment ``broker``."""


@dataclass(frozen=True)
class Broker:
    """Where a broker is.

    ``url`` has no path; ``connect_to`` is dialed when the URL's name does not resolve.
    """

    url: str
    connect_to: str = ""
    ca_cert: str | None = None
    validate_certs: bool = True
    headers: t.Mapping[str, str] | None = None

    def wire(self, path: str) -> Wire:
        """Requests to a path of the broker. Raises ConfigError that names the wrong suboption of ``broker``."""
        try:
            target = parse_target(self.url.rstrip("/") + path, self.connect_to or None, "unresolved")
            tls = tls_context(self.ca_cert, self.validate_certs) if target.scheme == "https" else None
        except EndpointError as error:
            raise ConfigError(f"broker.{error}.") from error
        return Wire(target, tls=tls, headers=self.headers or {}, timeout=REQUEST_TIMEOUT)


def told_broker(told: Object | None, url: str = "", connect_to: str = "") -> Broker | None:
    """The broker at the address that the user tells, else at this one; None when neither is known."""
    told = told or {}
    known = told.get("url") or url
    if not known:
        return None
    headers = {str(name): str(value) for name, value in (told.get("headers") or {}).items()}
    dialed = told.get("connect_to") or ("" if told.get("url") else connect_to)
    return Broker(known, dialed, told.get("ca_cert"), told.get("validate_certs") is not False, headers)


def check_told(told: Object | None) -> None:
    """Raise ConfigError for what is wrong with the option, before anything is asked."""
    broker = told_broker(told, "https://localhost") if told else None
    if broker is not None:
        broker.wire("")


def gateway_of(extension: Object) -> tuple[str, str]:
    """(namespace, name) of the Gateway that an MCPGatewayExtension stands on."""
    target = extension["spec"]["targetRef"]
    return str(target.get("namespace") or extension["metadata"]["namespace"]), str(target["name"])


def broker_of(extension: Object, gateway: Object | None, told: Object | None) -> Broker | None:
    """The broker of an extension at the public host of its listener; None when that is not known."""
    namespace, name = gateway_of(extension)
    wanted = {
        "name": name,
        "namespace": namespace,
        "listener": extension["spec"]["targetRef"]["sectionName"],
        "public_host": extension["spec"].get("publicHost"),
        "path": "",
    }
    found = endpoint_of(gateway, wanted)
    return told_broker(told, found["url"], found["connect_to"])
