# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module extension: what the operator would refuse is told before anything is written."""

from __future__ import annotations

import uuid

import pytest
from integration.extensions import EXTENSIONS, LABEL, grant, options, secret
from integration.gateways import GRANTS
from integration.kit import ApiServer, Json, Modules, warnings_of, writes


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


class TestSecrets:
    """Secrets that the operator would not take are told before anything is written."""

    @pytest.mark.parametrize(
        "case",
        [
            ("trusted_headers_key", {"secret_name": "s"}, None, {}, "does not exist"),
            ("trusted_headers_key", {"secret_name": "s"}, {}, {"other": "x"}, "no entry key (it has: other)"),
            ("session_store", {"secret_name": "s"}, {}, {"CACHE_CONNECTION_STRING": "x"}, "lacks the label"),
            ("session_store", {"secret_name": "s"}, LABEL, {"url": "x"}, "no entry CACHE_CONNECTION_STRING"),
            ("session_store", {"secret_name": "s"}, LABEL, {"CACHE_CONNECTION_STRING": ""}, "empty entry"),
            ("ca_cert_bundle_ref", {"name": "s"}, LABEL, {"ca.crt": "no PEM"}, "no PEM certificate"),
            ("ca_cert_bundle_ref", {"name": "s", "key": "a"}, LABEL, {"ca.crt": "x"}, "no entry a (it has: ca.crt)"),
            ("ca_cert_bundle_ref", {"name": "s"}, LABEL, {"ca.crt": "x" * 263_000}, "more than 262144 bytes"),
        ],
    )
    def test_what_is_wrong_with_it(
        self, run: Modules, api_server: ApiServer, wanted: Json, case: tuple[str, Json, Json | None, Json, str]
    ) -> None:
        option, named, labels, entries, said = case
        if labels is not None:
            secret(api_server, wanted["namespace"], "s", labels, **entries)

        with api_server.watched() as requests:
            message = run.fails("extension", **wanted, **{option: named})

        assert said in message and f"Secret {wanted['namespace']}/s of {option}" in message
        assert f"{wanted['namespace']}/ext" in message and writes(requests) == []

    def test_trusted_headers_need_no_label_and_may_be_made_by_the_operator(
        self, run: Modules, api_server: ApiServer, wanted: Json
    ) -> None:
        secret(api_server, wanted["namespace"], "keys", {}, key="PEM")
        checked = run("extension", wait=False, trusted_headers_key={"secret_name": "keys"}, **wanted)
        made = run("extension", wait=False, trusted_headers_key={"secret_name": "new", "generate": "Enabled"}, **wanted)

        assert checked["changed"] and made["changed"]


class TestHoles:
    """Drift, fields of others, conflicts, wrong values."""

    def test_drift_is_repaired_and_fields_of_others_stay(
        self, run: Modules, api_server: ApiServer, ns: str, wanted: Json
    ) -> None:
        path = f"{EXTENSIONS.format(ns=ns)}/ext"
        run("extension", wait=False, log_level="debug", **wanted)
        api_server.merge(path, {"spec": {"logLevel": "error", "backendPingIntervalSeconds": 99}}, "somebody")

        before = api_server.get(path) or {}
        planned = run("extension", check=True, diff=True, wait=False, force_conflicts=True, log_level="debug", **wanted)
        unchanged = api_server.get(path) or {}
        repaired = run("extension", diff=True, wait=False, force_conflicts=True, log_level="debug", **wanted)
        with api_server.watched() as requests:
            again = run("extension", wait=False, log_level="debug", **wanted)

        spec = (api_server.get(path) or {})["spec"]
        assert before["metadata"]["resourceVersion"] == unchanged["metadata"]["resourceVersion"]
        assert planned["diff"] == repaired["diff"] and repaired["objects"][0]["fields"] == ["spec.logLevel"]
        assert (spec["logLevel"], spec["backendPingIntervalSeconds"]) == ("debug", 99)
        assert not again["changed"] and writes(requests) == []

    def test_a_field_that_somebody_else_keeps_is_a_conflict(
        self, run: Modules, api_server: ApiServer, ns: str, wanted: Json
    ) -> None:
        run("extension", wait=False, **wanted)
        path = f"{EXTENSIONS.format(ns=ns)}/ext"
        kind = {"apiVersion": "mcp.kuadrant.io/v1", "kind": "MCPGatewayExtension", "metadata": {"name": "ext"}}
        target = {"name": "gw", "namespace": wanted["gateway_namespace"], "sectionName": "mcps"}
        api_server.apply(path, {**kind, "spec": {"targetRef": target, "logLevel": "error"}}, "argocd")

        said = run.fails("extension", wait=False, log_level="debug", **wanted)
        said_in_check = run.fails("extension", check=True, wait=False, log_level="debug", **wanted)

        assert said == said_in_check
        assert "spec.logLevel" in said and "argocd" in said and "force_conflicts" in said and f"{ns}/ext" in said

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"backend_ping_interval": 5}, ["spec.backendPingIntervalSeconds", "5", "10"]),
            (
                {"oauth_protected_resource": {"authorization_servers": []}},
                ["spec.oauthProtectedResource", "at least 1"],
            ),
            (
                {"oauth_protected_resource": {"authorization_servers": ["sso.example.com"]}},
                ["authorizationServers", "sso.example.com", "https?://"],
            ),
            ({"listener": "x" * 254}, ["not found on gateway"]),
            ({"name": "Ext_1"}, ["Ext_1", "name"]),
            ({"namespace": "not-there"}, ["not-there"]),
        ],
    )
    def test_wrong_values(
        self, run: Modules, api_server: ApiServer, wanted: Json, change: Json, words: list[str]
    ) -> None:
        said = run.fails("extension", **{**wanted, **change})

        found = api_server.get(EXTENSIONS.format(ns=wanted["namespace"])) or {}
        assert found["items"] == []
        for word in words:
            assert word in said, said
