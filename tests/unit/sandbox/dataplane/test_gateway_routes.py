# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPRoutes: which parents take them and what is said of those that do not."""

from __future__ import annotations

import pytest
from dataplane_builders import backend, gateway, grant, listener, parent, route, rule, service, world
from sandbox.controllers.gateway_listeners import Listener, judge
from sandbox.controllers.gateway_routes import BoundRoute, bind
from sandbox.controllers.gateway_world import Json, Key, World
from sandbox.kinds import GATEWAY_GROUP


def bound(one: Json, seen: World) -> tuple[BoundRoute, dict[Key, list[Listener]]]:
    judged = {(gw["metadata"]["namespace"], gw["metadata"]["name"]): judge(gw, seen) for gw in seen.gateways}
    return bind(one, seen, judged), judged


WEB = service()


def test_route_without_section_binds_to_every_fitting_listener() -> None:
    seen = world(
        gateway(listener("a", hostname="*.example.com"), listener("b", 81), listener("c", hostname="other.org")), WEB
    )
    found, judged = bound(route(hosts=("x.example.com",)), seen)
    assert [entry.name for entry, _ in found.parents[0].bound] == ["a", "b"]
    assert [len(entry.attached) for entry in judged["infra", "gw"]] == [1, 1, 0]
    assert found.parents[0].problem is None
    assert found.problem is None
    assert len(found.entries) == 1


def test_other_gateways_and_other_kinds_are_left_alone() -> None:
    refs = [parent(name="foreign"), {"group": "", "kind": "Service", "name": "web"}]
    found, _ = bound(route(parentRefs=refs), world(gateway(listener()), WEB))
    assert not found.parents


@pytest.mark.parametrize(
    ("ref", "listeners", "hosts", "reason", "message"),
    [
        (parent("x"), [listener("a"), listener("b", 81)], (), "NoMatchingParent", 'sectionName "x" not found'),
        (parent(port=99), [listener("a")], (), "NoMatchingParent", "port 99 not found"),
        (
            parent(),
            [listener("a", hostname="a.org")],
            ("b.org",),
            "NoMatchingListenerHostname",
            'no hostnames matched parent hostname "a.org"',
        ),
        (
            parent(),
            [listener("a", hostname="a.org", allowedRoutes={})],
            (),
            "NotAllowedByListeners",
            'hostnames matched parent hostname "a.org", but namespace "apps" is not allowed by the parent',
        ),
        (
            parent(),
            [listener("a", allowedRoutes={"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]})],
            (),
            "NotAllowedByListeners",
            "kind gateway.networking.k8s.io/v1/HTTPRoute is not allowed",
        ),
        (
            parent(),
            [listener("a", 1, hostname="a.org"), listener("b", 2, hostname="b.org")],
            ("c.org",),
            "NoMatchingListenerHostname",
            'no hostnames matched parent hostname "a.org"; no hostnames matched parent hostname "b.org"',
        ),
        (
            parent(),
            [listener("a", 1, hostname="a.org"), listener("b", 2, allowedRoutes={})],
            ("c.org",),
            "NotAllowedByListeners",
            'hostnames matched parent hostname "", but namespace "apps" is not allowed by the parent',
        ),
    ],
)
def test_refusals(ref: Json, listeners: list[Json], hosts: tuple[str, ...], reason: str, message: str) -> None:
    found, judged = bound(route(hosts=hosts, parentRefs=[ref]), world(gateway(*listeners), WEB))
    assert found.parents[0].problem == (reason, message)
    assert not any(entry.attached for entry in judged["infra", "gw"])


def test_attached_routes_count_a_route_once_and_even_on_a_broken_listener() -> None:
    broken = listener("a", protocol="HTTPS", tls={"certificateRefs": [{"name": "missing"}]})
    refs = [parent(), parent("a")]
    found, judged = bound(route(parentRefs=refs), world(gateway(broken), WEB))
    assert len(judged["infra", "gw"][0].attached) == 1
    assert all(entry.problem is None for entry in found.parents)


@pytest.mark.parametrize(
    ("ref", "reason", "message"),
    [
        (backend("missing"), "BackendNotFound", "backend(missing.apps.svc.cluster.local) not found"),
        (backend(kind="Bucket"), "InvalidKind", 'referencing unsupported backendRef: group "" kind "Bucket"'),
        (
            backend(namespace="elsewhere"),
            "RefNotPermitted",
            'backendRef web/elsewhere not accessible to a HTTPRoute in namespace "apps" (missing a ReferenceGrant?)',
        ),
        (backend(port=0), "InvalidDestination", "port is required in backendRef"),
    ],
)
def test_backends_that_do_not_resolve(ref: Json, reason: str, message: str) -> None:
    found, _ = bound(route(rule(backendRefs=[ref])), world(gateway(listener()), WEB, service(namespace="elsewhere")))
    assert found.problem == (reason, message)
    clusters = found.entries[0].route["route"]["weighted_clusters"]["clusters"]
    assert clusters[0]["name"].startswith("invalid-backend")


def test_grant_opens_a_backend_of_another_namespace() -> None:
    opened = grant("elsewhere", (GATEWAY_GROUP, "HTTPRoute", "apps"), ("", "Service"))
    seen = world(gateway(listener()), service(namespace="elsewhere"), opened)
    found, _ = bound(route(rule(backendRefs=[backend(namespace="elsewhere")])), seen)
    assert found.problem is None
    names = [entry["name"] for entry in found.entries[0].route["route"]["weighted_clusters"]["clusters"]]
    assert names == ["outbound|80||web.elsewhere.svc.cluster.local"]


def test_rule_that_cannot_be_programmed_takes_the_route_with_it() -> None:
    extension = {"type": "ExtensionRef", "extensionRef": {"group": "x", "kind": "Plugin", "name": "p"}}
    found, _ = bound(route(rule("/a"), rule("/b", filters=[extension])), world(gateway(listener()), WEB))
    assert found.entries == []
    assert found.problem == ("InvalidFilter", 'unsupported filter type "ExtensionRef" (kind "Plugin")')
