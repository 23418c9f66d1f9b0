# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world outside the sandbox: where its names lead on this machine, and which authorities are trusted.

``DIR/outside/hosts.json`` maps ``name:port`` to an address, for example
``{"api.example.com:443": "127.0.0.1:45123"}``, so that a local server can stand for an external one. Other names
are resolved as usual. ``DIR/outside/ca.pem`` replaces the authorities of the machine, if it exists.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import ssl
from pathlib import Path
from socket import AF_INET, AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

log = logging.getLogger("sandbox.outside")


class Outside:
    """Reads the two files whenever it is asked: they may change while the sandbox runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, host: str, port: int) -> tuple[str, int] | None:
        """Where ``host:port`` is on this machine; None when the hosts table does not know."""
        return self.table().get(f"{host.lower()}:{port}")

    def table(self) -> dict[str, tuple[str, int]]:
        """The hosts table: address and port by ``name:port`` in lower case."""
        path = self._folder / "hosts.json"
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read: %s", path, error)
            return {}
        table = {}
        for name, place in found.items() if isinstance(found, dict) else ():
            address, _, number = str(place).rpartition(":")
            if not is_address(address) or not number.isdigit():
                log.warning('%s: "%s" of "%s" is not an IP address with a port', path, place, name)
            else:
                table[str(name).lower()] = (address, int(number))
        return table

    def own_authorities(self) -> str | None:
        """The content of the sandbox's file of authorities, if it has one."""
        own = self._folder / "ca.pem"
        return own.read_text(encoding="ascii") if own.exists() else None

    @property
    def authorities(self) -> str | None:
        """The file of the trusted authorities: the sandbox's, else the machine's."""
        own = self._folder / "ca.pem"
        return str(own) if own.exists() else ssl.get_default_verify_paths().cafile

    def context(self) -> ssl.SSLContext:
        """For a client that talks to the outside."""
        return ssl.create_default_context(cafile=self.authorities)

    def stamp(self) -> tuple[int, ...]:
        """Changes when one of the files does."""
        paths = (self._folder / name for name in ("hosts.json", "ca.pem"))
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)


def is_address(text: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


class Resolver(AbstractResolver):
    """Resolves names of the hosts table to the address there, others as the machine does."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._others = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        """As `aiohttp.abc.AbstractResolver` asks."""
        found = self._outside.address(host, port)
        if found is None:
            return await self._others.resolve(host, port, family)
        return [ResolveResult(hostname=host, host=found[0], port=found[1], family=AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """As `aiohttp.abc.AbstractResolver` asks."""
        await self._others.close()
