# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From the headers of a request to its scope: what of the catalogue it may see and use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcpops_broker.access.authorized import Authorization
from mcpops_broker.access.policy import Policy
from mcpops_broker.access.selections import Selections
from mcpops_broker.access.token import Verifier
from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.config.model import Config
from mcpops_broker.principal import Principal

VIRTUAL_SERVER = b"x-mcp-virtualserver"


class Access:
    """The rules of one broker."""

    policy: Policy | None
    """None: everything is allowed."""

    def __init__(self, trusted_key: str | None, config: Config) -> None:
        self._trusted_key = trusted_key
        self.selections = Selections()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take another configuration."""
        settings = config.broker
        self.policy = None
        if settings.policy is not None:
            self.policy = Policy(settings.policy, config.servers, config.virtual_servers)
        key = self._trusted_key or settings.trusted_header_key
        self._authorization = Authorization(Verifier(key) if key else None, settings.enforce_capability_filtering)

    def renewed(self, scope: Scope, principal: Principal) -> Scope:
        """Return the scope of a request of this principal that was made before the configuration was read again."""
        grants = self.policy.grants(principal, scope.virtual_server) if self.policy is not None else None
        if grants is scope.grants:
            return scope
        other = replace(scope, grants=grants)
        return EVERYTHING if other == EVERYTHING else other

    def scope(self, headers: Mapping[bytes, bytes], identity: str | None, principal: Principal) -> Scope:
        """Return what a request may see and use; `identity` is that of its session, None without one; `principal`
        makes the request.

        Raises `RpcError` (HTTP 403) for an authorization that cannot be trusted. A virtual server that does not exist
        is found out when the catalogue is asked for the scope's view.
        """
        authorized = self._authorization.authorized(headers)
        name = headers.get(VIRTUAL_SERVER)
        selection = self.selections.get(identity)
        if self.policy is None and authorized is None and name is None and selection is None:
            return EVERYTHING
        virtual_server = None if name is None else name.decode("latin-1")
        grants = self.policy.grants(principal, virtual_server) if self.policy is not None else None
        if grants is not None and authorized is None and name is None and selection is None:
            return grants.scope
        return Scope(virtual_server, authorized, selection, grants)
