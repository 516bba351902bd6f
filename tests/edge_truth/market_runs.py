"""One recorded market from its first snapshot to its payout, traded by a whole bot, as numbers that two processes can exchange.

`run_market` is what the edge-truth tests repeat over eighteen markets and several modes, `trade_naively` what it is compared with. `audit`
holds every fill against the books themselves, read once more by an exchange that never saw an order, and against the recording before
and after the fill.
"""

import asyncio
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from tests.edge_truth.virtual_bot import VirtualBot
from tests.support.virtual_clock import START_MS
from tests.support.virtual_venue import WALLET, VirtualVenue

from kabobagool.domain.edge import Policy
from kabobagool.domain.position import Position
from kabobagool.domain.sizing import pair_bounds
from kabobagool.engine.market_engine import EngineState
from paper_exchange.dislocations import DislocatedBooks
from paper_exchange.exchange import Exchange
from paper_exchange.faults import Fault, FaultPlan
from paper_exchange.ledger import Account
from paper_exchange.recorded import RecordedBooks
from paper_exchange.types import PRICE_ONE, Accepted, BookSource, Level, OrderRequest, OrderStatus, PaperMarket, Side, Snapshot, Trade

VENUE_START_MS = START_MS + 5_000
"""Where virtual time begins."""
SETTLED_AFTER_MS = 20_000
"""After the market's end: every trade has settled and been read, nothing has been paid out yet."""
PAID_AFTER_MS = 65_000


class Mode(msgspec.Struct, frozen=True):
    """How the books reach the bot. `dislocations` true ones are laid over each market; latency is that of an order, in milliseconds."""

    name: str
    split_outcomes: bool = False
    dislocations: int = 0
    order_latency_ms: int = 250
    policy: Policy = Policy()
    faults: tuple[Fault, ...] = ()
    seed: int = 7


WHOLE = Mode("whole frames")
HALVES = Mode("one frame an outcome", split_outcomes=True)
DISLOCATED = Mode("with dislocations", dislocations=24)
SLOW = Mode("with dislocations, slow orders", dislocations=40, order_latency_ms=1_500)


class Amounts(msgspec.Struct, frozen=True):
    """What one side says was traded, in millionths: what both ledgers must agree on."""

    yes_shares: int
    no_shares: int
    spent: int
    received: int
    fees: int


class MarketRun(msgspec.Struct, frozen=True, kw_only=True):
    """One market in one mode. Amounts in millionths.

    `naive` counts every snapshot after which the last known asks summed below a dollar, `naive_of_bot` the views in which the bot's own
    books did; `fillable` the whole updates in which both legs could really have been bought.
    """

    slug: str
    mode: str
    snapshots: int
    naive: int
    naive_of_bot: int
    whole_updates: int
    fillable: int
    seen: int
    accounted_for: int
    acted_on: int
    rejected: dict[str, int]
    orders: int
    outcomes: dict[str, int]
    pairs: int
    locked_profit: int
    imbalance: int
    bot: Amounts
    exchange: Amounts
    redeemed_by_bot: int
    redeemed_by_exchange: int
    phantom_fills: list[str]
    unfinished: bool
    resolved: bool
    connections: int
    fingerprint: str


@cache
def recordings() -> RecordedBooks:
    """All recorded markets on the venue clock of virtual time; read once a process."""
    return RecordedBooks(start_ms=VENUE_START_MS)


class OneMarket:
    """A source cut down to one market, so that each gets an exchange, a ledger and a virtual time of its own."""

    def __init__(self, source: BookSource, slug: str) -> None:
        self._source = source
        self._market = next(market for market in source.markets() if market.slug == slug)

    def markets(self) -> Sequence[PaperMarket]:
        """The one."""
        return (self._market,)

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Its snapshots, unchanged."""
        return self._source.snapshots(condition_id)


def source_of(slug: str, mode: Mode) -> BookSource:
    """The market's books as this mode has them."""
    one: BookSource = OneMarket(recordings(), slug)
    return DislocatedBooks(one, seed=mode.seed, count=mode.dislocations) if mode.dislocations else one


class NaiveTrader(msgspec.Struct, frozen=True):
    """What became of somebody who sent both legs of every pair below a dollar the instant it showed, with no latency at all."""

    attempts: int
    pairs: int
    naked_legs: int


def prepare_process() -> None:
    """Make a process fit for runs: it reads millions of numbers that live to its end, and nobody reads its warnings."""
    gc.disable()
    logging.disable(logging.WARNING)


def run_plan(slug: str, modes: Sequence[Mode]) -> tuple[NaiveTrader, list[MarketRun]]:
    """One market, bought naively and then in several modes, one after the other: the unit of work of a process."""
    return trade_naively(slug), [asyncio.run(run_market(slug, mode)) for mode in modes]


def trade_naively(slug: str) -> NaiveTrader:
    """Send the smallest pair for every snapshot after which the last known asks sum below a dollar."""
    source = OneMarket(recordings(), slug)
    venue = VirtualVenue(source, order_latency_ms=0, balance_micros=10**12)
    market, asks = venue.market, [PRICE_ONE, PRICE_ONE]
    filled: Counter[int] = Counter()
    for number, snapshot in enumerate(source.snapshots(market.condition_id)):
        asks[snapshot.outcome] = snapshot.asks[0].price if snapshot.asks else PRICE_ONE
        if sum(asks) < PRICE_ONE:
            _, shares = pair_bounds(asks[0], asks[1], market.min_order_size)
            orders = [_buy(market, outcome, asks[outcome], shares, name=2 * number + outcome) for outcome in (0, 1)]
            answers = [venue.exchange.submit(order, snapshot.venue_ms) for order in orders]
            filled[sum(isinstance(answer, Accepted) and answer.record.status is OrderStatus.MATCHED for answer in answers)] += 1
    return NaiveTrader(attempts=filled.total(), pairs=filled[2], naked_legs=filled[1])


