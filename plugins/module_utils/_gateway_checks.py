# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Checks of Gateway listeners against the cluster, before anything is written."""

from __future__ import annotations

import itertools
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions
from ansible_collections.mcpops.gateway.plugins.module_utils._certificate import secret_problem, secret_warnings
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import (
    API_VERSION,
    GROUP,
    Listener,
    certificate_refs,
    overlap,
    problems,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import SECRET

CLASS_KIND = "GatewayClass"
KUADRANT = "kuadrant.io/v1"


def refuse(gateway: str, found: t.Sequence[str]) -> None:
    """Raise Refused with the problems of a Gateway, if there are any."""
    if found:
        raise Refused(f"Gateway {gateway} is not changed: {'; '.join(found)}.")


def check_listeners(gateway: str, wanted: t.Sequence[Listener], others: t.Sequence[Listener] = ()) -> None:
    """Rules within the wanted listeners and between them and those that stay (``others``)."""
    staying = _without(others, wanted)
    ours = set(problems(wanted))
    # Only what the wanted listeners bring: what already stands in the cluster is not this task's business.
    old = set(problems(staying))
    found = [sentence for sentence in problems([*staying, *wanted]) if sentence in ours or sentence not in old]
    refuse(gateway, found)


def warn_of_overlaps(
    engine: Engine, gateway: str, wanted: t.Sequence[Listener], others: t.Sequence[Listener] = ()
) -> None:
    """Warn of listeners that are no clash and may still surprise clients."""
    pairs = [*itertools.combinations(wanted, 2), *itertools.product(wanted, _without(others, wanted))]
    for one, other in pairs:
        said = overlap(one, other)
        if said:
            engine.warn(f"Gateway {gateway}: {said}.")


def _without(others: t.Sequence[Listener], wanted: t.Sequence[Listener]) -> list[Listener]:
    names = {listener.get("name") for listener in wanted}
    return [listener for listener in others if listener.get("name") not in names]


def check_class(engine: Engine, gateway: str, name: str) -> None:
    """The GatewayClass exists and is accepted; otherwise no controller will ever look at the Gateway."""
    resource = engine.discovery.find(API_VERSION, CLASS_KIND)
    if resource is None:
        return  # the Gateway API is not there either; the plan says so
    said = f"Gateway {gateway} needs the GatewayClass {name}"
    try:
        found = engine.client.get(resource, name)
        known = [] if found else sorted(item["metadata"]["name"] for item in engine.client.list(resource)[0])
    except Forbidden:
        return
    if found is None:
        engine.missing(
            "class",
            f"{said}, which does not exist (there are: {', '.join(known) or 'none'})",
            "correct gateway_class_name or install the Gateway API implementation that brings it",
        )
        return
    if _conditions.holds(found, "Accepted"):
        return
    accepted = _conditions.of_object(found, "Accepted")
    seen = _conditions.describe(accepted, "Accepted", found)
    controller = (found.get("spec") or {}).get("controllerName")
    if _conditions.holds(found, "Accepted", "False"):
        engine.missing(
            "class", f"{said}, which its controller {controller} refuses: {seen}", "correct the GatewayClass"
        )
    else:
        engine.warn(f"{said}, which no controller has accepted yet: {seen} (is {controller} installed and running?).")


def check_certificates(
    engine: Engine, gateway: str, namespace: str, listeners: t.Sequence[Listener], *, changing: bool
) -> None:
    """Every certificate Secret is there, may be used, and can serve TLS.

    Without a change to make, nothing is refused; what is wrong or will soon be is still told.
    """
    for listener in listeners:
        for ref in certificate_refs(listener):
            place = ref.get("namespace") or namespace
            said = f"listener {listener.get('name')} of Gateway {gateway}: the certificate Secret {place}/{ref['name']}"
            if changing:
                if not _will_be_issued(engine, gateway, listener, str(ref["name"]), place):
                    _check_certificate(engine, said, place, listener, ref)
                if place != namespace:
                    _check_grant(engine, said, namespace, place, str(ref["name"]))
            else:
                _look_at_certificate(engine, said, place, listener, ref)


def _will_be_issued(engine: Engine, gateway: str, listener: Listener, name: str, place: str) -> bool:
    """Whether the Secret is missing, and a TLSPolicy (Kuadrant) is there that has it made for this listener."""
    namespace, own = gateway.split("/")
    try:
        if engine.client.get(SECRET, name, place) is not None:
            return False
        policies = engine.read_all(KUADRANT, "TLSPolicy", namespace)
    except Forbidden:
        return False
    targets = [(policy.get("spec") or {}).get("targetRef") or {} for policy in policies]
    return any(
        target.get("name") == own and target.get("sectionName") in {None, "", listener.get("name")}
        for target in targets
    )


def _check_certificate(engine: Engine, said: str, place: str, listener: Listener, ref: t.Mapping[str, t.Any]) -> None:
    fix = "create it (type kubernetes.io/tls) or correct tls.certificate_refs"
    secret = engine.read_secret(ref["name"], place, said, missing="certificate", fix=fix)
    if secret is None:
        return
    problem = secret_problem(secret)
    if problem:
        raise Refused(f"{said} {problem}; replace the Secret or name another one in tls.certificate_refs.")
    _warn_of_certificate(engine, said, secret, listener)


def _look_at_certificate(engine: Engine, said: str, place: str, listener: Listener, ref: t.Mapping[str, t.Any]) -> None:
    try:
        secret = engine.client.get(SECRET, ref["name"], place)
    except Forbidden:
        return
    problem = "does not exist" if secret is None else secret_problem(secret)
    if problem:
        engine.warn(f"{said} {problem}.")
    elif secret is not None:
        _warn_of_certificate(engine, said, secret, listener)


def _warn_of_certificate(engine: Engine, said: str, secret: Object, listener: Listener) -> None:
    for warning in secret_warnings(secret, listener.get("hostname")):
        engine.warn(f"{said}: {warning}.")


def _check_grant(engine: Engine, said: str, namespace: str, place: str, name: str) -> None:
    resource = engine.discovery.find_in_group(GROUP, "ReferenceGrant")
    try:
        grants = engine.client.list(resource, place)[0] if resource else []
    except Forbidden:
        return
    if any(_grants(grant, namespace, name) for grant in grants):
        return
    message = (
        f"{said} is in another namespace and no ReferenceGrant in {place} allows Gateways of {namespace} to use it"
    )
    engine.missing("grant", message, "create one (module mcpops.gateway.reference_grant)")


def _grants(grant: Object, namespace: str, name: str) -> bool:
    spec = grant.get("spec") or {}
    trusted = any(
        (entry.get("group"), entry.get("kind"), entry.get("namespace")) == (GROUP, "Gateway", namespace)
        for entry in spec.get("from") or []
    )
    covered = any(
        not entry.get("group") and entry.get("kind") == "Secret" and entry.get("name") in {None, "", name}
        for entry in spec.get("to") or []
    )
    return trusted and covered
