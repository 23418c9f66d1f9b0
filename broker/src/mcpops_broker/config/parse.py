# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From the text of `config.yaml` to a `Config`: the operator's schema as it is, our own keys beside it.

The operator (Kuadrant mcp-gateway) writes `servers`, `virtualServers`, `gatewayCACertPEM` and
`globalGuardrails`; 0.6.0 says `toolPrefix` and `enabled` where later versions say `prefix` and `state`. Keys of the
operator that we do not know are warnings, so that a newer operator does not stop the broker; a wrong value of a
known key, or an unknown key under `broker`, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import yaml

from mcpops_broker.access.token import BadKeyError, Verifier
from mcpops_broker.config.admin import parse_admin
from mcpops_broker.config.auth import parse_auth
from mcpops_broker.config.cluster import parse_cluster
from mcpops_broker.config.credentials import parse_addresses, parse_server_auth, parse_user_tokens
from mcpops_broker.config.fields import TOP, Fields
from mcpops_broker.config.limits import parse_rate_limits
from mcpops_broker.config.load_yaml import TooLargeError, load_yaml
from mcpops_broker.config.model import MAX_HEADERS, BrokerOptions, Config, Limits, Server, Timeouts, VirtualServer
from mcpops_broker.config.pem import pem
from mcpops_broker.config.policy import parse_policy
from mcpops_broker.config.secrets import files_read, secret, spellings
from mcpops_broker.config.seen import parse_audit, parse_telemetry
from mcpops_broker.config.store import parse_store
from mcpops_broker.config.tool_guard import parse_tool_guard
from mcpops_broker.config.watch import NO_FILES, Files

MOST_PROBLEMS = 50
"""Problems of a file that are told."""
MIN_KEY_BYTES = 32
"""Shortest signing key, as in the operator's broker."""

_TOP_KEYS = {"servers", "virtualServers", "gatewayCACertPEM", "globalGuardrails", "broker"}
_SERVER_KEYS = {
    "name", "url", "hostname", "prefix", "toolPrefix", "state", "enabled", *spellings("credential"), "caCert",
    "tokenURLElicitation", "userSpecificList", "category", "hint", "tags", "guardrailsConfigIDs", "auth",
    "protocol",
}  # fmt: skip
_WITHOUT_EFFECT = {
    "guardrailsConfigIDs": "no guardrail is enforced",
}
_BROKER_KEYS = {
    *spellings("signingKey"), "instructions", "pageSize", "checkInterval", "sessionLength", "sessionIdle",
    "drain", "allowedOrigins", "allowedHosts", "trustedHeaderKey", "enforceCapabilityFiltering", "discoveryTools",
    "discoveryToolThreshold", "rateLimits", "store", "timeouts", "limits", "admin", "ui", "policy", "toolGuard",
    "telemetry", "audit", "cluster", "userTokens", "upstreamAddresses", "auth", "signingKeys",
}  # fmt: skip
_TIMEOUT_KEYS = {"connect", "firstByte", "idle", "total"}
_PROTOCOLS = ("auto", "session", "stateless")
_LIMIT_KEYS = {
    "body", "headers", "response", "requests", "callsPerUpstream", "connections", "batch", "streams", "sessions",
}  # fmt: skip
_PREFIX = re.compile(r"[A-Za-z0-9_.-]*\Z")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*\Z")


class ConfigError(ValueError):
    """The file cannot be used. `problems` are sentences, not more than can be read; the message joins them. `files` are
    the files with secrets that were looked for, and what they looked like."""

    def __init__(self, problems: list[str], files: Files = NO_FILES) -> None:
        if len(problems) > MOST_PROBLEMS:
            problems = [*problems[:MOST_PROBLEMS], f"and {len(problems) - MOST_PROBLEMS} more problems"]
        super().__init__("; ".join(problems))
        self.problems = problems
        self.files = files


