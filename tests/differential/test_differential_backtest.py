"""Fills, position and result of a replay against a backtester that others wrote, order by order on the same books.

`resolvedkit` walks books, charges fees and settles on its own, in floats. Ours is what a dry run books: `matching` and `Position`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import resolvedkit
from hypothesis import given, settings
from hypothesis import strategies as st
from resolvedkit.engine import MarketResult

from kabobagool.domain.book import Level
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import FeeSchedule, Outcome, Side
from kabobagool.domain.money import MICRO, PRICE_ONE
from kabobagool.domain.outcome import Filled
from kabobagool.domain.position import EMPTY, Fill, Position
from kabobagool.domain.sizing import sell_order, sweep_buy
from kabobagool.execution.matching import match, outcome_of
from paper_exchange.recorded import RecordedBooks
from paper_exchange.types import Level as BookLevel
from paper_exchange.types import PaperMarket, Snapshot

START_MS = 1_795_305_600_000
FEE = FeeSchedule(rate_micros=70_000)
SIDES = (resolvedkit.UP, resolvedkit.DOWN)
FEE_STEP, HALF_STEP = 10, 5
"""We round the fee of every level up to a step, they round the fee of an order to the nearest."""


@dataclass(slots=True)
class Story:
    """Snapshots of one market and the orders that follow some of them, all of which fill at once."""

    snapshots: Sequence[Snapshot]
    orders: dict[int, OrderPlan] = field(default_factory=dict)
    position: Position = EMPTY
    takes: int = 0

    def buy(self, at: int, shares: int) -> None:
        snapshot = self.snapshots[at]
        asks = [(level.price, level.size) for level in snapshot.asks]
        self._carry_out(at, sweep_buy(Outcome(snapshot.outcome), asks, shares, 5 * MICRO), asks)

    def sell(self, at: int, part: int) -> None:
        snapshot = self.snapshots[at]
        held = self.position.leg(Outcome(snapshot.outcome)).shares // part
        bids = [(level.price, level.size) for level in snapshot.bids]
        self._carry_out(at, sell_order(Outcome(snapshot.outcome), bids, held, 5 * MICRO), bids)

    def _carry_out(self, at: int, plan: OrderPlan | None, levels: list[Level]) -> None:
        if plan is None:
            return
        takes = match(plan, levels)
        outcome = outcome_of(takes, FEE)
        if isinstance(outcome, Filled):
            self.orders[at] = plan
            self.takes += len(takes)
            self.position = self.position.plus(Fill(plan.outcome, plan.side, outcome.shares, outcome.dollars, outcome.fee))


class Told(resolvedkit.Strategy):  # type: ignore[misc]
    """Sends the orders of a story, each right after its snapshot."""

    def __init__(self, story: Story) -> None:
        self._story, self._seen = story, 0

    def on_book(self, ctx: resolvedkit.Context, book: resolvedkit.Book) -> None:
        plan = self._story.orders.get(self._seen)
        self._seen += 1
        if plan is None:
            return
        side = SIDES[plan.outcome]
        if plan.side is Side.BUY:
            ctx.buy(side, usd=plan.dollars / MICRO, max_price=plan.price / PRICE_ONE)
        else:
            ctx.sell(side, shares=plan.shares / MICRO, min_price=plan.price / PRICE_ONE)


class Books:
    """A story's snapshots as the backtester's data source."""

    def __init__(self, story: Story, payout: tuple[float, float]) -> None:
        end_ts = story.snapshots[-1].venue_ms + 1
        self._market = resolvedkit.Market("market", "Rain?", "crypto", end_ts, payout=payout)
        self._books = [
            resolvedkit.Book(snapshot.venue_ms, SIDES[snapshot.outcome], _levels(snapshot.bids), _levels(snapshot.asks))
            for snapshot in story.snapshots
        ]

    def markets(self) -> list[resolvedkit.Market]:
        return [self._market]

    def books(self, market_id: str) -> list[resolvedkit.Book]:
        return self._books


def _levels(levels: Sequence[BookLevel]) -> tuple[resolvedkit.Level, ...]:
    return tuple(resolvedkit.Level(level.price / PRICE_ONE, level.size / MICRO) for level in levels)


def backtested(story: Story, payout: tuple[float, float]) -> MarketResult:
    backtester = resolvedkit.Backtester(Books(story, payout), Told(story), latency_ms=0, fee_rate=0.07, skip_placeholder_books=False)
    return backtester.run().markets[0]


def they_agree(story: Story, payout: tuple[int, int]) -> None:
    """Every fill, both legs, the fees and the result, to what floats and fees are rounded to."""
    theirs = backtested(story, (payout[0] / MICRO, payout[1] / MICRO))
    assert not theirs.rejections
    assert not any(fill.depth_limited for fill in theirs.fills)
    assert len(theirs.fills) == len(story.orders)
    position, takes, orders = story.position, story.takes, len(story.orders)
    for outcome in Outcome:
        leg, fills = position.leg(outcome), [fill for fill in theirs.fills if fill.side == SIDES[outcome]]
        bought, sold = ([fill for fill in fills if fill.action == action] for action in ("BUY", "SELL"))
        assert [leg.bought, leg.sold] == pytest.approx(
            [sum(f.shares for f in side) * MICRO for side in (bought, sold)], rel=0, abs=takes + 1
        )
        assert [leg.cost, leg.proceeds] == pytest.approx(
            [sum(f.notional for f in side) * MICRO for side in (bought, sold)], rel=0, abs=takes + 1
        )
    dearer = position.fees - theirs.fees * MICRO
    assert -HALF_STEP * orders - 1 <= dearer <= FEE_STEP * takes + HALF_STEP * orders + 1
    assert position.payout(payout) - position.spent == pytest.approx(theirs.pnl * MICRO - dearer, rel=0, abs=3 * takes + 3)


sizes = st.integers(100, 40_000).map(lambda hundredths: hundredths * MICRO // 100)
prices = st.lists(st.integers(1, 99), min_size=2, max_size=8, unique=True).map(sorted)


@st.composite
def snapshots(draw: st.DrawFn) -> list[Snapshot]:
    """Books that are not crossed, of either outcome in any order."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        grid = draw(prices)
        cut = draw(st.integers(1, len(grid) - 1))
        bids = tuple(BookLevel(cents * 100, draw(sizes)) for cents in reversed(grid[:cut]))
        asks = tuple(BookLevel(cents * 100, draw(sizes)) for cents in grid[cut:])
        found.append(Snapshot(draw(st.sampled_from([0, 1])), START_MS + 1000 * number, bids, asks))
    return found


