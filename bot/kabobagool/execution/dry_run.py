"""Trading without an exchange account: orders are matched against the real book as it is when they would have arrived.

The engine cannot tell it from the venue, so a dry run measures the same strategy that would trade. It takes time to arrive, it is
killed when the depth is gone, and what it took stays taken until that level changes: otherwise the same resting order would fill us a
hundred times.
"""

import hashlib
from collections.abc import Callable

from kabobagool.clock import Clock
from kabobagool.domain.book import Book, Level, PairView
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market, Outcome, Side
from kabobagool.domain.money import PRICE_ONE, Micros, Price
from kabobagool.domain.outcome import Killed, OrderOutcome, Rejected, Rejection
from kabobagool.execution.client import AlreadySentError, SignedOrder
from kabobagool.execution.matching import Take, match, outcome_of, refusal

REMEMBERED_ORDERS = 10_000
DEFAULT_LATENCY_S = 0.1

LevelKey = tuple[str, bool, Price]
"""Market, whether YES is offered (else wanted), and the price of YES: a YES ask and the NO bid that mirrors it are one resting order."""


class TakenDepth:
    """Shares that simulated fills took from levels that have not changed since."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: dict[LevelKey, tuple[Micros, Micros]] = {}

    def left(self, market: str, outcome: Outcome, side: Side, levels: list[Level]) -> list[Level]:
        """The levels less what was taken from them."""
        return [(price, size - self._taken_of(level_key(market, outcome, side, price), size)) for price, size in levels]

    def take(self, market: str, outcome: Outcome, side: Side, levels: list[Level], takes: list[Take]) -> None:
        """Remember what a fill took from `levels`, which are those of the book."""
        sizes = dict(levels)
        for take in takes:
            key, size = level_key(market, outcome, side, take.price), sizes[take.price]
            self._taken[key] = (size, self._taken_of(key, size) + take.shares)

    def _taken_of(self, key: LevelKey, size: Micros) -> Micros:
        size_then, taken = self._taken.get(key, (size, 0))
        if size_then != size:
            del self._taken[key]
            return 0
        return taken


class DryRunExecution:
    """`ExecutionClient` that only simulates. `view` gives the current books of a market by its condition id, None when there are none."""

    def __init__(self, *, view: Callable[[str], PairView | None], clock: Clock, latency_s: float = DEFAULT_LATENCY_S) -> None:
        self._view = view
        self._clock = clock
        self._latency_s = latency_s
        self._prepared = 0
        self._outcomes: dict[str, OrderOutcome | None] = {}
        self._depth = TakenDepth()

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Name the order by a hash of its own; nothing is signed."""
        self._prepared += 1
        now_ms = self._clock.now_ms()
        name = f"dry-run|{market.condition_id}|{now_ms}|{self._prepared}|{plan}"
        order_hash = "0x" + hashlib.sha256(name.encode()).hexdigest()
        return SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=now_ms, payload=None)

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """Match the order against the book as it is one latency from now. AlreadySentError for the second time."""
        if signed.order_hash in self._outcomes:
            raise AlreadySentError(signed.order_hash)
        self._remember(signed.order_hash, None)
        try:
            await self._clock.sleep(self._latency_s)
        except BaseException:
            self._outcomes[signed.order_hash] = Killed("never arrived")
            raise
        outcome = self._fill(signed.plan, signed.market)
        self._outcomes[signed.order_hash] = outcome
        return outcome

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """The outcome of an order of this process, None while it is on its way; an order of another process never arrived anywhere."""
        return self._outcomes.get(order_hash, Killed("never arrived"))

    async def close(self) -> None:
        """Nothing to let go of."""

    def _fill(self, plan: OrderPlan, market: Market) -> OrderOutcome:
        view = self._view(market.condition_id)
        if view is None or view.resolved:
            return Rejected(Rejection.MARKET_CLOSED, "no orderbook exists")
        market = view.market
        if refused := refusal(plan, market):
            return refused
        if market.fee is None:
            return Rejected(Rejection.CONFIGURATION, "the fee of this market is not known")
        levels = _opposite(view.book(plan.outcome), plan.side)
        takes = match(plan, self._depth.left(market.condition_id, plan.outcome, plan.side, levels))
        self._depth.take(market.condition_id, plan.outcome, plan.side, levels, takes)
        return outcome_of(takes, market.fee)

    def _remember(self, order_hash: str, outcome: OrderOutcome | None) -> None:
        self._outcomes[order_hash] = outcome
        if len(self._outcomes) > REMEMBERED_ORDERS:
            del self._outcomes[next(iter(self._outcomes))]


def level_key(market: str, outcome: Outcome, side: Side, price: Price) -> LevelKey:
    """One name for a resting order, whichever of its two mirrored levels was taken from."""
    if outcome is Outcome.YES:
        return (market, side is Side.BUY, price)
    return (market, side is Side.SELL, PRICE_ONE - price)


def _opposite(book: Book, side: Side) -> list[Level]:
    if not book.has_snapshot:
        return []
    return book.ask_levels() if side is Side.BUY else book.bid_levels()
