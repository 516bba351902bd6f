"""What the promises ask of a world: figures, moments and excuses, read off the exchange, the disks and the history, never off a bot.

`world.World` is a `Sight`; kept apart so that playing a history and judging it can be read one after the other.
"""

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.simulation.facts import Ledger, Published
from tests.simulation.history import Anything, ClockStep, GateFlushed, History, Kill, Stop, StrangeFrame, VenueFault
from tests.support.virtual_clock import VenueTime
from tests.support.virtual_venue import VirtualVenue

from kabobagool.gate.limits import Limits
from kabobagool.settings import Settings
from kabobagool.trading.gate_choice import limits_of
from paper_exchange.types import PaperMarket

if TYPE_CHECKING:
    from tests.simulation.process import Host, Life
    from tests.simulation.witness import SentOrder

START_US: Final = 5_000_000
RETOLD_WITHIN_US: Final = 5_000_000
"""Longer than from one heartbeat of a gate to the next."""

ENDED: Final = frozenset({"filled", "killed", "rejected"})


class JournalRow(NamedTuple):
    """What a host's disk says of an order."""

    intent_id: str
    purpose: str
    pair_cost: int
    place: int
    state: str


class Sight:
    """What can be seen of a world from outside."""

    history: History
    clock: VenueTime
    venue: VirtualVenue
    settings: Settings
    lives: "list[Life]"
    start_us: int = START_US

    def open_eyes(self) -> None:
        """Called once when the exchange stands."""
        self.ledger = Ledger(self)  # type: ignore[arg-type]
        self.published = Published()
        self.limits: Limits = limits_of(self.settings)
        self._troubles = [
            (_hosts_of(happening), happening.at_ms, _end_ms(happening, self.history)) for happening in self.history.happenings
        ]
        self._numbers = {market.condition_id: number for number, market in enumerate(self.venue.exchange.markets)}
        self._disks: dict[int, sqlite3.Connection] = {}

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the beginning."""
        return (self.clock.now_us - START_US) // 1000

    def market(self, number: int) -> PaperMarket:
        """The number-th market as the exchange lists it now."""
        return self.venue.exchange.markets[number]

    def listed(self, market: str) -> PaperMarket:
        """A market as the exchange lists it now."""
        return self.venue.venue.market(market)

    def is_over(self, market: str) -> bool:
        """Whether nothing new may be bought any more."""
        return self.elapsed_ms >= self.history.markets[self._numbers[market]].length_ms - self.settings.end_margin_ms

    def finale(self, market: str) -> tuple[int, int, int] | None:
        """The market's last edge, if it comes after the last trouble: when, and what YES and NO cost."""
        edges = [edge for edge in self.history.markets[self._numbers[market]].edges if edge.at_ms >= self.history.faults_end_ms]
        return (edges[-1].at_ms, edges[-1].yes_ask, edges[-1].no_ask) if edges else None

    def could_hedge_in_time(self, market: str) -> bool:
        """Whether the market has been as it is since well before the end of its last edge."""
        edges = self.history.markets[self._numbers[market]].edges
        return not edges or self.ledger.changed_ms(market) < self.clock.now_ms() - self.elapsed_ms + edges[-1].at_ms + edges[-1].for_ms // 2

    def has_no_room(self, life: "Life", market: str) -> bool:
        """Whether a cap forbids a pair of the usual size, at a dollar each."""
        settings, size = self.settings, self.settings.batch_size_micros
        if self.venue.account.dollars < size + size // 10:
            return True
        if self.ledger.holding(market).spent + size > settings.max_position_micros:
            return True
        cap = settings.max_exposure_micros
        return cap is not None and self.at_stake(life) + size > cap

    def at_stake(self, life: "Life") -> int:
        """Dollars that the markets of a life's gate have spent and not got back."""
        markets = [market for market in self._numbers if self.gate_knows_of(market)] if self.history.shared_gate else life.bots
        return sum(max(self.ledger.holding(market).spent, 0) for market in markets)

    def gate_knows_of(self, market: str) -> bool:
        """Whether anybody can have told a shared gate what a market has at stake, since it last forgot everything.

        Who lived on for a heartbeat then told it again. Of a market whose program was dead it hears from the next one.
        """
        flushed_us = max((flush_us for flush_us in self._flushes() if flush_us <= self.clock.now_us), default=0)
        for life in self.lives:
            lived_us = self.clock.now_us if life.alive else life.ended_us
            if life.told.get(market, 0) > flushed_us or (market in life.told and lived_us > flushed_us + RETOLD_WITHIN_US):
                return True
        return False

    def has_rival(self, host: "Host") -> bool:
        """Whether another program, on the same machine or at the same gate, trades a market of this host."""
        markets = {self.market(number).condition_id for number in host.markets}
        others = (life for life in self.lives if life.alive and life.host is not host and markets & set(life.bots))
        return any(self.history.shared_gate or life.host.folder == host.folder for life in others)

    def quiet_for_ms(self, host: "Host") -> int:
        """How long nothing has been wrong with a host or with the venue, and its program has run."""
        now_ms = self.elapsed_ms
        ends = [end for hosts, at, end in self._troubles if at <= now_ms and (hosts is None or host.index in hosts)]
        started_ms = (host.life.started_us - START_US) // 1000 if host.life is not None else now_ms
        return max(now_ms - max([started_ms, *ends]), 0)

    def unheard_for_ms(self, market: str) -> int:
        """How long no trade of a market has changed."""
        return self.clock.now_ms() - self.ledger.changed_ms(market)

    def has_end_on_disk(self, order: "SentOrder", host: "Host") -> bool:
        """Whether what became of an order is written on the disk of a host, or of the one that sent it where programs share a gate."""
        disks = (host, order.life.host) if self.history.shared_gate else (host,)
        return any(row is not None and row.state in ENDED for row in (self.journal_row(disk, order.order_hash) for disk in disks))

    def nobody_can_know_of(self, order: "SentOrder") -> bool:
        """Whether an order of a dead program was forgotten by the shared gate before anybody else asked: its trades still tell of it."""
        return not order.life.alive and any(order.at_us < flush_us <= self.clock.now_us for flush_us in self._flushes())

    def _flushes(self) -> Iterator[int]:
        """When the shared gate forgets everything (virtual us)."""
        return (START_US + happening.at_ms * 1000 for happening in self.history.happenings if isinstance(happening, GateFlushed))

    def journal_row(self, host: "Host", order_hash: str) -> JournalRow | None:
        """What the disk of a host says of an order, read past the program."""
        query = "SELECT intent_id, purpose, pair_cost, position, state FROM orders JOIN intents USING (intent_id) WHERE order_hash = ?"
        found = self._disk(host).execute(query, (order_hash,)).fetchone()
        return None if found is None else JournalRow(*found)

    def intent_prices(self, order: "SentOrder") -> dict[int, int]:
        """The limit of each outcome that an order's intent buys or sells, as its disk has them."""
        query = "SELECT outcome, price FROM orders WHERE intent_id = ?"
        return dict(self._disk(order.life.host).execute(query, (order.intent_id,)).fetchall())

    def pairs(self) -> int:
        """Whole pairs of all markets."""
        holdings = [self.ledger.holding(market) for market in self._numbers]
        return sum(min(holding.yes, holding.no) for holding in holdings) // 1_000_000

    def close_eyes(self) -> None:
        """Let go of the disks."""
        for disk in self._disks.values():
            disk.close()

    def _disk(self, host: "Host") -> sqlite3.Connection:
        if host.index not in self._disks:
            self._disks[host.index] = sqlite3.connect(host.journal_path, isolation_level=None)
        return self._disks[host.index]


def _hosts_of(happening: Anything) -> tuple[int, ...] | None:
    """Whom it concerns; None: everybody."""
    host = getattr(happening, "host", None)
    return None if host is None else (host,)


def _end_ms(happening: Anything, history: History) -> int:
    """When it is over. What waits for its occasion may come as long as there are troubles at all."""
    if isinstance(happening, VenueFault) and happening.for_ms is None:
        return history.faults_end_ms
    if isinstance(happening, Kill):
        return happening.at_ms + happening.within_ms + happening.down_ms
    if isinstance(happening, Stop):
        return happening.at_ms + happening.down_ms
    if isinstance(happening, ClockStep | StrangeFrame):
        return happening.at_ms
    return happening.at_ms + getattr(happening, "for_ms", 0)
