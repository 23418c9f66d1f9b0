# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server's refusals become: one sentence with object, field, value, rule and way out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _errors
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import NAMESPACE, SECRET, Resource
from ansible_collections.mcpops.gateway.plugins.module_utils._status import Request, parse_status, to_error

GATEWAY = Resource("gateway.networking.k8s.io", "v1", "gateways", "Gateway", True)
ASKED = Request("patch", "https://api.example.com:6443", GATEWAY, "ns", "gw")


def said(code: int, message: str = "", reason: str = "", causes: list[dict[str, str]] | None = None) -> Any:
    status: dict[str, Any] = {"kind": "Status", "message": message, "reason": reason}
    if causes is not None:
        status["details"] = {"causes": causes}
    return to_error(code, status, ASKED)


def test_unauthorized_names_the_server_and_never_a_token() -> None:
    error = said(401, "Unauthorized")

    assert isinstance(error, _errors.Unauthorized) and "https://api.example.com:6443" in error.message


def test_forbidden_names_user_verb_resource_and_namespace() -> None:
    error = said(
        403,
        'gateways.gateway.networking.k8s.io "gw" is forbidden: User "bob" cannot patch resource "gateways" in API '
        'group "gateway.networking.k8s.io" in the namespace "ns"',
    )

    assert isinstance(error, _errors.Forbidden)
    for words in ("bob", "patch", "gateways.gateway.networking.k8s.io", "namespace ns", "Role"):
        assert words in error.message
    assert (error.details["verb"], error.details["namespace"]) == ("patch", "ns")


def test_a_refusal_of_admission_keeps_its_reason() -> None:
    error = said(403, 'pods "x" is forbidden: exceeded quota: compute')

    assert isinstance(error, _errors.Forbidden) and "exceeded quota: compute" in error.message


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (
            403,
            'admission webhook "check.example.com" denied the request: no host names outside example.com',
            "The admission webhook check.example.com refuses Gateway ns/gw: no host names outside example.com.",
        ),
        (
            400,
            'admission webhook "check.example.com" denied the request without explanation',
            "The admission webhook check.example.com refuses Gateway ns/gw: it gives no reason.",
        ),
        (
            422,
            "gateways.gateway.networking.k8s.io \"gw\" is forbidden: ValidatingAdmissionPolicy 'names' with binding "
            "'all' denied request: no such names",
            "The ValidatingAdmissionPolicy names refuses Gateway ns/gw: no such names.",
        ),
    ],
)
def test_a_refusal_of_the_clusters_own_rules_names_the_rule(code: int, message: str, words: str) -> None:
    error = said(code, message, "Forbidden")

    assert isinstance(error, _errors.Forbidden) and error.message == words


def test_a_webhook_that_does_not_answer_is_named() -> None:
    error = said(
        500,
        'Internal error occurred: failed calling webhook "wh.example.com": failed to call webhook: Post '
        '"https://wh.ns.svc:443/x?timeout=2s": dial tcp 10.0.0.1:443: connect: connection refused',
    )

    assert isinstance(error, _errors.ServerError)  # so it is asked again
    for words in ("admission webhook wh.example.com", "write Gateway ns/gw", "connection refused"):
        assert words in error.message


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (500, "etcdserver: request is too large"),
        (500, "rpc error: code = ResourceExhausted desc = trying to send message larger than max (2 vs. 1)"),
        (413, "Request entity too large: limit is 3145728"),
    ],
)
def test_an_object_that_is_too_large_is_no_trouble_of_the_server(code: int, message: str) -> None:
    error = said(code, message)

    assert isinstance(error, _errors.Invalid) and "too large" in error.message and "split it" in error.message


def test_a_kind_that_does_not_take_server_side_apply() -> None:
    error = said(415, "the body of the request was in an unknown format")

    assert isinstance(error, _errors.Invalid) and "server-side apply" in error.message


def test_a_kind_that_is_not_kept() -> None:
    error = said(404, "the server could not find the requested resource", "NotFound")

    assert "only sent to the API server as a question" in error.message


def test_a_quota_says_what_to_do() -> None:
    error = said(403, 'secrets "x" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=1')

    assert "exceeded quota: few" in error.message and "raise that ResourceQuota" in error.message


def test_a_terminating_namespace() -> None:
    causes = [{"reason": "NamespaceTerminating", "message": "namespace ns is being terminated"}]

    error = said(403, 'secrets "x" is forbidden: unable to create new content', "Forbidden", causes)

    assert isinstance(error, _errors.NamespaceTerminating) and "namespace ns is Terminating" in error.message


