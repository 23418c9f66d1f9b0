# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Where a Gateway's listener serves MCP, and what was found there, in words."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import (
    PublicHostError,
    listener_named,
    public_host,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import structured

Object = t.Mapping[str, t.Any]

USUAL_PORTS = {"http": 80, "https": 443}


def url_of(host: str, listener: Object, path: str = "/mcp") -> str:
    """Where clients connect: scheme and port from the listener; a scheme's own port is left out."""
    scheme = "https" if listener.get("protocol") in {"HTTPS", "TLS"} else "http"
    port = listener.get("port")
    authority = host if port in {None, USUAL_PORTS[scheme]} else f"{host}:{port}"
    return f"{scheme}://{authority}{path}"


def addresses_of(gateway: Object) -> list[str]:
    """The addresses and host names that a Gateway has, as they are."""
    return [str(one["value"]) for one in (gateway.get("status") or {}).get("addresses") or [] if one.get("value")]


def address_of(gateway: Object, listener: Object) -> str:
    """``address:port`` of a listener at the Gateway's first address (IPv6 in brackets), empty while it has none."""
    address = next(iter(addresses_of(gateway)), "")
    if not address or not listener:
        return ""
    return f"[{address}]:{listener.get('port')}" if ":" in address else f"{address}:{listener.get('port')}"


def records_of(gateway: Object, listener: str | None) -> list[dict[str, str]]:
    """The DNS records that make a Gateway's hosts reachable, whoever publishes them.

    One a host name and address: ``name``, ``type`` (A, AAAA or CNAME) and ``value``.
    """
    listeners = (gateway.get("spec") or {}).get("listeners") or []
    hosts = [one.get("hostname") for one in listeners if listener in {None, "", one.get("name")}]
    return [
        {"name": str(host), "type": record_type(address), "value": address}
        for host in dict.fromkeys(host for host in hosts if host)
        for address in addresses_of(gateway)
    ]


def record_type(address: str) -> str:
    """The type of the DNS record that leads to an address or host name."""
    try:
        return "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


def endpoint_of(gateway: Object | None, wanted: t.Mapping[str, t.Any]) -> dict[str, str]:
    """``url``, ``connect_to`` and ``problem`` of a listener of a Gateway (None when it does not exist).

    ``wanted`` holds the options of module ``gateway_info``: ``name``, ``namespace``, ``listener``, ``public_host`` (of
    the extension, when it has one of its own) and ``path``. ``connect_to`` is the Gateway's first address with the
    listener's port, empty while it has none. ``problem`` is empty, or a sentence that says why there is no ``url``.
    """
    listener = wanted["listener"]
    where = f"Gateway {wanted['namespace']}/{wanted['name']}"
    if gateway is None:
        return _no_url(f"{where} does not exist; run the playbook mcpops.gateway.site first, or name another Gateway")
    found = listener_named(gateway, listener)
    if found is None:
        names = ", ".join(str(x.get("name")) for x in gateway.get("spec", {}).get("listeners") or []) or "none"
        return _no_url(f"{where} has no listener {listener} (it has {names}); choose one of them")
    if found.get("protocol") not in {"HTTP", "HTTPS"}:
        return _no_url(
            f"The listener {listener} of {where} has protocol {found.get('protocol')}, which MCP does not use"
        )
    try:
        public = public_host(found.get("hostname"), wanted.get("public_host"))
    except PublicHostError as error:
        return _no_url(f"The listener {listener} of {where}: {error}; give it a hostname, or tell the public host")
    return {"url": url_of(public, found, wanted["path"]), "connect_to": address_of(gateway, found), "problem": ""}


def dns_report_of(records: t.Sequence[Object], *, published: bool, total: int) -> dict[str, t.Any]:
    """The report of role dns: the ``records`` that a Gateway's host names need, and ``text`` for a person to read.

    ``published`` says that a DNSPolicy makes them, ``total`` how many it has made. Names of this machine (RFC 6761)
    need no record.
    """
    needed = [dict(one) for one in records if not re.fullmatch(r"(.+\.)?localhost", str(one["name"]))]
    lines = [f"{one['name']}  {one['type']}  {one['value']}" for one in needed]
    if not needed:
        text = ["No DNS record can be named yet: the Gateway has no address, or its listener no host name."]
        if records:
            text = ["No DNS record is needed."]
    elif published:
        text = [f"The DNSPolicy is enforced and keeps {total} records at the DNS provider, for:", *lines]
    else:
        text = ["Nothing here publishes host names; create these DNS records, or see that somebody does:", *lines]
    return {"published": published, "records": needed, "text": text}


