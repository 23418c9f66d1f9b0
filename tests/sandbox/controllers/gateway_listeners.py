# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners of a Gateway judged by the Gateway API's rules: what is wrong with each, and what it accepts."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from sandbox.controllers.gateway_hostnames import ANY
from sandbox.controllers.gateway_world import Json, Key, World, selector_matches
from sandbox.kinds import GATEWAY_GROUP

SUPPORTED_PROTOCOLS = ("HTTP", "HTTPS")
ROUTE_KINDS = ("HTTPRoute", "GRPCRoute")
"""What Istio says that these listeners take; the sandbox has no GRPCRoutes to program."""


class Problem(NamedTuple):
    """Why a condition is not as it should be."""

    reason: str
    message: str


class KeyPair(NamedTuple):
    """A certificate chain and its private key, both PEM."""

    certificate: str
    key: str


@dataclass(slots=True)
class Listener:
    """One listener of one Gateway and what the controller found out about it.

    ``problems`` maps a condition type to its problem: Accepted, Conflicted, ResolvedRefs, Programmed.
    """

    gateway: Json
    spec: Json
    problems: dict[str, Problem] = field(default_factory=dict)
    certificates: list[KeyPair] = field(default_factory=list)
    kinds: list[Json] = field(default_factory=list)
    attached: set[Key] = field(default_factory=set)

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def port(self) -> int:
        return int(self.spec["port"])

    @property
    def protocol(self) -> str:
        return str(self.spec["protocol"])

    @property
    def hostname(self) -> str:
        """The hostname in lower case, ``*`` when the listener takes every host."""
        return str(self.spec.get("hostname") or ANY).lower()

    @property
    def programmed(self) -> bool:
        """Whether it takes traffic."""
        return not self.problems.keys() & {"Accepted", "Conflicted", "Programmed"}

    def allows_namespace(self, namespace: str, world: World) -> bool:
        """allowedRoutes.namespaces: Same (default), All, None, or a selector on namespace labels."""
        allowed = (self.spec.get("allowedRoutes") or {}).get("namespaces") or {}
        source = allowed.get("from") or "Same"
        if source == "Selector":
            return selector_matches(allowed.get("selector"), world.namespace_labels(namespace))
        return source == "All" or (source == "Same" and namespace == self.gateway["metadata"]["namespace"])

    def allows_kind(self, kind: str) -> bool:
        """allowedRoutes.kinds."""
        return any(entry["kind"] == kind for entry in self.kinds)


def judge(gateway: Json, world: World) -> list[Listener]:
    """The Gateway's listeners in order, each with its problems."""
    listeners = [Listener(gateway, spec) for spec in gateway["spec"].get("listeners") or []]
    for listener in listeners:
        _judge_protocol(listener)
        _judge_kinds(listener)
        if listener.protocol == "HTTPS":
            _judge_certificates(listener, world)
    _judge_conflicts(listeners)
    return listeners


def _judge_protocol(listener: Listener) -> None:
    if listener.protocol not in SUPPORTED_PROTOCOLS:
        upper = listener.protocol.upper()
        hint = f'. hint: "{upper}" (uppercase) may be supported' if upper in SUPPORTED_PROTOCOLS else ""
        message = f'protocol "{listener.protocol}" is unsupported{hint}'
        listener.problems["Accepted"] = Problem("UnsupportedProtocol", message)
        listener.problems["Programmed"] = Problem("Invalid", message)


def _judge_kinds(listener: Listener) -> None:
    kinds = ROUTE_KINDS if listener.protocol in SUPPORTED_PROTOCOLS else ()
    supported = [{"group": GATEWAY_GROUP, "kind": kind} for kind in kinds]
    wanted = (listener.spec.get("allowedRoutes") or {}).get("kinds") or supported
    chosen = [{"group": entry.get("group", GATEWAY_GROUP), "kind": entry["kind"]} for entry in wanted]
    listener.kinds = [entry for entry in supported if entry in chosen]
    if len(listener.kinds) < len(chosen):
        listener.problems["ResolvedRefs"] = Problem("InvalidRouteKinds", "Invalid route kinds")


