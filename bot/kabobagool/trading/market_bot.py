"""Builds the bot of one market on a trading session, and remembers what that market owns before the first order.

`cli/compose.py` builds the only bot of a process, `hydra/` one for each market of its fleet; what differs is the feed that is handed in.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Protocol

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.engine.assembly import assemble_engine
from kabobagool.engine.audit import Audit
from kabobagool.engine.bot import Bot, RunningFeed
from kabobagool.engine.foresight import Foresight
from kabobagool.engine.memory import Memory
from kabobagool.engine.observer import EngineObserver
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.dry_run import DryRunExecution
from kabobagool.execution.fills import FillStatus, OrderFill
from kabobagool.execution.journal import Journal
from kabobagool.execution.reconcile import Reconciliation, reconcile, resolve_open_orders
from kabobagool.execution.settlement import SettlementTracker
from kabobagool.feed.counters import FeedCounters
from kabobagool.gate.stakes import exposure_of
from kabobagool.settings import Settings
from kabobagool.trading.gate_choice import StartError
from kabobagool.trading.market_lease import LeasedFeed, take_market
from kabobagool.trading.session import Account, TradingSession

OnView = Callable[[PairView], None]


class SettlementListener(Protocol):
    """Told how the chain treated what was bought; telemetry counts it."""

    def settled(self, *, lag_s: float) -> None:
        """A trade was confirmed so long after it was matched."""
        ...

    def settlement_failed(self) -> None:
        """A matched trade did not settle."""
        ...


class MarketFeedLike(RunningFeed, Protocol):
    """A feed that shows the view it keeps."""

    @property
    def view(self) -> PairView:
        """Always the same object."""
        ...


async def open_bot(
    session: TradingSession,
    market: Market,
    *,
    feed_for: Callable[[OnView], MarketFeedLike],
    counters: FeedCounters,
    observer: EngineObserver,
    settlements: SettlementListener,
    tracker: PositionTracker | None = None,
) -> Bot:
    """A bot that is ready to run, alone on its market. VenueError, JournalError or StartError; nothing stays open then.

    `tracker` brings a position that a bot of this process built before; a live one is rebuilt from the venue's trades in any case.
    """
    async with AsyncExitStack() as taken:
        lease = await take_market(session.at_gate, market)
        taken.push_async_callback(session.gate.drop_lease, market.condition_id)
        await session.journal.claim(market.condition_id)
        taken.push_async_callback(session.journal.release, market.condition_id)
        bot = _assemble(session, market, feed_for, counters, observer, None if session.live else tracker)
        bot.closers.append(taken.pop_all().aclose)
    if session.at_gate.shared is not None:
        bot.feed = LeasedFeed(bot.feed, at_gate=session.at_gate, market=market, lease=lease)
    if (reporter := session.at_gate.reporter) is not None:
        reporter.follow(bot)
        bot.closers.append(lambda: reporter.forget(bot))
    try:
        if session.account is not None:
            await _remember(session, session.account, bot, settlements)
    except BaseException:
        await bot.close()
        raise
    return bot


def _assemble(
    session: TradingSession,
    market: Market,
    feed_for: Callable[[OnView], MarketFeedLike],
    counters: FeedCounters,
    observer: EngineObserver,
    tracker: PositionTracker | None,
) -> Bot:
    settings, clock = session.settings, session.clock
    feeds: list[MarketFeedLike] = []

    def attach(on_view: OnView) -> PairView:
        feeds.append(feed_for(on_view))
        return feeds[0].view

    def view_of(condition_id: str) -> PairView | None:
        return feeds[0].view if feeds else None

    engine = assemble_engine(
        settings,
        attach=attach,
        execution=session.account.execution if session.account else _dry_run(settings, view_of, clock),
        journal=session.journal,
        gate=session.gate,
        clock=clock,
        observer=observer,
        counters=counters,
        purse=session.purse,
        tracker=tracker,
    )
    bot = Bot(
        engine=engine,
        feed=feeds[0],
        counters=counters,
        clock=clock,
        live=session.live,
        staleness_threshold_s=settings.health_price_staleness_threshold_ms / 1000,
        drain_timeout_s=settings.drain_timeout_ms / 1000,
        accepting_orders=lambda: _accepting(session, market),
        memory=None,
        settlement=None,
    )
    if not session.live:
        engine.on_booked = lambda order_hash, fill: engine.tracker.book(order_hash, fill, now_ms=clock.now_ms(), settled=True)
        engine.booked()
    return bot


def _dry_run(settings: Settings, view_of: Callable[[str], PairView | None], clock: Clock) -> ExecutionClient:
    return DryRunExecution(view=view_of, clock=clock, latency_s=settings.dry_run_latency_ms / 1000)


async def _accepting(session: TradingSession, market: Market) -> bool | None:
    return (await session.venue.clob.market_info(market.condition_id)).accepting_orders


async def _remember(session: TradingSession, account: Account, bot: Bot, settlements: SettlementListener) -> None:
    """Follow settlement, and rebuild the position before the first order. StartError when RECONCILIATION_REQUIRED and it is not clean."""
    engine, clock, settings = bot.engine, bot.clock, session.settings
    settlement = SettlementTracker(market=bot.market, reader=account.reader, clock=clock, on_change=lambda change: settled(change))

    def settled(change: OrderFill) -> None:
        engine.take_over(change, now_ms=clock.now_ms())
        if change.status is FillStatus.CONFIRMED:
            settlements.settled(lag_s=max(clock.now_ms() - change.match_ms, 0) / 1000)
        elif change.status is FillStatus.FAILED:
            settlements.settlement_failed()

    if account.foresee is not None:
        bot.foresight = Foresight(engine=engine, foresee=account.foresee, clock=clock)
    engine.on_booked = settlement.book
    bot.settlement = settlement
    bot.audit = Audit(engine=engine, reader=account.reader, adopt=lambda fill: settlement.adopt([fill]), clock=clock)

    async def ask() -> Reconciliation:
        if not settings.enable_reconciliation:
            return await _only_open_orders(bot.market, account, session.journal, clock)
        return await rebuild(settings, bot.market, account, session.journal, clock)

    def adopt(history: Reconciliation) -> None:
        settlement.adopt(history.fills)
        for change in history.fills:
            engine.take_over(change, now_ms=change.match_ms)
        engine.history_open = bool(history.unresolved)
        if not engine.history_open:
            session.gate.set_exposure(bot.market.condition_id, exposure_of(engine.tracker.position))

    engine.history_open = True
    bot.memory = Memory(engine=engine, ask=ask, adopt=adopt, clock=clock)
    trouble = await bot.memory.recall()
    if trouble and settings.reconciliation_required:
        raise StartError(f"RECONCILIATION_REQUIRED=true, and the position could not be rebuilt: {trouble}")


async def rebuild(settings: Settings, market: Market, account: Account, journal: Journal, clock: Clock) -> Reconciliation:
    """The market's history as the venue tells it. VenueError and JournalError when it cannot be told."""
    return await reconcile(
        market,
        reader=account.reader,
        client=account.execution,
        journal=journal,
        clock=clock,
        lookback_hours=settings.reconciliation_lookback_hours,
    )


async def _only_open_orders(market: Market, account: Account, journal: Journal, clock: Clock) -> Reconciliation:
    """Without reconciliation the position starts empty; but no order may be opened while an earlier one has no known end."""
    resolved, unresolved = await resolve_open_orders(market, client=account.execution, journal=journal, clock=clock)
    return Reconciliation(
        fills=[], pending=[], foreign=[], resolved_orders=resolved, unresolved=unresolved, merged_pairs=0, disagreement=None
    )
