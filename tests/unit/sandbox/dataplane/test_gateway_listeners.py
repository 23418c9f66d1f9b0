# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listeners: each thing that can be wrong with one, and what it then says in which condition."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataplane_builders import gateway, grant, key_pair, listener, tls_secret, world
from sandbox.controllers.gateway_listeners import Listener, judge
from sandbox.controllers.gateway_world import Json
from sandbox.kinds import GATEWAY_GROUP
from sandbox.seed import self_signed


def https(*references: Json, name: str = "https") -> Json:
    return listener(name, 443, "HTTPS", hostname="mcp.example.com", tls={"certificateRefs": list(references)})


def only(found: list[Listener]) -> Listener:
    assert len(found) == 1
    return found[0]


def test_http_listener_without_problems_takes_traffic() -> None:
    found = only(judge(gateway(listener(hostname="MCP.example.com")), world()))
    assert found.programmed
    assert not found.problems
    assert found.hostname == "mcp.example.com"
    assert found.kinds == [{"group": GATEWAY_GROUP, "kind": kind} for kind in ("HTTPRoute", "GRPCRoute")]


def test_certificate_is_read_from_the_secret() -> None:
    found = only(judge(gateway(https({"name": "cert"})), world(tls_secret())))
    assert found.programmed
    assert found.certificates[0].certificate.encode() == key_pair()[0]


def test_missing_secret() -> None:
    found = only(judge(gateway(https({"group": "", "kind": "Secret", "name": "cert"})), world()))
    assert not found.programmed
    assert found.problems["ResolvedRefs"] == (
        "InvalidCertificateRef",
        "invalid certificate reference /Secret/cert., secret infra/cert not found",
    )
    assert found.problems["Programmed"] == ("Invalid", "Bad TLS configuration")
    assert "Accepted" not in found.problems


def test_secret_without_the_right_keys() -> None:
    secret = {"metadata": {"name": "cert", "namespace": "infra"}, "data": {"cert": "eA=="}}
    problem = only(judge(gateway(https({"name": "cert"})), world(secret))).problems["ResolvedRefs"]
    assert problem.reason == "InvalidCertificateRef"
    assert problem.message.endswith("found secret, but didn't have expected keys (tls.crt, tls.key); found: cert")


@pytest.mark.parametrize(
    ("certificate", "key", "words"),
    [
        (b"not a certificate", key_pair()[1], "malformed"),
        (key_pair()[0], self_signed("other.example.com")[1], "KEY_VALUES_MISMATCH"),
        (b"\xff\xfe", key_pair()[1], "malformed"),
    ],
)
def test_certificate_that_cannot_be_used(certificate: bytes, key: bytes, words: str) -> None:
    found = only(judge(gateway(https({"name": "cert"})), world(tls_secret(pair=(certificate, key)))))
    assert found.problems["ResolvedRefs"].reason == "InvalidCertificateRef"
    assert words in found.problems["ResolvedRefs"].message


def test_secret_that_is_not_base64() -> None:
    secret = tls_secret()
    secret["data"]["tls.crt"] = "%%%"
    assert "malformed" in only(judge(gateway(https({"name": "cert"})), world(secret))).problems["ResolvedRefs"].message


def test_only_secrets_are_certificates() -> None:
    problem = only(judge(gateway(https({"kind": "ConfigMap", "name": "cert"})), world())).problems["ResolvedRefs"]
    assert problem.message == "invalid certificate reference /ConfigMap/cert., only secret is allowed"


def test_certificate_of_another_namespace_needs_a_grant() -> None:
    reference, secret = {"name": "cert", "namespace": "certs"}, tls_secret(namespace="certs")
    source = (GATEWAY_GROUP, "Gateway", "infra")
    refused = only(judge(gateway(https(reference)), world(secret)))
    assert refused.problems["ResolvedRefs"] == (
        "RefNotPermitted",
        'certificateRef cert/certs not accessible to a Gateway in namespace "infra" (missing a ReferenceGrant?)',
    )
    granted = only(judge(gateway(https(reference)), world(secret, grant("certs", source, ("", "Secret")))))
    assert granted.programmed
    other = grant("certs", source, ("", "Secret"), name="another")
    assert not only(judge(gateway(https(reference)), world(secret, other))).programmed


