# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a valid configuration is, as immutable values. Made only by `config.parse`."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcpops_broker.config.admin import AdminOptions
from mcpops_broker.config.auth import NO_AUTH, AuthOptions
from mcpops_broker.config.cluster import ClusterOptions
from mcpops_broker.config.credentials import ServerAuth, UserTokens
from mcpops_broker.config.limits import RateLimit
from mcpops_broker.config.policy import PolicyOptions
from mcpops_broker.config.seen import AuditOptions, TelemetryOptions
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.config.tool_guard import ToolGuardOptions
from mcpops_broker.config.watch import NO_FILES, Files
from mcpops_broker.net.guard import NO_MORE, Guard

MIB = 1024 * 1024

MAX_HEADERS = MIB
"""Bytes: the most that `limits.headers` can be set to."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that an upstream gets."""

    connect: float = 5.0
    """TCP and TLS."""
    first_byte: float = 120.0
    """From sending a request to the first byte of its answer."""
    idle: float = 300.0
    """Between two parts of an answer that has begun; streams of notifications may be silent for any time."""
    total: float = 600.0
    """From sending a request to the end of its answer, however it streams."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep one client or one upstream from taking everything. Per worker; sizes are bytes."""

    body: int = 5 * MIB
    headers: int = 64 * 1024
    response: int = 16 * MIB
    requests: int = 1000
    """Requests in flight; one more is answered 503."""
    calls_per_upstream: int = 200
    """Calls in flight to one upstream; one more is refused, so a hanging upstream cannot use up `requests`."""
    connections: int = 16_384
    """Open connections of clients. The one idle longest makes room; when none is idle a new one is refused."""
    batch: int = 50
    streams: int = 5000
    """Open notification streams (GET)."""
    sessions: int = 20_000
    """Sessions kept in memory; the one idle longest makes room. It is not lost, its upstream sessions are."""


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """Our own keys: the mapping `broker` of the file."""

    instructions: str | None = None
    page_size: int = 1000
    """Tools in one page of tools/list. Large, because many clients read only the first page."""
    check_interval: float = 60.0
    """Seconds between two listings of an upstream's tools, and the longest wait between two attempts to connect."""
    session_length: float = 86_400.0
    """Seconds that a session id is valid, as in the operator's broker (1440 minutes)."""
    session_idle: float = 1800.0
    """Seconds after which an unused session's upstream sessions are closed. The session itself stays valid."""
    drain: float = 20.0
    """Seconds that requests in flight get to end after SIGTERM. Less than Kubernetes' 30 s grace period."""
    allowed_origins: tuple[str, ...] = ()
    """Values of the Origin header that are accepted beside loopback and the public host; "*" accepts any."""
    allowed_hosts: tuple[str, ...] = ()
    """Values of the Host header, without port, that are accepted beside addresses, localhost and the public host; "*"
    accepts any. Empty: any, unless only this machine reaches the broker."""
    signing_key: str | None = field(default=None, repr=False)
    """Seals new session ids."""
    signing_keys: tuple[str, ...] = field(default=(), repr=False)
    """Others whose session ids are accepted, too: while the key is changed, the one before or after."""
    trusted_header_key: str | None = None
    """PEM of the public key with which `x-mcp-authorized` is checked."""
    enforce_capability_filtering: bool = False
    """Whether a request without `x-mcp-authorized` sees nothing."""
    discovery_tools: bool = False
    """Whether clients with sessions are offered tools to find and choose among the others."""
    discovery_threshold: int = 0
    """Number of tools above which they are offered only those until they choose; 0: no limit."""
    rate_limits: tuple[RateLimit, ...] = ()
    user_tokens: UserTokens | None = None
    upstream_addresses: Guard = NO_MORE
    """What addresses the names of upstreams, and of their authorization servers, may stand for."""
    store: StoreOptions = field(default_factory=StoreOptions)
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    admin: AdminOptions = field(default_factory=AdminOptions)
    ui: bool = True
    """Whether the page for people is served."""
    policy: PolicyOptions | None = None
    """Who may use what; None: everything is allowed."""
    tool_guard: ToolGuardOptions | None = None
    """What is done with definitions of tools that have changed or look odd; None: nothing."""
    telemetry: TelemetryOptions = field(default_factory=TelemetryOptions)
    audit: AuditOptions = field(default_factory=AuditOptions)
    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    auth: AuthOptions = NO_AUTH


@dataclass(frozen=True, slots=True)
class Server:
    """One upstream MCP server (an element of `servers`)."""

    name: str
    """Identity, `namespace/registration` when the operator wrote the file."""
    url: str
    prefix: str = ""
    hostname: str = ""
    enabled: bool = True
    credential: str | None = field(default=None, repr=False)
    """The whole value of the Authorization header sent to this upstream. Never logged or shown."""
    auth: ServerAuth | None = None
    """What it is asked with instead, or for users."""
    protocol: str = "auto"
    """Era of MCP that is spoken: `session` (2025-11-25 and earlier), `stateless` (2026-07-28), or `auto`: found out."""
    ca_cert: str | None = field(default=None, repr=False)
    """PEM of authorities trusted for this upstream beside the system's."""
    foreign: bool = False
    """Whether somebody else than the author of the configuration gave its address: an object of the cluster. Then it
    must not be the broker's own machine."""
    user_specific: bool = False
    """Whether it offers each user something else: then it is asked with the authorization of each client."""
    categories: tuple[str, ...] = field(default=(), compare=False)
    """What clients are told of the server when they look for tools. It does not matter to connections, so that a
    change of it leaves them alone."""
    hint: str = field(default="", compare=False)
    tags: tuple[str, ...] = field(default=(), compare=False)

    @property
    def id(self) -> str:
        """The operator's id of a server."""
        return f"{self.name}:{self.prefix}:{self.hostname}"


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """A named subset of the catalogue (an element of `virtualServers`), by full, prefixed names."""

    name: str
    tools: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    """Empty: all prompts, as in the operator's broker."""


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file. `warnings` are sentences about keys that have no effect here."""

    servers: tuple[Server, ...] = ()
    virtual_servers: tuple[VirtualServer, ...] = ()
    broker: BrokerOptions = BrokerOptions()
    ca_bundle: str | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = ()
    files: Files = field(default_factory=lambda: NO_FILES, compare=False)
    """The files with secrets that it names."""
