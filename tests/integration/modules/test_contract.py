# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules write is accepted by the original CRDs (``MCPOPS_CRD_DIR``), with every option set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils._role_policies import policies
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import server_objects
from integration.kit import ApiServer, Json, Modules

FOLDER = os.environ.get("MCPOPS_CRD_DIR", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="MCPOPS_CRD_DIR names no folder with the original CRDs")

OF_0_9 = {
    "olm_subscription": {
        "name": "mcp-gateway", "channel": "preview", "source": "c", "source_namespace": "olm",
        "starting_csv": "mcp-gateway.v0.9.0", "install_plan_approval": "Manual",
    },
    "gateway": {
        "name": "gw", "gateway_class_name": "istio", "labels": {"a": "b"}, "annotations": {"c": "d"},
        "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}],
        "listeners": [
            {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com",
             "allowed_routes": {
                 "namespaces": {"from": "Selector", "selector": {
                     "matchLabels": {"team": "a"}, "matchExpressions": [{"key": "mcp", "operator": "Exists"}]}},
                 "kinds": [{"kind": "HTTPRoute"}, {"kind": "GRPCRoute"}]}},
            {"name": "sni", "port": 443, "protocol": "TLS", "hostname": "a.b", "tls": {"mode": "Passthrough"}},
            {"name": "dns", "port": 53, "protocol": "UDP"},
            {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "mcp.example.com",
             "tls": {"mode": "Terminate", "certificate_refs": [{"name": "cert"}]}},
        ],
    },
    "reference_grant": {
        "name": "grant", "from": [{"namespace": "team-a"}], "to": [{"name": "gw"}, {"kind": "Gateway"}],
    },
    "extension": {
        "name": "ext", "gateway": "gw", "listener": "mcps", "public_host": "mcp.example.com", "private_host": "gw:8080",
        "backend_ping_interval": 30, "trusted_headers_key": {"secret_name": "keys", "generate": "Enabled"},
        "session_store": {"secret_name": "store"}, "log_level": "debug", "url_elicitation": "Enabled",
        "http_route_management": "Disabled", "ca_cert_bundle_ref": {"name": "ca", "key": "ca.crt"},
        "oauth_protected_resource": {
            "authorization_servers": ["https://sso.example.com/realms/mcp"], "resource_name": "MCP",
            "resource": "https://mcp.example.com/mcp", "bearer_methods_supported": ["header"],
            "scopes_supported": ["basic"],
        },
    },
    "http_route": {
        "name": "route", "gateway": "gw", "listener": "mcps", "status_path": True,
        "additional_parents": [{"listener": "https"}, {"gateway": "b", "gateway_namespace": "c", "listener": "web"}],
        "cors": {"allow_origins": ["https://a.example.com", "http://localhost:6274"], "allow_credentials": True},
        "rules": [{"matches": [{"path": {"type": "Exact", "value": "/x"}}], "backendRefs": [{"name": "x", "port": 1}]}],
    },
    "dns_policy": {
        "name": "dns", "gateway": "gw", "listener": "mcps", "provider_secrets": ["aws"],
        "load_balancing": {"geo": "EU", "weight": 10, "default_geo": True},
        "health_check": {
            "path": "/healthz", "port": 8080, "protocol": "HTTP", "interval": "1m", "failure_threshold": 2,
        },
        "exclude_addresses": ["10.0.0.0/8"],
    },
    "server_registration": {
        "name": "weather", "http_route": "route", "prefix": "weather_", "path": "/mcp", "hint": "rain",
        "credential_secret": {"name": "cred"}, "ca_cert_secret": {"name": "ca"}, "user_specific_list": True,
        "token_elicitation_url": "https://tokens.example.com", "category": ["a"], "tags": ["b"], "confirm": "never",
    },
    "virtual_server": {"name": "travel", "description": "Trips", "tools": ["weather_today"], "prompts": ["p"]},
}  # fmt: skip
ONLY_NEW = {
    "extension": ("log_level", "url_elicitation", "ca_cert_bundle_ref", "oauth_protected_resource"),
    "server_registration": (
        "hint", "ca_cert_secret", "user_specific_list", "token_elicitation_url", "category", "tags",
    ),
    "virtual_server": ("prompts",),
}  # fmt: skip
"""Options that 0.6 of the operator lacks."""
EVERYTHING = [
    "namespace",
    "kind",
    "catalog",
    "class",
    "certificate",
    "gateway",
    "grant",
    "route",
    "secret",
    "extension",
]


