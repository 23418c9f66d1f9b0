# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module extension: the operator's verdict told before writing, and Ready believed only with its objects."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from integration.gateways import ALL, GATEWAYS, GRANTS, conditions
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

EXTENSIONS = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpgatewayextensions"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes"
FILTERS = "/apis/networking.istio.io/v1alpha3/namespaces/{ns}/envoyfilters"
LISTENERS = (
    {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": ALL},
    {"name": "same-port", "port": 8080, "protocol": "HTTP", "hostname": "b.example.com", "allowedRoutes": ALL},
    {"name": "https", "port": 443, "protocol": "TLS", "hostname": "s.example.com", "allowedRoutes": ALL,
     "tls": {"mode": "Passthrough"}},
    {"name": "bare", "port": 80, "protocol": "HTTP", "allowedRoutes": ALL},
    {"name": "own", "port": 81, "protocol": "HTTP", "hostname": "own.example.com"},
)  # fmt: skip


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> Iterator[str]:
    """A Gateway in a namespace of its own that trusts extensions of ``ns``; the name of that namespace."""
    home = api_server.namespace(f"g-{uuid.uuid4().hex[:8]}")
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
    spec = {"gatewayClassName": "istio", "listeners": list(LISTENERS)}
    api_server.apply(f"{GATEWAYS.format(ns=home)}/gw", {**kind, "metadata": {"name": "gw"}, "spec": spec})
    grant(api_server, home, ns)
    yield home
    listed = api_server.get("/apis/mcp.kuadrant.io/v1/mcpgatewayextensions") or {"items": []}
    for item in listed["items"]:
        metadata = item["metadata"]
        api_server.delete(f"{EXTENSIONS.format(ns=metadata['namespace'])}/{metadata['name']}")


def grant(api: ApiServer, place: str, trusted: str) -> None:
    spec = {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": trusted}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant"}
    api.apply(f"{GRANTS.format(ns=place)}/{trusted}", {**kind, "metadata": {"name": trusted}, "spec": spec})


def options(ns: str, place: str, **more: Any) -> Json:
    return {"name": "ext", "namespace": ns, "gateway": "gw", "gateway_namespace": place, "listener": "mcps", **more}


@pytest.fixture
def wanted(ns: str, place: str) -> Json:
    """Options of an extension that the operator would accept."""
    return options(ns, place)


def ready(api: ApiServer, ns: str, reason: str = "ValidMCPGatewayExtension") -> None:
    path = f"{EXTENSIONS.format(ns=ns)}/ext"
    live = api.get(path)
    assert live is not None
    api.status(path, {"conditions": conditions(live["metadata"]["generation"], Ready=reason)})


def promised(api: ApiServer, ns: str, place: str) -> None:
    """The objects that the operator makes."""
    spec = {"parentRefs": [{"name": "gw", "namespace": place}], "rules": []}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    api.apply(
        f"{ROUTES.format(ns=ns)}/mcp-gateway-route",
        {**route, "metadata": {"name": "mcp-gateway-route"}, "spec": spec},
    )
    name = f"mcp-ext-proc-{ns}-gateway"
    envoy = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": name}}
    api.apply(f"{FILTERS.format(ns=place)}/{name}", {**envoy, "spec": {}})


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


class TestVerdict:
    """Refusals of the operator, told before anything is written."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"gateway": "none"}, ["not found", "gateway_namespace"]),
            ({"listener": "none"}, ['"none" not found', "mcps, same-port"]),
            ({"listener": "bare"}, ["no hostname", "public_host"]),
            ({"listener": "own"}, ["does not allow routes", "allowed_routes"]),
            ({"public_host": "http://x"}, ["must be a hostname, not a URL"]),
            ({"public_host": "*.example.com"}, ["*.example.com", "RFC 1123"]),
        ],
    )
    def test_gateway_and_listener(
        self, run: Modules, api_server: ApiServer, wanted: Json, change: Json, words: list[str]
    ) -> None:
        with api_server.watched() as requests:
            said = run.fails("extension", **{**wanted, **change})

        assert writes(requests) == [] and f"{wanted['namespace']}/ext" in said
        for word in words:
            assert word in said

    def test_no_grant(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        api_server.delete(f"{GRANTS.format(ns=place)}/{ns}")

        said = run.fails("extension", **options(ns, place))

        assert "ReferenceGrant" in said and place in said and ns in said

    def test_a_second_one_in_the_namespace(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        run("extension", wait=False, **options(ns, place))

        said = run.fails("extension", **options(ns, place, name="another"))
        said_in_check = run.fails("extension", check=True, **options(ns, place, name="another"))

        assert said == said_in_check and f"{ns}/ext" in said and "one per namespace" in said

    def test_the_older_one_keeps_the_port(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        run("extension", wait=False, **options(ns, place))
        other = api_server.namespace(f"t-{uuid.uuid4().hex[:8]}")
        grant(api_server, place, other)

        said = run.fails("extension", **options(other, place, listener="same-port"))

        assert "8080" in said and f"{ns}/ext" in said and "another port" in said

    def test_one_that_is_leaving_does_not_keep_the_port(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        run("extension", wait=False, **options(ns, place))
        path = f"{EXTENSIONS.format(ns=ns)}/ext"
        held = {"apiVersion": "mcp.kuadrant.io/v1", "kind": "MCPGatewayExtension"}
        target = {"targetRef": {"name": "gw", "namespace": place, "sectionName": "mcps"}}
        api_server.apply(
            path, {**held, "metadata": {"name": "ext", "finalizers": ["example.com/held"]}, "spec": target}
        )
        api_server.delete(path)
        other = api_server.namespace(f"t-{uuid.uuid4().hex[:8]}")
        grant(api_server, place, other)

        made = run("extension", wait=False, **options(other, place, listener="same-port"))

        assert made["objects"][0]["action"] == "created"
        api_server.apply(path, {**held, "metadata": {"name": "ext"}, "spec": target})

    def test_what_an_earlier_task_may_make_is_a_warning_in_check_mode(self, run: Modules, ns: str, place: str) -> None:
        planned = run("extension", check=True, **options(ns, place, gateway="later", public_host="m.example.com"))

        assert planned["objects"][0]["action"] == "created" and planned["public_host"] == "m.example.com"
        assert any("later" in warning for warning in warnings_of(planned))


class TestOlderOperator:
    """Version 0.6.0 serves v1alpha1 only and knows fewer fields."""

    @pytest.fixture(scope="class")
    @staticmethod
    def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
        server = ApiServer(tmp_path_factory.mktemp("api") / "old")
        try:
            server.install(operator="0.6.0")
            yield server
        finally:
            server.stop()

    @pytest.fixture
    @staticmethod
    def old(old_server: ApiServer) -> Json:
        """Options of an extension beside its Gateway."""
        place = old_server.namespace(f"g-{uuid.uuid4().hex[:8]}")
        kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
        spec = {"gatewayClassName": "openshift-default", "listeners": [LISTENERS[0]]}
        old_server.apply(f"{GATEWAYS.format(ns=place)}/gw", {**kind, "metadata": {"name": "gw"}, "spec": spec})
        return options(place, place)

    def test_its_api_version_and_private_host(self, old_server: ApiServer, old: Json) -> None:
        result = Modules(old_server)("extension", wait=False, **old)

        assert result["objects"][0]["api_version"] == "mcp.kuadrant.io/v1alpha1"
        path = EXTENSIONS.format(ns=old["namespace"]).replace("/v1/", "/v1alpha1/")
        live = old_server.get(f"{path}/ext") or {}
        host = f"gw-openshift-default.{old['namespace']}.svc.cluster.local:8080"
        assert live["spec"]["privateHost"] == host

    def test_what_it_lacks_is_refused_by_name(self, old_server: ApiServer, old: Json) -> None:
        said = Modules(old_server).fails("extension", **old, log_level="debug")

        assert "spec.logLevel (since 0.8)" in said and "v1alpha1" in said

    def test_oauth_gets_the_known_way_round(self, old_server: ApiServer, old: Json) -> None:
        oauth = {"authorization_servers": ["https://sso.example.com"]}

        said = Modules(old_server).fails("extension", **old, oauth_protected_resource=oauth)

        assert "http_route_management to Disabled" in said and "oauth-protected-resource" in said


def test_without_the_operator_the_message_says_what_to_install(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = ApiServer(tmp_path_factory.mktemp("api") / "bare")
    try:
        run = Modules(server)
        server.namespace("there")
        said = run.fails("extension", **options("there", "there"))
        planned = run("extension", check=True, **options("not-there", "not-there"))
        gone = run("extension", name="ext", namespace="not-there", state="absent")
    finally:
        server.stop()

    assert "MCPGatewayExtension" in said and "olm_subscription" in said
    assert planned["objects"][0]["action"] == "created" and planned["url"] is None
    assert gone["objects"][0]["action"] == "absent"
