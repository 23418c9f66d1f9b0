# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLSPolicy: certificates for a Gateway's listeners, from an Issuer or ClusterIssuer of cert-manager.

It stands for cert-manager too, as far as its ``selfSigned`` and ``ca`` issuers go: the Secrets that the listeners
name are made and renewed when their hostnames change. Other issuers are not ready here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from sandbox.client import Resource
from sandbox.controllers import kuadrant_certificates, kuadrant_status
from sandbox.controllers.gateway_listeners import Problem
from sandbox.controllers.gateway_status import now
from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.kuadrant_dns import accepted_problem
from sandbox.controllers.kuadrant_policies import Policy
from sandbox.controllers.runtime import Controller, Watch, key_of
from sandbox.kinds import CRDS, GATEWAYS, SECRETS, TLS_POLICIES

ISSUERS = Resource("cert-manager.io", "v1", "issuers", "Issuer")
CLUSTER_ISSUERS = Resource("cert-manager.io", "v1", "clusterissuers", "ClusterIssuer", namespaced=False)
CLUSTER_NAMESPACE = "cert-manager"
"""Where the Secrets of ClusterIssuers are."""
HOSTS_ANNOTATION = "cert-manager.io/alt-names"
ISSUER_ANNOTATION = "cert-manager.io/issuer-name"
NOT_INSTALLED = Problem(
    "MissingDependency",
    "[Cert Manager] is not installed, please restart Kuadrant Operator pod once dependency has been installed",
)
EVERYTHING: Key = ("", "")


def issuer_status(issuer: Json, secrets: Mapping[Key, Json]) -> Json:
    """Ready or not, and why: a condition in cert-manager's words."""
    spec = issuer["spec"]
    if "selfSigned" in spec:
        return {"type": "Ready", "status": "True", "reason": "IsReady", "message": ""}
    if "ca" not in spec:
        kinds = ", ".join(sorted(spec)) or "nothing"
        message = f"the sandbox has issuers of the types selfSigned and ca, not {kinds}"
        return {"type": "Ready", "status": "False", "reason": "NotSupported", "message": message}
    name = spec["ca"]["secretName"]
    secret = secrets.get((issuer["metadata"].get("namespace") or CLUSTER_NAMESPACE, name))
    if secret is None:
        message = f'Error getting keypair for CA issuer: secrets "{name}" not found'
        return {"type": "Ready", "status": "False", "reason": "ErrGetKeyPair", "message": message}
    if kuadrant_certificates.authority(secret) is None:
        message = f'Error getting keypair for CA issuer: Secret "{name}" holds no certificate of a CA with its key'
        return {"type": "Ready", "status": "False", "reason": "ErrInvalidKeyPair", "message": message}
    return {"type": "Ready", "status": "True", "reason": "KeyPairVerified", "message": "Signing CA verified"}


def wanted_secrets(policy: Policy, gateway: Json) -> dict[Key, list[str]]:
    """The Secrets that the policy's listeners name, with the hostnames that each is for."""
    found: dict[Key, list[str]] = {}
    for listener in gateway["spec"].get("listeners") or []:
        tls = listener.get("tls") or {}
        terminates = (tls.get("mode") or "Terminate") == "Terminate"
        if policy.target[2] not in (None, listener["name"]) or not listener.get("hostname") or not terminates:
            continue
        for reference in tls.get("certificateRefs") or []:
            if (reference.get("group") or "", reference.get("kind") or "Secret") == ("", "Secret"):
                namespace = reference.get("namespace") or gateway["metadata"]["namespace"]
                hosts = found.setdefault((namespace, reference["name"]), [])
                if listener["hostname"] not in hosts:
                    hosts.append(listener["hostname"])
    return found


