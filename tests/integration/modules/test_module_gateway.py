# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module gateway against an API server, with the test in the role of the Gateway's controller."""

from __future__ import annotations

import pytest
from integration.gateways import GATEWAYS, certificate, gateway_class, listener, report
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes

HTTP = listener("http", 80, None)
MCPS = listener()


@pytest.fixture(autouse=True)
def istio(api_server: ApiServer) -> None:
    gateway_class(api_server)


def options(ns: str, *listeners: Json, **more: object) -> Json:
    shown = list(listeners) or [HTTP, MCPS]
    return {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "listeners": shown, **more}


def make(run: Modules, api: ApiServer, ns: str, *listeners: Json) -> None:
    """A Gateway that is there and programmed."""
    wanted = options(ns, *listeners)
    run("gateway", wait=False, **wanted)
    report(api, ns, "gw", [entry["name"] for entry in wanted["listeners"]])


def live(api: ApiServer, ns: str) -> Json:
    found = api.get(f"{GATEWAYS.format(ns=ns)}/gw")
    assert found is not None
    return found


def test_it_is_made_and_waited_for(run: Modules, api_server: ApiServer, ns: str) -> None:
    def controller() -> None:
        until(lambda: api_server.get(f"{GATEWAYS.format(ns=ns)}/gw") is not None, lambda: "never created")
        report(api_server, ns, "gw", ["http", "mcps"])

    with meanwhile(controller):
        result = run("gateway", wait_address=True, **options(ns))

    assert result["objects"][0]["action"] == "created"
    assert result["addresses"] == [{"type": "IPAddress", "value": "192.0.2.10"}]
    assert [entry["name"] for entry in result["listeners"]] == ["http", "mcps"]


def test_again_it_writes_nothing(run: Modules, api_server: ApiServer, ns: str) -> None:
    certificate(api_server, ns)
    tls = {"mode": "Terminate", "certificate_refs": [{"name": "cert"}]}
    https = listener("https", 443, protocol="HTTPS", tls=tls)
    make(run, api_server, ns, HTTP, MCPS, https)
    version = live(api_server, ns)["metadata"]["resourceVersion"]

    with api_server.watched() as requests:
        result = run("gateway", **options(ns, HTTP, MCPS, https))

    assert not result["changed"] and writes(requests) == []
    assert result["objects"][0]["resource_version"] == version
    assert len(requests) == 2, requests  # the Gateway and the certificate


def test_drift_is_put_right(run: Modules, api_server: ApiServer, ns: str) -> None:
    make(run, api_server, ns)
    change = [{"op": "replace", "path": "/spec/listeners/1/port", "value": 9999}]
    api_server.request("PATCH", f"{GATEWAYS.format(ns=ns)}/gw", change, "application/json-patch+json")

    said = run.fails("gateway", wait=False, **options(ns))
    result = run("gateway", wait=False, force_conflicts=True, **options(ns))

    assert "spec.listeners" in said and "port" in said and "force_conflicts" in said
    assert result["objects"][0]["fields"] == ["spec.listeners[name=mcps].port"]
    assert live(api_server, ns)["spec"]["listeners"][1]["port"] == 8080


def test_listeners_of_others_stay(run: Modules, api_server: ApiServer, ns: str) -> None:
    make(run, api_server, ns)
    run("gateway_listener", wait=False, gateway="gw", namespace=ns, **listener("theirs", 9000))

    run("gateway", wait=False, **options(ns, HTTP))

    assert [entry["name"] for entry in live(api_server, ns)["spec"]["listeners"]] == ["http", "theirs"]


def test_check_and_diff_agree_with_the_run(run: Modules, api_server: ApiServer, ns: str) -> None:
    make(run, api_server, ns)
    wanted = options(ns, HTTP, listener(port=8081))

    with api_server.watched() as requests:
        planned = run("gateway", check=True, diff=True, **wanted)
    assert writes(requests) == []
    done = run("gateway", diff=True, wait=False, **wanted)

    assert planned["objects"][0]["fields"] == done["objects"][0]["fields"] == ["spec.listeners[name=mcps].port"]
    assert planned["diff"] == done["diff"]


