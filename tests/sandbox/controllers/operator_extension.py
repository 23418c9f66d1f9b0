# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: MCPGatewayExtension, in the operator's order of checks and writes.

Source: Kuadrant/mcp-gateway, internal/controller/mcpgatewayextension_controller.go at v0.6.0 and v0.9.0.
"""

from __future__ import annotations

import logging
import secrets as randomness
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import (
    MESSAGE_VALID,
    REASON_GRANT_REQUIRED,
    REASON_INVALID,
    REASON_VALID,
    PublicHostError,
    admission,
    listener_named,
    public_host,
)
from sandbox.client import ApiError, Object
from sandbox.controllers.operator_base import POLL_SECONDS, RetryError, has_finalizer, with_condition, without_condition
from sandbox.controllers.operator_broker import deployment, private_host
from sandbox.controllers.operator_certificates import new_key_pair
from sandbox.controllers.operator_children import Children
from sandbox.controllers.operator_config import Config
from sandbox.controllers.operator_extension_watches import extension_watches
from sandbox.controllers.operator_objects import (
    LISTENER_CONDITION,
    envoy_filter,
    envoy_filter_key,
    gateway_key,
    key_secret,
    listener_condition,
    owner,
)
from sandbox.controllers.operator_release import EXTENSIONS, SECRET_LABEL, SIGNING_KEY_SECRET, Release
from sandbox.controllers.operator_secrets import (
    RefusalError,
    ca_bundle,
    check_session_store,
    check_trusted_headers,
    value,
)
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import ENVOY_FILTERS, GATEWAYS, NAMESPACES, REFERENCE_GRANTS, SECRETS

log = logging.getLogger("sandbox.operator")
NOT_READY = RefusalError("DeploymentNotReady", "broker-router deployment is not ready")


@dataclass
class Pass:
    """One reconcile of an extension, and what its steps found out so far."""

    release: Release
    extension: Object
    gateway: Object = field(default_factory=dict)
    listener: Object = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return str(self.extension["metadata"]["namespace"])

    @property
    def spec(self) -> Object:
        found: Object = self.extension["spec"]
        return found


class ExtensionController(Children):
    """Ready is False with the first reason that stands in the way; only a running broker makes it True."""

    def watches(self) -> Sequence[Watch]:
        return [*extension_watches(self), *self.operator_watches(EXTENSIONS)]

    async def reconcile_for(self, release: Release, key: Key) -> float | None:
        extension = self.cache(release.extensions).get(*key)
        if extension is None:
            return None
        if extension["metadata"].get("deletionTimestamp"):
            if has_finalizer(extension):
                await self._clean_up(extension, release)
            return None
        if await self.add_finalizer(release.extensions, extension):
            return None
        now = Pass(release, extension)
        try:
            for step in (
                self._admit,
                self._configuration,
                self._trusted_headers,
                self._signing_key,
                self._session_store,
                self._authorities,
                self._broker,
                self._filter,
            ):
                await step(now)
        except RefusalError as refusal:
            await self._write_ready(now, "False", refusal.reason, str(refusal))
            return POLL_SECONDS if refusal is NOT_READY else None
        if not await self._mark_listener(now):
            return POLL_SECONDS
        await self._write_ready(now, "True", REASON_VALID, MESSAGE_VALID)
        return None

    async def _write_ready(self, now: Pass, status: str, reason: str, message: str) -> None:
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": now.extension["metadata"]["generation"],
        }
        await self.set_condition(now.release.extensions, now.extension, condition)

    async def _secret(self, now: Pass, name: str) -> Object | None:
        """A Secret, asked for directly: the operator's cache only has those with its label."""
        return await self.client.get(SECRETS, name, now.namespace)

    async def _admit(self, now: Pass) -> None:
        """Everything about the extension's surroundings; a missing grant also empties the configuration."""
        target = now.spec["targetRef"]
        where = target.get("namespace") or ""
        # An empty namespace is not the extension's own: the operator does not find such a Gateway (#1186).
        gateway = self.cache(GATEWAYS).get(where, target["name"])
        namespace = await self.client.get(NAMESPACES, now.namespace)
        verdict = admission(
            now.extension,
            gateway=gateway,
            namespace_labels=(namespace or {"metadata": {}})["metadata"].get("labels"),
            grants=self.cache(REFERENCE_GRANTS).list(where),
            extensions=self.cache(now.release.extensions).list(),
        )
        if gateway is None or not verdict.accepted:
            if verdict.reason == REASON_GRANT_REQUIRED:
                await self.empty_config(now.namespace)
            raise RefusalError(verdict.reason, verdict.message)
        now.gateway = gateway
        now.listener = dict(listener_named(gateway, target["sectionName"]) or {})

    async def _configuration(self, now: Pass) -> None:
        await self.ensure_config(now.namespace)

    async def _trusted_headers(self, now: Pass) -> None:
        """A Secret of the user's is checked; a generated pair is only made, anew if one of the two is gone."""
        trusted = now.spec.get("trustedHeadersKey")
        if not trusted:
            return
        name = trusted["secretName"]
        if trusted.get("generate") != "Enabled":
            check_trusted_headers(await self._secret(now, name), name, now.namespace)
            return
        found = {part: await self._secret(now, part) for part in (name, f"{name}-private")}
        if all(found.values()):
            return
        for part, secret in found.items():
            if secret:
                await self.client.delete(SECRETS, part, now.namespace)
        for part, text in zip(found, new_key_pair(), strict=True):
            await self.create(SECRETS, key_secret(now.extension, now.release, part, text, {}))

    async def _signing_key(self, now: Pass) -> None:
        """The key of the sessions: made once; a lost value, label or owner is put back.

        One that is left of another extension must be collected first.
        """
        key = randomness.token_hex(32)
        wanted = key_secret(now.extension, now.release, SIGNING_KEY_SECRET, key, SECRET_LABEL)
        found = await self._secret(now, SIGNING_KEY_SECRET)
        if found is None:
            await self.create(SECRETS, wanted)
            return
        meta = {**found["metadata"]}
        meta["labels"] = {**(meta.get("labels") or {}), **wanted["metadata"]["labels"]}
        owners = meta.get("ownerReferences") or []
        if all(entry["uid"] != now.extension["metadata"]["uid"] for entry in owners):
            if any(entry.get("controller") for entry in owners):
                raise RetryError("failed to set owner reference on session signing key secret")
            meta["ownerReferences"] = [*owners, owner(now.extension, now.release)]
        repaired = {**found, "metadata": meta, "data": found.get("data") if value(found, "key") else wanted["data"]}
        if repaired != found:
            await self.replace(SECRETS, repaired)

    async def _session_store(self, now: Pass) -> None:
        if store := now.spec.get("sessionStore"):
            name = store["secretName"]
            check_session_store(await self._secret(now, name), name, now.namespace)

    async def _authorities(self, now: Pass) -> None:
        """Writes the bundle of certificate authorities into the broker's configuration, or takes it out."""
        if not now.release.modern:
            return
        pem = ""
        if reference := now.spec.get("caCertBundleRef"):
            secret = await self._secret(now, reference["name"])
            pem = ca_bundle(secret, reference["name"], reference.get("key") or "ca.crt")

        def change(config: Config) -> None:
            if config.get("gatewayCACertPEM", "") != pem:
                config["gatewayCACertPEM"] = pem

        await self.change_config(now.namespace, change)

    async def _broker(self, now: Pass) -> None:
        """Everything that runs the broker. Right after the Deployment was written, the rest waits for the next time."""
        extension, release = now.extension, now.release
        try:
            host = public_host(now.listener.get("hostname"), now.spec.get("publicHost"))
        except PublicHostError as error:
            raise RefusalError(REASON_INVALID, str(error)) from error
        await self.ensure_service_account(extension, release)
        private = private_host(extension, now.gateway, now.listener, release)
        found = await self.ensure_deployment(deployment(extension, host, private, release), release)
        if found is None:
            raise NOT_READY
        await self.ensure_service(extension, release)
        await self.ensure_routes(extension, host, release)
        status: dict[str, Any] = found.get("status") or {}
        ready = status.get("readyReplicas", 0)
        if not ready or ready != status.get("replicas", 0):
            raise NOT_READY

    async def _filter(self, now: Pass) -> None:
        await self.ensure_envoy_filter(envoy_filter(now.extension, now.gateway, now.listener))

    async def _mark_listener(self, now: Pass) -> bool:
        """Adds the operator's condition to the listener's status; False while that cannot be done."""
        status = deepcopy(now.gateway.get("status") or {})
        wanted = listener_condition(now.extension, now.gateway)
        for listener in status.get("listeners") or []:
            if listener["name"] == now.spec["targetRef"]["sectionName"]:
                conditions = listener.get("conditions") or []
                if any(_says(entry, wanted) for entry in conditions):
                    return True
                listener["conditions"] = with_condition(conditions, wanted)
                try:
                    await self.replace(GATEWAYS, {**now.gateway, "status": status}, subresource="status")
                except ApiError as error:
                    log.info("failed to update gateway listener status, will retry: %s", error)
                    return False
                return True
        return False

    async def _clean_up(self, extension: Object, release: Release) -> None:
        """What is left of an extension goes; nothing of it looks whether another extension of the namespace uses it."""
        try:
            await self._unmark_listener(extension)
        except ApiError as error:
            log.info("failed to remove gateway listener status: %s", error)
        namespace, name = envoy_filter_key(extension)
        if self.cache(ENVOY_FILTERS).get(namespace, name):
            await self.client.delete(ENVOY_FILTERS, name, namespace)
        await self.empty_config(extension["metadata"]["namespace"])
        await self.drop_finalizer(release.extensions, extension)

    async def _unmark_listener(self, extension: Object) -> None:
        gateway = self.cache(GATEWAYS).get(*gateway_key(extension))
        status = deepcopy((gateway or {}).get("status") or {})
        for listener in status.get("listeners") or []:
            if listener["name"] == extension["spec"]["targetRef"]["sectionName"]:
                listener["conditions"] = without_condition(listener.get("conditions") or [], LISTENER_CONDITION)
        if gateway and status != (gateway.get("status") or {}):
            await self.replace(GATEWAYS, {**gateway, "status": status}, subresource="status")


def _says(condition: Object, wanted: Object) -> bool:
    return all(condition.get(part) == wanted[part] for part in ("type", "status", "reason", "message"))
