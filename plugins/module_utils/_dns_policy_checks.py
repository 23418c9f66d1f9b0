# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What Kuadrant would refuse of a DNSPolicy, or complain of only in status, told before anything is written."""

from __future__ import annotations

from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden, Refused
from ansible_collections.mcpops.gateway.plugins.module_utils._manifest import Manifest
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import Step
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import SECRET, label_of

PROVIDER_KEYS: dict[str, tuple[str, ...]] = {
    "kuadrant.io/aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "kuadrant.io/gcp": ("GOOGLE", "PROJECT_ID"),
    "kuadrant.io/azure": ("azure.json",),
    "kuadrant.io/coredns": (),
    "kuadrant.io/endpoint": (),
    "kuadrant.io/inmemory": (),
}
"""Kuadrant's types of a provider's Secret, and the data entries without which its DNS operator refuses each."""
DEFAULT_PROVIDER = "kuadrant.io/default-provider"
"""The label (``"true"``) of the Secret that is used when a policy names none."""


def check_delegation(manifest: Manifest, live: Object | None) -> None:
    """Kuadrant: ``delegate`` stays as it was made."""
    before, after = bool(((live or {}).get("spec") or {}).get("delegate")), bool(manifest["spec"].get("delegate"))
    if live is not None and before != after:
        raise Refused(
            f"{label_of(manifest)} cannot change delegate from {str(before).lower()} to {str(after).lower()}; remove "
            "the policy first (state absent) and make it again."
        )


def check_target(engine: Engine, manifest: Manifest, gateway: Object | None) -> None:
    target, place = manifest["spec"]["targetRef"], manifest["metadata"]["namespace"]
    said = f"{label_of(manifest)} needs the Gateway {place}/{target['name']}"
    if gateway is None:
        engine.missing("gateway", f"{said}, which does not exist", "a DNSPolicy stands in its Gateway's namespace")
        return
    names = [str(one.get("name")) for one in (gateway.get("spec") or {}).get("listeners") or []]
    section = target.get("sectionName")
    if section and section not in names:
        engine.missing(
            "gateway", f"{said} with a listener {section} (there are: {', '.join(names)})", "correct listener"
        )
    if not any(one.get("hostname") for one in (gateway.get("spec") or {}).get("listeners") or []):
        engine.warn(f"{said} with a listener that has a hostname; none of its listeners has one to publish.")


def check_rivals(engine: Engine, manifest: Manifest, step: Step) -> None:
    """Kuadrant accepts only the oldest of several policies with the same target."""
    if step.live is not None or step.resource is None:
        return
    place = manifest["metadata"]["namespace"]
    for other in engine.client.list(step.resource, place)[0]:
        if (other.get("spec") or {}).get("targetRef") == manifest["spec"]["targetRef"]:
            name = other["metadata"]["name"]
            raise Refused(
                f"{label_of(manifest)} would be refused as Conflicted: the older DNSPolicy {place}/{name} has the same "
                f"target; change that one (name: {name}), remove it first, or name another listener."
            )


def check_providers(engine: Engine, manifest: Manifest) -> None:
    spec, place = manifest["spec"], manifest["metadata"]["namespace"]
    if not spec.get("providerRefs") and not spec.get("delegate"):
        _check_default_provider(engine, manifest)
    for reference in spec.get("providerRefs") or []:
        said = f"{label_of(manifest)}: the Secret {place}/{reference['name']} of provider_secrets"
        fix = "create it with the credentials of the DNS provider"
        secret = engine.read_secret(reference["name"], place, said, missing="secret", fix=fix)
        if secret is not None:
            _check_provider(said, secret)


def _check_default_provider(engine: Engine, manifest: Manifest) -> None:
    place = manifest["metadata"]["namespace"]
    try:
        secrets = engine.client.list(SECRET, place, labels=f"{DEFAULT_PROVIDER}=true")[0]
    except Forbidden:
        return
    if not secrets:
        engine.missing(
            "secret",
            f"{label_of(manifest)} names no provider_secrets, and no Secret of namespace {place} has the label "
            f'{DEFAULT_PROVIDER}: "true"',
            "name the Secret with the credentials in provider_secrets, or label it",
        )
    if len(secrets) > 1:
        names = ", ".join(sorted(one["metadata"]["name"] for one in secrets))
        raise Refused(
            f"{label_of(manifest)}: the Secrets {names} of namespace {place} all have the label {DEFAULT_PROVIDER}, "
            "and Kuadrant takes one; name one in provider_secrets, or take the label from the others."
        )
    for secret in secrets:
        _check_provider(
            f"{label_of(manifest)}: the default provider's Secret {place}/{secret['metadata']['name']}", secret
        )


def _check_provider(said: str, secret: Object) -> None:
    kind = str(secret.get("type"))
    if kind not in PROVIDER_KEYS:
        raise Refused(
            f"{said} has the type {kind}; Kuadrant reads {', '.join(PROVIDER_KEYS)}. Make it again with one of them."
        )
    missing = [key for key in PROVIDER_KEYS[kind] if not (secret.get("data") or {}).get(key)]
    if missing:
        raise Refused(f"{said} has no data entry {' and none '.join(missing)}, which the type {kind} needs; add it.")
