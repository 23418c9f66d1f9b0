# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which proxy leads to an API server, and which servers are reached without it."""

from __future__ import annotations

import typing as t
import urllib.parse
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """A proxy by its URL, and the headers for it as urllib3's ``make_headers`` takes them."""

    url: str
    headers: dict[str, t.Any] = field(default_factory=dict)

    @property
    def password(self) -> str:
        """The password in the URL as it stands there, empty without one; also of a URL that is none."""
        return self.url.partition("://")[2].rpartition("@")[0].partition(":")[2]


def choose_proxy(
    host: str, auth: t.Mapping[str, t.Any], env: t.Mapping[str, str], of_kubeconfig: Proxy | None
) -> tuple[Proxy | None, str]:
    """The proxy of the options, else of the kubeconfig, else of the environment, and in words where it is from.

    None when there is none or ``no_proxy`` (the option or the variable) excepts the host.
    """
    scheme = host.partition("://")[0].lower()
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    named = next((name for name in names if env.get(name)), "")
    if "proxy" in auth:
        proxy, said = Proxy(str(auth["proxy"])), "the option proxy"
    elif of_kubeconfig is not None:
        proxy, said = of_kubeconfig, "proxy-url of the kubeconfig"
    elif named:
        proxy, said = Proxy(env[named]), f"the variable {named}"
    else:
        return None, ""
    if goes_without(host, str(auth.get("no_proxy") or env.get("no_proxy") or env.get("NO_PROXY") or "")):
        return None, ""
    proxy.headers = {key: value for key, value in (auth.get("proxy_headers") or {}).items() if value}
    return proxy, said


def goes_without(host: str, no_proxy: str) -> bool:
    """Whether a list as of the variable NO_PROXY has the host of a URL.

    Its entries, parted by commas, are ``*``, a domain with or without a dot before it (with all names below), an
    address or a network, each but the last with or without a port.
    """
    if not no_proxy:
        return False
    import ipaddress  # noqa: PLC0415 - for those behind proxies only

    url = urllib.parse.urlsplit(host)
    name = url.hostname or ""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    for entry in filter(None, (part.strip().lower().lstrip(".") for part in no_proxy.split(","))):
        if entry in {"*", name, url.netloc.lower()} or name.endswith("." + entry):
            return True
        try:
            if address is not None and address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue  # no network
    return False
