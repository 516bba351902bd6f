"""Builds the one bot of `kabobagool run` out of settings: a session, the market, a feed of its own, and the bot on top.

Called by `cli/run.py`; a fleet is built by `cli/hydra.py` instead.
"""

from contextlib import suppress

from kabobagool.engine.bot import Bot
from kabobagool.engine.metrics_observer import MetricsObserver
from kabobagool.engine.purse import PurseKeeper
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.settings import Settings
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.trading.market_bot import OnView, open_bot
from kabobagool.trading.session import feed_settings, find_market, open_session
from kabobagool.venue.errors import VenueError


async def compose(settings: Settings, metrics: BotMetrics) -> Bot:
    """A bot that is ready to run. VenueError, JournalError or StartError with what is wrong; nothing stays open then."""
    session = await open_session(settings)
    try:
        market = await find_market(settings, session.venue)
        counters = FeedCounters()

        def feed_for(on_view: OnView) -> MarketFeed:
            return MarketFeed(
                url=settings.market_socket_url,
                market=market,
                clock=session.clock,
                rng=session.venue.rng,
                fetch_books=session.venue.fetch_books,
                on_view=on_view,
                settings=feed_settings(settings),
                counters=counters,
            )

        keeper = PurseKeeper(purse=session.purse, reader=session.account.reader, clock=session.clock) if session.account else None
        if keeper is not None:
            with suppress(VenueError):  # the keeper asks again; until then only the venue itself refuses what cannot be paid
                await keeper.count()
        bot = await open_bot(session, market, feed_for=feed_for, counters=counters, observer=MetricsObserver(metrics), settlements=metrics)
    except BaseException:
        await session.close()
        raise
    bot.keeper = keeper
    bot.closers.insert(0, session.close)
    metrics.watch_feed(counters)
    metrics.watch_gate(session.at_gate.numbers)
    return bot
