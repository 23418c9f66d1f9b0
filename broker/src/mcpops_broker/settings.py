# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the command line and the environment say, and what of the configuration depends on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcpops_broker.access.token import BadKeyError, Verifier
from mcpops_broker.config.auth import is_loopback, open_to_all
from mcpops_broker.config.model import BrokerOptions, Config
from mcpops_broker.config.parse import MIN_KEY_BYTES, ConfigError
from mcpops_broker.config.watch import Signature


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the environment say; fixed while the process runs."""

    config: Path
    seen: Signature = None
    """What the configuration file looked like just before it was read: what has changed until a worker starts, also one
    that takes the place of another, is read by it."""
    secret: bytes | None = field(default=None, repr=False)
    """From which keys are derived, above all that of session ids; None: the configuration's."""
    random: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    """The secret when there is no other; shared by all workers of the process."""
    public_host: str | None = None
    allowed_origins: tuple[str, ...] = ()
    """Beside those of the configuration."""
    trusted_key: str | None = None
    """PEM of the public key with which `x-mcp-authorized` is checked; wins over the configuration's."""
    address: str = "127.0.0.1"
    """The IP address that the broker listens on."""
    anonymous: bool = False
    """Whether everybody is served, whatever that address is, unless the configuration says whom."""
    namespaces: tuple[str, ...] | None = None
    """Of a cluster whose registrations are served, too; empty: all of them; None: not in cluster mode."""
    allowed_hosts: tuple[str, ...] = ()
    """Beside those of the configuration."""
    replica: str = ""
    """Begins the addresses of this replica's workers (letters and digits), where other replicas know them."""

    @property
    def loopback(self) -> bool:
        """Whether only programs of this machine reach the broker."""
        return is_loopback(self.address)

    def secrets(self, settings: BrokerOptions) -> list[bytes]:
        """Return the secrets of the deployment: the one to use, and those to accept."""
        newest = self.secret or (settings.signing_key or "").encode() or self.random
        return list(dict.fromkeys((newest, *(key.encode() for key in settings.signing_keys))))

    def check(self, config: Config) -> None:
        """Raise `ConfigError` for a configuration that must not be used with these options."""
        if problem := open_to_all(config.broker.auth, self.address, self.anonymous):
            raise ConfigError([problem], config.files)


def trusted_key_from(environment: Mapping[str, str]) -> str | None:
    """Return the public key in TRUSTED_HEADER_PUBLIC_KEY, as for the operator's broker; raise `ConfigError`."""
    pem = environment.get("TRUSTED_HEADER_PUBLIC_KEY")
    if not pem:
        return None
    try:
        Verifier(pem)
    except BadKeyError as error:
        raise ConfigError([f"the environment variable TRUSTED_HEADER_PUBLIC_KEY cannot be used: {error}"]) from None
    return pem


def secret_from(environment: Mapping[str, str], config: Config) -> tuple[bytes | None, str]:
    """Return the secret that the environment gives, and where the one that is used comes from.

    GATEWAY_SIGNING_KEY (0.6.0: JWT_SESSION_SIGNING_KEY) as for the operator's broker, else `broker.signingKey`, else
    a random one: then sessions end with the process. Raises `ConfigError` for one that is too short.
    """
    for name in ("GATEWAY_SIGNING_KEY", "JWT_SESSION_SIGNING_KEY"):
        if value := environment.get(name):
            if len(value.encode()) < MIN_KEY_BYTES:
                raise ConfigError([f"the environment variable {name} must be at least {MIN_KEY_BYTES} bytes long"])
            return value.encode(), name
    return None, "broker.signingKey" if config.broker.signing_key else "random"
