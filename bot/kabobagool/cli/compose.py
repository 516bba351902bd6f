"""Builds a bot out of settings: the one place where clocks, sockets, keys and files meet.

Called by `cli/run.py`. Everything is made in the order in which it can fail with a useful text: reach the venue, know the market, know
the wallet, open the journal, remember, then trade.
"""

import asyncio
import random
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.engine.audit import Audit
from kabobagool.engine.bot import Bot
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.memory import Memory
from kabobagool.engine.metrics_observer import MetricsObserver
from kabobagool.engine.order_flow import OrderFlow
from kabobagool.engine.policy import policy_of
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution.account import account_reader, given_credentials, wallet_of
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.credentials import ensure_credentials
from kabobagool.execution.dry_run import DryRunExecution
from kabobagool.execution.fills import FillStatus, OrderFill
from kabobagool.execution.journal import Journal
from kabobagool.execution.live import ClobExecution
from kabobagool.execution.reconcile import Reconciliation, reconcile, resolve_open_orders
from kabobagool.execution.settlement import SettlementTracker
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.feed.settings import FeedSettings
from kabobagool.gate.memory import MemoryGate
from kabobagool.settings import Settings
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.transport import HttpTransport, configure_official_client, make_transport

CLOCK_LOOK_S = 0.002


class StartError(VenueError):
    """The bot must not start; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """The venue as this process reaches it."""

    transport: HttpTransport
    reader: Reader
    clob: ClobReader
    clock: Clock
    rng: random.Random


async def reach_venue(settings: Settings) -> Venue:
    """Connect, insist on the exchange version, and take over the venue's clock. VenueError when it cannot be reached."""
    proxy = settings.clob_proxy_url.get_secret_value() if settings.clob_proxy_url else None
    transport = make_transport(browser_impersonation=settings.use_browser_impersonation, proxy_url=proxy)
    rng = random.SystemRandom()
    try:
        policy = RetryPolicy(timeout_s=settings.request_timeout_ms / 1000)
        clock: Clock = SystemClock()
        reader = Reader(transport, clock=clock, rng=rng, policy=policy)
        clob = ClobReader(reader, settings.host, clock=clock)
        await clob.assert_version()
        if settings.clock_rate != 1:
            clock = await venue_clock(clob, rate=settings.clock_rate)
            reader = Reader(transport, clock=clock, rng=rng, policy=policy)
            clob = ClobReader(reader, settings.host, clock=clock)
    except BaseException:
        await transport.close()
        raise
    return Venue(transport=transport, reader=reader, clob=clob, clock=clock, rng=rng)


async def venue_clock(clob: ClobReader, *, rate: float) -> SystemClock:
    """A clock that runs with a venue whose time passes `rate` times as fast; exact to a moment after one of its seconds began."""
    before = await clob.server_time_ms()
    while True:
        now = await clob.server_time_ms()
        if now != before:
            return SystemClock(rate=rate, origin_ms=now)
        await asyncio.sleep(CLOCK_LOOK_S)


