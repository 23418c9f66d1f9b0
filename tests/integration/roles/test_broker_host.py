# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker as a service of this machine: folders of its own, no systemd. As root it is that of another user, and the
umask is one that hides everything from others; else it is that of the one who runs the tests. A story in order.
"""

from __future__ import annotations

import getpass
import json
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox.battery.support import until as wait_until
from sandbox.seed import self_signed

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  roles:
    - role: mcpops.gateway.broker
      broker_target: host
      broker_supervisor: supervisord
      broker_create_user: false
"""
SECRET = "Bearer never-to-be-shown"
TOKEN = "never-to-be-shown-either-0123456789abcdef"
ODD_NAME = 'It\'s $HOME, "quoted" \\ and 100 %'
NOT_LOGGED = "--find-links /arguments-of-pip-are-not-shown"
UMASK = 0o077
OAUTH = [{"name": "OAUTH_AUTHORIZATION_SERVERS", "value": "https://sso.example.com"}]


class Host:
    """This machine, with the role's folders in one of the test's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user, self.python = user_and_python()
        (folder / "play.yml").write_text(PLAY)
        certificate, key = self_signed("localhost")
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.port = unused.getsockname()[1]

    def run(self, *words: str, **variables: Any) -> tuple[int, str]:
        """Exit code and output of the role."""
        given = {
            "broker_install_dir": str(self.folder / "opt"),
            "broker_config_dir": str(self.folder / "etc"),
            "broker_log_dir": str(self.folder / "log"),
            "broker_port": self.port,
            "broker_user": self.user,
            "broker_python": self.python,
            "broker_pip_arguments": NOT_LOGGED,
            "broker_servers": [{"name": "a", "url": "http://127.0.0.1:9/mcp", "credential": SECRET}],
            "broker_env": [{"name": "OAUTH_RESOURCE_NAME", "value": ODD_NAME}, *OAUTH],
            **variables,
        }
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible" / "remote"),
            "ANSIBLE_NOCOLOR": "1",
        }
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", "-e", json.dumps(given), *words]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, umask=UMASK
        )
        assert not [said for said in (SECRET, NOT_LOGGED) if said in done.stdout + done.stderr]
        return done.returncode, done.stdout + done.stderr

    def healthy(self, scheme: str = "http") -> bool:
        trusting = ssl.create_default_context(cafile=str(self.certificate)) if scheme == "https" else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusting)
        )
        with opener.open(f"{scheme}://localhost:{self.port}/healthz", timeout=30) as answer:
            return bool(answer.status == 200)

    def status(self, token: str) -> int:
        """What /status answers to somebody with a token."""
        request = urllib.request.Request(f"http://localhost:{self.port}/status")
        request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def runs_as(self) -> str:
        """The user of the broker's process."""
        program = [str(self.folder / "opt" / "supervisor" / "bin" / "supervisorctl")]
        command = [*program, "-c", str(self.folder / "etc" / "supervisord.conf"), "pid", "mcpops-broker"]
        process = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        return pwd.getpwuid(Path("/proc", process).stat().st_uid).pw_name

    @property
    def log(self) -> str:
        return (self.folder / "log" / "broker.log").read_text()


def user_and_python() -> tuple[str, str]:
    """A user of no rights and a Python that it can run, if we are root and there is one; else ourselves."""
    fits = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if os.getuid() == 0 and python and shutil.which("setpriv"):
        done = subprocess.run([python, "-c", fits], cwd="/", user="nobody", capture_output=True, check=False)
        return ("nobody", python) if done.returncode == 0 else ("root", "")
    return getpass.getuser(), ""


def changes(output: str) -> int:
    found = re.search(r"changed=(\d+)", output)
    assert found, output
    return int(found[1])


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory(prefix="mcp-broker-host-") as folder:
        Path(folder).chmod(0o755)  # pytest's own folders are for one user
        made = Host(Path(folder))
        yield made
        made.run(broker_state="absent")


@pytest.fixture(scope="module")
def first(host: Host) -> tuple[int, str]:
    return host.run("--diff", "-vvv")


