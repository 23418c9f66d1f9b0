# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker says of itself to clients of both eras."""

from __future__ import annotations

from typing import Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.protocol import meta

SERVER_INFO = {"name": "mcpops-broker", "version": __version__}

CAPABILITIES: dict[str, Any] = {
    "completions": {},
    "logging": {},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "tools": {"listChanged": True},
}
"""The same whatever the upstreams offer now: they come and go, while clients ask for capabilities once."""

SERVER_META = b'"_meta":' + orjson.dumps({meta.SERVER_INFO: SERVER_INFO})
"""A member of results for clients without sessions, which do not hear of the server otherwise."""
