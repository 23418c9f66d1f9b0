# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Name resolution, TCP and TLS, each with its own failure."""

from __future__ import annotations

import os
import socket
import ssl
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_proxy import Proxy, open_tunnel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_timing import Timing

# X509_V_ERR_* numbers of OpenSSL's x509_vfy.h.
_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED = frozenset({18, 19})
_UNKNOWN_ISSUER = frozenset({2, 20, 21})
_WRONG_NAME = frozenset({62, 64})

_Address = tuple[socket.AddressFamily, socket.SocketKind, int, t.Any]
"""Family, kind and protocol of a socket, and the address to connect it to."""


def tls_context(
    ca_cert: str | None, validate_certs: bool, client_cert: str | None = None, client_key: str | None = None
) -> ssl.SSLContext:
    """A client context that trusts the system's authorities, or only those of ``ca_cert`` (a path or PEM text).

    ``client_cert`` is the path of a PEM file with the client's own certificate; its key is in ``client_key``, or in
    the same file.
    """
    try:
        if ca_cert and "-----BEGIN" in ca_cert:
            context = ssl.create_default_context(cadata=ca_cert)
        elif ca_cert:
            context = ssl.create_default_context(cafile=os.path.expanduser(ca_cert))
        else:
            context = ssl.create_default_context()
    except FileNotFoundError as error:
        raise EndpointError(
            "input", f"ca_cert: the file {ca_cert} does not exist; give the path of a PEM file or its text", retry=False
        ) from error
    except (OSError, ssl.SSLError) as error:
        what = "the text" if ca_cert and "-----BEGIN" in ca_cert else f"the file {ca_cert}"
        raise EndpointError(
            "input", f"ca_cert: {what} holds no readable PEM certificate ({error})", retry=False
        ) from error
    # Python 3.13 began to refuse authorities without a key usage extension. MCP clients and curl take them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_cert:
        _load_client(context, client_cert, client_key)
    elif client_key:
        raise EndpointError("input", "client_key is given without client_cert; give both", retry=False)
    return context