def test_wrong_input_is_told_together(host: Host) -> None:
    servers = [{"name": "a", "port": 1}, {"name": "b", "url": "http://b/mcp", "credential_secret": {"name": "x"}}]
    servers[1] |= {"auth": {"type": "userToken", "tokenUrl": "https://idp/token"}, "auth_secret": {"name": "y"}}

    code, output = host.run(broker_servers=servers, broker_install_dir="/opt", broker_tls_key="x")

    assert code != 0
    for said in (
        "servers_list (a): url is missing",
        "servers_list (b): credential_secret names a Secret of a cluster; on a host give credential instead",
        "servers_list (b): auth_secret names a Secret of a cluster; on a host give auth.clientSecret",
        "broker_install_dir '/opt' is not the absolute path of a folder of its own",
        "broker_tls_certificate and broker_tls_key need each other",
    ):
        assert said in output


def test_a_wheel_that_is_not_there_is_not_looked_for_in_an_index(host: Host) -> None:
    code, output = host.run("--check", broker_source=str(host.folder / "mcpops_broker-9-py3-none-any.whl"))

    assert code != 0
    assert "mcpops_broker-9-py3-none-any.whl is no file and no folder on the controller" in " ".join(output.split())


def test_check_mode_predicts_and_writes_nothing(host: Host) -> None:
    before = sorted(host.folder.iterdir())

    code, output = host.run("--check", "--diff")

    assert code == 0 and changes(output) > 0, output
    assert sorted(host.folder.iterdir()) == before


def test_it_runs_and_its_environment_arrives(host: Host, first: tuple[int, str]) -> None:
    assert first[0] == 0, first[1]
    assert host.healthy() and "sessionKey=GATEWAY_SIGNING_KEY" in host.log
    assert host.runs_as() == host.user
    owners = {path.owner() for path in (host.folder / "etc").rglob("*")}
    assert owners == {getpass.getuser()}, "only root may write what it reads"
    with urllib.request.urlopen(f"http://localhost:{host.port}/.well-known/oauth-protected-resource") as answer:
        assert json.load(answer)["resource_name"] == ODD_NAME


@pytest.mark.usefixtures("first")
def test_whoever_it_runs_as_can_run_it(host: Host) -> None:
    installed = [path for path in (host.folder / "opt").rglob("*") if not path.is_symlink() and path.name != "running"]

    assert host.folder / "opt" / "supervisor" / "bin" / "supervisord" in installed
    assert not [path for path in installed if ~path.stat().st_mode & (0o005 if path.is_dir() else 0o004)]


@pytest.mark.usefixtures("first")
def test_a_user_that_is_not_there_is_told(host: Host) -> None:
    if os.getuid() != 0:
        pytest.skip("without rights it runs as this user, whichever is named")

    code, output = host.run(broker_user="mcp-nobody-of-this-name")

    assert code != 0
    assert "broker_user mcp-nobody-of-this-name does not exist on localhost; create it" in " ".join(output.split())


@pytest.mark.usefixtures("first")
def test_a_file_that_its_user_cannot_read_is_refused(host: Host) -> None:
    if host.user == getpass.getuser():
        pytest.skip("it runs as this user, who can read everything that it has made")
    token = host.folder / "root-only"
    token.write_text(TOKEN)
    token.chmod(0o600)

    code, output = host.run(broker_settings={"admin": {"tokenFile": str(token)}})

    assert code != 0
    assert "root-only': the file cannot be read (Permission denied)" in " ".join(output.split())


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("mode", [[], ["--check"]], ids=["run", "check mode"])
def test_what_the_broker_refuses_changes_nothing(host: Host, mode: list[str]) -> None:
    config, starts = (host.folder / "etc" / "config.yaml").read_bytes(), host.log.count("listening")

    code, output = host.run(*mode, broker_settings={"drain": -1})

    assert code != 0
    assert "The broker does not take this configuration" in output and "drain" in output
    assert (host.folder / "etc" / "config.yaml").read_bytes() == config
    assert host.healthy() and host.log.count("listening") == starts


@pytest.mark.usefixtures("first")
def test_a_key_of_another_certificate_is_refused(host: Host) -> None:
    other = host.folder / "other.key"
    other.write_bytes(self_signed("localhost")[1])

    code, output = host.run(broker_tls_certificate=str(host.certificate), broker_tls_key=str(other))

    assert code != 0
    assert "the pair has a private key (tls.key) that does not belong to its certificate" in output
    assert host.healthy()