async def find_market(settings: Settings, venue: Venue) -> Market:
    """The market these settings name. The errors of `venue.gamma`."""
    tokens = (settings.token_yes, settings.token_no) if settings.token_yes and settings.token_no else None
    return await resolve_market(
        venue.reader, venue.clob, settings.gamma_host, slug=settings.market_slug, condition_id=settings.condition_id, tokens=tokens
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A wallet that can trade: its reader and its execution client."""

    reader: ClobReader
    execution: ClobExecution


async def open_account(settings: Settings, venue: Venue) -> Account:
    """Keys, credentials and the official client of a live wallet. VenueError when the venue does not accept them."""
    if settings.private_key is None:
        raise StartError("PRIVATE_KEY is not set: live trading needs it (DRY_RUN=true does not)")
    wallet = wallet_of(settings, settings.private_key.get_secret_value())
    proxy = settings.clob_proxy_url.get_secret_value() if settings.clob_proxy_url else None
    await asyncio.to_thread(configure_official_client, proxy, settings.request_timeout_ms / 1000)
    credentials = given_credentials(settings) or await ensure_credentials(host=settings.host, wallet=wallet, clock=venue.clock)
    reader = account_reader(settings, venue.reader, credentials, venue.clock)
    execution = ClobExecution(
        host=settings.host,
        wallet=wallet,
        credentials=credentials,
        reader=reader,
        clock=venue.clock,
        rng=venue.rng,
        timeout_s=settings.request_timeout_ms / 1000,
    )
    await execution.start()
    return Account(reader=reader, execution=execution)


async def compose(settings: Settings, metrics: BotMetrics) -> Bot:
    """A bot that is ready to run. VenueError, JournalError or StartError with what is wrong; nothing stays open then."""
    venue = await reach_venue(settings)
    try:
        market = await find_market(settings, venue)
        account = None if settings.dry_run else await open_account(settings, venue)
        return await _assemble(settings, metrics, venue, market, account)
    except BaseException:
        await venue.transport.close()
        raise


async def _assemble(settings: Settings, metrics: BotMetrics, venue: Venue, market: Market, account: Account | None) -> Bot:
    clock, counters = venue.clock, FeedCounters()
    buffer = ConflatingPriceBuffer(counters)
    strategy = KabobagoolStrategy(policy=policy_of(settings), clock=clock, wake=lambda: buffer.publish(feed.view))
    feed = _feed(settings, venue, market, counters, strategy)
    execution: ExecutionClient = account.execution if account else _dry_run(settings, feed.view, clock)
    journal = await open_journal(settings, market, clock)
    unknown = UnknownOrders(execution=execution, journal=journal, clock=clock)
    engine = MarketEngine(
        view=feed.view,
        strategy=strategy,
        buffer=buffer,
        tracker=PositionTracker(),
        flow=OrderFlow(execution=execution, journal=journal, clock=clock, on_outcome=lambda *said: engine.on_outcome(*said)),
        unknown=unknown,
        gate=MemoryGate.from_min_interval(float(settings.global_order_min_interval_s), clock),
        cooldown=Cooldown(
            base_s=settings.cooldown_base_ms / 1000, max_s=settings.cooldown_max_ms / 1000, backoff=settings.cooldown_backoff
        ),
        clock=clock,
        observer=MetricsObserver(metrics),
    )
    bot = Bot(
        engine=engine,
        feed=feed,
        counters=counters,
        clock=clock,
        live=not settings.dry_run,
        staleness_threshold_s=settings.health_price_staleness_threshold_ms / 1000,
        accepting_orders=lambda: _accepting(venue.clob, market),
        memory=None,
        settlement=None,
        closers=[venue.transport.close, journal.close, execution.close],
    )
    if account is None:
        engine.on_booked = lambda order_hash, fill: engine.tracker.book(order_hash, fill, now_ms=clock.now_ms(), settled=True)
    else:
        await _remember(settings, metrics, bot, account, journal)
    metrics.watch_feed(counters)
    return bot


def silence_s(settings: Settings) -> float:
    """How long a token may be silent before REST is asked: soon enough that a quiet market, confirmed by REST, never looks unhealthy.

    The feed doubles this pause twice while REST agrees.
    """
    return min(FeedSettings().silence_s, settings.health_price_staleness_threshold_ms / 1000 / 5)


def _feed(settings: Settings, venue: Venue, market: Market, counters: FeedCounters, strategy: KabobagoolStrategy) -> MarketFeed:
    async def fetch_books(tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
        return await venue.clob.books(tokens)

    proxy = settings.clob_proxy_url.get_secret_value() if settings.clob_proxy_url else None
    return MarketFeed(
        url=settings.market_socket_url,
        market=market,
        clock=venue.clock,
        rng=venue.rng,
        fetch_books=fetch_books,
        on_view=strategy.on_view,
        settings=FeedSettings(proxy_url=proxy, silence_s=silence_s(settings)),
        counters=counters,
    )


def _dry_run(settings: Settings, view: PairView, clock: Clock) -> DryRunExecution:
    return DryRunExecution(view=lambda condition_id: view, clock=clock, latency_s=settings.dry_run_latency_ms / 1000)


async def open_journal(settings: Settings, market: Market, clock: Clock) -> Journal:
    """The wallet's journal. A dry run keeps its own in a temporary folder: simulated orders must never be looked up at the venue."""
    if settings.dry_run:
        path = Path(tempfile.mkdtemp(prefix="kabobagool-dry-run-")) / "journal.sqlite"
    else:
        path = settings.journal_path
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    journal = await Journal.open(path, clock=clock)
    await journal.claim(market.condition_id)
    return journal


async def _accepting(clob: ClobReader, market: Market) -> bool | None:
    return (await clob.market_info(market.condition_id)).accepting_orders


async def _remember(settings: Settings, metrics: BotMetrics, bot: Bot, account: Account, journal: Journal) -> None:
    """Follow settlement, and rebuild the position before the first order. StartError when RECONCILIATION_REQUIRED and it is not clean."""
    engine, clock = bot.engine, bot.clock
    settlement = SettlementTracker(market=bot.market, reader=account.reader, clock=clock, on_change=lambda change: settled(change))

    def settled(change: OrderFill) -> None:
        engine.take_over(change, now_ms=clock.now_ms())
        if change.status is FillStatus.CONFIRMED:
            metrics.settled(lag_s=max(clock.now_ms() - change.match_ms, 0) / 1000)
        elif change.status is FillStatus.FAILED:
            metrics.settlement_failed()

    engine.on_booked = settlement.book
    bot.settlement = settlement
    bot.audit = Audit(engine=engine, reader=account.reader, adopt=lambda fill: settlement.adopt([fill]), clock=clock)

    async def ask() -> Reconciliation:
        if not settings.enable_reconciliation:
            return await _only_open_orders(bot.market, account, journal, clock)
        return await rebuild(settings, bot.market, account, journal, clock)

    def adopt(history: Reconciliation) -> None:
        settlement.adopt(history.fills)
        for change in history.fills:
            engine.take_over(change, now_ms=change.match_ms)

    bot.memory = Memory(engine=engine, ask=ask, adopt=adopt, clock=clock)
    with suppress(VenueError):  # the audit asks again; until then only the venue itself refuses what cannot be paid
        await bot.audit.count_cash()
    trouble = await bot.memory.recall()
    if trouble and settings.reconciliation_required:
        await bot.close()
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
