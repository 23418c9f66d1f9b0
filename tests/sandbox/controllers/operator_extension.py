# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: MCPGatewayExtension, in the operator's order of checks and writes."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

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
from sandbox.client import Object, Resource
from sandbox.controllers.operator_base import Config, OperatorController, nothing, with_condition
from sandbox.controllers.operator_objects import (
    command,
    deployment,
    environment,
    envoy_filter,
    envoy_filter_name,
    http_route,
    key_secret,
    listener_condition,
    merged_container,
    private_host,
    service,
    service_account,
    tokens_route,
)
from sandbox.controllers.operator_release import (
    BROKER,
    DEPLOYMENTS,
    ENVOY_FILTERS,
    EXTENSIONS,
    GATEWAYS,
    GROUP,
    HTTP_ROUTES,
    NAMESPACES,
    REFERENCE_GRANTS,
    SECRET_LABEL,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    SIGNING_KEY_SECRET,
    TOKENS_ROUTE,
    Release,
    covers,
    named,
)
from sandbox.controllers.operator_secrets import (
    SecretError,
    ca_bundle,
    check_session_store,
    check_trusted_headers,
    new_key_pair,
    value,
)
from sandbox.controllers.runtime import Key, Watch, owner

POLL_SECONDS = 5.0
"""How soon the operator looks again at what it waits for."""
NOT_READY = ("DeploymentNotReady", "broker-router deployment is not ready")