def test_absent_twice(run: Modules, api_server: ApiServer, ns: str) -> None:
    make(run, api_server, ns)

    first = run("gateway", name="gw", namespace=ns, state="absent")
    second = run("gateway", name="gw", namespace=ns, state="absent")

    assert first["objects"][0]["action"] == "deleted" and second["objects"][0]["action"] == "absent"


def test_a_listener_gets_another_name(run: Modules, api_server: ApiServer, ns: str) -> None:
    make(run, api_server, ns)
    wanted = options(ns, HTTP, listener("mcp"))

    planned = run("gateway", check=True, diff=True, **wanted)
    done = run("gateway", wait=False, diff=True, **wanted)

    assert planned["diff"] == done["diff"]
    assert sorted(done["objects"][0]["fields"]) == ["spec.listeners[name=mcp]", "spec.listeners[name=mcps]"]
    assert [entry["name"] for entry in live(api_server, ns)["spec"]["listeners"]] == ["http", "mcp"]


def test_one_made_by_hand_is_taken_over(run: Modules, api_server: ApiServer, ns: str) -> None:
    """kubectl create: the fields are those of an Update, with other values and one more listener."""
    other = [{"name": "mcps", "port": 9999, "protocol": "HTTP"}, {"name": "old", "port": 81, "protocol": "HTTP"}]
    body = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "gw"},
            "spec": {"gatewayClassName": "istio", "listeners": other}}  # fmt: skip
    api_server.request("POST", f"{GATEWAYS.format(ns=ns)}?fieldManager=kubectl-create", body)

    result = run("gateway", wait=False, **options(ns))
    again = run("gateway", wait=False, **options(ns))

    assert any("took over" in said and "kubectl-create" in said for said in warnings_of(result))
    found = {one["name"]: one["port"] for one in live(api_server, ns)["spec"]["listeners"]}
    assert found == {"mcps": 8080, "old": 81, "http": 80}
    assert not again["changed"]