def _judge_certificates(listener: Listener, world: World) -> None:
    tls = listener.spec.get("tls") or {}
    mode = tls.get("mode") or "Terminate"
    problems = []
    if mode != "Terminate":
        problems = [Problem("InvalidCertificateRef", f'TLS mode "{mode}" is not supported for protocol HTTPS')]
    elif not tls.get("certificateRefs"):
        problems = [Problem("InvalidCertificateRef", "no certificateRefs: TLS mode Terminate needs a certificate")]
    for reference in (tls.get("certificateRefs") or []) if mode == "Terminate" else []:
        found = _certificate(listener.gateway, reference, world)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            listener.certificates.append(found)
    if problems and not listener.certificates:
        message = "; ".join(problem.message for problem in problems)
        listener.problems["ResolvedRefs"] = Problem(problems[0].reason, message)
        listener.problems["Programmed"] = Problem("Invalid", "Bad TLS configuration")


def _certificate(gateway: Json, reference: Json, world: World) -> KeyPair | Problem:
    group, kind = reference.get("group") or "", reference.get("kind") or "Secret"
    name, namespace = reference["name"], reference.get("namespace") or gateway["metadata"]["namespace"]
    text = f"invalid certificate reference {group}/{kind}/{name}.{reference.get('namespace') or ''}"
    if (group, kind) != ("", "Secret"):
        return Problem("InvalidCertificateRef", f"{text}, only secret is allowed")
    secret = world.secrets.get((namespace, name))
    if secret is None:
        return Problem("InvalidCertificateRef", f"{text}, secret {namespace}/{name} not found")
    if not world.permits(gateway, "Secret", (namespace, name)):
        message = f"certificateRef {name}/{namespace} not accessible to a Gateway in namespace "
        message += f'"{gateway["metadata"]["namespace"]}" (missing a ReferenceGrant?)'
        return Problem("RefNotPermitted", message)
    data = secret.get("data") or {}
    if not data.get("tls.crt") or not data.get("tls.key"):
        keys = ", ".join(sorted(data)) or "none"
        message = f"{text}, found secret, but didn't have expected keys (tls.crt, tls.key); found: {keys}"
        return Problem("InvalidCertificateRef", message)
    try:
        pair = KeyPair(*(base64.b64decode(data[key], validate=True).decode() for key in ("tls.crt", "tls.key")))
    except (binascii.Error, UnicodeDecodeError) as error:
        return Problem("InvalidCertificateRef", f"{text}, the certificate is malformed: {error}")
    if fault := _fault(pair):
        return Problem("InvalidCertificateRef", f"{text}, the certificate is malformed: {fault}")
    return pair


@lru_cache(maxsize=64)
def _fault(pair: KeyPair) -> str | None:
    """What is wrong with a key pair: not PEM, or the key is not the certificate's."""
    with tempfile.NamedTemporaryFile("w", prefix="sandbox-cert-", suffix=".pem") as file:  # mode 0600
        file.write(f"{pair.key}\n{pair.certificate}\n")
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            return getattr(error, "reason", None) or str(error)
    return None


def _judge_conflicts(listeners: Sequence[Listener]) -> None:
    """Gateway API: on one port all listeners speak one protocol and each hostname occurs once; the first wins.

    The CRD's own rules refuse a repeated port, protocol and hostname, so that case only shows when they
    are absent.
    """
    first: dict[int, Listener] = {}
    taken: dict[tuple[int, str], Listener] = {}
    for listener in listeners:
        other = first.setdefault(listener.port, listener)
        if other.protocol != listener.protocol:
            _conflict(
                listener,
                "ProtocolConflict",
                f'port {listener.port} is used with protocol "{other.protocol}" by "{other.name}"',
            )
            continue
        twin = taken.setdefault((listener.port, listener.hostname), listener)
        if twin is not listener:
            where = f'port {listener.port} and hostname "{listener.hostname}"'
            _conflict(listener, "HostnameConflict", f'{where} are already used by listener "{twin.name}"')


def _conflict(listener: Listener, reason: str, message: str) -> None:
    listener.problems["Conflicted"] = Problem(reason, message)
    listener.problems["Accepted"] = Problem(reason, message)
    listener.problems["Programmed"] = Problem("Invalid", message)
