# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what: roles, bindings, reviews, refusals. Other users are impersonated, as every cluster allows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.battery.support import MERGE_PATCH, Answer, Cluster, Object, Space, until

RBAC = "rbac.authorization.k8s.io"
REVIEWS = "/apis/authorization.k8s.io/v1"
READ = ("get", "list", "watch")


class Person:
    """Somebody without any rights of their own, until roles are bound to them."""

    def __init__(self, space: Space, name: str) -> None:
        self.space = space
        self.name = name
        self.headers = {"Impersonate_User": name}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.space.cluster.request(method, path, body, **self.headers, **headers)

    def may(self, verb: str, resource: str, **more: str) -> bool:
        """What a SelfSubjectAccessReview answers."""
        attributes = {"verb": verb, "resource": resource, "namespace": self.space.name, **more}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        body = {**review, "spec": {"resourceAttributes": attributes}}
        return bool(self("POST", f"{REVIEWS}/selfsubjectaccessreviews", body).ok()["status"]["allowed"])


def rule(verbs: tuple[str, ...], *resources: str, group: str = "", **more: Any) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs), **more}


def roles(space: Space, kind: str = "roles") -> str:
    return f"/apis/{RBAC}/v1/namespaces/{space.name}/{kind}"


def role(name: str, *rules: Object) -> Object:
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, subject: Object, role_name: str, kind: str = "Role") -> Object:
    reference = {"apiGroup": RBAC, "kind": kind, "name": role_name}
    body = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name}}
    return {**body, "roleRef": reference, "subjects": [subject]}


def user(name: str, kind: str = "User") -> Object:
    return {"apiGroup": RBAC, "kind": kind, "name": name}


@pytest.fixture(scope="module")
def reader(space: Space) -> Person:
    """May read config maps, one secret, and the scale of deployments."""
    cluster = space.cluster
    rules = (
        rule(READ, "configmaps"),
        rule(("get",), "secrets", resourceNames=["open"]),
        rule(("get", "update"), "deployments/scale", group="apps"),
        rule(("get",), "*/status", group="apps"),
    )
    cluster.post(roles(space), role("reader", *rules)).ok()
    cluster.post(roles(space, "rolebindings"), binding("reader", user("reader"), "reader")).ok()
    person = Person(space, "reader")
    until(lambda: person.may("get", "configmaps"), "the binding counts")
    return person


@pytest.fixture(scope="module")
def stranger(space: Space) -> Person:
    return Person(space, "stranger")


def test_what_no_role_allows_is_refused(stranger: Person, space: Space) -> None:
    refused = stranger("GET", f"{space.core('secrets')}/s")
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == (
        f'secrets "s" is forbidden: User "stranger" cannot get resource "secrets" in API group "" '
        f'in the namespace "{space.name}"'
    )
    assert refused.body["details"] == {"name": "s", "kind": "secrets"}


@pytest.mark.parametrize(
    ("method", "path", "about"),
    [
        ("GET", "/api/v1/nodes/n", 'nodes "n" is forbidden: User "stranger" cannot get resource "nodes"'),
        ("GET", "/api/v1/pods?watch=1", 'pods is forbidden: User "stranger" cannot watch resource "pods"'),
        ("DELETE", "/apis/apps/v1/namespaces/x/deployments", 'User "stranger" cannot deletecollection resource'),
        ("PATCH", "/apis/apps/v1/namespaces/x/deployments/d/status", 'cannot patch resource "deployments/status"'),
        ("GET", "/metrics", 'forbidden: User "stranger" cannot get path "/metrics"'),
        ("POST", "/healthz", 'forbidden: User "stranger" cannot post path "/healthz"'),
    ],
)
def test_refusals_say_what_was_wanted(stranger: Person, method: str, path: str, about: str) -> None:
    refused = stranger(method, path)
    assert refused.status == 403
    assert about in refused.body["message"]


def test_discovery_is_for_everybody_with_a_name(stranger: Person) -> None:
    for path in ("/api", "/apis", "/api/v1", "/apis/apps/v1", "/openapi/v3", "/version"):
        assert stranger("GET", path).status == 200, path