@pytest.fixture(scope="module", params=["0.9.0", "0.6.0"])
def original(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApiServer, str]]:
    """An API server with the original CRDs, and the operator's version."""
    version = str(request.param)
    with ApiServer.running(tmp_path_factory.mktemp("original") / "server", operator="") as server:
        paths = [
            path
            for path in sorted(Path(FOLDER).rglob("*.yaml"))
            if path.parent.name in {"gateway-api", "istio", "kuadrant", "olm", f"mcp-gateway-{version}"}
        ]
        documents = [found for path in paths for found in yaml.safe_load_all(path.read_text()) if found]
        server.install_crds([found for found in documents if found["kind"] == "CustomResourceDefinition"])
        yield server, version


@pytest.mark.parametrize("module", list(OF_0_9))
def test_the_original_definitions_accept_what_is_written(original: tuple[ApiServer, str], module: str) -> None:
    server, version = original
    namespace = server.namespace(f"c-{module.replace('_', '-')}")
    options: dict[str, Any] = {**OF_0_9[module], "namespace": namespace, "wait": False}
    if version == "0.6.0":
        options = {name: value for name, value in options.items() if name not in ONLY_NEW.get(module, ())}
    run = Modules(server)

    # A dry run is validated like a write, and what the module refers to may be taken for granted there.
    planned: Json = run(module, check=True, assume=EVERYTHING, **options)

    assert {one["action"] for one in planned["objects"]} == {"created"}
    assert planned["requests"]["writes"] == len(planned["objects"])


def test_the_original_definitions_accept_the_policies_of_the_roles(original: tuple[ApiServer, str]) -> None:
    server, _version = original
    namespace = server.namespace("c-policies")
    settings = {
        "name": "mcp", "gateway": "gw", "gateway_namespace": namespace, "listener": "mcps", "calls_listener": "calls",
        "issuer": "https://sso.example.com/realms/mcp", "audiences": ["a", "b"], "scopes": ["mcp"],
        "url": "https://mcp.example.com/mcp", "servers_namespace": "servers", "tool_roles": True,
        "tools": [{"tools": ["x"], "groups": ["g"], "claims": {"a.b": ["c"]}}],
        "rate_limits": [
            {"name": "all", "limit": 1, "window": "1m", "counters": ["request.host"], "when": ["true"]},
            {"name": "calls", "limit": 1, "window": "1h30m", "scope": "calls"},
        ],
        "rules": {"metadata": {"x": {"http": {"url": "https://x.example.com"}}}},
    }  # fmt: skip
    for enforce in ("defaults", "overrides"):
        result = Modules(server)(
            "apply", definition=policies({**settings, "enforce": enforce}, wanted="present"), wait=False
        )
        assert len(result["objects"]) == 4
        assert result["changed"]


def test_the_original_definitions_accept_the_objects_of_servers_outside(original: tuple[ApiServer, str]) -> None:
    server, _version = original
    namespace = server.namespace("c-servers")
    outside = {"name": "x", "url": "https://mcp.example.com/mcp", "credential": "Bearer x", "gateway_ca_secret": "ca"}
    manifests = server_objects(
        [outside],
        [],
        wanted="present",
        state="present",
        namespace=namespace,
        virtual_namespace=namespace,
        gateway="gw",
        gateway_namespace="gateways",
        listener="mcp-servers",
        domain="mcp.local",
    )

    planned: Json = Modules(server)("apply", check=True, assume=EVERYTHING, definition=manifests, wait=False)

    assert [one["kind"] for one in planned["objects"] if one["action"] == "created"] == [
        "Secret",
        "ServiceEntry",
        "DestinationRule",
        "HTTPRoute",
        "MCPServerRegistration",
    ]
    assert planned["requests"]["writes"] == len(planned["objects"])