def _no_url(problem: str) -> dict[str, str]:
    return {"url": "", "connect_to": "", "problem": problem}


def report_of(answer: Object, problem: str = "") -> dict[str, t.Any]:
    """The report of role verify from a result of module ``endpoint``: facts, and ``text`` for a person to read.

    ``answer`` may be a skipped or a failed result (a failed one names its ``layer``); then ``works`` is false and
    ``problem`` says why.
    """
    if "layer" in answer or "server_info" not in answer:
        why = problem or answer.get("msg") or "there is no answer"
        text = [
            "Check mode: the endpoint was not proven, because it is not there yet or not yet as it will be.",
            f"seen now: {why}",
        ]
        return {"works": False, "problem": why, "text": text}
    kept = (
        *("url", "dialed", "http_status", "server_info", "protocol_version", "tools", "tool_count"),
        *("call_result", "oauth", "cors"),
    )
    report = {name: answer[name] for name in kept if name in answer}
    # A server of the stateless revision is not initialized: what it says of itself is the answer to server/discover.
    report["initialize"] = answer.get("bare_initialize") or answer.get("initialize") or answer["discover"]
    return {"works": True, **report, "text": _text(report)}


def reports_together(reports: t.Sequence[Object]) -> dict[str, t.Any]:
    """The reports of all endpoints as one: that of the first, with the ``text`` of all, and all as ``endpoints``."""
    broken = [one for one in reports if not one["works"]]
    text = [line for one in reports for line in one["text"]]
    problem = {"problem": broken[0]["problem"]} if broken else {}
    return {**reports[0], "works": not broken, **problem, "text": text, "endpoints": list(reports)}


TOLD = ("name", "state", "prefix", "expect_tools")
"""What of a registered server tells its tools."""


def targets_of(extensions: t.Any, servers: t.Any, defaults: Object) -> list[dict[str, t.Any]]:
    """What role verify asks: one endpoint for each extension of the list, or the one of the ``defaults``.

    Each has ``gateway``, ``gateway_namespace``, ``listener``, ``public_host``, and the ``servers`` whose tools it must
    list: all for the only endpoint, else those that the extension names. Of a server there is only what tells its
    tools: Ansible shows what a loop goes over, and a server may have a credential.
    """
    entries = [one for one in structured(extensions, "list") if one.get("state") != "absent"]
    known = [{key: one[key] for key in TOLD if key in one} for one in structured(servers, "list")]
    if not entries:
        return [{**defaults, "servers": known}]
    targets = []
    for entry in entries:
        own = {key: entry[key] for key in defaults if entry.get(key)}
        named = structured(entry.get("servers"), "list")
        wanted = known if len(entries) == 1 and not named else [one for one in known if one.get("name") in named]
        targets.append({**defaults, **own, "servers": wanted})
    return targets


def _text(report: Object) -> list[str]:
    url, server = report["url"], report["server_info"]
    through = "" if report["dialed"] in url else f" (connected to {report['dialed']})"
    lines = [
        "The MCP gateway works.",
        f"endpoint:    {url}{through}",
        f"initialize:  HTTP {report['http_status']}, protocol version {report['protocol_version']}",
        f"serverInfo:  {server.get('name', 'not told')} {server.get('version', '')}".rstrip(),
        f"tools:       {report['tool_count']}" + (f" ({', '.join(report['tools'])})" if report["tools"] else ""),
    ]
    if report.get("call_result"):
        lines.append(f"tool call:   {_call_text(report['call_result'])}")
    if report.get("oauth"):
        issuers = ", ".join(report["oauth"].get("authorization_servers") or []) or "no authorization server"
        lines.append(f"OAuth:       {report['oauth'].get('metadata_url')} names {issuers}")
    if report.get("cors"):
        lines.append(f"CORS:        pages of {report['cors'].get('allow_origin')} may use it")
    return [*lines, f"to connect:  give an MCP client this address, with the transport Streamable HTTP: {url}"]


def _call_text(result: Object, limit: int = 200) -> str:
    texts = [str(part["text"]) for part in result.get("content") or [] if isinstance(part, dict) and part.get("text")]
    text = " ".join(" ".join(texts).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
