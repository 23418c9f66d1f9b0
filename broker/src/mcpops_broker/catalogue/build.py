# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From the upstreams as they are now to the catalogue; what did not change since the last time is used again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcpops_broker import logs
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.guard import Finding, ToolGuard
from mcpops_broker.catalogue.source import OWN, Definition, Source
from mcpops_broker.catalogue.view import Listings
from mcpops_broker.config.model import Config
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import Listing
from mcpops_broker.upstream.upstream import Upstream


class Builder:
    """Builds the catalogues of one broker. `head` begins every list for clients without sessions."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._sources: dict[str, tuple[Listing, Source]] = {}
        self._guard = ToolGuard(None)
        self._hidden: dict[str, int] = {}

    def build(
        self, upstreams: Iterable[Upstream], own: list[Definition], config: Config, guard: ToolGuard
    ) -> Catalogue:
        """Merge what the upstreams offer and the guard lets through, in the order of the configuration; `own` are the
        broker's tools."""
        if guard is not self._guard:
            self._guard = guard
            self._sources.clear()
        self._sources = {upstream.server.name: self._source(upstream) for upstream in upstreams}
        sources = [source for _, source in self._sources.values()]
        if own:
            sources.insert(0, Source(OWN, "", {Kind.TOOLS: own}))
        settings = config.broker
        listings = Listings(
            settings.page_size,
            ttl=round(settings.check_interval * 1000),
            head=self._head,
            most_tools=settings.discovery_threshold,
            rules=settings.policy.fingerprint() if settings.policy is not None else "",
        )
        catalogue = Catalogue(sources, config.virtual_servers, listings)
        self._report(catalogue)
        return catalogue

    def _source(self, upstream: Upstream) -> tuple[Listing, Source]:
        """Return what an upstream contributes, made anew only when its list is another one."""
        server, listed = upstream.server, upstream.listed
        known = self._sources.get(server.name)
        personal = server.user_specific and server.enabled
        if known is not None and known[0] is listed and known[1].made_for(server.prefix, personal):
            return known
        kept: dict[Kind, list[Definition]] = {}
        findings: list[Finding] = []
        for kind in Kind:
            kept[kind], found = self._guard.sort_out(server.name, kind, listed.items(kind))
            findings += found
        findings += self._guard.instructions(upstream.peer.instructions if upstream.peer is not None else None)
        self._report_findings(server.name, findings, known[1].findings if known is not None else ())
        source = Source(
            server.name,
            server.prefix,
            kept,
            resources=Kind.RESOURCES in listed.kinds or personal,
            hints={kind: hint for kind in Kind if (hint := listed.hint(kind)) is not None},
            personal=personal,
            findings=findings,
        )
        return listed, source

    def _report_findings(self, server: str, findings: list[Finding], before: Sequence[Finding]) -> None:
        """Log what the guard has found since the last time."""
        for finding in findings:
            if finding not in before:
                event = "guard.blocked" if finding.blocked else "guard.found"
                logs.warning(event, upstream=server, kind=finding.kind, name=finding.name, problem=finding.problem)

    def _report(self, catalogue: Catalogue) -> None:
        """Log one line for every upstream of which more is hidden than before; `/status` names each."""
        hidden = {name: len(conflicts) for name, conflicts in catalogue.conflicts.items()}
        for name, count in hidden.items():
            if count > self._hidden.get(name, 0):
                logs.warning("conflict", upstream=name, hidden=count, problem=str(catalogue.conflicts[name][-1]))
        self._hidden = hidden
