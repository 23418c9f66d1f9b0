# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Where the API server is and how to speak to it: from options, ``K8S_AUTH_*``, kubeconfig or the pod we run in.

Precedence is that of kubernetes.core, so that credentials of AWX and AAP work unchanged. Settings that
need more than TLS and a token, password or certificate (exec plugins, OIDC, proxies) are named in
:attr:`Settings.beyond` and left to the full Kubernetes client.
"""

from __future__ import annotations

import base64
import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import (
    AUTH_ARG_MAP,
    AUTH_ARG_SPEC,
    AUTH_PROXY_HEADERS_SPEC,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ConfigError
from ansible_collections.mcpops.gateway.plugins.module_utils._kubeconfig import Kubeconfig
from ansible_collections.mcpops.gateway.plugins.module_utils._proxy import Proxy, choose_proxy

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SHORTEST_SECRET = 8
FALSE_WORDS = ("0", "false", "no")


@dataclass
class Login:
    """Credentials that only the Kubernetes client can get: from ``exec`` or ``auth-provider`` of a kubeconfig.

    ``kubeconfig`` is one path, several joined by ``os.pathsep``, or the content. With ``persist`` it may write back
    what it renewed.
    """

    kubeconfig: str | dict[str, t.Any]
    context: str | None = None
    persist: bool = False


@dataclass
class Settings:
    """One API server and one identity.

    ``ca``, ``client_cert`` and ``client_key`` hold PEM text, ``token_file`` a path read again for every request,
    ``basic`` user name and password as HTTP sends them.
    ``beyond`` names what the light transport cannot do: ``login`` and ``proxy``.
    """

    host: str = ""
    token: str | None = None
    token_file: str | None = None
    basic: str = ""
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify: bool = True
    server_name: str | None = None
    namespace: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    origin: str = ""
    beyond: str = ""
    login: Login | None = None
    proxy: Proxy | None = None


def auth_values(params: t.Mapping[str, t.Any], env: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The auth options by option name: as given to the module, else from ``K8S_AUTH_<NAME>`` or its older alias."""
    values: dict[str, t.Any] = {}
    names = {**{name: name for name in AUTH_ARG_SPEC}, **{arg: true for true, arg in AUTH_ARG_MAP.items()}}
    for name, alias in names.items():
        value = params.get(name)
        if value is None and name == "proxy_headers":
            value = {
                key: env[f"K8S_AUTH_PROXY_HEADERS_{key.upper()}"]
                for key in AUTH_PROXY_HEADERS_SPEC
                if f"K8S_AUTH_PROXY_HEADERS_{key.upper()}" in env
            } or None
        elif value is None:
            value = env.get(f"K8S_AUTH_{name.upper()}") or env.get(f"K8S_AUTH_{alias.upper()}") or None
            if value is not None and AUTH_ARG_SPEC[name].get("type") == "bool":
                value = value.lower() not in FALSE_WORDS
            elif value is not None and AUTH_ARG_SPEC[name].get("type") == "list":
                value = [item for item in value.split(",") if item]
        if value not in (None, "", [], {}):
            values[name] = value
    return values


def resolve(params: t.Mapping[str, t.Any], env: t.Mapping[str, str] | None = None) -> Settings:
    """The settings that the options, the environment and the files together give.

    Raises ConfigError when there are none or a named file cannot be used.
    """
    env = os.environ if env is None else env
    auth = auth_values(params, env)
    settings = _base(auth, env)
    if "host" in auth:
        settings.host = str(auth["host"])
        settings.origin = settings.origin or "the option or variable for the host"
    if not settings.host:
        raise ConfigError(
            "No cluster to talk to was found: there is no kubeconfig, no K8S_AUTH_HOST and no service account; "
            "set the option kubeconfig, or host with api_key, or the variables K8S_AUTH_KUBECONFIG or K8S_AUTH_HOST "
            "with K8S_AUTH_API_KEY."
        )
    settings.host = settings.host.rstrip("/")
    if "://" not in settings.host:
        settings.host = "https://" + settings.host
    if "api_key" in auth:
        _use(settings, token=str(auth["api_key"]))
    elif "username" in auth and "password" in auth:
        _use(settings, basic=_basic(auth["username"], auth["password"]))
    if "validate_certs" in auth:
        settings.verify = bool(auth["validate_certs"])
    for option, attribute in (("ca_cert", "ca"), ("client_cert", "client_cert"), ("client_key", "client_key")):
        if option in auth:
            setattr(settings, attribute, _read(str(auth[option]), f"the option {option}"))
    settings.proxy, through = choose_proxy(settings.host, auth, env, settings.proxy)
    settings.beyond = settings.beyond or through
    if "impersonate_user" in auth or "impersonate_groups" in auth:
        settings.headers = []  # somebody else than the kubeconfig says
    if "impersonate_user" in auth:
        settings.headers.append(("Impersonate-User", str(auth["impersonate_user"])))
    settings.headers += [("Impersonate-Group", str(group)) for group in auth.get("impersonate_groups", ())]
    return settings