def test_without_a_token_only_health_and_version_are_shown(cluster: Cluster) -> None:
    for path in ("/readyz", "/livez", "/version"):
        assert cluster.get(path, Authorization="").status == 200, path
    refused = cluster.get("/api/v1/pods", Authorization="")
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert 'User "system:anonymous" cannot list resource "pods"' in refused.body["message"]


def test_a_wrong_token_is_not_nobody(cluster: Cluster) -> None:
    for path in ("/readyz", "/api/v1/pods"):
        refused = cluster.get(path, Authorization="Bearer nobody-has-this")
        assert (refused.status, refused.body["reason"], refused.body["message"]) == (
            401,
            "Unauthorized",
            "Unauthorized",
        )


def test_a_role_allows_verbs_on_resources(reader: Person, space: Space) -> None:
    assert reader("GET", space.core("configmaps")).status == 200
    assert reader("POST", space.core("configmaps"), space.config_map("denied", {})).status == 403
    assert reader("GET", "/api/v1/configmaps").status == 403


def test_a_role_can_name_objects(reader: Person, space: Space) -> None:
    assert reader("GET", f"{space.core('secrets')}/open").status == 404
    assert reader("GET", f"{space.core('secrets')}/closed").status == 403
    assert reader("GET", space.core("secrets")).status == 403


def test_subresources_have_rights_of_their_own(reader: Person, space: Space) -> None:
    assert reader("GET", f"{space.apps('deployments')}/d/scale").status == 404
    assert reader("GET", f"{space.apps('deployments')}/d").status == 403
    assert reader("GET", f"{space.apps('statefulsets')}/d/status").status == 404


def test_groups_and_service_accounts_are_bound(space: Space) -> None:
    cluster, place = space.cluster, roles(space, "rolebindings")
    cluster.post(roles(space), role("lister", rule(("list",), "services"))).ok()
    cluster.post(place, binding("crew", user("crew", "Group"), "lister")).ok()
    account = {"kind": "ServiceAccount", "name": "robot", "namespace": space.name}
    cluster.post(place, binding("robot", account, "lister")).ok()
    for name, groups in ((f"system:serviceaccount:{space.name}:robot", {}), ("ann", {"Impersonate_Group": "crew"})):
        path = space.core("services")
        headers = {"Impersonate_User": name, **groups}
        until(lambda: cluster.get(path, **headers).status == 200, f"{name} may list")  # noqa: B023
        assert cluster.get(space.core("pods"), **headers).status == 403


def test_rights_end_with_their_binding(space: Space) -> None:
    cluster, person = space.cluster, Person(space, "leaver")
    cluster.post(roles(space), role("brief", rule(("get",), "pods"))).ok()
    cluster.post(roles(space, "rolebindings"), binding("brief", user("leaver"), "brief")).ok()
    until(lambda: person.may("get", "pods"), "the binding counts")
    cluster.patch(f"{roles(space)}/brief", {"rules": [rule(("list",), "pods")]}).ok()
    until(lambda: person.may("list", "pods") and not person.may("get", "pods"), "the role has changed")
    cluster.delete(f"{roles(space, 'rolebindings')}/brief").ok()
    until(lambda: not person.may("list", "pods"), "the binding is gone")


def test_a_binding_to_a_role_that_is_not_there_is_told(space: Space) -> None:
    cluster, person = space.cluster, Person(space, "dangling")
    cluster.post(roles(space, "rolebindings"), binding("dangling", user("dangling"), "missing")).ok()
    message = f'RBAC: role.{RBAC} "missing" not found'
    until(lambda: message in person("GET", space.core("pods")).body["message"], "the binding is known")


@pytest.fixture(scope="module")
def author(space: Space) -> Iterator[Person]:
    """May write roles and bindings, and read pods."""
    writer = rule(("create", "get", "patch", "update"), "roles", "rolebindings", group=RBAC)
    space.cluster.post(roles(space), role("author", writer, rule(("get",), "pods"))).ok()
    space.cluster.post(roles(space, "rolebindings"), binding("author", user("author"), "author")).ok()
    person = Person(space, "author")
    until(lambda: person.may("create", "roles", group=RBAC), "the binding counts")
    yield person