def parse(text: str | bytes) -> Config:
    """Read the text of a configuration file; raise `ConfigError` with everything that is wrong with it."""
    try:
        document = load_yaml(text)
    except TooLargeError as error:
        raise ConfigError([f"the file {error}"]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError([f"the file is not valid YAML: {_yaml_problem(error)}"]) from None
    except Exception:  # PyYAML lets out whatever reading a date, a number or a tagged value raises
        why = "a value cannot be read as what it looks like (a number, a date, ...); put it in quotes"
        raise ConfigError([f"the file is not valid YAML: {why}"]) from None
    return from_document(document)


def from_document(document: Any) -> Config:
    """Read a configuration that was parsed already; raise `ConfigError` with everything that is wrong with it."""
    problems: list[str] = []
    warnings: list[str] = []
    top = Fields(TOP, document, problems)
    warnings += [f"key '{key}' is not known and has no effect" for key in top.unknown(_TOP_KEYS)]
    if top.has("globalGuardrails"):
        warnings.append("key 'globalGuardrails' has no effect here: no guardrail is enforced")
    with files_read() as files:
        broker = _broker(top.inside("broker"))
        config = Config(
            servers=tuple(_servers(top, warnings, asks_users=broker.user_tokens is not None)),
            virtual_servers=tuple(_virtual_servers(top)),
            broker=broker,
            ca_bundle=pem(top, "gatewayCACertPEM"),
            warnings=tuple(warnings),
            files=files,
        )
    if problems:
        raise ConfigError(problems, files)
    return config


def _servers(top: Fields, warnings: list[str], *, asks_users: bool) -> Iterator[Server]:
    seen: set[str] = set()
    personal: dict[str, str] = {}
    for fields in top.elements("servers"):
        name = fields.text("name")
        if name:
            fields.place += f" ({name})"
        else:
            fields.problem("name", fields.raw("name"), "every server needs a name")
        if name in seen:
            fields.problem("name", name, "another server has this name; names must be unique")
        seen.add(name)
        for key in fields.unknown(_SERVER_KEYS):
            warnings.append(f"{fields.place}: key '{key}' is not known and has no effect")
        for key, effect in _WITHOUT_EFFECT.items():
            if fields.raw(key) not in (None, False, "Disabled", [], {}, {"url": ""}):
                warnings.append(f"{fields.place}: key '{key}' has no effect here: {effect}")
        prefix, user_specific = _prefix(fields), _user_specific(fields)
        if user_specific and (owner := personal.setdefault(prefix, name)) != name:
            must = f"{owner} with 'userSpecificList' has this prefix, too, so calls could not tell them apart"
            fields.problem("prefix", prefix, must)
        yield Server(
            name=name,
            url=_url(fields),
            prefix=prefix,
            hostname=fields.text("hostname"),
            enabled=_enabled(fields),
            credential=_credential(fields),
            ca_cert=pem(fields, "caCert"),
            auth=parse_server_auth(fields, warnings, asks_users=asks_users),
            protocol=_protocol(fields),
            user_specific=user_specific,
            categories=fields.texts("category"),
            hint=fields.text("hint"),
            tags=fields.texts("tags"),
        )


def _url(fields: Fields) -> str:
    url = fields.text("url")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not match
        valid = False
    if not valid or re.search(r"[\x00-\x20\x7f]", url):
        fields.problem(
            "url", url, "it must be an http:// or https:// address with a host, such as http://host:9090/mcp"
        )
    elif "@" in parts.netloc:
        fields.problem("url", "(not shown)", "it holds a user name or password; put it into 'credential' instead")
    return url


def _prefix(fields: Fields) -> str:
    new, old = fields.text("prefix"), fields.text("toolPrefix")
    if new and old and new != old:
        fields.problem("toolPrefix", old, f"'prefix' says {new!r}; give one of the two")
    prefix = new or old
    if not _PREFIX.match(prefix) or len(prefix) > 64:
        fields.problem("prefix", prefix, "it must be at most 64 letters, digits and _ - . as in names of tools")
    return prefix


def _enabled(fields: Fields) -> bool:
    enabled, state = fields.switch("enabled", True), fields.switch("state", True)
    if fields.has("enabled") and fields.has("state") and enabled != state:
        fields.problem("enabled", fields.raw("enabled"), f"'state' says {fields.raw('state')!r}; give one of the two")
    return enabled and state


def _user_specific(fields: Fields) -> bool:
    user_specific = fields.switch("userSpecificList", False)
    if user_specific and not (fields.text("prefix") or fields.text("toolPrefix")):
        fields.problem("userSpecificList", True, "it needs a 'prefix', by which calls find the server")
    return user_specific


def _credential(fields: Fields) -> str | None:
    credential = secret(fields, "credential")
    if credential is not None and not _HEADER_VALUE.match(credential):
        fields.secret_problem(
            "credential", "it holds a line break or control character, which no HTTP header can carry"
        )
        return None
    return credential


def _protocol(fields: Fields) -> str:
    protocol = fields.text("protocol") or "auto"
    if protocol not in _PROTOCOLS:
        fields.problem("protocol", protocol, f"it must be one of {', '.join(_PROTOCOLS)}")
    return protocol


def _public_key(fields: Fields, key: str) -> str | None:
    pem = fields.optional_text(key)
    if pem:
        try:
            Verifier(pem)
        except BadKeyError as error:
            fields.problem(key, pem.partition("\n")[0], str(error))
    return pem


def _virtual_servers(top: Fields) -> Iterator[VirtualServer]:
    seen: set[str] = set()
    for fields in top.elements("virtualServers"):
        name = fields.text("name")
        if not name or name in seen:
            fields.problem("name", name, "every virtual server needs a name, and no other may have the same")
        seen.add(name)
        yield VirtualServer(name, frozenset(fields.texts("tools")), frozenset(fields.texts("prompts")))


def _broker(fields: Fields) -> BrokerOptions:
    default, limits, timeouts = BrokerOptions(), Limits(), Timeouts()
    fields.refuse_unknown(_BROKER_KEYS)
    times = fields.inside("timeouts")
    times.refuse_unknown(_TIMEOUT_KEYS)
    bounds = fields.inside("limits")
    bounds.refuse_unknown(_LIMIT_KEYS)
    signing_key, signing_keys = _signing_keys(fields)
    many = 1_000_000
    size = 1 << 30
    return BrokerOptions(
        instructions=fields.optional_text("instructions"),
        page_size=fields.integer("pageSize", default.page_size, low=1, high=100_000),
        check_interval=fields.number("checkInterval", default.check_interval, low=0.1, high=86_400),
        session_length=fields.number("sessionLength", default.session_length, low=1, high=365 * 86_400),
        session_idle=fields.number("sessionIdle", default.session_idle, low=1, high=86_400),
        drain=fields.number("drain", default.drain, low=0, high=3600),
        allowed_origins=fields.texts("allowedOrigins"),
        allowed_hosts=fields.texts("allowedHosts"),
        signing_key=signing_key,
        user_tokens=parse_user_tokens(fields),
        upstream_addresses=parse_addresses(fields),
        signing_keys=signing_keys,
        trusted_header_key=_public_key(fields, "trustedHeaderKey"),
        enforce_capability_filtering=fields.switch("enforceCapabilityFiltering", default.enforce_capability_filtering),
        discovery_tools=fields.switch("discoveryTools", default.discovery_tools),
        discovery_threshold=fields.integer("discoveryToolThreshold", default.discovery_threshold, low=0, high=many),
        rate_limits=parse_rate_limits(fields),
        store=parse_store(fields.inside("store")),
        auth=parse_auth(fields.inside("auth")),
        timeouts=Timeouts(
            connect=times.number("connect", timeouts.connect, low=0.01, high=600),
            first_byte=times.number("firstByte", timeouts.first_byte, low=0.01, high=86_400),
            idle=times.number("idle", timeouts.idle, low=0.01, high=86_400),
            total=times.number("total", timeouts.total, low=0.01, high=86_400),
        ),
        limits=Limits(
            body=bounds.integer("body", limits.body, low=1024, high=size),
            headers=bounds.integer("headers", limits.headers, low=1024, high=MAX_HEADERS),
            response=bounds.integer("response", limits.response, low=1024, high=size),
            requests=bounds.integer("requests", limits.requests, low=1, high=many),
            calls_per_upstream=bounds.integer("callsPerUpstream", limits.calls_per_upstream, low=1, high=many),
            connections=bounds.integer("connections", limits.connections, low=1, high=many),
            batch=bounds.integer("batch", limits.batch, low=1, high=10_000),
            streams=bounds.integer("streams", limits.streams, low=0, high=many),
            sessions=bounds.integer("sessions", limits.sessions, low=1, high=many),
        ),
        admin=parse_admin(fields.inside("admin")),
        ui=fields.switch("ui", default.ui),
        policy=parse_policy(fields),
        tool_guard=parse_tool_guard(fields),
        telemetry=parse_telemetry(fields.inside("telemetry")),
        audit=parse_audit(fields.inside("audit")),
        cluster=parse_cluster(fields.inside("cluster")),
    )


def _signing_keys(fields: Fields) -> tuple[str | None, tuple[str, ...]]:
    """Return the key of new session ids, and the other ones whose ids are accepted, too."""
    keys = {"signingKey": secret(fields, "signingKey")}
    for index, item in enumerate(fields.items("signingKeys")):
        one = Fields(f"{fields.place}.signingKeys[{index}]", item if isinstance(item, dict) else {}, fields.problems)
        one.refuse_unknown(spellings("key"))
        keys[f"signingKeys[{index}]"] = key = secret(one, "key")
        if key is None:
            fields.secret_problem(
                "signingKeys", f"every element must be one of {', '.join(spellings('key'))} and a value"
            )
    for name, key in keys.items():
        if key is not None and len(key.encode()) < MIN_KEY_BYTES:
            fields.secret_problem(name, f"it must be at least {MIN_KEY_BYTES} bytes long")
    newest = keys.pop("signingKey")
    return newest, tuple(key for key in keys.values() if key)


def _yaml_problem(error: Exception) -> str:
    """Say what and where without quoting the file: it holds credentials."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = error.problem or "syntax error"
        if isinstance(error, yaml.constructor.ConstructorError):  # says the tag, which may be the start of a password
            problem = "a value is not what it looks like or has a tag that is not known; put text in quotes"
        return f"{problem} (line {mark.line + 1}, column {mark.column + 1})"
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError | yaml.reader.ReaderError) else "syntax error"