def _base(auth: t.Mapping[str, t.Any], env: t.Mapping[str, str]) -> Settings:
    enough = any(
        all(auth.get(name) for name in names)
        for names in (("host", "username", "password"), ("host", "api_key"), ("host", "client_cert", "client_key"))
    )
    if enough:
        return Settings()
    if auth.get("kubeconfig") or auth.get("context"):
        return _from_kubeconfig(auth, env)
    if env.get("KUBERNETES_SERVICE_HOST") and os.path.isfile(f"{SERVICE_ACCOUNT}/token"):
        return _in_cluster(env)
    if "host" in auth and not _default_files(env):
        return Settings()
    return _from_kubeconfig(auth, env)


def _default_files(env: t.Mapping[str, str]) -> list[str]:
    named = env.get("KUBECONFIG", "")
    candidates = [part for part in named.split(os.pathsep) if part] or [os.path.expanduser("~/.kube/config")]
    return [path for path in map(os.path.expanduser, candidates) if os.path.isfile(path)]


def _from_kubeconfig(auth: t.Mapping[str, t.Any], env: t.Mapping[str, str]) -> Settings:
    source = auth.get("kubeconfig")
    if source is None:
        files = _default_files(env)
        if not files and not auth.get("context"):
            return Settings()
        source = os.pathsep.join(files)
    config = Kubeconfig.load(source)
    cluster, user, context = config.select(auth.get("context"))
    settings = Settings(
        host=str(cluster.get("server") or ""),
        ca=config.material(cluster, "certificate-authority"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
        server_name=cluster.get("tls-server-name"),
        token=user.get("token"),
        token_file=config.path(user["tokenFile"], user) if user.get("tokenFile") and not user.get("token") else None,
        client_cert=config.material(user, "client-certificate"),
        client_key=config.material(user, "client-key"),
        namespace=context.get("namespace"),
        origin=f"the context {config.context_name(auth.get('context'))} of {config.origin}",
    )
    settings.headers += _impersonation(user)
    way = next((key for key in ("auth-provider", "exec") if user.get(key)), "")
    if settings.token or settings.token_file:
        pass
    elif way:
        settings.beyond = f"{way} in {config.origin}"
        settings.login = Login(
            source, config.context_name(auth.get("context")) or None, bool(auth.get("persist_config"))
        )
    elif user.get("username") and user.get("password"):
        settings.basic = _basic(user["username"], user["password"])
    if cluster.get("proxy-url"):
        settings.proxy = Proxy(str(cluster["proxy-url"]))
    return settings


def _use(settings: Settings, *, token: str | None = None, basic: str = "") -> None:
    """These credentials instead of those of a kubeconfig or service account."""
    settings.token, settings.basic = token, basic
    settings.token_file = settings.login = None
    settings.beyond = ""


def _basic(username: t.Any, password: t.Any) -> str:
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def _impersonation(user: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    headers = [("Impersonate-User", str(user["as"]))] if user.get("as") else []
    if user.get("as-uid"):
        headers.append(("Impersonate-Uid", str(user["as-uid"])))
    headers += [("Impersonate-Group", str(group)) for group in user.get("as-groups") or ()]
    for key, extra in (user.get("as-user-extra") or {}).items():
        headers += [(f"Impersonate-Extra-{key}", str(value)) for value in extra]
    return headers


def _in_cluster(env: t.Mapping[str, str]) -> Settings:
    address = env["KUBERNETES_SERVICE_HOST"]
    host = f"[{address}]" if ":" in address else address
    namespace_file = f"{SERVICE_ACCOUNT}/namespace"
    return Settings(
        host=f"https://{host}:{env.get('KUBERNETES_SERVICE_PORT', '443')}",
        token_file=f"{SERVICE_ACCOUNT}/token",
        ca=_read(f"{SERVICE_ACCOUNT}/ca.crt", "the service account"),
        namespace=_read(namespace_file, "the service account").strip() if os.path.isfile(namespace_file) else None,
        origin="the service account of this pod",
    )


def _read(path: str, asked_by: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"The file {path} named by {asked_by} cannot be read: {why}.") from error


def secrets_of(settings: Settings) -> set[str]:
    """Values that must never be shown. Shorter ones are no secrets, and hiding them would spoil every message."""
    proxy = settings.proxy.password if settings.proxy else ""
    given = (settings.token, settings.client_key, settings.basic, _password(settings), proxy)
    found = {value for value in given if value and len(value) >= SHORTEST_SECRET}
    return found | {base64.b64encode(value.encode()).decode() for value in found}


def _password(settings: Settings) -> str:
    return base64.b64decode(settings.basic).decode().partition(":")[2]