def test_nobody_gives_away_more_than_they_have(author: Person, space: Space) -> None:
    wanted = role("more", rule(("get", "list"), "pods", "secrets"), rule(("*",), "deployments", group="apps"))
    refused = author("POST", roles(space), wanted)
    assert refused.status == 403
    assert refused.body["message"] == (
        f'roles.{RBAC} "more" is forbidden: user "author" (groups=["system:authenticated"]) is attempting to grant '
        'RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["list"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}\n'
        '{APIGroups:["apps"], Resources:["deployments"], Verbs:["*"]}'
    )
    author("POST", roles(space), role("same", rule(("get",), "pods"))).ok()
    grown = {"rules": [rule(("delete",), "pods")]}
    refused = author("PATCH", f"{roles(space)}/same", grown, Content_Type=MERGE_PATCH)
    assert refused.status == 403
    assert author("PATCH", f"{roles(space)}/same", {"rules": []}, Content_Type=MERGE_PATCH).status == 200


def test_binding_a_role_needs_its_rights(author: Person, space: Space) -> None:
    place = roles(space, "rolebindings")
    refused = author("POST", place, binding("all", user("author"), "cluster-admin", "ClusterRole"))
    assert refused.status == 403
    assert refused.body["message"].endswith(
        'RBAC permissions not currently held:\n{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n'
        '{NonResourceURLs:["*"], Verbs:["*"]}'
    )
    author("POST", place, binding("own", user("friend"), "author")).ok()


def test_escalate_and_bind_allow_it(author: Person, space: Space) -> None:
    rules = [
        rule(("escalate",), "roles", group=RBAC, resourceNames=["free"]),
        rule(("bind",), "clusterroles", group=RBAC, resourceNames=["system:discovery"]),
    ]
    space.cluster.post(roles(space), role("freedom", *rules)).ok()
    space.cluster.post(roles(space, "rolebindings"), binding("freedom", user("author"), "freedom")).ok()
    until(lambda: author.may("escalate", "roles", group=RBAC, name="free"), "the binding counts")
    wanted = role("free", rule(("*",), "*"))
    assert author("POST", roles(space), wanted).status == 403, "what is created has no name yet"
    author("POST", roles(space), role("free")).ok()
    assert author("PATCH", f"{roles(space)}/free", {"rules": wanted["rules"]}, Content_Type=MERGE_PATCH).status == 200
    bound = binding("discovery", user("friend"), "system:discovery", "ClusterRole")
    assert author("POST", roles(space, "rolebindings"), bound).status == 201


def test_the_usual_roles_are_there(cluster: Cluster) -> None:
    for name in ("cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user"):
        found = cluster.get(f"/apis/{RBAC}/v1/clusterroles/{name}").ok()
        assert found["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    masters = cluster.get(f"/apis/{RBAC}/v1/clusterrolebindings/cluster-admin").ok()
    assert masters["subjects"] == [{"apiGroup": RBAC, "kind": "Group", "name": "system:masters"}]


@pytest.mark.usefixtures("controllers")
def test_aggregated_roles_have_the_rules_of_their_parts(space: Space) -> None:
    """A bare kube-apiserver has nobody who fills them in."""
    cluster, person = space.cluster, Person(space, "viewer")
    cluster.post(roles(space, "rolebindings"), binding("viewer", user("viewer"), "view", "ClusterRole")).ok()
    until(lambda: person.may("list", "pods"), "the binding counts")
    assert not person.may("list", "secrets")
    assert not person.may("create", "configmaps")


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({}, "spec.resourceAttributes", "exactly one of nonResourceAttributes or resourceAttributes must be specified"),
        ({"resourceAttributes": {}}, "spec.user", "at least one of user or group must be specified"),
    ],
)
def test_reviews_must_ask_something(cluster: Cluster, spec: Object, field: str, message: str) -> None:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    refused = cluster.post(f"{REVIEWS}/subjectaccessreviews", body)
    assert refused.status == 422
    assert field in {cause["field"] for cause in refused.body["details"]["causes"]}
    assert message in refused.body["message"]


