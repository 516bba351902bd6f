"""What the venue says of each ArbMarket's market, asked in the background and remembered.

`observe.py` reads what is known with `Resolver.look`, which never waits; the reconcile queue is woken by `changed` when there is news.
However many ArbMarkets name a market it is asked for once, at most so many markets a second are asked for, and a market that the venue
does not know is asked for ever more seldom. While the venue is unwell nobody is asked for, but for a try now and then.

What discovery confirmed is handed in with `learn`, and what an earlier operator wrote into the status is believed until its turn comes:
neither a round nor a restart asks for every market anew.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.feed.backoff import Backoff
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.reader import Reader
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.conditions import Reason
from kabobagool_operator.facts import Resolution, Resolved, Unresolved
from kabobagool_operator.resolution import (
    DOUBTFUL,
    Way,
    facts_of,
    is_about_the_venue,
    remembered,
    verdict_on,
    verdict_on_error,
    way_of,
    ways_to,
)
from kabobagool_operator.workqueue import TIMER_RESOLUTION_S, WorkQueue
from kabobagool_operator.write_rate import WriteRate

WORKERS: Final = 8
LOOKS_PER_SECOND: Final = 20
"""The venue's catalogue allows 30 requests a second to everybody who shares our address."""
RECHECK_S: Final = 600.0
"""Whether it still trades; the bot itself learns of the end much sooner."""
BELIEVED_S: Final = 1800.0
"""So long a market stays resolved while the venue cannot be asked about it."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 900.0
VENUE_PAUSE_S: Final = 1.0
LONGEST_VENUE_PAUSE_S: Final = 60.0
JITTER: Final = 0.2


@dataclass(slots=True)
class _Entry:
    """One way to name a market: who names it so, what is known, when it is asked for again. Moments are seconds of the monotonic clock."""

    backoff: Backoff
    resolution: Resolution | None = None
    confirmed_s: float = 0.0
    due_s: float = 0.0
    doubted: bool = False
    names: set[str] = field(default_factory=set)

    @property
    def facts(self) -> MarketFacts | None:
        """What was last known of the market."""
        return None if self.resolution is None else self.resolution.facts


class _Nobody:
    """Is not interested in the queue."""

    def added(self) -> None:
        """See QueueObserver."""

    def started(self, *, waited_s: float) -> None:
        """See QueueObserver."""

    def finished(self, *, worked_s: float, requeue_after_s: float | None) -> None:
        """See QueueObserver."""

    def failed(self, *, worked_s: float, error: Exception) -> None:
        """See QueueObserver."""


class Resolver:
    """Not for use from several threads.

    `changed` is told the names of ArbMarkets about whose market there is news, `looked_up` what came of each question, in the words of the
    condition `Resolved`; neither must block.
    `recheck_s` is the time between two questions about a market that trades; all other pauses of a market grow and shrink with it.
    """

    def __init__(
        self,
        reader: Reader,
        clob: ClobReader,
        gamma_host: str,
        *,
        clock: Clock,
        rng: random.Random,
        changed: Callable[[str], None],
        looked_up: Callable[[Reason], None],
        looks_per_second: int = LOOKS_PER_SECOND,
        recheck_s: float = RECHECK_S,
    ) -> None:
        self._reader = reader
        self._clob = clob
        self._gamma_host = gamma_host
        self._clock = clock
        self._rng = rng
        self._recheck_s = recheck_s
        self._pace = recheck_s / RECHECK_S
        self._changed = changed
        self._looked_up = looked_up
        self._entries: dict[Way, _Entry] = {}
        self._way_of: dict[str, Way] = {}
        self._queue: WorkQueue[Way] = WorkQueue(clock=clock, rng=rng, observer=_Nobody())
        self._rate = WriteRate(clock=clock, per_second=looks_per_second, burst=2 * looks_per_second)
        self._venue_backoff = Backoff(lowest_s=VENUE_PAUSE_S, highest_s=LONGEST_VENUE_PAUSE_S, rng=rng)
        self._closed_until_s = 0.0
        self._tried_by: Way | None = None
        self.trouble: str | None = None
        """Why the venue cannot be asked, None when it can."""

    def look(self, market: ArbMarket) -> Resolution | None:
        """What is known of the ArbMarket's market, None while nothing is; asks for it from now on until `forget`."""
        name, way = market.metadata.name, way_of(market.spec.market)
        if self._way_of.get(name, way) != way:  # deleted, and applied anew for another market
            self.forget(name)
        entry = self._entries.get(way) or self._begin(way, market)
        self._way_of[name] = way
        entry.names.add(name)
        return entry.resolution

    def known(self, market: ArbMarket) -> Resolution | None:
        """The same for who only wants to know, and does not have it asked for."""
        entry = self._entries.get(way_of(market.spec.market))
        return None if entry is None else entry.resolution

    def condition_id(self, market: ArbMarket) -> str | None:
        """Which market it is, in lower case; None while that is not known."""
        if market.spec.market.condition_id is not None:
            return market.spec.market.condition_id
        entry = self._entries.get(way_of(market.spec.market))
        facts = entry.facts if entry is not None else None
        return facts.condition_id.lower() if facts is not None else None

    def forget(self, name: str) -> None:
        """The ArbMarket is gone: ask no more for a market that no other one names."""
        way = self._way_of.pop(name, None)
        if way is None:
            return
        entry = self._entries[way]
        entry.names.discard(name)
        if not entry.names:
            del self._entries[way]

    def learn(self, market: Market) -> None:
        """Somebody else just asked the venue for this market, and was told this."""
        verdict = verdict_on(market)
        for way in ways_to(facts_of(market)):
            if (entry := self._entries.get(way)) is not None:
                self._confirm(entry, verdict)

    async def run(self) -> None:
        """Ask the venue until cancelled."""
        await self._queue.run(WORKERS, self._ask)

    def _begin(self, way: Way, market: ArbMarket) -> _Entry:
        now_s = self._clock.monotonic()
        entry = _Entry(self._backoff(), remembered(market.status, way), confirmed_s=now_s)
        entry.due_s = now_s if entry.resolution is None else now_s + self._rng.uniform(0, self._recheck_s)
        self._entries[way] = entry
        self._queue.add_after(way, entry.due_s - now_s)
        return entry

    async def _ask(self, way: Way) -> float | None:
        """Ask for one market, if its time has come. Seconds until its turn, None when nobody wants to know any more."""
        entry = self._entries.get(way)
        if entry is None:
            return None
        if self._wait_s(entry) <= TIMER_RESOLUTION_S:
            await self._rate.turn()
        if (wait_s := self._wait_s(entry)) > TIMER_RESOLUTION_S:  # while it waited for its turn somebody else may have learned of it
            return wait_s
        if self._tried_by is not None and self.trouble is not None:
            return VENUE_PAUSE_S
        self._tried_by = way
        try:
            return await self._ask_the_venue(way, entry)
        finally:
            if self._tried_by == way:
                self._tried_by = None

    async def _ask_the_venue(self, way: Way, entry: _Entry) -> float:
        try:
            market = await self._resolved(way, entry.facts)
        except VenueError as e:
            pause_s = self._pause_after(e, entry)
            entry.due_s = self._clock.monotonic() + pause_s
            return pause_s
        self._venue_is_well()
        verdict = verdict_on(market)
        self._looked_up(Reason.FOUND if isinstance(verdict, Resolved) else verdict.reason)
        self.learn(market)
        self._confirm(entry, verdict)
        return self._wait_s(entry)

    async def _resolved(self, way: Way, known: MarketFacts | None) -> Market:
        """By condition id once that is known: a slug may be given to another market one day, and it must not be traded in its place."""
        reader, clob, host = self._reader, self._clob, self._gamma_host
        kind, *words = ("conditionId", known.condition_id) if known is not None else way
        match kind:
            case "slug":
                return await resolve_market(reader, clob, host, slug=words[0])
            case "conditionId":
                return await resolve_market(reader, clob, host, condition_id=words[0])
            case _:
                return await resolve_market(reader, clob, host, tokens=words)

    def _confirm(self, entry: _Entry, verdict: Resolution) -> None:
        """The venue described the market, now."""
        entry.confirmed_s = self._clock.monotonic()
        entry.doubted = False
        if isinstance(verdict, Resolved):
            entry.backoff.settled()
            pause_s = self._recheck_s * self._rng.uniform(1 - JITTER, 1 + JITTER)
        else:
            pause_s = entry.backoff.next_delay_s()
        entry.due_s = entry.confirmed_s + pause_s
        self._say(entry, verdict)

    def _pause_after(self, error: VenueError, entry: _Entry) -> float:
        """Judge a failure; seconds until the market is asked for again."""
        verdict = verdict_on_error(error, known=entry.facts)
        self._looked_up(verdict.reason)
        if is_about_the_venue(error):
            self._venue_is_unwell(error)
        else:
            self._venue_is_well()
            if verdict.reason in DOUBTFUL and isinstance(entry.resolution, Resolved) and not entry.doubted:
                entry.doubted = True
                return self._pace * FIRST_PAUSE_S  # one empty page must not take a bot away
        if not self._still_believed(entry, verdict):
            self._say(entry, verdict)
        return max(self._closed_s(), entry.backoff.next_delay_s() if self.trouble is None else 0.0)

    def _still_believed(self, entry: _Entry, verdict: Unresolved) -> bool:
        """Whether a venue that cannot be asked leaves what is known as it is."""
        no_answer = verdict.reason is Reason.VENUE_UNAVAILABLE
        return no_answer and entry.resolution is not None and self._clock.monotonic() - entry.confirmed_s < self._pace * BELIEVED_S

    def _venue_is_unwell(self, error: VenueError) -> None:
        """Nobody asks for a while; those who were asking at the same time count as one failure."""
        self.trouble = str(error)
        if self._closed_s() <= TIMER_RESOLUTION_S:
            pause_s = self._venue_backoff.next_delay_s(asked_s=getattr(error, "retry_after_s", 0.0))
            self._closed_until_s = self._clock.monotonic() + pause_s

    def _venue_is_well(self) -> None:
        self.trouble = None
        self._closed_until_s = 0.0
        self._venue_backoff.settled()

    def _closed_s(self) -> float:
        return self._closed_until_s - self._clock.monotonic()

    def _wait_s(self, entry: _Entry) -> float:
        return max(entry.due_s - self._clock.monotonic(), self._closed_s())

    def _say(self, entry: _Entry, verdict: Resolution) -> None:
        if entry.resolution == verdict:
            return
        entry.resolution = verdict
        for name in tuple(entry.names):
            self._changed(name)

    def _backoff(self) -> Backoff:
        return Backoff(lowest_s=self._pace * FIRST_PAUSE_S, highest_s=self._pace * LONGEST_PAUSE_S, rng=self._rng)
