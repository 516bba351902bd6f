"""Puts a fleet together on a trading session: one shared feed, a bot for each market on top of it, and the supervisor of them all.

Called by `cli/hydra.py`; the engines are those of a single bot (`trading/market_bot.py`).
"""

from collections.abc import Callable

from kabobagool.clock import SystemClock
from kabobagool.discovery.criteria import criteria_of
from kabobagool.domain.market import Market
from kabobagool.domain.position import Position
from kabobagool.engine.bot import Bot
from kabobagool.engine.metrics_observer import MetricsObserver
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed, OnDefect
from kabobagool.feed.subscription import Subscription, Subscriptions
from kabobagool.hydra.market_supervisor import MarketSupervisor
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.trading.market_bot import OnView, open_bot
from kabobagool.trading.session import TradingSession, feed_settings


class FleetObserver(MetricsObserver):
    """Counts what all engines do together; what each market holds is read from the fleet when it is scraped."""

    def position(self, position: Position, *, naked: bool) -> None:
        """Nothing: one gauge cannot show many markets."""


def assemble_fleet(
    session: TradingSession, metrics: BotMetrics, *, redact: Callable[[str], str], profile: str | None = None
) -> MarketSupervisor:
    """A supervisor that is ready to run. SettingsError when no market can satisfy the criteria."""
    settings, clock, counters = session.settings, session.clock, FeedCounters()
    observer = FleetObserver(metrics)

    def make_feed(on_defect: OnDefect) -> MultiplexedMarketFeed:
        return MultiplexedMarketFeed(
            url=settings.market_socket_url,
            clock=clock,
            rng=session.venue.rng,
            fetch_books=session.venue.fetch_books,
            on_defect=on_defect,
            settings=feed_settings(settings),
            counters=counters,
        )

    subscriptions = Subscriptions(make_feed)

    async def open_on_shared_feed(market: Market, tracker: PositionTracker | None) -> Bot:
        def feed_for(on_view: OnView) -> Subscription:
            return subscriptions.subscribe(market, on_view=on_view)

        try:
            bot = await open_bot(
                session, market, feed_for=feed_for, counters=counters, observer=observer, settlements=metrics, tracker=tracker
            )
        except BaseException:
            await subscriptions.end(market.condition_id)
            raise
        bot.closers.append(lambda: subscriptions.end(market.condition_id))
        bot.engine.strategy.decided = lambda seconds, age_s: metrics.decided(seconds=seconds, feed_age_s=age_s)
        return bot

    metrics.watch_feed(counters)
    metrics.watch_gate(session.at_gate.numbers)
    return MarketSupervisor(
        session=session,
        criteria=criteria_of(settings),
        feed=subscriptions.feed,
        counters=counters,
        open_bot=open_on_shared_feed,
        wall_ms=SystemClock().now_ms,
        redact=redact,
        profile=profile,
    )