def test_one_usable_certificate_of_two_is_enough() -> None:
    found = only(judge(gateway(https({"name": "missing"}, {"name": "cert"})), world(tls_secret())))
    assert found.programmed
    assert len(found.certificates) == 1


def test_listener_without_certificates_and_passthrough_are_refused() -> None:
    assert "Programmed" in only(judge(gateway(https()), world())).problems
    passthrough = listener("tls", 443, "HTTPS", tls={"mode": "Passthrough"})
    assert "Passthrough" in only(judge(gateway(passthrough), world())).problems["ResolvedRefs"].message


def test_unsupported_protocol() -> None:
    found = only(judge(gateway(listener(protocol="UDP")), world()))
    assert found.problems["Accepted"] == ("UnsupportedProtocol", 'protocol "UDP" is unsupported')
    assert not found.kinds
    lower = only(judge(gateway(listener(protocol="http")), world()))
    assert lower.problems["Accepted"].message.endswith('hint: "HTTP" (uppercase) may be supported')


def test_first_protocol_on_a_port_wins() -> None:
    first, second = judge(gateway(listener("a", 443), https({"name": "cert"}, name="b")), world(tls_secret()))
    assert first.programmed
    assert second.problems["Conflicted"].reason == "ProtocolConflict"
    assert second.problems["Accepted"].message == 'port 443 is used with protocol "HTTP" by "a"'
    assert not second.programmed


def test_repeated_hostname_on_a_port() -> None:
    first, second, third = judge(
        gateway(listener("a", hostname="x.org"), listener("b", hostname="X.org"), listener("c", hostname="y.org")),
        world(),
    )
    assert first.programmed
    assert third.programmed
    assert second.problems["Conflicted"].reason == "HostnameConflict"


def test_unknown_route_kind_is_reported_and_known_ones_stay() -> None:
    kinds = [{"kind": "HTTPRoute"}, {"kind": "TCPRoute"}]
    found = only(judge(gateway(listener(allowedRoutes={"kinds": kinds})), world()))
    assert found.problems["ResolvedRefs"] == ("InvalidRouteKinds", "Invalid route kinds")
    assert found.kinds == [{"group": GATEWAY_GROUP, "kind": "HTTPRoute"}]
    assert found.programmed


@pytest.mark.parametrize(
    ("allowed", "namespace", "expected"),
    [
        (None, "infra", True),
        (None, "apps", False),
        ({"from": "Same"}, "apps", False),
        ({"from": "All"}, "apps", True),
        ({"from": "None"}, "infra", False),
        ({"from": "Selector"}, "apps", False),
        ({"from": "Selector", "selector": {}}, "apps", True),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}, "apps", True),
        ({"from": "Selector", "selector": {"matchLabels": {"team": "b"}}}, "apps", False),
        ({"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}, "apps", True),
    ],
)
def test_allowed_namespaces(allowed: Json | None, namespace: str, expected: bool) -> None:
    routes = {} if allowed is None else {"namespaces": allowed}
    spaces = {"apps": {"metadata": {"name": "apps", "labels": {"team": "a"}}}, "infra": {"metadata": {"name": "infra"}}}
    found = only(judge(gateway(listener(allowedRoutes=routes)), world()))
    assert found.allows_namespace(namespace, world(namespaces=spaces)) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["a", "b"], True),
        ("In", ["b"], False),
        ("NotIn", ["a"], False),
        ("NotIn", ["b"], True),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_selector_expressions(operator: str, values: list[str] | None, expected: bool) -> None:
    selector = {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]}
    spaces = {"apps": {"metadata": {"name": "apps", "labels": {"team": "a"}}}}
    routes = {"namespaces": {"from": "Selector", "selector": selector}}
    found = only(judge(gateway(listener(allowedRoutes=routes)), world()))
    assert found.allows_namespace("apps", world(namespaces=spaces)) is expected


def test_private_key_does_not_stay_in_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pair = self_signed("fresh.example.com")
    assert only(judge(gateway(https({"name": "cert"})), world(tls_secret(pair=pair)))).programmed
    assert not list(tmp_path.iterdir())