def test_others_rights_can_be_asked_for(reader: Person, space: Space) -> None:
    attributes = {"verb": "get", "resource": "configmaps", "namespace": space.name}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview"}
    spec = {"user": reader.name, "resourceAttributes": attributes}
    status = space.cluster.post(f"{REVIEWS}/subjectaccessreviews", {**review, "spec": spec}).ok()["status"]
    assert status["allowed"] is True
    assert status["reason"] == f'RBAC: allowed by RoleBinding "reader/{space.name}" of Role "reader" to User "reader"'
    local = {"apiVersion": "authorization.k8s.io/v1", "kind": "LocalSubjectAccessReview"}
    body = {**local, "metadata": {"namespace": space.name}, "spec": {**spec, "user": "stranger"}}
    answer = space.cluster.post(f"{REVIEWS}/namespaces/{space.name}/localsubjectaccessreviews", body).ok()
    assert answer["status"]["allowed"] is False


def test_ones_own_rules_can_be_listed(reader: Person, space: Space) -> None:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": space.name},
    }
    status = reader("POST", f"{REVIEWS}/selfsubjectrulesreviews", body).ok()["status"]
    assert {"apiGroups": [""], "resources": ["configmaps"], "verbs": list(READ)} in status["resourceRules"]
    assert any("/healthz" in item["nonResourceURLs"] for item in status["nonResourceRules"])
    assert reader("POST", f"{REVIEWS}/selfsubjectrulesreviews", {**body, "spec": {}}).status == 400


def test_who_am_i(reader: Person) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = reader("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body).ok()
    assert answer["status"]["userInfo"] == {"username": "reader", "groups": ["system:authenticated"]}


def test_impersonation_needs_a_name(cluster: Cluster) -> None:
    assert cluster.get("/api/v1/pods", Impersonate_Group="somebody").status == 400
    assert cluster.get("/api/v1/pods", Impersonate_User="ann", Impersonate_Group="system:masters").status == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (role("bad", {"verbs": ["get"]}), "rules[0].apiGroups: Required value: resource rules must supply at least"),
        (role("bad", rule((), "pods")), "rules[0].verbs: Required value: verbs must contain at least one value"),
        (role("bad", {"nonResourceURLs": ["/x"], "verbs": ["get"]}), "namespaced rules cannot apply to non-resource"),
        (binding("bad", user("x", "Robot"), "r"), 'subjects[0].kind: Unsupported value: "Robot"'),
        (binding("bad", user("x"), ""), "roleRef.name: Required value"),
    ],
)
def test_roles_and_bindings_are_validated(space: Space, body: Object, message: str) -> None:
    refused = space.cluster.post(roles(space, f"{body['kind'].lower()}s"), body)
    assert refused.status == 422
    assert message in refused.body["message"]


def test_the_role_of_a_binding_is_for_good(reader: Person, space: Space) -> None:
    path = f"{roles(space, 'rolebindings')}/{reader.name}"
    refused = space.cluster.patch(path, {"roleRef": {"name": "other"}})
    assert refused.status == 422
    assert "cannot change roleRef" in refused.body["message"]


def test_a_token_that_is_asked_for_stands_for_its_account(cluster: Cluster, space: Space) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "asking"}}
    cluster.post(space.core("serviceaccounts"), account).ok()
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}

    asked = cluster.post(f"{space.core('serviceaccounts')}/asking/token", request)

    assert asked.status == 201
    token = asked.ok()["status"]["token"]
    user = review(cluster, token)
    assert user["username"] == f"system:serviceaccount:{space.name}:asking"
    forged = token[:-10] + ("b" if token[-10] == "a" else "a") + token[-9:]
    assert review(cluster, forged) == {}


def review(cluster: Cluster, token: str) -> Any:
    """Whom a token stands for, by TokenReview."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    return cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", body).ok()["status"]["user"]