class TlsPolicyController(Controller):
    """Judges TLSPolicies and their issuers, and issues certificates."""

    name: ClassVar[str] = "kuadrant-tls"

    def watches(self) -> Sequence[Watch]:
        def everything(_: Json) -> Iterable[Key]:
            return [EVERYTHING]

        kinds = (TLS_POLICIES, GATEWAYS, SECRETS, ISSUERS, CLUSTER_ISSUERS, CRDS)
        return [Watch(resource, everything) for resource in kinds]

    async def reconcile(self, key: Key) -> float | None:
        secrets = {key_of(obj): obj for obj in self.cache(SECRETS).list()}
        for resource in (ISSUERS, CLUSTER_ISSUERS):
            for issuer in self.cache(resource).list():
                await self._judge_issuer(resource, issuer, secrets)
        policies = [Policy("TLSPolicy", obj) for obj in self.cache(TLS_POLICIES).list()]
        gateways = {key_of(obj): obj for obj in self.cache(GATEWAYS).list()}
        for policy in policies:
            gateway = gateways.get((policy.key[0], policy.target[1]))
            accepted = self._accepted(policy, policies, gateway)
            enforced = await self._enforce(policy, gateway, secrets) if gateway and not accepted else None
            new = kuadrant_status.policy_status(policy.obj, "TLSPolicy", (accepted, enforced), now())
            await self._status(TLS_POLICIES, policy.obj, new)
        return None

    def _accepted(self, policy: Policy, policies: Sequence[Policy], gateway: Json | None) -> Problem | None:
        if self.cache(CRDS).get("", ISSUERS.crd_name) is None:
            return NOT_INSTALLED
        problem = accepted_problem(policy, policies, gateway)
        if problem is None and self._issuer(policy) is None:
            return Problem("Invalid", "TLSPolicy target is invalid: unable to find issuer")
        return problem

    def _issuer(self, policy: Policy) -> Json | None:
        reference = policy.obj["spec"]["issuerRef"]
        if (reference.get("kind") or "Issuer") == "Issuer":
            return self.cache(ISSUERS).get(policy.key[0], reference["name"])
        return self.cache(CLUSTER_ISSUERS).get("", reference["name"])

    async def _enforce(self, policy: Policy, gateway: Json, secrets: Mapping[Key, Json]) -> Problem | None:
        issuer = self._issuer(policy)
        assert issuer is not None
        ready = issuer_status(issuer, secrets)
        if ready["status"] != "True":
            kind = policy.obj["spec"]["issuerRef"].get("kind") or ""
            return kuadrant_status.unknown("TLSPolicy", f"{kind} not ready")
        wanted = wanted_secrets(policy, gateway)
        if not wanted:
            return kuadrant_status.unknown("TLSPolicy", "no valid gateways found")
        for key, hosts in wanted.items():
            await self._issue(key, hosts, issuer, secrets)
        return None

    async def _issue(self, key: Key, hosts: Sequence[str], issuer: Json, secrets: Mapping[Key, Json]) -> None:
        notes = {HOSTS_ANNOTATION: ",".join(hosts), ISSUER_ANNOTATION: issuer["metadata"]["name"]}
        found = secrets.get(key)
        if found and notes.items() <= (found["metadata"].get("annotations") or {}).items():
            return
        ca = issuer["spec"].get("ca")
        namespace = issuer["metadata"].get("namespace") or CLUSTER_NAMESPACE
        signer = kuadrant_certificates.authority(secrets[namespace, ca["secretName"]]) if ca else None
        chain, private, root = kuadrant_certificates.issue(hosts, signer)
        data = {"tls.crt": chain, "tls.key": private, "ca.crt": root}
        secret = {
            "metadata": {"name": key[1], "namespace": key[0], "annotations": notes},
            "type": "kubernetes.io/tls",
            "data": {name: base64.b64encode(content).decode() for name, content in data.items()},
        }
        await self.apply(SECRETS, secret)

    async def _judge_issuer(self, resource: Resource, issuer: Json, secrets: Mapping[Key, Json]) -> None:
        old = issuer.get("status") or {}
        before: Json = next((entry for entry in old.get("conditions") or [] if entry["type"] == "Ready"), {})
        ready = issuer_status(issuer, secrets)
        if {name: before.get(name) for name in ready} != ready:
            stamp = before["lastTransitionTime"] if before.get("status") == ready["status"] else now()
            await self._status(resource, issuer, {**old, "conditions": [{**ready, "lastTransitionTime": stamp}]})

    async def _status(self, resource: Resource, obj: Json, status: Json) -> None:
        if (obj.get("status") or {}) != status:
            meta = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
            await self.replace(resource, {**obj, "metadata": meta, "status": status}, subresource="status")
