# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the MCP gateway operator (Kuadrant's controller), by the version that its Deployment runs.

It is idle until a Deployment `mcp-gateway-controller` is available; then it treats MCPGatewayExtension,
MCPServerRegistration and MCPVirtualServer as that version does.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.controllers.operator_extension import ExtensionController
from sandbox.controllers.operator_registration import RegistrationController
from sandbox.controllers.operator_virtual_server import VirtualServerController
from sandbox.controllers.runtime import Controller


def controllers() -> Sequence[Controller]:
    """Every part of the stand-in."""
    return [ExtensionController(), RegistrationController(), VirtualServerController()]
