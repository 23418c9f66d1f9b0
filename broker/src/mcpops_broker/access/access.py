# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From the headers of a request to its scope: what of the catalogue it may see and use."""

from __future__ import annotations

from collections.abc import Mapping

from mcpops_broker.access.authorized import Authorization
from mcpops_broker.access.selections import Selections
from mcpops_broker.access.token import Verifier
from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.principal import Principal

VIRTUAL_SERVER = b"x-mcp-virtualserver"


class Access:
    """The rules of one broker."""

    def __init__(self, trusted_key: str | None, settings: BrokerOptions) -> None:
        self._trusted_key = trusted_key
        self.selections = Selections()
        self.configure(settings)

    def configure(self, settings: BrokerOptions) -> None:
        """Take other settings."""
        key = self._trusted_key or settings.trusted_header_key
        self._authorization = Authorization(Verifier(key) if key else None, settings.enforce_capability_filtering)

    def scope(self, headers: Mapping[bytes, bytes], identity: str | None, principal: Principal) -> Scope:
        """Return what a request may see and use; `identity` is that of its session, None without one; `principal`
        makes the request.

        Raises `RpcError` (HTTP 403) for an authorization that cannot be trusted. A virtual server that does not exist
        is found out when the catalogue is asked for the scope's view.
        """
        authorized = self._authorization.authorized(headers)
        name = headers.get(VIRTUAL_SERVER)
        selection = self.selections.get(identity)
        if authorized is None and name is None and selection is None:
            return EVERYTHING
        return Scope(None if name is None else name.decode("latin-1"), authorized, selection)
