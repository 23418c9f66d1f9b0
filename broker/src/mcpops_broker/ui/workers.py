# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the page shows of all workers together, since any of them may answer, and what it makes all of them do."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.gather import Gather
from mcpops_broker.seen.live import LONGEST_NAME, RECENT
from mcpops_broker.sessions.capabilities import capabilities_of
from mcpops_broker.ui.history import History

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

Json = dict[str, Any]
SHOWN = 200
"""Sessions, and requests in flight, that are shown."""
_RECHECK, _END = "ui.recheck", "ui.end"


@dataclass(slots=True)
class SessionFacts:
    """A client session, as all workers know it together."""

    identity: str
    """32 hex digits. Not the session id, which nobody is shown."""
    who: str
    """Name of the principal."""
    version: str
    """The MCP revision."""
    born: float
    """Seconds since 1970."""
    last_used: float
    """Seconds since 1970 of its last request."""
    busy: int
    """Requests and streams in flight."""
    abilities: list[str]
    """What its client can be asked: elicitation, sampling, roots."""


@dataclass(slots=True)
class Facts:
    """All workers together."""

    workers: int
    missing: int
    """Workers that did not answer in time."""
    requests: int
    streams: int
    sessions: list[SessionFacts]
    """Those used last."""
    session_count: int
    """How many there are; with several workers at least so many."""
    calls: dict[str, int]
    """Calls in flight, by server."""
    refused: dict[str, int]
    """Requests that a rate limit refused, by its name."""
    in_flight: list[Json]
    """Requests that are being carried out, the oldest first: `method`, `name`, `upstream`, `principal`, `began`."""
    recent: list[Json]
    """Requests that have ended, the newest first (`seen.live`)."""
    histories: dict[str, History]
    """How fast servers answered, by server."""


class AllWorkers:
    """The workers of one broker, this one included."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._facts = Gather(broker.bus, "ui.facts", self._here)
        broker.bus.on(_RECHECK, lambda name, _: self._recheck(name))
        broker.bus.on(_END, lambda identity, _: self._end(identity))

    async def facts(self) -> Facts:
        """Ask all workers."""
        answers, missing = await self._facts.ask()
        sessions: dict[str, SessionFacts] = {}
        histories: dict[str, History] = {}
        now = time.time()
        for answer in answers:
            for one in answer["sessions"]:
                found = SessionFacts(**one)
                known = sessions.setdefault(found.identity, found)
                if known is not found:
                    known.who = known.who or found.who
                    known.last_used, known.busy = max(known.last_used, found.last_used), known.busy + found.busy
            for name, history in answer["servers"].items():
                histories.setdefault(name, History(now)).add(history["points"], history["samples"])
        return Facts(
            workers=len(answers) + missing,
            missing=missing,
            requests=sum(answer["requests"] for answer in answers),
            streams=sum(answer["streams"] for answer in answers),
            sessions=sorted(sessions.values(), key=lambda session: -session.last_used)[:SHOWN],
            session_count=max(len(sessions), *(answer["known"] for answer in answers)),
            calls=_sums(answer["calls"] for answer in answers),
            refused=_sums(answer["refused"] for answer in answers),
            in_flight=sorted(
                (call for answer in answers for call in answer["inFlight"]), key=lambda call: call["began"]
            ),
            recent=heapq.nlargest(
                RECENT, (call for answer in answers for call in answer["recent"]), key=lambda call: call["ended"]
            ),
            histories=histories,
        )

    def recheck(self, name: str) -> bool:
        """Have all workers look at a server now; False when there is none of this name."""
        if name not in self._broker.upstreams:
            return False
        self._note("recheck", server=name)
        self._recheck(name)
        self._broker.bus.send(_RECHECK, name)
        return True

    def end_session(self, identity: str) -> None:
        """End a client session, whichever workers know it."""
        self._note("end-session", session=identity)
        self._end(identity)
        self._broker.bus.send(_END, identity)

    def _note(self, act: str, **values: str) -> None:
        logs.info(f"admin.{act}", **values)
        self._broker.telemetry.audit("admin", act=act, **values)

    def _here(self) -> Json:
        broker, clocks = self._broker, time.time() - time.monotonic()
        known = broker.sessions.known()
        return {
            "sessions": [
                {
                    "identity": session.key.identity,
                    "who": session.who,
                    "version": session.key.version,
                    "born": session.key.born,
                    "last_used": session.used + clocks,
                    "busy": session.busy,
                    "abilities": sorted(capabilities_of(session.key.flags)),
                }
                for session in sorted(known, key=lambda session: session.used, reverse=True)[:SHOWN]
            ],
            "known": len(known),
            "inFlight": [
                {
                    "method": record.method[:LONGEST_NAME],
                    "name": record.name[:LONGEST_NAME],
                    "upstream": record.upstream,
                    "principal": record.principal.name,
                    "began": time.time() - record.seconds,
                }
                for record in sorted(broker.observers.open, key=lambda record: record.began)[:SHOWN]
                if record.name
            ],
            "refused": broker.rate_limits.refused,
            "recent": broker.telemetry.live.recent(),
            "servers": broker.telemetry.live.servers(),
            "calls": {name: upstream.active for name, upstream in broker.upstreams.items() if upstream.active},
            "requests": broker.requests,
            "streams": len(broker.streams) + len(broker.subscriptions),
        }

    def _recheck(self, name: str) -> None:
        if (upstream := self._broker.upstreams.get(name)) is not None:
            upstream.refresh()

    def _end(self, identity: str) -> None:
        for session in self._broker.sessions.known():
            if session.key.identity == identity:
                self._broker.end_session(session.id)


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up what workers have counted."""
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