@settings(max_examples=150, deadline=None)
@given(books=snapshots(), payout=st.sampled_from([(MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)]), data=st.data())
def test_any_story_ends_with_the_same_position_and_result(books: list[Snapshot], payout: tuple[int, int], data: st.DataObject) -> None:
    story = Story(books)
    for at in range(len(books)):
        if data.draw(st.booleans()):
            story.buy(at, data.draw(st.integers(5, 500)) * MICRO)
        elif data.draw(st.booleans()):
            story.sell(at, data.draw(st.integers(1, 3)))
    they_agree(story, payout)


@pytest.fixture(scope="module")
def recorded() -> RecordedBooks:
    return RecordedBooks(start_ms=START_MS)


def a_replay(recorded: RecordedBooks, market: PaperMarket) -> Story:
    """Some pairs bought and some shares sold again, over the whole of a recorded market."""
    story = Story(recorded.snapshots(market.condition_id))
    for at in range(len(story.snapshots)):
        if at % 97 in {0, 1}:
            story.buy(at, 40 * MICRO)
        elif at % 389 == 200:
            story.sell(at, 3)
    return story


@pytest.mark.parametrize("number", [0, 7, 17])
def test_a_recorded_market_ends_with_the_same_position_and_result(recorded: RecordedBooks, number: int) -> None:
    market = recorded.markets()[number]
    assert market.payout is not None
    story = a_replay(recorded, market)
    assert len(story.orders) >= 20
    assert {plan.side for plan in story.orders.values()} == {Side.BUY, Side.SELL}
    they_agree(story, market.payout)
