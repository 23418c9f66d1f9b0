# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs M(mcpops.gateway.http_route) without another Python where that is possible."""

from __future__ import annotations

from ansible_collections.mcpops.gateway.plugins.plugin_utils._here import HereActionModule


class ActionModule(HereActionModule):
    """The controller's side of M(mcpops.gateway.http_route)."""

    module = "http_route"
