# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module extension: Ready is believed only with its objects."""

from __future__ import annotations

import pytest
from integration.extensions import EXTENSIONS, LABEL, authority, options, promised, ready, secret
from integration.kit import ApiServer, Modules, meanwhile, until, writes


class TestLife:
    def test_made_waited_for_and_nothing_to_do_again(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        def operator() -> None:
            until(lambda: api_server.get(f"{EXTENSIONS.format(ns=ns)}/ext") is not None, lambda: "never made")
            ready(api_server, ns)
            promised(api_server, ns, place)

        with meanwhile(operator):
            made = run("extension", **options(ns, place))
        with api_server.watched() as requests:
            again = run("extension", **options(ns, place))

        assert made["objects"][0]["action"] == "created"
        assert made["public_host"] == "mcp.example.com" and made["url"] == "http://mcp.example.com:8080/mcp"
        assert made["http_route"] == "mcp-gateway-route" and made["envoy_filter"] == f"mcp-ext-proc-{ns}-gateway"
        assert made["conditions"][0]["reason"] == "ValidMCPGatewayExtension"
        assert not again["changed"] and again["url"] == made["url"] and writes(requests) == []
        live = api_server.get(f"{EXTENSIONS.format(ns=ns)}/ext") or {}
        assert live["spec"]["targetRef"] == {
            "group": "gateway.networking.k8s.io",
            "kind": "Gateway",
            "name": "gw",
            "namespace": place,
            "sectionName": "mcps",
        }

    def test_every_option_reaches_its_field(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        everything = options(
            ns,
            place,
            public_host="tools.example.com",
            private_host="gw.local:8080",
            backend_ping_interval=30,
            http_route_management="Disabled",
            trusted_headers_key={"secret_name": "keys", "generate": "Enabled"},
            session_store={"secret_name": "redis"},
            log_level="debug",
            url_elicitation="Enabled",
            oauth_protected_resource={
                "authorization_servers": ["https://sso.example.com"],
                "resource_name": "Tools",
                "resource": "https://tools.example.com/mcp",
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["basic"],
            },
            ca_cert_bundle_ref={"name": "ca", "key": "ca.pem"},
        )
        secret(api_server, ns, "redis", LABEL, CACHE_CONNECTION_STRING="redis://redis:6379")
        secret(api_server, ns, "ca", LABEL, **{"ca.pem": authority()})
        run("extension", wait=False, **everything)
        again = run("extension", wait=False, **everything)

        spec = (api_server.get(f"{EXTENSIONS.format(ns=ns)}/ext") or {})["spec"]
        del spec["targetRef"]
        assert spec == {
            "publicHost": "tools.example.com",
            "privateHost": "gw.local:8080",
            "backendPingIntervalSeconds": 30,
            "httpRouteManagement": "Disabled",
            "trustedHeadersKey": {"secretName": "keys", "generate": "Enabled"},
            "sessionStore": {"secretName": "redis"},
            "logLevel": "debug",
            "urlElicitation": "Enabled",
            "oauthProtectedResource": {
                "authorizationServers": ["https://sso.example.com"],
                "resourceName": "Tools",
                "resource": "https://tools.example.com/mcp",
                "bearerMethodsSupported": ["header"],
                "scopesSupported": ["basic"],
            },
            "caCertBundleRef": {"name": "ca", "key": "ca.pem"},
        }
        assert not again["changed"] and again["http_route"] is None

    def test_an_option_taken_back_takes_the_field_back(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        run("extension", wait=False, **options(ns, place, log_level="debug"))

        result = run("extension", wait=False, **options(ns, place))

        assert result["objects"][0]["fields"] == ["spec.logLevel"]
        assert "logLevel" not in (api_server.get(f"{EXTENSIONS.format(ns=ns)}/ext") or {})["spec"]

    def test_url_of_a_listener_with_tls(self, run: Modules, ns: str, place: str) -> None:
        result = run("extension", wait=False, **options(ns, place, listener="https"))
        assert result["url"] == "https://s.example.com/mcp"

    def test_absent_waits_for_the_finalizer(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        run("extension", wait=False, **options(ns, place))
        path = f"{EXTENSIONS.format(ns=ns)}/ext"
        api_server.merge(path, {"metadata": {"finalizers": ["mcp.kuadrant.io/finalizer"]}})

        said = run.fails("extension", name="ext", namespace=ns, state="absent", wait_timeout=1)
        api_server.merge(path, {"metadata": {"finalizers": None}})
        again = run("extension", name="ext", namespace=ns, state="absent")

        assert "mcp.kuadrant.io/finalizer" in said and "running" in said
        assert again["objects"][0]["action"] == "absent"


class TestWaiting:
    def test_ready_without_its_objects_is_not_enough(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        run("extension", wait=False, **options(ns, place))
        ready(api_server, ns)

        said = run.fails("extension", wait_timeout=1, **options(ns, place))

        assert "HTTPRoute" in said and "mcp-gateway-route" in said

    def test_ready_of_an_older_generation_does_not_count(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        run("extension", wait=False, **options(ns, place))
        ready(api_server, ns)
        promised(api_server, ns, place)

        said = run.fails("extension", wait_timeout=1, **options(ns, place, log_level="debug"))

        assert "older generation" in said

    @pytest.mark.parametrize("reason", ["!SecretNotFound", "!ReferenceGrantRequired", "!InvalidMCPGatewayExtension"])
    def test_a_refusal_ends_it(self, run: Modules, api_server: ApiServer, ns: str, place: str, reason: str) -> None:
        run("extension", wait=False, **options(ns, place))
        ready(api_server, ns, reason)

        assert reason[1:] in run.fails("extension", wait_timeout=60, **options(ns, place))

    def test_a_deployment_that_is_not_ready_is_waited_for(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        run("extension", wait=False, **options(ns, place))
        ready(api_server, ns, "!DeploymentNotReady")

        said = run.fails("extension", wait_timeout=1, **options(ns, place))

        assert "Waited 1 s" in said and "DeploymentNotReady" in said and "Deployment mcp-gateway" in said


def test_without_the_operator_the_message_says_what_to_install(tmp_path_factory: pytest.TempPathFactory) -> None:
    with ApiServer.running(tmp_path_factory.mktemp("api") / "bare", operator="") as server:
        run = Modules(server)
        server.namespace("there")
        said = run.fails("extension", **options("there", "there"))
        said_of_olm = run.fails("olm_subscription", namespace="there")
        planned = run("extension", check=True, **options("not-there", "not-there"))
        gone = run("extension", name="ext", namespace="not-there", state="absent")

    assert "MCPGatewayExtension" in said and "olm_subscription" in said
    assert "install the Operator Lifecycle Manager (part of OpenShift" in said_of_olm
    assert planned["objects"][0]["action"] == "created" and planned["url"] is None
    assert gone["objects"][0]["action"] == "absent"
