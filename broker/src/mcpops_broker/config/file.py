# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading the configuration file, at the start and again when it has changed."""

from __future__ import annotations

import stat
from pathlib import Path

from mcpops_broker.config.model import Config
from mcpops_broker.config.parse import ConfigError, parse


def load(path: Path, *, again: bool = False) -> Config:
    """Read a configuration file; raise `ConfigError` when it cannot be read or used.

    `again`: another content is in use. Then an empty file is refused: it is one that somebody is just writing, or one
    that did not fit on the disk.
    """
    try:
        if again and stat.S_ISFIFO(path.stat().st_mode):
            raise ConfigError(["the file is a pipe now: reading it could wait for ever"])
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"the file cannot be read: {error.strerror}"]) from None
    if again and not text.strip():
        raise ConfigError(["the file is empty; write 'servers: []' to have no servers"])
    return parse(text)
