# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers: who may ask, what is there, how writes are refused, dry runs, tables, audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api_kit import CONFIGMAPS, MERGE, WIDGETS, Api, configmap, widget
from sandbox.api.authentication import read_token_file
from sandbox.api.http import Request
from sandbox.api.requests import RequestInfo

SERVICES = "/api/v1/namespaces/default/services"
SECRETS = "/api/v1/namespaces/default/secrets"


def info(method: str, target: str) -> RequestInfo:
    path, _, query = target.partition("?")
    parts = dict(part.partition("=")[::2] for part in query.split("&") if part)
    return RequestInfo.of(Request(method, path, parts, {}, {}, target))


@pytest.mark.parametrize(
    ("request_line", "understood"),
    [
        ("GET /api/v1/pods", ("list", "", "pods", "", "", "")),
        ("GET /api/v1/namespaces/a/pods?watch=1", ("watch", "", "pods", "a", "", "")),
        ("GET /api/v1/namespaces/a", ("get", "", "namespaces", "a", "a", "")),
        ("PUT /api/v1/namespaces/a/finalize", ("update", "", "namespaces", "a", "a", "finalize")),
        ("PATCH /apis/apps/v1/namespaces/a/deployments/d/scale", ("patch", "apps", "deployments", "a", "d", "scale")),
        ("DELETE /apis/apps/v1/namespaces/a/deployments", ("deletecollection", "apps", "deployments", "a", "", "")),
        ("GET /version", ("get", "", "", "", "", "")),
    ],
)
def test_paths_are_understood(request_line: str, understood: tuple[str, ...]) -> None:
    found = info(*request_line.split())
    parts = (found.verb, found.group, found.resource, found.namespace, found.name, found.subresource)
    assert parts == understood


def test_tokens(api: Api) -> None:
    wrong = api("GET", CONFIGMAPS, user="stranger")
    assert (wrong.code, wrong.body["reason"], wrong.message) == (401, "Unauthorized", "Unauthorized")
    assert api("GET", "/readyz", user="stranger").code == 401


def test_rights(api: Api) -> None:
    answer = api("GET", f"{CONFIGMAPS}/x", user="guest")
    assert (answer.code, answer.message) == (
        403,
        'configmaps "x" is forbidden: User "guest" cannot get resource "configmaps" in API group "" '
        'in the namespace "default"',
    )


@pytest.mark.parametrize(("user", "allowed"), [("admin", True), ("guest", False)])
def test_rights_can_be_asked_for(api: Api, user: str, allowed: bool) -> None:
    review = {
        "spec": {"user": user, "groups": ["system:masters"] if allowed else [], "resourceAttributes": {"verb": "get"}}
    }
    answer = api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer.body["status"]["allowed"] is allowed


def test_files_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text('t1,ann,u1,"a,b"\nt2,bob,u2\n', encoding="utf-8")
    users = read_token_file(path)
    assert users["t1"].groups == ("a", "b", "system:authenticated")
    path.write_text("t1,ann\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 1: expected token,user,uid"):
        read_token_file(path)


@pytest.mark.parametrize(
    ("method", "target", "code"),
    [
        ("GET", "/api/v1/nothings", 404),
        ("GET", "/nowhere", 404),
        ("GET", f"{CONFIGMAPS}/nope", 404),
        ("POST", f"{CONFIGMAPS}/x", 405),
        ("POST", "/api/v1/configmaps", 405),
        ("GET", "/api/v1/namespaces/default/pods/x/log", 404),
        ("GET", f"{CONFIGMAPS}?limit=many", 400),
    ],
)
def test_what_is_not_there(api: Api, method: str, target: str, code: int) -> None:
    assert api(method, target, {} if method == "POST" else None).code == code


def test_bodies_that_cannot_be_read(api: Api) -> None:
    assert api("POST", CONFIGMAPS, b"{", media="application/json").code == 400
    assert api("POST", CONFIGMAPS, b"k8s\0", media="application/vnd.kubernetes.protobuf").code == 415
    assert api("PATCH", f"{CONFIGMAPS}/x", {}, media="text/plain").code == 415


def test_writes_that_are_refused(api: Api) -> None:
    api.make(CONFIGMAPS, configmap("x"))
    again = api("POST", CONFIGMAPS, configmap("x"))
    assert (again.code, again.message) == (409, 'configmaps "x" already exists')
    assert api("PUT", f"{CONFIGMAPS}/x", configmap("x", {"a": "b"})).code == 200
    stale = api("PUT", f"{CONFIGMAPS}/x", configmap("x", resourceVersion="1"))
    assert (stale.code, stale.body["reason"]) == (409, "Conflict")
    bad = api("POST", CONFIGMAPS, configmap("Not_A_Name"))
    assert (bad.code, bad.body["details"]["causes"][0]["field"]) == (422, "metadata.name")
    other = api("PUT", f"{CONFIGMAPS}/x", configmap("y"))
    assert (other.code, other.message) == (400, "the name of the object (y) does not match the name on the URL (x)")