class ExtensionController(OperatorController):
    """Ready is False with the first reason that stands in the way; only a running broker makes it True."""

    def watches(self) -> Sequence[Watch]:
        owned = owner("MCPGatewayExtension")
        return [
            *(Watch(resource) for resource in EXTENSIONS),
            *(Watch(resource, self._rivals) for resource in EXTENSIONS),
            *self.operator_watches(EXTENSIONS),
            Watch(DEPLOYMENTS, owned),
            Watch(GATEWAYS, self._targeting),
            Watch(REFERENCE_GRANTS, self._granted),
            Watch(SECRETS, self._using),
            Watch(SERVICES, owned),
            Watch(HTTP_ROUTES, owned),
            Watch(ENVOY_FILTERS, self._filtered),
            Watch(SERVICE_ACCOUNTS, nothing),
            Watch(NAMESPACES, nothing),
        ]

    def _all(self) -> list[Object]:
        release = self.release()
        return self.cache(release.extensions).list() if release else []

    def _keys(self, extensions: Iterable[Object]) -> Iterable[Key]:
        return [(entry["metadata"]["namespace"], entry["metadata"]["name"]) for entry in extensions]

    def _rivals(self, changed: Object) -> Iterable[Key]:
        """The others, since the end of one may make room for another."""
        target = changed["spec"]["targetRef"]
        return self._keys(
            entry
            for entry in self._all()
            if entry["metadata"]["namespace"] == changed["metadata"]["namespace"]
            or entry["spec"]["targetRef"]["name"] == target["name"]
        )

    def _targeting(self, gateway: Object) -> Iterable[Key]:
        where = (gateway["metadata"]["namespace"], gateway["metadata"]["name"])
        targets = ((entry, entry["spec"]["targetRef"]) for entry in self._all())
        return self._keys(entry for entry, target in targets if (target.get("namespace"), target["name"]) == where)

    def _granted(self, grant: Object) -> Iterable[Key]:
        """The operator's index only knows the first entry under ``from``: later ones are not noticed."""
        first = grant["spec"]["from"][0]
        if (first["group"], first["kind"]) != (GROUP, "MCPGatewayExtension"):
            return []
        return self._keys(entry for entry in self._all() if entry["metadata"]["namespace"] == first["namespace"])

    def _using(self, secret: Object) -> Iterable[Key]:
        """Only Secrets with the operator's label are watched, and those that it made itself."""
        meta = secret["metadata"]
        if SECRET_LABEL.items() <= (meta.get("labels") or {}).items():
            return self._keys(entry for entry in self._all() if entry["metadata"]["namespace"] == meta["namespace"])
        return owner("MCPGatewayExtension")(secret)

    def _filtered(self, envoy_filter_object: Object) -> Iterable[Key]:
        labels = envoy_filter_object["metadata"].get("labels") or {}
        name = labels.get(f"{GROUP}/extension-name")
        return [(labels.get(f"{GROUP}/extension-namespace", ""), name)] if name else []

    async def reconcile(self, key: Key) -> float | None:
        release = self.release()
        extension = self.cache(release.extensions).get(*key) if release else None
        if release is None or extension is None:
            return None
        if extension["metadata"].get("deletionTimestamp"):
            await self._finalize(extension, release)
            return None
        if await self.add_finalizer(release.extensions, extension):
            return None
        target = extension["spec"]["targetRef"]
        gateway = self.cache(GATEWAYS).get(target.get("namespace") or "", target["name"])
        namespace = self.cache(NAMESPACES).get("", key[0])
        result = admission(
            extension,
            gateway=gateway,
            namespace_labels=(namespace or {"metadata": {}})["metadata"].get("labels"),
            grants=self.cache(REFERENCE_GRANTS).list(target.get("namespace") or ""),
            extensions=self.cache(release.extensions).list(),
        )
        if not result.accepted or gateway is None:
            if result.reason == REASON_GRANT_REQUIRED:
                await self.empty_config(key[0])
            await self._not_ready(release, extension, result.reason, result.message)
            return None
        listener = dict(listener_named(gateway, target["sectionName"]) or {})
        try:
            await self._secrets(release, extension)
            ready = await self._broker(release, extension, gateway, listener)
        except SecretError as error:
            await self._not_ready(release, extension, error.reason, str(error))
            return None
        except PublicHostError as error:
            await self._not_ready(release, extension, REASON_INVALID, str(error))
            return None
        if not ready:
            await self._not_ready(release, extension, *NOT_READY)
            return POLL_SECONDS
        await self._ensure_spec(ENVOY_FILTERS, envoy_filter(extension, gateway, listener))
        if not await self._mark_listener(extension, gateway, target["sectionName"]):
            return POLL_SECONDS
        await self._write_ready(release, extension, "True", REASON_VALID, MESSAGE_VALID)
        return None

    async def _not_ready(self, release: Release, extension: Object, reason: str, message: str) -> None:
        await self._write_ready(release, extension, "False", reason, message)

    async def _write_ready(self, release: Release, extension: Object, status: str, reason: str, message: str) -> None:
        condition = {
            "type": "Ready",
            "status": status,
            "reason": reason,
            "message": message,
            "observedGeneration": extension["metadata"]["generation"],
        }
        await self.set_condition(release.extensions, extension, condition)

    async def _secrets(self, release: Release, extension: Object) -> None:
        """The configuration, the keys, and the Secrets that the extension refers to. Raises SecretError."""
        spec, namespace = extension["spec"], extension["metadata"]["namespace"]
        await self.change_config(namespace, lambda config: None)
        if trusted := spec.get("trustedHeadersKey"):
            await self._trusted_headers(release, extension, trusted)
        signing = self.cache(SECRETS).get(namespace, SIGNING_KEY_SECRET)
        if signing is None or not value(signing, "key"):
            wanted = key_secret(extension, release, SIGNING_KEY_SECRET, randomness.token_hex(32), SECRET_LABEL)
            if signing is None:
                await self.create(SECRETS, wanted)
            else:
                await self.replace(SECRETS, {**signing, "data": wanted["data"]})
        if store := spec.get("sessionStore"):
            name = store["secretName"]
            check_session_store(self.cache(SECRETS).get(namespace, name), name, namespace)
        if release.modern:
            await self._trust(extension, spec.get("caCertBundleRef"))

    async def _trusted_headers(self, release: Release, extension: Object, trusted: Mapping[str, str]) -> None:
        namespace, name = extension["metadata"]["namespace"], trusted["secretName"]
        found = {part: self.cache(SECRETS).get(namespace, part) for part in (name, f"{name}-private")}
        if trusted.get("generate") == "Enabled" and not all(found.values()):
            for part, secret in found.items():
                if secret:
                    await self.client.delete(SECRETS, part, namespace)
            public, private = new_key_pair()
            for part, text in ((name, public), (f"{name}-private", private)):
                await self.create(SECRETS, key_secret(extension, release, part, text, {}))
        check_trusted_headers(self.cache(SECRETS).get(namespace, name), name, namespace)

    async def _trust(self, extension: Object, reference: Mapping[str, str] | None) -> None:
        """Writes the bundle of certificate authorities into the broker's configuration, or takes it out."""
        namespace = extension["metadata"]["namespace"]
        pem: str | None = None
        if reference:
            secret = self.cache(SECRETS).get(namespace, reference["name"])
            pem = ca_bundle(secret, reference["name"], reference.get("key") or "ca.crt")

        def change(config: Config) -> None:
            config.pop("gatewayCACertPEM", None)
            if pem:
                config["gatewayCACertPEM"] = pem

        await self.change_config(namespace, change)

    async def _broker(self, release: Release, extension: Object, gateway: Object, listener: Object) -> bool:
        """Everything that runs the broker. False right after the Deployment was written, and until it is ready."""
        spec, namespace = extension["spec"], extension["metadata"]["namespace"]
        host = public_host(listener.get("hostname"), spec.get("publicHost"))
        private = private_host(extension, gateway, listener, release)
        await self._ensure(SERVICE_ACCOUNTS, service_account(extension, release))
        flags = command(extension, host, private, release)
        wanted = deployment(extension, flags, environment(extension, host, release), release)
        if await self._ensure_deployment(release, wanted):
            return False
        await self._ensure_spec(SERVICES, service(extension, release))
        if spec.get("httpRouteManagement") != "Disabled":
            await self._ensure_spec(HTTP_ROUTES, http_route(extension, host, release))
            if spec.get("urlElicitation") == "Enabled":
                await self._ensure_spec(HTTP_ROUTES, tokens_route(extension, host, release))
        if spec.get("urlElicitation") != "Enabled" and self.cache(HTTP_ROUTES).get(namespace, TOKENS_ROUTE):
            await self.client.delete(HTTP_ROUTES, TOKENS_ROUTE, namespace)
        found = self.cache(DEPLOYMENTS).get(namespace, BROKER) or {}
        status = found.get("status") or {}
        ready = status.get("readyReplicas", 0)
        return bool(ready > 0 and ready == status.get("replicas", 0))

    async def _ensure(self, resource: Resource, wanted: Object) -> bool:
        """Creates the object if it is absent; says whether it did."""
        meta = wanted["metadata"]
        if self.cache(resource).get(meta["namespace"], meta["name"]):
            return False
        await self.create(resource, wanted)
        return True

    async def _ensure_spec(self, resource: Resource, wanted: Object) -> None:
        """Creates the object, or brings its spec and labels back; other labels on it stay."""
        if await self._ensure(resource, wanted):
            return
        meta = wanted["metadata"]
        found = self.cache(resource).get(meta["namespace"], meta["name"]) or {}
        labels = {**(found["metadata"].get("labels") or {}), **meta["labels"]}
        if covers(found["spec"], wanted["spec"]) and labels == (found["metadata"].get("labels") or {}):
            return
        # The cluster keeps some fields of a Service that the operator does not state.
        spec = {**found["spec"], **wanted["spec"]} if resource is SERVICES else wanted["spec"]
        await self.replace(resource, {**found, "metadata": {**found["metadata"], "labels": labels}, "spec": spec})

    async def _ensure_deployment(self, release: Release, wanted: Object) -> bool:
        """Creates the Deployment or resets what the operator manages in it; says whether it wrote."""
        if await self._ensure(DEPLOYMENTS, wanted):
            return True
        found = self.cache(DEPLOYMENTS).get(wanted["metadata"]["namespace"], BROKER) or {}
        changed = deepcopy(found)
        containers = changed["spec"]["template"]["spec"]["containers"]
        target = wanted["spec"]["template"]["spec"]["containers"][0]
        for index, container in enumerate(containers):
            if container["name"] == target["name"]:
                containers[index] = merged_container(container, target, release)
        if changed == found:
            return False
        await self.replace(DEPLOYMENTS, changed)
        return True

    async def _mark_listener(self, extension: Object, gateway: Object, section: str) -> bool:
        """Adds the operator's condition to the listener's status; False while that status is not published."""
        status = deepcopy(gateway.get("status") or {})
        for listener in status.get("listeners") or []:
            if listener["name"] == section:
                wanted = listener_condition(extension, gateway["metadata"]["namespace"])
                listener["conditions"] = with_condition(listener.get("conditions") or [], wanted)
                if status != gateway["status"]:
                    await self.replace(GATEWAYS, {**gateway, "status": status}, subresource="status")
                return True
        return False

    async def _finalize(self, extension: Object, release: Release) -> None:
        target, namespace = extension["spec"]["targetRef"], extension["metadata"]["namespace"]
        gateway_namespace = target.get("namespace") or ""
        if gateway := self.cache(GATEWAYS).get(gateway_namespace, target["name"]):
            await self._unmark_listener(extension, gateway)
        name = envoy_filter_name(extension)
        found = self.cache(ENVOY_FILTERS).get(gateway_namespace, name)
        if found and self._is_of(found, extension):
            await self.client.delete(ENVOY_FILTERS, name, gateway_namespace)
        await self.empty_config(namespace)
        await self.drop_finalizer(release.extensions, extension)

    def _is_of(self, envoy_filter_object: Object, extension: Object) -> bool:
        key = (extension["metadata"]["namespace"], extension["metadata"]["name"])
        return key in self._filtered(envoy_filter_object)

    async def _unmark_listener(self, extension: Object, gateway: Object) -> None:
        status = deepcopy(gateway.get("status") or {})
        start = f"listener in use by MCP Gateway: {named(extension)} "
        for listener in status.get("listeners") or []:
            listener["conditions"] = [
                condition
                for condition in listener.get("conditions") or []
                if condition["type"] != "MCPGatewayExtension" or not condition["message"].startswith(start)
            ]
        if status != (gateway.get("status") or {}):
            await self.replace(GATEWAYS, {**gateway, "status": status}, subresource="status")
