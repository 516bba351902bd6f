"""Discovery in the cluster: markets worth trading become ArbMarkets, and those that no longer are go again, without haste.

`main.py` runs it on the leader. A round of discovery tells a `Roster` what qualifies; passes in between make the ArbMarkets agree with
the roster, a few at a time. Every pass begins with what there is, so that one that was cut short, or a new leader, goes on where the last
one stopped.

What people applied is theirs: nothing here edits or deletes it, and where a person and discovery want the same market the person's stays.
Every write names the very version of the object it was decided on; when it is another one by now, the next pass looks again.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from kabobagool.clock import Clock
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import Round, discover
from kabobagool.discovery.hysteresis import Roster
from kabobagool.domain.market import Market
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.census import Census, take_census
from kabobagool_operator.cluster_errors import ClusterError, Conflict, Invalid, NotFound
from kabobagool_operator.discovered import FIELD_MANAGER, Body, follows, kept_body, new_body, retired_body
from kabobagool_operator.kinds import ARB_MARKET, Kind
from kabobagool_operator.labels import DISCOVERED, ORIGIN, QUALIFIED
from kabobagool_operator.names import distinct_name, market_name
from kabobagool_operator.policy import Policy

log = logging.getLogger(__name__)

TRY_AGAIN_S: Final = 15.0
"""After a round that failed; never longer than the usual pause."""
PASS_S: Final = 1.0
WAIT_S: Final = 5.0
"""Between two passes while something forbids to create."""
UNSEEN_S: Final = 30.0
"""So long an ArbMarket that was just created may be missing from what there is."""
NOTE_EVERY_S: Final = 300.0
"""An ArbMarket is told at most so often that its market qualifies, or no longer."""
PINNED: Final = "pinned"
SURPLUS: Final = "surplus"
"""Reasons to retire that no round gives: a person asked for the market; an older ArbMarket of discovery's is there."""


class Writer(Protocol):
    """What of `cluster.Cluster` is needed here."""

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Body:
        """Create an object. Conflict when its name is taken."""
        ...

    async def apply(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, field_manager: str) -> Body:
        """Make the object hold what the body says. Conflict when it is not the one that the body names."""
        ...

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None, resource_version: str | None) -> bool:
        """Delete the object with this uid and version."""
        ...


class DiscoveryObserver(Protocol):
    """Is told what discovery does. Must not raise."""

    def round_ended(self, *, took_s: float, failed: bool) -> None:
        """The catalogue was looked at, for so many seconds."""
        ...

    def created(self) -> None:
        """An ArbMarket was created."""
        ...

    def retired(self, *, reason: str) -> None:
        """An ArbMarket was deleted: why in one word, that of a rejection, or `PINNED` or `SURPLUS`."""
        ...


class Farewell(NamedTuple):
    """Why an ArbMarket goes: one word, and what is said of it."""

    reason: str
    message: str


TWICE: Final = Farewell(SURPLUS, "there is an older one")