def test_dry_runs_change_nothing(api: Api) -> None:
    assert api("POST", f"{CONFIGMAPS}?dryRun=All", configmap("x")).code == 201
    assert api("GET", f"{CONFIGMAPS}/x").code == 404
    api.make(CONFIGMAPS, configmap("x", {"a": "1"}))
    changed = api("PATCH", f"{CONFIGMAPS}/x?dryRun=All", {"data": {"a": "2"}}, MERGE)
    assert changed.body["data"] == {"a": "2"}
    assert api("GET", f"{CONFIGMAPS}/x").body["data"] == {"a": "1"}
    assert api("POST", f"{CONFIGMAPS}?dryRun=Some", configmap("y")).code == 422


def test_writes_without_a_change_keep_the_revision(api: Api) -> None:
    created = api.make(CONFIGMAPS, configmap("x", {"a": "1"}))
    answer = api("PATCH", f"{CONFIGMAPS}/x", {"data": {"a": "1"}}, MERGE)
    assert answer.body["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_names_are_generated(api: Api) -> None:
    body = configmap("")
    body["metadata"] = {"generateName": "made-"}
    first, second = api.make(CONFIGMAPS, body), api.make(CONFIGMAPS, body)
    assert first["metadata"]["name"].startswith("made-")
    assert first["metadata"]["name"] != second["metadata"]["name"]


def test_secrets(api: Api) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"k": "hi"},
        "immutable": True,
    }
    created = api.make(SECRETS, secret)
    assert (created["data"], created["type"]) == ({"k": "aGk="}, "Opaque")
    assert "stringData" not in created
    answer = api("PATCH", f"{SECRETS}/s", {"stringData": {"k": "other"}}, MERGE)
    assert "field is immutable when `immutable` is set" in answer.message


def service(name: str, **spec: Any) -> dict[str, Any]:
    ports = [{"port": 80}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": ports, **spec}}


def test_services_get_addresses(api: Api) -> None:
    first = api.make(SERVICES, service("a"))["spec"]
    assert first["clusterIP"].startswith("10.96.")
    assert first["clusterIPs"] == [first["clusterIP"]]
    assert first["ports"] == [{"port": 80, "targetPort": 80, "protocol": "TCP"}]
    assert (first["type"], first["sessionAffinity"]) == ("ClusterIP", "None")
    assert api.make(SERVICES, service("b", clusterIP="None"))["spec"]["clusterIPs"] == ["None"]
    taken = api("POST", SERVICES, service("c", clusterIP=first["clusterIP"]))
    assert taken.code == 422
    assert "provided IP is already allocated" in taken.message
    moved = api("PATCH", f"{SERVICES}/a", {"spec": {"clusterIP": "10.96.9.9"}}, MERGE)
    assert "may not change once set" in moved.message
    api("DELETE", f"{SERVICES}/a")
    assert api("POST", SERVICES, service("c", clusterIP=first["clusterIP"])).code == 201


def test_every_request_is_audited(tmp_path: Path) -> None:
    api = Api(audit=tmp_path / "audit.jsonl")
    api.make(CONFIGMAPS, configmap("x"))
    api("GET", f"{CONFIGMAPS}/nope", user="guest")
    api.audit.close()
    made, refused = map(json.loads, (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines())
    assert (made["verb"], made["responseStatus"]["code"], made["userAgent"]) == ("create", 201, "kit/1")
    assert made["objectRef"]["resource"] == "configmaps"
    assert (made["level"], made["stage"], made["user"]["username"]) == ("Metadata", "ResponseComplete", "admin")
    assert (refused["user"]["username"], refused["responseStatus"]["code"]) == ("guest", 403)


def test_selectable_fields(widgets: Api) -> None:
    widgets.make(WIDGETS, widget("x"))
    widgets.make(WIDGETS, widget("y"))
    answer = widgets("GET", f"{WIDGETS}?fieldSelector=metadata.name=y")
    assert [item["metadata"]["name"] for item in answer.body["items"]] == ["y"]
    assert widgets("GET", f"{WIDGETS}?fieldSelector=spec.mode=fast").message == "field label not supported: spec.mode"