@pytest.mark.usefixtures("first")
def test_other_servers_restart_nothing_and_a_certificate_does(host: Host) -> None:
    servers = [{"name": "b", "url": "http://127.0.0.1:9/mcp"}]
    pair = {"broker_tls_certificate": str(host.certificate), "broker_tls_key": str(host.key)}
    starts = host.log.count("listening")

    code, output = host.run(broker_servers=servers)
    assert (code, changes(output), host.log.count("listening")) == (0, 1, starts), output

    code, output = host.run(broker_servers=servers, **pair)
    assert code == 0, output
    assert host.healthy("https")


@pytest.mark.usefixtures("first")
def test_files_with_secrets_arrive_and_go_and_every_area_can_be_set(host: Host) -> None:
    folder = host.folder / "etc" / "secrets"
    (host.folder / "store-url").write_text("redis://127.0.0.1:9/0\n")
    secrets = [{"name": "admin", "content": TOKEN}, {"name": "store", "src": str(host.folder / "store-url")}]
    settings = {
        "admin": {"tokenFile": str(folder / "admin"), "public": []},
        "store": {"urlFile": str(folder / "store"), "passwordEnv": "STORE_PASSWORD"},
        "auth": {"apiKeys": [{"name": "ci", "hash": "sha256:" + "0" * 64, "scopes": ["tools"]}]},
        "policy": {"rules": [{"name": "ci", "allow": "principal.name == 'ci'"}]},
        "rateLimits": [{"name": "calls", "per": "principal", "rate": 5.0}],
        "toolGuard": {"changed": "warn"},
        "telemetry": {"metrics": True},
        "audit": {"output": "stderr"},
        "upstreamAddresses": {"deny": ["private"]},
    }
    given = {"broker_settings": settings, "broker_env": [{"name": "STORE_PASSWORD", "value": TOKEN}]}

    checked, prediction = host.run("--check", "-vvv", broker_secrets=secrets, **given)
    code, output = host.run("-vvv", "--diff", broker_secrets=secrets, **given)
    again, repeated = host.run(broker_secrets=secrets, **given)

    assert (checked, code, again, changes(repeated)) == (0, 0, 0, 0), prediction + output + repeated
    assert TOKEN not in prediction + output + repeated + host.log
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"admin": 0o640, "store": 0o640}
    assert host.status(TOKEN) == 200 and host.status("wrong") == 401

    starts, other = host.log.count("listening"), TOKEN[::-1]
    code, output = host.run(broker_secrets=[{"name": "admin", "content": other}, secrets[1]], **given)
    assert (code, changes(output), host.log.count("listening")) == (0, 1, starts), output
    wait_until(lambda: host.status(other) == 200, "the broker has read it again")

    kept = {path.name: (path.read_text(), path.stat().st_mode) for path in folder.iterdir()}
    changed = [{"name": "admin", "content": "short"}, {"name": "new", "content": TOKEN}]
    code, output = host.run(broker_secrets=changed, **given)
    assert code != 0 and "nothing was changed" in output, output
    assert {path.name: (path.read_text(), path.stat().st_mode) for path in folder.iterdir()} == kept

    changed[0]["content"] = TOKEN
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        there = {"broker_port": taken.getsockname()[1], "broker_wait_timeout": 2}
        code, output = host.run(broker_secrets=[*changed, secrets[1]], **given, **there)
    assert code != 0 and "What ran before is back and serves." in output, output
    assert {path.name: (path.read_text(), path.stat().st_mode) for path in folder.iterdir()} == kept
    assert host.status(other) == 200

    settings["store"]["prefix"], starts = "another", host.log.count("listening")
    secrets[0]["content"] = other
    code, output = host.run(broker_secrets=secrets, **given)
    assert (code, host.log.count("listening")) == (0, starts + 1), output

    del settings["admin"], settings["store"]
    code, output = host.run(broker_settings=settings)
    assert code == 0 and list(folder.iterdir()) == [], output


@pytest.mark.usefixtures("first")
def test_nothing_is_left(host: Host) -> None:
    code, output = host.run(broker_state="absent")
    again, repeated = host.run(broker_state="absent")

    assert (code, again, changes(repeated)) == (0, 0, 0), output + repeated
    assert not [name for name in ("opt", "etc", "log") if (host.folder / name).exists()]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", host.port)) != 0