def _load_client(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    cert, key = os.path.expanduser(cert), os.path.expanduser(key) if key else None
    for option, path in (("client_cert", cert), ("client_key", key)):
        if path is not None and not os.path.isfile(path):
            text = f"{option}: the file {path} does not exist; give the path of a PEM file"
            raise EndpointError("input", text, retry=False)
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # never ask at a terminal
    except (OSError, ssl.SSLError) as error:
        raise EndpointError(
            "input",
            f"client_cert: {cert}{f' and {key}' if key else ''} hold no certificate with its key, in PEM and without a"
            f" password ({getattr(error, 'reason', None) or error})",
            retry=False,
        ) from error


def connect(target: Target, tls: ssl.SSLContext | None, deadline: float, timing: Timing) -> socket.socket:
    """A connected socket, TLS included when ``tls`` is given. ``deadline`` is a :func:`time.monotonic` moment.

    ``timing`` gets the seconds of name resolution, TCP and TLS.
    """
    with timing.phase("dns"):
        addresses = _addresses(target)
    with timing.phase("connect"):
        sock = _dial(target, addresses, deadline)
    try:
        if target.proxy is not None and target.tunnelled:
            _tunnel(sock, target, target.proxy, deadline)
        if tls is None:
            return sock
        with timing.phase("tls"):
            sock.settimeout(seconds_left(deadline))
            return tls.wrap_socket(sock, server_hostname=target.host)
    except EndpointError:
        sock.close()
        raise
    except (OSError, ValueError) as error:
        sock.close()
        raise _tls_failure(target, error) from error


def _tunnel(sock: socket.socket, target: Target, proxy: Proxy, deadline: float) -> None:
    sock.settimeout(seconds_left(deadline))
    try:
        open_tunnel(sock, proxy, target.url, target.dialed)
    except OSError as error:
        why = "did not answer in time" if isinstance(error, TimeoutError) else f"broke off ({error.strerror or error})"
        raise EndpointError(
            "http", f"{target.url}: the proxy {proxy} {why}; check proxy, and what it may reach"
        ) from error


def seconds_left(deadline: float) -> float:
    """Seconds until ``deadline``, never less than a millisecond (0 would make a socket non-blocking)."""
    return max(0.001, deadline - time.monotonic())


def _dial(target: Target, addresses: list[_Address], deadline: float) -> socket.socket:
    started = time.monotonic()
    last: OSError | None = None
    for family, kind, protocol, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(seconds_left(deadline))
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise _tcp_failure(target, last, time.monotonic() - started) from last


def _addresses(target: Target) -> list[_Address]:
    hop = target.proxy
    name, port = (hop.host, hop.port) if hop else (target.dial_host, target.dial_port)
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise EndpointError("dns", f"{target.url}: {name!r} is not a host name; correct it", retry=False) from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            why = f"the name server gave no answer for {name} ({error.strerror}); check this machine's DNS settings"
        else:
            why = f"the name {name} does not resolve"
        way_out = (
            "correct proxy"
            if hop
            else "create a DNS record that points to the Gateway's address, or give that address in connect_to"
        )
        raise EndpointError("dns", f"{target.url}: {why}; {way_out}") from error
    return [(family, kind, protocol, address) for family, kind, protocol, _name, address in found]


def _tcp_failure(target: Target, error: OSError | None, waited: float) -> EndpointError:
    where = f"the proxy {target.proxy}" if target.proxy else target.dialed
    if target.proxy:
        text = f"{where} cannot be reached ({(error.strerror or error) if error else 'no address'}); check proxy"
    elif isinstance(error, ConnectionRefusedError):
        text = (
            f"nothing listens on {where} (connection refused); check that the listener of port {target.dial_port} is"
            " programmed and that the Gateway's Service exposes it"
        )
    elif isinstance(error, TimeoutError):
        text = (
            f"{where} did not accept a connection within {waited:.1f} s; a firewall or NetworkPolicy drops the packets,"
            " or the address is not routed to the cluster"
        )
    else:
        why = (error.strerror or error) if error else "no address"
        text = f"{where} cannot be reached ({why}); check the address and the route to it"
    return EndpointError("tcp", f"{target.url}: {text}")


def _tls_failure(target: Target, error: Exception) -> EndpointError:
    retry = False
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _certificate_text(target, error)
    elif isinstance(error, TimeoutError):
        text, retry = f"{target.dialed} accepted the connection but the TLS handshake did not finish in time", True
    elif isinstance(error, ssl.SSLError) and error.reason in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
    ):
        text = f"{target.dialed} does not speak TLS; use http:// in url, or set the listener's protocol to HTTPS"
    elif isinstance(error, (ConnectionError, ssl.SSLEOFError)):
        text, retry = (
            f"{target.dialed} closed the connection during the TLS handshake; no HTTPS listener serves the host name"
            f" {target.host} there, or its certificate Secret is missing",
            True,
        )
    else:
        reason = str(getattr(error, "reason", None) or error)
        alert = alert_text(reason)
        text = f"the TLS handshake with {target.dialed} failed ({reason})" + (f"; {alert}" if alert else "")
        retry = alert == ""
    return EndpointError("tls", f"{target.url}: {text}", retry=retry)


_ALERTS = (
    ("CERTIFICATE_REQUIRED", "the server wants a certificate of the client; give it in client_cert"),
    ("HANDSHAKE_FAILURE", "both sides have no cipher in common, or the server wants client_cert"),
    ("PROTOCOL", "the server takes only TLS versions that are not allowed here (1.2 and 1.3 are)"),
    ("UNRECOGNIZED_NAME", "no listener there has a certificate for this host name; check the listener's hostname"),
    ("UNKNOWN_CA", "the server does not know the authority of client_cert"),
    ("BAD_CERTIFICATE", "the server refuses client_cert"),
    ("CERTIFICATE_EXPIRED", "client_cert has expired"),
)
"""Parts of OpenSSL's names for alerts of the server, and what they mean."""


def alert_text(reason: str) -> str:
    """What the server's alert means, empty when it is not known."""
    return next((text for name, text in _ALERTS if name in reason.upper()), "")


def _certificate_text(target: Target, error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in _WRONG_NAME:
        return (
            f"the certificate is not for {target.host} ({error.verify_message});"
            " use a certificate that names this host, or a URL with a host that the certificate names"
        )
    if code == _EXPIRED:
        return "the certificate has expired; renew the certificate in the listener's Secret"
    if code == _NOT_YET_VALID:
        return "the certificate is not valid yet; check the clocks of both machines"
    if code in _SELF_SIGNED:
        return "the certificate is self-signed or its authority is not trusted; give the authority in ca_cert"
    if code in _UNKNOWN_ISSUER:
        return (
            "the certificate's authority is not known here; give the authority in ca_cert, and let the server send its"
            " intermediate certificates"
        )
    return f"the certificate was refused ({error.verify_message}); correct the certificate in the listener's Secret"