class MarketSource:
    """`markets` are the ArbMarkets there are, pinned ones included, as far as they can be read.

    `gate_answers` is True also where there is no shared gate; `starting` counts bots that are starting. `learned` is told every market
    that the exchange just described. `trouble` is why the last round failed, `stopped` why nothing is created, None when all is well;
    `last` is what the last round that did not fail found.
    """

    def __init__(
        self,
        writer: Writer,
        policy: Policy,
        *,
        reader: Reader,
        clob: ClobReader,
        criteria: Criteria,
        clock: Clock,
        wall_ms: Callable[[], int],
        markets: Callable[[], Iterable[ArbMarket]],
        gate_answers: Callable[[], bool],
        starting: Callable[[], int],
        learned: Callable[[Market], None],
        observer: DiscoveryObserver,
    ) -> None:
        self._writer = writer
        self._policy = policy
        self._reader = reader
        self._clob = clob
        self._criteria = criteria
        self._clock = clock
        self._wall_ms = wall_ms
        self._all_markets = markets
        self._gate_answers = gate_answers
        self._starting = starting
        self._learned = learned
        self._observer = observer
        self._roster = Roster(max_markets=policy.max_markets, retire_after_ms=round(policy.retire_after_s * 1000))
        self._found: dict[str, Market] = {}
        self._qualified_ms: dict[str, int] = {}
        self._noted_s: dict[str, float] = {}
        self._leaving: dict[str, Farewell] = {}
        self._unseen: dict[str, float] = {}
        self._taken: set[str] = set()
        self.trouble: str | None = "no round yet"
        self.stopped: str | None = None
        self.last: Round | None = None
        self._last_s = 0.0

    @property
    def age_s(self) -> float | None:
        """Seconds since the last round that did not fail, None before one."""
        return None if self.last is None else self._clock.monotonic() - self._last_s

    async def run(self) -> None:
        """Rounds, and passes in between, until cancelled."""
        while True:
            await self.look()
            interval_s = self._policy.discovery_interval_s
            ends_s = self._clock.monotonic() + (interval_s if self.trouble is None else min(TRY_AGAIN_S, interval_s))
            while (left_s := ends_s - self._clock.monotonic()) > 0:
                again_s = await self.carry_out()
                await self._clock.sleep(left_s if again_s is None else min(again_s, left_s))

    async def look(self) -> None:
        """One round. One that fails changes nothing: an outage of the catalogue retires nobody."""
        census = self._census()
        self._roster.adopt([own for own in census.discovered if own not in self._leaving], now_ms=self._clock.now_ms())
        began_s = self._clock.monotonic()
        try:
            found = await self._discovered()
        except Exception as e:
            self.trouble = str(e) or type(e).__name__
            log.warning(
                "discovery failed; the ArbMarkets stay as they are", extra={"error": self.trouble}, exc_info=not isinstance(e, VenueError)
            )
        else:
            self.trouble, self.last, self._last_s = None, found, self._clock.monotonic()
            self._take(found, self._census())
            rejected = {reason.value: count for reason, count in found.rejected.items()}
            log.info("discovery looked", extra={"qualified": len(found.found), "rejected": rejected})
        self._observer.round_ended(took_s=self._clock.monotonic() - began_s, failed=self.trouble is not None)

    async def carry_out(self) -> float | None:
        """One pass. Seconds until the next one, None when nothing is left to do before the next round."""
        try:
            census = self._census()
            self._give_way(census)
            await self._retire(census)
            await self._keep_true(census)
            again_s = await self._create(census)
            unfinished = bool(self._leaving or census.surplus)
            return min(again_s or WAIT_S, WAIT_S) if unfinished else again_s
        except ClusterError as e:
            log.warning("the ArbMarkets do not agree with discovery yet", extra={"error": str(e)})
            return max(WAIT_S, e.retry_after_s)
        except Exception:
            log.exception("making ArbMarkets of what discovery found broke; it is tried again")
            return WAIT_S

    def _census(self) -> Census:
        census = take_census(self._all_markets())
        now_s = self._clock.monotonic()
        self._unseen = {own: since for own, since in self._unseen.items() if own not in census.present and now_s - since < UNSEEN_S}
        self._leaving = {own: why for own, why in self._leaving.items() if own in census.discovered}
        return census

    async def _discovered(self) -> Round:
        return await discover(
            self._reader,
            self._clob,
            self._policy.gamma_url,
            criteria=self._criteria,
            now_ms=self._clock.now_ms(),
            wall_ms=self._wall_ms,
            watched=tuple(self._roster.watched),
        )

    def _take(self, found: Round, census: Census) -> None:
        """Tell the roster what a round found."""
        now_ms = self._clock.now_ms()
        for each in found.found:
            self._learned(each.market)
        free = {each.market.condition_id.lower(): each.market for each in found.found if census.pinned_by(each.market) is None}
        changes = self._roster.observe(list(free), found.verdicts, now_ms=now_ms, holding=census.holding)
        self._leaving.update((own, Farewell(reason.value, reason.value)) for own, reason in changes.left if own in census.discovered)
        watched = self._roster.watched
        self._found = {own: market for own, market in {**self._found, **free}.items() if own in watched}
        self._qualified_ms |= dict.fromkeys(free, now_ms)
        self._qualified_ms = {own: at_ms for own, at_ms in self._qualified_ms.items() if own in watched}

    def _give_way(self, census: Census) -> None:
        """What people pinned is no longer discovery's business."""
        for own, market in census.discovered.items():
            if (name := census.rival(market)) is not None:
                self._roster.retire(own)
                self._leaving[own] = Farewell(PINNED, f"pinned by {name}")
        for own, found in tuple(self._found.items()):
            if census.pinned_by(found) is not None:
                self._roster.retire(own)
                del self._found[own]

    async def _retire(self, census: Census) -> None:
        going = [(census.discovered[own], why) for own, why in self._leaving.items()]
        for market, why in (*going, *((market, TWICE) for market in census.surplus)):
            await self._unless_changed(self._delete(market, why))

    async def _delete(self, market: ArbMarket, why: Farewell) -> None:
        """Say why, then delete: only what is discovery's own by what the API server said last."""
        name, namespace = market.metadata.name, self._policy.namespace
        said = await self._apply(market, retired_body(market, self._policy, why=why.message))
        if said["metadata"].get("labels", {}).get(ORIGIN) != DISCOVERED:
            return
        version = said["metadata"]["resourceVersion"]
        await self._writer.delete(ARB_MARKET, namespace, name, uid=market.metadata.uid, resource_version=version)
        self._observer.retired(reason=why.reason)
        log.info("a discovered market is retired", extra={"market": name, "reason": why.message})

    async def _keep_true(self, census: Census) -> None:
        for own, state in self._roster.watched.items():
            market = census.discovered.get(own)
            if market is None or own in self._leaving:
                continue
            qualified_ms = None if state.missed_since_ms is None else self._qualified_ms.get(own, state.missed_since_ms)
            if not follows(market, self._policy) or self._has_news(own, market, qualified_ms):
                await self._unless_changed(self._note(own, market, qualified_ms))
        self._noted_s = {own: at_s for own, at_s in self._noted_s.items() if own in census.discovered}

    async def _note(self, own: str, market: ArbMarket, qualified_ms: int | None) -> None:
        await self._apply(market, kept_body(market, self._policy, qualified_ms=qualified_ms))
        self._noted_s[own] = self._clock.monotonic()

    def _has_news(self, own: str, market: ArbMarket, qualified_ms: int | None) -> bool:
        """Whether its ArbMarket does not say yet that the market qualifies, or no longer, and was told nothing lately."""
        recent = self._clock.monotonic() - self._noted_s.get(own, -NOTE_EVERY_S) < NOTE_EVERY_S
        return not recent and (qualified_ms is not None) != (QUALIFIED in market.metadata.annotations)

    async def _create(self, census: Census) -> float | None:
        """Create as many as a pass may; seconds until the next pass, None when nothing is left to create."""
        waiting = [own for own in self._roster.watched if own in self._found and own not in census.present and own not in self._unseen]
        room = max(self._policy.max_markets - len(census.names) - len(self._unseen), 0)
        self.stopped = self._hindrance() if waiting and room else None
        if self.stopped is not None:
            return WAIT_S
        rate = self._policy.creations_per_second
        for own in waiting[: min(room, max(int(rate), 1))]:
            await self._unless_changed(self._create_one(own, self._found[own], census))
        left = min(len(waiting), room) - max(int(rate), 1)
        return max(PASS_S, float(1 / rate)) if left > 0 else None

    def _hindrance(self) -> str | None:
        """What forbids to create anything now."""
        if self.trouble is not None:
            return f"the venue is unwell: {self.trouble}"
        if not self._gate_answers():
            return "the order gate does not answer"
        starting = self._starting() + len(self._unseen)
        return f"{starting} bots are starting already" if starting >= self._policy.max_pending else None

    async def _create_one(self, own: str, market: Market, census: Census) -> None:
        name = market_name(market.slug, own)
        if name in census.names or name in self._taken:
            name = distinct_name(market.slug, own)
        self._unseen[own] = self._clock.monotonic()  # also when the name is taken: perhaps by this very market, not seen yet
        try:
            await self._writer.create(ARB_MARKET, self._policy.namespace, new_body(name, own, self._policy))
        except Conflict:
            self._taken.add(name)
            raise
        self._observer.created()
        log.info("a market was discovered", extra={"market": name, "condition_id": own})

    async def _apply(self, market: ArbMarket, body: Body) -> Body:
        return await self._writer.apply(ARB_MARKET, self._policy.namespace, market.metadata.name, body, field_manager=FIELD_MANAGER)

    async def _unless_changed(self, writing: Awaitable[object]) -> None:
        """Let one object that is not what it was, or that the API server does not like, keep no other waiting."""
        try:
            await writing
        except (Conflict, NotFound) as e:
            log.debug("an ArbMarket is not what it was; the next pass looks again", extra={"error": str(e)})
        except Invalid as e:
            log.warning("an ArbMarket of discovery's is refused", extra={"error": str(e)})