def test_a_missing_namespace_is_not_a_missing_object() -> None:
    assert isinstance(said(404, 'namespaces "ns" not found'), _errors.NamespaceMissing)
    status = {"message": 'namespaces "ns" not found', "reason": "NotFound"}
    own = to_error(404, status, Request("get", "h", NAMESPACE, None, "ns"))
    assert type(own) is _errors.NotFound


def test_a_missing_kind_is_not_a_missing_object() -> None:
    error = to_error(404, {"message": "404 page not found"}, Request("get", "h", NAMESPACE, None, "ns"))

    assert isinstance(error, _errors.PathMissing) and "does not serve the kind Namespace" in error.message


def test_conflicts_of_fields_name_every_manager_once() -> None:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "argocd"',
            "field": '.spec.listeners[name="a"].port',
        },
        {"reason": "FieldManagerConflict", "message": 'conflict with "argocd"', "field": ".spec.gatewayClassName"},
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-edit" with subresource "scale" using v1 at 2026-01-01T00:00:00Z',
            "field": ".metadata.labels.a",
        },
    ]

    error = said(409, "Apply failed with 3 conflicts", "Conflict", causes)

    assert isinstance(error, _errors.FieldConflict)
    assert 'spec.listeners[name="a"].port, spec.gatewayClassName are owned by argocd' in error.message
    assert "metadata.labels.a is owned by kubectl-edit" in error.message and "force_conflicts" in error.message
    declared = [(one["manager"], one["declared"]) for one in error.details["conflicts"]]
    assert declared == [("argocd", True), ("kubectl-edit", False)]
    assert error.details["conflicts"][1]["fields"] == ["metadata.labels.a"]


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (
            {
                "field": "spec.listeners[0].port",
                "message": "Invalid value: 80000: spec.listeners[0].port in body should be less than or equal to 65535",
            },
            "spec.listeners[0].port is 80000: it should be less than or equal to 65535",
        ),
        (
            {
                "field": "spec.hostname",
                "message": "Invalid value: \"a_b\": spec.hostname in body should match '^[a-z]+$'",
            },
            "spec.hostname is a_b: it should match '^[a-z]+$'",
        ),
        (
            {"field": "spec.listeners", "message": "Invalid value: Combination of port must be unique"},
            "spec.listeners: Combination of port must be unique",
        ),
        ({"field": "spec.x", "message": "Required value"}, "spec.x: Required value"),
        (
            {"field": "spec.template", "message": 'Invalid value: {"labels":{"a":"b"},"Spec":[]}: field is immutable'},
            "spec.template: field is immutable; to change it, remove the object and make it again",
        ),
    ],
)
def test_invalid_tells_field_value_and_rule(cause: dict[str, str], words: str) -> None:
    error = said(422, "Gateway is invalid", "Invalid", [cause])

    assert isinstance(error, _errors.Invalid)
    assert error.message == f"The API server refused Gateway ns/gw: {words}."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (".spec.foo: field not declared in schema", "has no field spec.foo"),
        (
            ".metadata.labels.a: expected string, got &value.valueUnstructured{Value:1}",
            "metadata.labels.a has to be text: write its value in quotes",
        ),
    ],
)
def test_a_field_that_the_kind_does_not_have(line: str, words: str) -> None:
    error = said(500, f"failed to create typed patch object (/gw; gateway.networking.k8s.io/v1, Kind=Gateway): {line}")

    assert isinstance(error, _errors.Invalid) and words in error.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [(410, _errors.Gone), (429, _errors.Throttled), (503, _errors.ServerError), (409, _errors.Conflict)],
)
def test_other_codes(code: int, kind: type[Exception]) -> None:
    assert type(said(code, "why")) is kind


def test_an_answer_that_is_no_status_is_read_as_text() -> None:
    html = b"<html><body><h1>503 Service Unavailable</h1>\nno backend</body></html>"

    assert parse_status(html)["message"] == "503 Service Unavailable no backend"
    assert parse_status(json.dumps({"kind": "Status", "message": "x"}).encode())["message"] == "x"


def test_a_secret_is_named_and_not_shown() -> None:
    error = to_error(409, {"message": "the object has been modified"}, Request("patch", "h", SECRET, "ns", "s"))

    assert "Secret ns/s" in error.message