class TestWaiting:
    def test_a_listener_that_cannot_be_programmed_ends_it(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        make(run, api_server, ns)
        report(api_server, ns, "gw", ["http", "mcps"], Accepted="!PortUnavailable", Programmed="!Invalid")

        said = run.fails("gateway", wait_timeout=60, **options(ns))

        assert "listener http: Accepted is False (PortUnavailable: Accepted by the test)" in said

    def test_status_of_an_older_generation_does_not_count(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        make(run, api_server, ns)

        said = run.fails("gateway", wait_timeout=1, **options(ns, HTTP, listener(port=8081)))

        assert "older generation" in said and "Waited 1 s" in said

    def test_a_missing_address_is_told(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        make(run, api_server, ns)
        api_server.status(f"{GATEWAYS.format(ns=ns)}/gw", {"addresses": []})

        assert "address" in run.fails("gateway", wait_address=True, wait_timeout=1, **options(ns))


class TestRefusals:
    """Told before anything is written."""

    @pytest.mark.parametrize(
        ("listeners", "words"),
        [
            ([HTTP, listener("http", 81)], ["name http", "two"]),
            ([MCPS, listener("again")], ["mcps", "again", "8080", "mcp.example.com"]),
            ([HTTP, listener("tls", 80, protocol="HTTPS", tls={"options": {"a": "b"}})], ["80", "HTTP", "HTTPS"]),
            ([listener("x", 70000)], ["70000", "65535"]),
            ([listener("X")], ["'X'"]),
            ([listener(hostname="https://mcp.example.com/")], ["hostname https://mcp.example.com/", "URL"]),
            ([listener(hostname="mcp.example.com:8080")], ["port"]),
            ([listener(hostname="192.0.2.1")], ["IP address"]),
            ([listener(hostname="Mcp.example.com")], ["mcp.example.com", "capital"]),
            ([listener(hostname="mcp.*.com")], ["wildcard"]),
            ([listener(hostname="mcp_x.example.com")], ["DNS name"]),
            ([listener("https", 443, protocol="HTTPS")], ["certificate_refs"]),
            ([listener(tls={"certificate_refs": [{"name": "c"}]})], ["tls", "HTTP"]),
            ([listener("p", 443, protocol="HTTPS", tls={"mode": "Passthrough"})], ["Passthrough", "HTTPS"]),
            ([listener(allowed_routes={"namespaces": {"from": "Selector"}})], ["allowed_routes.namespaces.selector"]),
            ([listener(allowed_routes={"kinds": [{"kind": "TCPRoute"}]})], ["TCPRoute", "HTTPRoute"]),
            ([listener(port=0)], ["port 0"]),
        ],
    )
    def test_listeners(
        self, run: Modules, api_server: ApiServer, ns: str, listeners: list[Json], words: list[str]
    ) -> None:
        with api_server.watched() as requests:
            said = run.fails("gateway", **options(ns, *listeners))

        assert requests == []
        for word in words:
            assert word in said

    def test_no_listener_at_all(self, run: Modules, ns: str) -> None:
        assert "at least one listener" in run.fails("gateway", **{**options(ns), "listeners": []})

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"state": "present", "gateway_class_name": None}, "gateway_class_name"),
            ({"listeners": None}, "listeners"),
            ({"listeners": [{"name": "x", "port": "eighty", "protocol": "HTTP"}]}, "port"),
            ({"listeners": [{"name": "x", "port": 80, "protocol": "http"}]}, "protocol"),
            ({"listeners": [listener(allowed_routes={"namespaces": {"from": "None"}})]}, "All, Same, Selector"),
            ({"listeners": [listener(tls={"mode": "Simple"})]}, "Terminate, Passthrough"),
            ({"listeners": [listener(tls={"certificate_refs": [{}]})]}, "name"),
            ({"listeners": "mcps"}, "dictionary requested"),
            ({"labels": "a=b=c,d"}, "labels"),
            ({"addresses": [{"value": "lb.example.com"}]}, "lb.example.com, which is no IP address"),
            ({"wait_timeout": "long"}, "wait_timeout"),
        ],
    )
    def test_options(self, run: Modules, api_server: ApiServer, ns: str, change: Json, said: str) -> None:
        wanted = {key: value for key, value in {**options(ns), **change}.items() if value is not None}
        with api_server.watched() as requests:
            result = run.run("gateway", **wanted)

        assert result.get("failed") and said in result["msg"] and requests == []

    @pytest.mark.parametrize("name", ["Gw", "gw_1", "-gw", "g" * 254])
    def test_a_name_that_is_none(self, run: Modules, api_server: ApiServer, ns: str, name: str) -> None:
        said = run.fails("gateway", **{**options(ns), "name": name})

        assert f"Gateway {ns}/{name}" in said and "name" in said

    def test_a_clash_with_a_listener_of_others(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        make(run, api_server, ns, HTTP)
        run("gateway_listener", wait=False, gateway="gw", namespace=ns, **listener("theirs"))

        with api_server.watched() as requests:
            said = run.fails("gateway", **options(ns, HTTP, MCPS))

        assert "theirs" in said and "mcps" in said and "8080" in said and writes(requests) == []

    def test_a_class_that_does_not_exist(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        with api_server.watched() as requests:
            said = run.fails("gateway", **{**options(ns), "gateway_class_name": "nope"})

        assert "nope" in said and "istio" in said and writes(requests) == []

    def test_a_class_that_its_controller_refuses(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        gateway_class(api_server, "refused", Accepted="!InvalidParameters")

        with api_server.watched() as requests:
            said = run.fails("gateway", **{**options(ns), "gateway_class_name": "refused"})

        assert "GatewayClass refused" in said and "InvalidParameters" in said and writes(requests) == []

    def test_a_class_that_no_controller_has_looked_at(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        gateway_class(api_server, "lonely", Accepted="?Pending")

        result = run("gateway", wait=False, **{**options(ns), "gateway_class_name": "lonely"})

        (said,) = warnings_of(result)
        assert "no controller has accepted yet" in said and "istio.io/gateway-controller" in said

    def test_a_namespace_that_does_not_exist(self, run: Modules) -> None:
        assert "nowhere" in run.fails("gateway", **options("nowhere"))

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (None, "does not exist"),
            ({"type": "Opaque"}, "type Opaque"),
            ({"data": {"tls.crt": "aGVsbG8=", "tls.key": "aGVsbG8="}}, "no PEM certificate"),
        ],
    )
    def test_certificates(self, run: Modules, api_server: ApiServer, ns: str, change: Json | None, words: str) -> None:
        if change is not None:
            certificate(api_server, ns, **change)
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": [{"name": "cert"}]})

        with api_server.watched() as requests:
            said = run.fails("gateway", **options(ns, https))

        assert f"{ns}/cert" in said and words in said and writes(requests) == []

    def test_a_certificate_for_another_host_is_a_warning(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        certificate(api_server, ns, "cert", "*.other.example.com")
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": [{"name": "cert"}]})

        result = run("gateway", wait=False, **options(ns, https))

        assert any("*.other.example.com" in warning for warning in warnings_of(result))

    def test_a_key_of_another_certificate(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        other = certificate(api_server, ns, "other")["data"]["tls.key"]
        good = certificate(api_server, ns)["data"]
        certificate(api_server, ns, data={**good, "tls.key": other})
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": [{"name": "cert"}]})

        assert "does not belong to its certificate" in run.fails("gateway", **options(ns, https))

    def test_a_certificate_that_went_bad_is_told_every_time(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        certificate(api_server, ns)
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": [{"name": "cert"}]})
        make(run, api_server, ns, https)
        certificate(api_server, ns, "cert", "else.example.com")
        replaced = run("gateway", **options(ns, https))
        api_server.delete(f"/api/v1/namespaces/{ns}/secrets/cert")
        deleted = run("gateway", **options(ns, https))

        assert not replaced["changed"] and "does not cover mcp.example.com" in warnings_of(replaced)[0]
        assert not deleted["changed"] and "does not exist" in warnings_of(deleted)[0]

    def test_host_names_that_overlap_under_tls_are_a_warning(
        self, run: Modules, api_server: ApiServer, ns: str
    ) -> None:
        certificate(api_server, ns, "cert", "*.example.com", "mcp.example.com")
        tls = {"certificate_refs": [{"name": "cert"}]}
        both = [listener(name, 443, host, protocol="HTTPS", tls=tls) for name, host in
                (("one", "mcp.example.com"), ("all", "*.example.com"))]  # fmt: skip

        (said,) = warnings_of(run("gateway", wait=False, **options(ns, *both)))

        assert "one and all" in said and "overlap" in said

    def test_a_certificate_elsewhere_needs_a_grant(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        certificate(api_server, "default", "shared")
        refs = [{"name": "shared", "namespace": "default"}]
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": refs})

        said = run.fails("gateway", **options(ns, https))
        trusted: Json = {"from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": ns}]}
        to = [{"group": "", "kind": "Secret"}]
        run("reference_grant", name=f"from-{ns}", namespace="default", to=to, **trusted)

        assert "ReferenceGrant" in said and "default" in said
        assert run("gateway", wait=False, **options(ns, https))["changed"]


class TestCheckModeOnAnEmptyCluster:
    def test_missing_prerequisites_are_warnings(self, run: Modules) -> None:
        https = listener("https", 443, protocol="HTTPS", tls={"certificate_refs": [{"name": "cert"}]})

        planned = run("gateway", check=True, **{**options("later", https), "gateway_class_name": "later-class"})

        assert planned["objects"][0]["action"] == "created"
        said = " ".join(warnings_of(planned))
        for words in ("namespace later", "later-class", "later/cert"):
            assert words in said
