# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Service of a Gateway."""

from __future__ import annotations

from typing import Any

from dataplane_builders import gateway, listener, world
from sandbox.controllers.gateway_listeners import judge
from sandbox.controllers.gateway_service import is_as_wanted, service
from sandbox.controllers.gateway_world import Json


def service_of(*listeners: Json) -> Json | None:
    one = gateway(*listeners)
    one["metadata"]["uid"] = "u-1"
    return service(one, judge(one, world()))


def as_stored(wanted: Json, **more: Any) -> Json:
    """What an API server makes of it."""
    ports = [{**port, "targetPort": port["port"], "nodePort": 30000} for port in reversed(wanted["spec"]["ports"])]
    spec = {**wanted["spec"], "ports": ports, "clusterIP": "10.0.0.1", **more}
    return {"metadata": {**wanted["metadata"], "resourceVersion": "1"}, "spec": spec, "status": {"loadBalancer": {}}}


def test_one_port_for_each_port_that_is_served() -> None:
    broken = listener("tls", 443, protocol="HTTPS")
    found = service_of(listener("a", 80), listener("b", 8080, hostname="x.org"), listener("c", 8080), broken)
    assert found is not None
    assert found["metadata"]["name"] == "gw-openshift-default"
    assert [(port["name"], port["port"], port["appProtocol"]) for port in found["spec"]["ports"]] == [
        ("a", 80, "http"),
        ("b", 8080, "http"),
    ]


def test_gateway_that_serves_nothing_has_no_service() -> None:
    assert service_of(listener("tls", 443, protocol="HTTPS")) is None


def test_what_the_server_adds_is_no_difference() -> None:
    wanted = service_of(listener("a", 80), listener("b", 81))
    assert wanted is not None
    assert is_as_wanted(as_stored(wanted), wanted)
    assert not is_as_wanted(None, wanted)
    assert not is_as_wanted(as_stored(wanted, type="ClusterIP"), wanted)
    other = service_of(listener("a", 80))
    assert other is not None
    assert not is_as_wanted(as_stored(other), wanted)
