# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API server is: options, K8S_AUTH_* variables, kubeconfigs, and what needs the full client."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.mcpops.gateway.plugins.module_utils import _settings
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._settings import resolve, secrets_of

Json = dict[str, Any]
SERVER = "https://api.example.com:6443"


def config(user: Json | None = None, cluster: Json | None = None, context: Json | None = None) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": {"token": "t0ken"} if user is None else user}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", **(context or {})}},
            {"name": "two", "context": {"cluster": "c", "user": "u", "namespace": "second"}},
            {"name": "broken", "context": {"cluster": "gone", "user": "u"}},
        ],
    }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def written(folder: Path, content: Json, name: str = "config") -> str:
    path = folder / name
    path.write_text(yaml.safe_dump(content))
    return str(path)


class TestOptionsAndVariables:
    def test_host_and_token(self) -> None:
        settings = resolve({"host": SERVER + "/", "api_key": "k"}, {})

        assert (settings.host, settings.token, settings.verify, settings.beyond) == (SERVER, "k", True, "")

    def test_variables_as_awx_sets_them(self, tmp_path: Path) -> None:
        authority = tmp_path / "ca.crt"
        authority.write_text("PEM")
        env = {
            "K8S_AUTH_HOST": SERVER,
            "K8S_AUTH_API_KEY": "k",
            "K8S_AUTH_VERIFY_SSL": "False",
            "K8S_AUTH_SSL_CA_CERT": str(authority),
        }

        settings = resolve({}, env)

        assert (settings.host, settings.token, settings.verify, settings.ca) == (SERVER, "k", False, "PEM")

    def test_an_option_wins_over_its_variable(self) -> None:
        assert resolve({"host": SERVER, "api_key": "mine"}, {"K8S_AUTH_API_KEY": "theirs"}).token == "mine"

    def test_a_host_without_scheme_is_https(self) -> None:
        assert resolve({"host": "api.example.com", "api_key": "k"}, {}).host == "https://api.example.com"

    def test_impersonation(self) -> None:
        settings = resolve(
            {"host": SERVER, "api_key": "k", "impersonate_user": "bob", "impersonate_groups": ["a", "b"]}, {}
        )

        assert settings.headers == [("Impersonate-User", "bob"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")]

    @pytest.mark.parametrize(
        "more",
        [
            {"proxy": "http://proxy:3128"},
            {"proxy": "http://proxy:3128", "no_proxy": "example.org,10.0.0.0/8,ple.com"},
        ],
    )
    def test_what_needs_the_full_client(self, more: Json) -> None:
        assert resolve({"host": SERVER, "api_key": "k", **more}, {}).beyond

    @pytest.mark.parametrize("no_proxy", ["example.com", ".example.com", "api.example.com:6443", "*"])
    def test_a_host_that_goes_without_proxy(self, no_proxy: str) -> None:
        settings = resolve({"host": SERVER, "api_key": "k", "proxy": "http://proxy:3128", "no_proxy": no_proxy}, {})

        assert (settings.proxy, settings.beyond) == (None, "")

    @pytest.mark.parametrize("no_proxy", ["10.0.0.0/8", "fe80::/10, 10.1.2.3", "10.1.2.3:6443"])
    def test_an_address_that_goes_without_proxy(self, no_proxy: str) -> None:
        auth = {"host": "https://10.1.2.3:6443", "api_key": "k", "proxy": "http://proxy:3128", "no_proxy": no_proxy}

        assert resolve(auth, {}).beyond == ""

    @pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
    def test_the_proxy_of_the_environment(self, name: str) -> None:
        env = {name: "http://proxy:3128"}

        settings = resolve({"host": SERVER, "api_key": "k"}, env)
        without = resolve({"host": SERVER, "api_key": "k"}, {**env, "NO_PROXY": "example.com"})

        assert settings.proxy and settings.proxy.url == "http://proxy:3128" and name in settings.beyond
        assert (without.proxy, without.beyond) == (None, "")

    def test_name_and_password(self) -> None:
        settings = resolve({"host": SERVER, "username": "bob", "password": "long-enough"}, {})

        assert (settings.token, settings.basic, settings.beyond) == (None, "Ym9iOmxvbmctZW5vdWdo", "")
        assert {"long-enough", "Ym9iOmxvbmctZW5vdWdo"} <= secrets_of(settings)

    def test_secrets_are_known(self) -> None:
        found = secrets_of(resolve({"host": SERVER, "api_key": "k3y-of-8"}, {}))

        assert "k3y-of-8" in found and base64.b64encode(b"k3y-of-8").decode() in found

    @pytest.mark.parametrize("proxy", ["http://bob:long-enough@proxy:3128", "http://bob:long-enough@[proxy"])
    def test_the_password_of_a_proxy_is_a_secret(self, proxy: str) -> None:
        assert "long-enough" in secrets_of(resolve({"host": SERVER, "api_key": "k", "proxy": proxy}, {}))

    def test_a_file_that_is_not_there_is_named_with_its_option(self) -> None:
        with pytest.raises(ConfigError, match=r"/no/such/ca.*ca_cert"):
            resolve({"host": SERVER, "api_key": "k", "ca_cert": "/no/such/ca"}, {})

    def test_nothing_at_all(self, home: Path) -> None:
        with pytest.raises(ConfigError, match="No cluster to talk to"):
            resolve({}, {})


class TestKubeconfig:
    def test_token_and_context(self, home: Path) -> None:
        path = written(home, config())

        settings = resolve({"kubeconfig": path}, {})
        second = resolve({"kubeconfig": path, "context": "two"}, {})

        assert (settings.host, settings.token, settings.namespace) == (SERVER, "t0ken", None)
        assert second.namespace == "second"
        assert path in settings.origin and "one" in settings.origin

    def test_the_default_place_and_the_variable(self, home: Path) -> None:
        (home / ".kube").mkdir()
        written(home / ".kube", config())

        assert resolve({}, {}).host == SERVER
        assert resolve({}, {"KUBECONFIG": written(home, config(cluster={"server": "https://b"}))}).host == "https://b"

    def test_name_and_password(self, home: Path) -> None:
        settings = resolve({"kubeconfig": written(home, config({"username": "u", "password": "p"}))}, {})

        assert (settings.basic, settings.beyond) == ("dTpw", "")

    @pytest.mark.parametrize("mine", [{"api_key": "k"}, {"username": "u", "password": "p"}])
    def test_credentials_of_the_options_win_over_a_plugin(self, home: Path, mine: Json) -> None:
        settings = resolve({"kubeconfig": written(home, config({"exec": {"command": "aws"}})), **mine}, {})

        assert (settings.login, settings.beyond) == (None, "")

    def test_an_impersonation_of_the_options_replaces_that_of_the_file(self, home: Path) -> None:
        path = written(home, config({"token": "t", "as": "alice", "as-groups": ["a"]}))

        assert resolve({"kubeconfig": path}, {}).headers == [("Impersonate-User", "alice"), ("Impersonate-Group", "a")]
        assert resolve({"kubeconfig": path, "impersonate_user": "bob"}, {}).headers == [("Impersonate-User", "bob")]

    def test_a_token_file_beside_the_second_file(self, home: Path) -> None:
        (home / "other").mkdir()
        first = written(home, {"current-context": "one"}, "first")
        second = written(home / "other", config({"tokenFile": "token"}))

        settings = resolve({"kubeconfig": f"{first}{os.pathsep}{second}"}, {})

        assert settings.token_file == str(home / "other" / "token")

    def test_as_a_dictionary(self) -> None:
        assert resolve({"kubeconfig": config()}, {}).token == "t0ken"

    def test_several_files_the_first_wins(self, home: Path) -> None:
        first = written(home, {"current-context": "two"}, "first")
        second = written(home, config(), "second")

        assert resolve({"kubeconfig": f"{first}{os.pathsep}{second}"}, {}).namespace == "second"

    def test_material_inline_and_in_files_beside_it(self, home: Path) -> None:
        (home / "client.crt").write_text("CRT")
        (home / "client.key").write_text("KEY")
        user = {"client-certificate": "client.crt", "client-key": "client.key"}
        cluster = {"certificate-authority-data": base64.b64encode(b"CA").decode(), "tls-server-name": "other"}

        settings = resolve({"kubeconfig": written(home, config(user, cluster))}, {})

        assert (settings.ca, settings.client_cert, settings.client_key) == ("CA", "CRT", "KEY")
        assert settings.server_name == "other"

    def test_a_token_file_is_read_when_it_is_needed(self, home: Path) -> None:
        settings = resolve({"kubeconfig": written(home, config({"tokenFile": "token"}))}, {})

        assert settings.token is None and settings.token_file == str(home / "token")

    def test_impersonation_of_the_user_entry(self, home: Path) -> None:
        user = {"token": "t", "as": "bob", "as-groups": ["g"], "as-user-extra": {"k": ["v"]}}

        settings = resolve({"kubeconfig": written(home, config(user))}, {})

        assert settings.headers == [
            ("Impersonate-User", "bob"),
            ("Impersonate-Group", "g"),
            ("Impersonate-Extra-k", "v"),
        ]

    @pytest.mark.parametrize(
        ("user", "cluster"),
        [
            ({"exec": {"command": "aws"}}, {}),
            ({"auth-provider": {"name": "oidc"}}, {}),
            ({"token": "t"}, {"proxy-url": "http://proxy"}),
        ],
    )
    def test_what_needs_the_full_client(self, home: Path, user: Json, cluster: Json) -> None:
        assert resolve({"kubeconfig": written(home, config(user, cluster))}, {}).beyond

    def test_options_win_over_the_file(self, home: Path) -> None:
        settings = resolve({"kubeconfig": written(home, config()), "api_key": "mine", "validate_certs": False}, {})

        assert settings.token == "mine" and settings.verify is False

    @pytest.mark.parametrize(
        ("content", "context", "words"),
        [
            (config(), "three", "no context three; it has: broken, one, two"),
            (config(), "broken", "names the cluster gone"),
            ({**config(), "current-context": ""}, None, "sets no current-context"),
            ({**config(cluster={"certificate-authority-data": "a"})}, None, "not base64"),
        ],
    )
    def test_mistakes_are_told(self, home: Path, content: Json, context: str | None, words: str) -> None:
        with pytest.raises(ConfigError) as caught:
            resolve({"kubeconfig": written(home, content), "context": context}, {})
        assert words in caught.value.message

    @pytest.mark.parametrize(("text", "words"), [("a: [", "not YAML"), ("just text", "holds no kubeconfig")])
    def test_files_that_are_none(self, home: Path, text: str, words: str) -> None:
        (home / "config").write_text(text)
        with pytest.raises(ConfigError, match=words):
            resolve({"kubeconfig": str(home / "config")}, {})

    def test_a_file_that_is_not_there(self) -> None:
        with pytest.raises(ConfigError, match="does not exist"):
            resolve({"kubeconfig": "/no/such/config"}, {})


def test_inside_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("token", "t"), ("ca.crt", "CA"), ("namespace", "mine\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(_settings, "SERVICE_ACCOUNT", str(tmp_path))

    settings = resolve({}, {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"})

    assert settings.host == "https://[fd00::1]:6443"
    assert (settings.token_file, settings.ca, settings.namespace) == (str(tmp_path / "token"), "CA", "mine")
