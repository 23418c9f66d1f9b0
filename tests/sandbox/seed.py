# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster of each profile has before anybody installs the MCP gateway, and the demo's MCP servers."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.client import Resource
from sandbox.kinds import CATALOG_SOURCES, DEPLOYMENTS, GATEWAY_CLASSES, NAMESPACES, SECRETS, SERVICES

Json = dict[str, Any]


DEMO_NAMESPACE = "mcp-servers"
DEMO_SERVERS = {
    "weather": "sandbox.mcpops.io/weather:1",
    "time": "sandbox.mcpops.io/mcp-server-time:1",
}
"""Deployments and Services of the demo, and their images (`sandbox.controllers.images`)."""
DEMO_PORT = 9090
DOMAIN = "apps.sandbox.localhost"


@dataclass(frozen=True, slots=True)
class Profile:
    """How one kind of cluster comes: its GatewayClass and where its operator catalog is."""

    title: str
    gateway_class: str
    controller: str
    catalog_namespace: str
    catalog: str
    publisher: str
    namespaces: tuple[str, ...]
    certificate: tuple[str, str] | None


PROFILES = {
    "openshift": Profile(
        title="OpenShift-like",
        gateway_class="openshift-default",
        controller="openshift.io/gateway-controller/v1",
        catalog_namespace="openshift-marketplace",
        catalog="redhat-operators",
        publisher="Red Hat",
        namespaces=("openshift-ingress", "openshift-marketplace", "openshift-operators"),
        certificate=("openshift-ingress", "default-ingress-cert"),
    ),
    "kubernetes": Profile(
        title="Kubernetes-like",
        gateway_class="istio",
        controller="istio.io/gateway-controller",
        catalog_namespace="olm",
        catalog="operatorhubio-catalog",
        publisher="OperatorHub.io",
        namespaces=("gateway-system", "istio-system", "olm", "operators"),
        certificate=("gateway-system", "default-ingress-cert"),
    ),
}


def namespaces(profile: Profile) -> list[tuple[Resource, Json]]:
    """The namespaces of the profile and of the demo."""
    return [(NAMESPACES, _meta(name)) for name in (*profile.namespaces, DEMO_NAMESPACE)]


def workloads() -> list[tuple[Resource, Json]]:
    """The demo's MCP servers: a Deployment and a Service each."""
    objects = []
    for name, image in DEMO_SERVERS.items():
        labels = {"app.kubernetes.io/name": name}
        container = {
            "name": name,
            "image": image,
            "ports": [{"name": "http", "containerPort": DEMO_PORT, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        objects.append((DEPLOYMENTS, {**_meta(name, DEMO_NAMESPACE), "spec": spec}))
        port = {"name": "http", "port": DEMO_PORT, "targetPort": "http", "protocol": "TCP"}
        objects.append((SERVICES, {**_meta(name, DEMO_NAMESPACE), "spec": {"selector": labels, "ports": [port]}}))
    return objects


def certificate(profile: Profile) -> list[tuple[Resource, Json]]:
    """The Secret with the wildcard certificate that OpenShift's ingress has, self-signed."""
    if not profile.certificate:
        return []
    namespace, name = profile.certificate
    chain, key = self_signed(f"*.{DOMAIN}", DOMAIN)
    data = {"tls.crt": base64.b64encode(chain).decode(), "tls.key": base64.b64encode(key).decode()}
    return [(SECRETS, {**_meta(name, namespace), "type": "kubernetes.io/tls", "data": data})]


def custom(profile: Profile) -> list[tuple[Resource, Json]]:
    """Objects of custom resources: the GatewayClass and the operator catalog."""
    gateway_class = {**_meta(profile.gateway_class), "spec": {"controllerName": profile.controller}}
    catalog = {
        **_meta(profile.catalog, profile.catalog_namespace),
        "spec": {
            "sourceType": "grpc",
            "image": "sandbox.mcpops.io/catalog:1",
            "displayName": f"{profile.publisher} operators (sandbox)",
            "publisher": profile.publisher,
        },
    }
    return [(GATEWAY_CLASSES, gateway_class), (CATALOG_SOURCES, catalog)]


def _meta(name: str, namespace: str | None = None) -> Json:
    return {"metadata": {"name": name, **({"namespace": namespace} if namespace else {})}}


def self_signed(*names: str) -> tuple[bytes, bytes]:
    """A certificate for DNS names, signed by its own key, and the key; both PEM, ECDSA P-256, valid for a year."""
    from cryptography import x509  # noqa: PLC0415  (0.1 s and 9 MB that only `up` needs)
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    start = datetime.now(UTC) - timedelta(hours=1)
    issued = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return issued.public_bytes(pem), private
