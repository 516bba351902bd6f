"""Puts one market's engine together: the same one for a single bot, for Hydra and for a replay; only what is handed in differs.

Called by `trading/market_bot.py` with a live or simulated account, and by `replay/` with virtual time.
"""

from collections.abc import Callable

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.observer import EngineObserver
from kabobagool.engine.order_flow import OrderFlow
from kabobagool.engine.policy import policy_of
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.purse import Purse
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.journal import OrderJournal
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.gate.interface import OrderGate
from kabobagool.settings import Settings

Attach = Callable[[Callable[[PairView], None]], PairView]
"""Has every new view of the market shown to the given function from now on, and returns the (always same) view."""


def assemble_engine(
    settings: Settings,
    *,
    attach: Attach,
    execution: ExecutionClient,
    journal: OrderJournal,
    gate: OrderGate,
    clock: Clock,
    observer: EngineObserver,
    counters: FeedCounters,
    purse: Purse | None = None,
    tracker: PositionTracker | None = None,
) -> MarketEngine:
    """An engine that is ready to `run`. `tracker` brings a position that was built before; without it nothing is owned yet."""
    buffer = ConflatingPriceBuffer(counters)
    strategy = KabobagoolStrategy(policy=policy_of(settings), clock=clock, wake=lambda: buffer.publish(view))
    view = attach(strategy.on_view)
    engine = MarketEngine(
        view=view,
        strategy=strategy,
        buffer=buffer,
        tracker=tracker or PositionTracker(),
        flow=OrderFlow(execution=execution, journal=journal, clock=clock, on_outcome=lambda *said: engine.on_reply(*said)),
        unknown=UnknownOrders(execution=execution, journal=journal, clock=clock),
        gate=gate,
        cooldown=Cooldown(
            base_s=settings.cooldown_base_ms / 1000, max_s=settings.cooldown_max_ms / 1000, backoff=settings.cooldown_backoff
        ),
        clock=clock,
        observer=observer,
        purse=purse,
    )
    return engine