def _buy(market: PaperMarket, outcome: int, price: int, shares: int, *, name: int) -> OrderRequest:
    dollars = price * shares // PRICE_ONE
    return OrderRequest(f"0x{name:064x}", WALLET, WALLET, market.tokens[outcome], Side.BUY, dollars, shares, "FOK")


async def run_market(slug: str, mode: Mode) -> MarketRun:
    """Trade one market from the beginning of its recording to its payout."""
    source = source_of(slug, mode)
    venue = VirtualVenue(
        source,
        seed=mode.seed,
        order_latency_ms=mode.order_latency_ms,
        split_outcomes=mode.split_outcomes,
        faults=FaultPlan(mode.faults, seed=mode.seed),
    )
    with tempfile.TemporaryDirectory() as folder:
        async with VirtualBot.running(venue, journal_path=Path(folder) / "journal.sqlite", policy=mode.policy) as bot:
            await bot.run_until(venue.market.end_ms + SETTLED_AFTER_MS)
            exchange_amounts = _amounts_of_account(venue.account, venue.market)
            await bot.run_until(venue.market.end_ms + PAID_AFTER_MS)
            venue.exchange.ledger.check()
            return _summary(bot, mode, exchange_amounts, audit(source, venue.exchange.trades(WALLET)))


def _summary(bot: VirtualBot, mode: Mode, exchange_amounts: Amounts, phantom_fills: list[str]) -> MarketRun:
    venue, position = bot.venue, bot.tracker.position
    market, truth = venue.market, bot.strategy.truth
    edges = venue.exchange.naive_edges(market.condition_id)
    seen, accounted_for = bot.seen_and_counted()
    for sent in bot.execution.sent.values():
        bot.note(sent.sent_ms, sent.plan, sent.outcome)
    return MarketRun(
        slug=market.slug,
        mode=mode.name,
        snapshots=edges.views,
        naive=edges.below_one,
        naive_of_bot=bot.naive_edges,
        whole_updates=edges.whole_updates,
        fillable=edges.fillable,
        seen=seen,
        accounted_for=accounted_for,
        acted_on=truth.acted_on,
        rejected={str(reason): count for reason, count in sorted(truth.rejected.items())},
        orders=len(bot.execution.sent),
        outcomes=dict(sorted(bot.engine.outcomes.items())),
        pairs=position.pairs,
        locked_profit=position.locked_profit,
        imbalance=position.imbalance,
        bot=_amounts_of_position(position),
        exchange=exchange_amounts,
        redeemed_by_bot=position.payout(market.payout or (0, 0)),
        redeemed_by_exchange=venue.account.redeemed,
        phantom_fills=phantom_fills,
        unfinished=bot.unfinished(),
        resolved=bot.engine.state() is EngineState.RESOLVED,
        connections=bot.counters.connects,
        fingerprint=bot.log.hexdigest(),
    )


def _amounts_of_account(account: Account, market: PaperMarket) -> Amounts:
    yes, no = (account.held(token) for token in market.tokens)
    return Amounts(yes, no, account.spent, account.received, account.fees_paid)


def _amounts_of_position(position: Position) -> Amounts:
    yes, no = position.yes, position.no
    return Amounts(yes.shares, no.shares, yes.cost + no.cost, yes.proceeds + no.proceeds, position.fees)


def audit(source: BookSource, trades: Sequence[Trade]) -> list[str]:
    """Fills that nobody could have had, each in a sentence; empty when the exchange gave away nothing that was not there."""
    untouched = Exchange(source, seed=1, start_ms=VENUE_START_MS)
    snapshots = source.snapshots(source.markets()[0].condition_id)
    wrong = []
    for trade in sorted(trades, key=lambda trade: trade.match_ms):
        there = {depth.price: depth.fillable for depth in untouched.depth(trade.token, trade.side, trade.match_ms)}
        if trade.shares > there.get(trade.price, 0):
            wrong.append(f"{trade.shares} at {trade.price}: only {there.get(trade.price, 0)} could be had")
        if not _shown_before_and_after(snapshots, trade):
            wrong.append(f"{trade.shares} at {trade.price}: the books did not show it both before and after {trade.match_ms}")
    return wrong


def _shown_before_and_after(snapshots: Sequence[Snapshot], trade: Trade) -> bool:
    own = [snapshot for snapshot in snapshots if snapshot.outcome == trade.outcome]
    before = [snapshot for snapshot in own if snapshot.venue_ms <= trade.match_ms][-1:]
    after = [snapshot for snapshot in own if snapshot.venue_ms > trade.match_ms][:1]
    return bool(before) and all(_holds(_met(snapshot, trade.side), trade) for snapshot in (*before, *after))


def _met(snapshot: Snapshot, side: Side) -> tuple[Level, ...]:
    return snapshot.asks if side is Side.BUY else snapshot.bids


def _holds(levels: Sequence[Level], trade: Trade) -> bool:
    return any(level.price == trade.price and level.size >= trade.shares for level in levels)
