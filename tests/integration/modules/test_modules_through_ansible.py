# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules as people run them: ansible-playbook, module_defaults of the action group, environment variables."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from integration.gateways import gateway_class
from integration.kit import ApiServer, Json, Modules, writes

ROOT = Path(__file__).resolve().parents[3]


class Ansible:
    """ansible-playbook with this repository's collections and no settings of the developer's."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def play(
        self, tasks: list[Json], *arguments: str, environment: dict[str, str] | None = None, **play: object
    ) -> str:
        """Run one play on localhost; its output. It has to succeed."""
        book = self.home / "play.yml"
        book.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks, **play}]))
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG"))}
        words = [str(Path(sys.executable).parent / "ansible-playbook"), str(book), "-c", "local", *arguments]
        words += ["-e", f"ansible_python_interpreter={sys.executable}"]
        done = subprocess.run(
            words,
            env={
                **kept,
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
                "ANSIBLE_HOME": str(self.home / "ansible"),
                "ANSIBLE_REMOTE_TEMP": str(self.home / "ansible" / "remote"),
                "ANSIBLE_ASYNC_DIR": str(self.home / "ansible" / "async"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCALHOST_WARNING": "0",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
                "LC_ALL": "C.UTF-8",
                **(environment or {}),
            },
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def ansible(tmp_path: Path) -> Ansible:
    return Ansible(tmp_path)


def changed(output: str) -> int:
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found[1])


def tasks(ns: str) -> list[Json]:
    """Every module once, as the documentation shows it."""
    listener = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com"}
    return [
        {"mcpops.gateway.apply": {"definition": {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns},
            "stringData": {"password": "hush-hush"}}}},
        {"mcpops.gateway.olm_subscription": {"namespace": ns, "wait": False, "source_namespace": ns, "source": "cat"}},
        {"mcpops.gateway.gateway": {
            "name": "gw", "namespace": ns, "gateway_class_name": "istio", "wait": False, "listeners": [listener]}},
        {"mcpops.gateway.gateway_listener": {
            "gateway": "gw", "namespace": ns, "name": "web", "port": "80", "protocol": "HTTP", "wait": "no"}},
        {"mcpops.gateway.reference_grant": {
            "name": "grant", "namespace": ns, "from": [{"namespace": "team-a"}], "to": [{}]}},
        {"mcpops.gateway.extension": {
            "name": "ext", "namespace": ns, "gateway": "gw", "listener": "mcps", "wait": False}},
        {"mcpops.gateway.http_route": {
            "name": "route", "namespace": ns, "gateway": "gw", "listener": "mcps", "wait": False,
            "cors": {"allow_origins": "https://a.example.com,https://b.example.com"}}},
        {"mcpops.gateway.dns_policy": {
            "name": "dns", "namespace": ns, "gateway": "gw", "delegate": "yes", "wait": False}},
    ]  # fmt: skip


def removal(ns: str) -> list[Json]:
    """The same objects taken away again, and a look at what is left; what is made last goes first."""
    gone = {"state": "absent", "namespace": ns}
    return [
        {"mcpops.gateway.dns_policy": {"name": "dns", **gone}},
        {"mcpops.gateway.http_route": {"name": "route", **gone}},
        {"mcpops.gateway.extension": {"name": "ext", **gone}},
        {"mcpops.gateway.reference_grant": {"name": "grant", **gone}},
        {"mcpops.gateway.gateway_listener": {"gateway": "gw", "name": "web", **gone}},
        {"mcpops.gateway.gateway": {"name": "gw", **gone}},
        {"mcpops.gateway.info": {"namespace": ns}, "register": "left"},
        {"mcpops.gateway.gateway_info": {"name": "gw", "namespace": ns}, "register": "gateway"},
        {"ansible.builtin.assert": {"that": [
            "ansible_check_mode or left.gateways + left.routes + left.extensions + left.policies == []",
            "ansible_check_mode or 'does not exist' in gateway.problem"]}},
    ]  # fmt: skip


@pytest.fixture
def furnished(api_server: ApiServer, ns: str) -> str:
    """A namespace with the catalog and the class that the tasks need."""
    gateway_class(api_server)
    kind = {"apiVersion": "operators.coreos.com/v1alpha1", "kind": "CatalogSource", "metadata": {"name": "cat"}}
    path = f"/apis/operators.coreos.com/v1alpha1/namespaces/{ns}/catalogsources/cat"
    api_server.apply(path, {**kind, "spec": {"sourceType": "grpc"}})
    return ns


@pytest.mark.parametrize("in_process", [True, False], ids=["in this process", "as any module"])
def test_every_module_in_check_mode_for_real_and_again(
    ansible: Ansible, api_server: ApiServer, furnished: str, in_process: bool
) -> None:
    settings: Json = {
        "module_defaults": {"group/mcpops.gateway.all": {"kubeconfig": api_server.kubeconfig}},
        "vars": {"mcpops_in_process": in_process},
    }
    play = tasks(furnished)[: None if in_process else 2]  # packing a module takes a second

    with api_server.watched() as planned_requests:
        planned = ansible.play(play, "--check", "--diff", **settings)
    made = ansible.play(play, "--diff", **settings)
    with api_server.watched() as requests:
        again = ansible.play(play, **settings)

    assert changed(planned) == changed(made) == len(play) and changed(again) == 0
    assert writes(planned_requests) == [] and writes(requests) == []
    assert "+++ after: Secret" in made.replace(f"{furnished}/", "") and "hush-hush" not in planned + made


def test_what_was_made_is_removed_once(ansible: Ansible, api_server: ApiServer, furnished: str) -> None:
    settings: Json = {"module_defaults": {"group/mcpops.gateway.all": {"kubeconfig": api_server.kubeconfig}}}
    ansible.play(tasks(furnished)[2:], **settings)

    with api_server.watched() as planned_requests:
        planned = ansible.play(removal(furnished), "--check", "--diff", **settings)
    done = ansible.play(removal(furnished), "--diff", **settings)
    with api_server.watched() as requests:
        again = ansible.play(removal(furnished), **settings)

    assert changed(planned) == changed(done) == 6 and changed(again) == 0
    assert writes(planned_requests) == [] and writes(requests) == []


def test_settings_of_the_environment(ansible: Ansible, api_server: ApiServer, furnished: str) -> None:
    environment = {
        "K8S_AUTH_HOST": api_server.server,
        "K8S_AUTH_API_KEY": api_server.token,
        "K8S_AUTH_SSL_CA_CERT": str(api_server.folder.ca),
    }

    assert changed(ansible.play(tasks(furnished)[:1], environment=environment)) == 1


class TestInThisProcess:
    """Tasks on the controller do not start another Python; the result is the same as a module's."""

    def result(self, ansible: Ansible, api: ApiServer, ns: str, **variables: object) -> Json:
        """What a task registers, and whether the module was packed and started (``packed``)."""
        definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": ns}}
        task = {"definition": definition, "kubeconfig": api.kubeconfig, "namespace": "{{ 'a' }}"}
        file = ansible.home / "result.json"
        keep = {"content": "{{ found | to_json }}", "dest": str(file)}
        play: list[Json] = [
            {"mcpops.gateway.apply": task, "register": "found", "ignore_errors": True},
            {"ansible.builtin.copy": keep},
        ]
        output = ansible.play(play, "-vvv", vars=variables)
        found = dict(json.loads(file.read_text()))
        return {**found, "packed": "AnsiballZ_apply.py" in output, "invocation": None, "ansible_facts": None}

    def test_both_ways_give_the_same(self, ansible: Ansible, api_server: ApiServer, ns: str) -> None:
        here = self.result(ansible, api_server, ns)
        again = self.result(ansible, api_server, ns)
        elsewhere = self.result(ansible, api_server, ns, mcpops_in_process=False)

        assert here["changed"] and not here["packed"] and elsewhere["packed"]
        assert {**again, "packed": None} == {**elsewhere, "packed": None}

    def test_failures_read_the_same(self, ansible: Ansible, api_server: ApiServer) -> None:
        here = self.result(ansible, api_server, "nowhere")
        elsewhere = self.result(ansible, api_server, "nowhere", mcpops_in_process="no")

        assert here["failed"] and "nowhere does not exist" in here["msg"]
        assert (here["msg"], here["requests"]) == (elsewhere["msg"], elsewhere["requests"])

    def test_a_relative_path_begins_at_the_playbook(
        self, ansible: Ansible, api_server: ApiServer, ns: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside", "namespace": ns}}
        (tmp_path / "beside.yml").write_text(yaml.safe_dump(definition))
        task = {"src": "beside.yml", "kubeconfig": api_server.kubeconfig}

        here = ansible.play([{"mcpops.gateway.apply": task}])
        elsewhere = ansible.play([{"mcpops.gateway.apply": task, "vars": {"mcpops_in_process": False}}])

        assert (changed(here), changed(elsewhere)) == (1, 0)

    @pytest.mark.parametrize("keyword", [{"environment": {"ANY": "thing"}}, {"async": 30, "poll": 1}])
    def test_what_speaks_against_it(self, ansible: Ansible, api_server: ApiServer, ns: str, keyword: Json) -> None:
        definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": ns}}
        task = {"definition": definition, "kubeconfig": api_server.kubeconfig}

        assert "AnsiballZ_apply.py" in ansible.play([{"mcpops.gateway.apply": task, **keyword}], "-vvv")


def test_an_exec_plugin_is_left_to_the_full_client(
    run: Modules, api_server: ApiServer, ns: str, tmp_path: Path
) -> None:
    plugin = tmp_path / "credential"
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": api_server.token},
    }
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(stat.S_IRWXU)
    config = yaml.safe_load(api_server.folder.kubeconfig.read_text())
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    definition = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "namespace": ns},
        "data": {"a": "1"},
    }
    with_exec = tmp_path / "kubeconfig"
    with_exec.write_text(yaml.safe_dump(config))

    made = run("apply", kubeconfig=str(with_exec), definition=definition, wait_for=[{"jmespath": "data.a"}])
    again = run("apply", kubeconfig=str(with_exec), definition=definition)
    theirs = run.fails("apply", kubeconfig=str(with_exec), definition=definition, wait_timeout=1, wait_for=[
        {"condition": "Never"}])  # fmt: skip
    gone = run("apply", kubeconfig=str(with_exec), definition=definition, state="absent")

    assert made["changed"] and not again["changed"] and gone["changed"] and "Never" in theirs


def test_an_exec_plugin_that_fails_is_told(run: Modules, api_server: ApiServer, ns: str, tmp_path: Path) -> None:
    config = yaml.safe_load(api_server.folder.kubeconfig.read_text())
    config["users"][0]["user"] = {
        "exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/no/such/plugin"}
    }
    with_exec = tmp_path / "kubeconfig"
    with_exec.write_text(yaml.safe_dump(config))
    definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": ns}}

    said = run.fails("apply", kubeconfig=str(with_exec), definition=definition)

    assert "exec" in said and "gave no credentials" in said


def test_a_proxy_that_is_away_is_told(run: Modules, ns: str) -> None:
    definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": ns}}

    assert "proxy" in run.fails("apply", proxy="http://127.0.0.1:1", definition=definition)


def test_the_light_transport_does_not_import_the_client_libraries() -> None:
    module = "ansible_collections.mcpops.gateway.plugins.modules.apply"
    script = f"import sys, importlib; importlib.import_module({module!r}); print('kubernetes' in sys.modules)"
    path = str(ROOT / ".collections")

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "False"
