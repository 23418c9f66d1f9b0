# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which addresses the broker may connect to: a guard against being sent to what only it can reach (SSRF).

It judges the addresses that a name stands for in the moment of connecting, and the connection goes to one of those, so
that a name which means another address the next time (DNS rebinding) gains nothing. Redirects are followed by nobody.
Through an HTTP proxy the proxy looks names up: then only an address in the URL itself can be judged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


GROUPS: dict[str, tuple[Network, ...]] = {
    "unspecified": _networks("0.0.0.0/8", "::/128"),
    "link-local": _networks("169.254.0.0/16", "fe80::/10"),
    "metadata": _networks(
        "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::254/128"
    ),
    "multicast": _networks("224.0.0.0/4", "255.255.255.255/32", "ff00::/8"),
    "loopback": _networks("127.0.0.0/8", "::1/128"),
    "private": _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"),
}
"""Addresses by what they are for (RFC 6890; the metadata services of clouds beside 169.254.169.254)."""
ALWAYS = ("unspecified", "link-local", "metadata", "multicast")
"""Groups where no MCP server is: refused unless they are allowed by name."""
_NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules, each the name of a group or a network. `deny` holds beside `ALWAYS`. `allow` makes exceptions: a
    network from everything, a group from what `deny` says and from itself."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()

    def for_foreign(self) -> Guard:
        """Return the rules for addresses that others than the author of the configuration give."""
        return Guard((*self.deny, "loopback"), self.allow)

    def refusal(self, address: str) -> str | None:
        """Return why there may be no connection to an address, as it comes from the resolver; None: it is allowed."""
        return _refusal(self, address)


NO_MORE = Guard()
"""Nothing but what is always refused."""


@lru_cache(maxsize=4096)
def _refusal(guard: Guard, text: str) -> str | None:
    try:
        given = ip_address(text.partition("%")[0])
    except ValueError:
        return None  # no address: a name that is looked up by somebody else
    for address in (given, *_inside(given)):
        for rule in (*ALWAYS, *guard.deny):
            if _holds(rule, address) and not any(_excepts(one, rule, address) for one in guard.allow):
                return f"{given} is an address that may not be connected to ({rule})"
    return None


def _excepts(allowed: str, rule: str, address: Address) -> bool:
    if allowed in GROUPS and rule in ALWAYS and allowed != rule:
        return False  # some metadata services have addresses out of private networks
    return _holds(allowed, address)


def _holds(rule: str, address: Address) -> bool:
    networks = GROUPS.get(rule) or (ip_network(rule),)
    return any(address in network for network in networks)


def _inside(address: Address) -> tuple[Address, ...]:
    """Return the IPv4 address that an IPv6 address stands for: mapped, 6to4, NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour]
    if address in _NAT64:
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(one for one in found if one is not None)


def is_rule(text: str) -> bool:
    """Tell whether a text is the name of a group or a network."""
    try:
        return text in GROUPS or bool(ip_network(text))
    except ValueError:
        return False
