"""What happens as time passes: books, ticks, settlement, resolution, and the counters of false edges."""

from tests.paper_exchange.core.worlds import NO, START_MS, WALLET, YES, book, buy, opened, pair, steady

from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import Fault, FaultKind, FaultPlan
from paper_exchange.types import (
    MICRO,
    BookUpdate,
    Event,
    Level,
    MarketResolved,
    Side,
    Snapshot,
    TickSizeChanged,
    TradeChanged,
    TradeStatus,
)

BIDS, ASKS = [(44, 200)], [(45, 100)]


def statuses(events: list[Event]) -> list[TradeStatus]:
    return [event.status for event in events if isinstance(event, TradeChanged)]


def bought(**kwargs: object) -> Exchange:
    exchange = opened(steady(BIDS, ASKS), **kwargs)  # type: ignore[arg-type]
    exchange.submit(buy(YES, 50, 45), START_MS)
    exchange.advance(START_MS)
    return exchange


def test_outcomes_that_change_at_the_same_instant_arrive_in_one_update() -> None:
    exchange = opened(pair(0, bids=BIDS, asks=ASKS))
    books = [*pair(0, bids=BIDS, asks=ASKS), *pair(1_000, bids=BIDS, asks=[(46, 1)]), book(1, 1_500, bids=[(54, 2)])]
    exchange = opened(books)
    both, one = exchange.advance(START_MS + 2_000)
    assert isinstance(both, BookUpdate)
    assert isinstance(one, BookUpdate)
    assert [snapshot.outcome for snapshot in both.snapshots] == [0, 1]
    assert [snapshot.venue_ms for snapshot in both.snapshots] == [START_MS + 1_000] * 2
    assert [previous.venue_ms for previous in both.previous if previous is not None] == [START_MS] * 2
    assert [snapshot.outcome for snapshot in one.snapshots] == [1]
    assert not both.full


def test_the_first_book_of_an_outcome_has_no_predecessor() -> None:
    exchange = opened([*pair(500, bids=BIDS, asks=ASKS)])
    assert exchange.book(YES, START_MS) is None
    (update,) = exchange.advance(START_MS + 500)
    assert isinstance(update, BookUpdate)
    assert update.previous == (None, None)


def test_the_next_event_is_announced_in_advance_and_none_is_left_in_the_end() -> None:
    exchange = opened([*pair(0, bids=BIDS, asks=ASKS), *pair(1_000, bids=BIDS, asks=ASKS)], payout=None)
    assert exchange.next_event_ms() == START_MS + 1_000
    exchange.advance(START_MS + 1_000)
    assert exchange.next_event_ms() is None


def test_events_come_in_time_order_and_time_does_not_run_backwards() -> None:
    exchange = bought()
    events = exchange.advance(START_MS + 700_000)
    times = [event.venue_ms for event in events]
    assert times == sorted(times)
    assert exchange.advance(START_MS) == []
    assert exchange.now_ms == START_MS + 700_000


def test_prices_between_the_ticks_refine_the_grid_for_good() -> None:
    fine = Snapshot(0, START_MS + 1_000, (Level(9_650, MICRO),), (Level(9_720, MICRO),))
    exchange = opened([*pair(0, bids=BIDS, asks=ASKS), fine, *pair(2_000, bids=BIDS, asks=ASKS)])
    assert exchange.tick_size("0xc0ffee") == 100
    change, update = exchange.advance(START_MS + 1_000)
    assert change == TickSizeChanged(START_MS + 1_000, "0xc0ffee", 100, 10)
    assert isinstance(update, BookUpdate)
    assert not [event for event in exchange.advance(START_MS + 2_000) if isinstance(event, TickSizeChanged)]
    market = exchange.market("will-it-rain")
    assert market is not None
    assert market.tick_size == exchange.tick_size("0xc0ffee") == 10


def test_a_market_is_found_by_condition_token_and_slug() -> None:
    exchange = opened(steady(BIDS, ASKS))
    assert {exchange.market(name) for name in ("0xc0ffee", YES, NO, "will-it-rain")} == set(exchange.markets)
    assert exchange.market("nothing") is None


def test_a_trade_is_mined_with_a_hash_and_then_confirmed() -> None:
    exchange = bought()
    (trade,) = exchange.trades(WALLET)
    assert (trade.status, trade.transaction_hash) == (TradeStatus.MATCHED, "")
    assert statuses(exchange.advance(START_MS + 1_500)) == [TradeStatus.MINED]
    assert len(trade.transaction_hash) == 66
    assert exchange.account(WALLET).shares == {}
    assert statuses(exchange.advance(START_MS + 3_000)) == [TradeStatus.CONFIRMED]
    assert trade.updated_ms == START_MS + 3_000
    assert exchange.account(WALLET).shares == {YES: 50 * MICRO}


def test_each_event_shows_the_trade_as_it_was_then() -> None:
    exchange = opened(steady(BIDS, ASKS))
    exchange.submit(buy(YES, 50, 45), START_MS)
    told = [event for event in exchange.advance(START_MS + 3_000) if isinstance(event, TradeChanged)]
    assert [(event.trade.status, bool(event.trade.transaction_hash)) for event in told] == [
        (TradeStatus.MATCHED, False),
        (TradeStatus.MINED, True),
        (TradeStatus.CONFIRMED, True),
    ]


def test_a_settlement_that_fails_takes_the_shares_and_returns_the_dollars() -> None:
    exchange = bought(faults=FaultPlan([Fault(FaultKind.SETTLEMENT_FAILED, token=YES)]))
    assert exchange.account(WALLET).dollars < 1_000 * MICRO
    assert statuses(exchange.advance(START_MS + 3_000)) == [TradeStatus.FAILED]
    account = exchange.account(WALLET)
    assert (account.dollars, account.shares, account.pending_shares) == (1_000 * MICRO, {}, {})
    exchange.ledger.check()


def test_a_settlement_fault_for_the_other_token_does_not_strike() -> None:
    exchange = bought(faults=FaultPlan([Fault(FaultKind.SETTLEMENT_FAILED, token=NO)]))
    assert statuses(exchange.advance(START_MS + 3_000))[-1] is TradeStatus.CONFIRMED


def test_a_venue_that_always_fails_never_delivers() -> None:
    exchange = bought(settings=ExchangeSettings(settlement_failures_per_million=1_000_000))
    assert statuses(exchange.advance(START_MS + 3_000)) == [TradeStatus.FAILED]


def test_a_settled_market_pays_the_winner_and_refuses_orders() -> None:
    exchange = bought()
    before = exchange.account(WALLET).dollars
    events = exchange.advance(START_MS + 660_000)
    assert events[-1] == MarketResolved(START_MS + 660_000, "0xc0ffee", (MICRO, 0))
    assert exchange.account(WALLET).dollars == before + 50 * MICRO
    assert exchange.resolved("0xc0ffee")
    exchange.ledger.check()


def test_a_market_without_a_payout_never_resolves() -> None:
    exchange = bought(payout=None)
    exchange.advance(START_MS + 10**9)
    assert not exchange.resolved("0xc0ffee")
    assert exchange.account(WALLET).shares == {YES: 50 * MICRO}


def test_resolution_waits_for_trades_that_are_still_settling() -> None:
    slow = ExchangeSettings(confirm_ms=700_000)
    exchange = bought(settings=slow)
    exchange.advance(START_MS + 699_999)
    assert not exchange.resolved("0xc0ffee")
    exchange.advance(START_MS + 701_000)
    assert exchange.resolved("0xc0ffee")
    exchange.ledger.check()


def test_books_stop_when_the_market_has_paid_out() -> None:
    late = pair(700_000, bids=BIDS, asks=ASKS)
    exchange = opened([*steady(BIDS, ASKS), *late])
    assert isinstance(exchange.advance(START_MS + 800_000)[-1], MarketResolved)


def test_a_half_applied_instant_counts_as_a_naive_edge_but_not_as_a_whole_one() -> None:
    up = pair(0, bids=[(44, 100)], asks=[(45, 100)])
    down = pair(1_000, bids=[(34, 100)], asks=[(35, 100)])
    exchange = opened([*up, *down])
    exchange.advance(START_MS + 1_000)
    edges = exchange.naive_edges("0xc0ffee")
    assert (edges.views, edges.below_one, edges.whole_updates, edges.fillable) == (3, 1, 0, 0)


def test_a_true_dislocation_counts_as_fillable_and_profitable() -> None:
    exchange = opened(steady([(55, 80)], [(48, 80)]))
    edges = exchange.naive_edges("0xc0ffee")
    assert (edges.below_one, edges.whole_updates, edges.fillable, edges.profitable) == (1, 1, 1, 1)


def test_a_dislocation_thinner_than_the_fees_is_not_profitable() -> None:
    edges = opened(steady([(50, 80)], [(48, 80)])).naive_edges("0xc0ffee")
    assert (edges.fillable, edges.profitable) == (1, 0)


def test_a_stale_leg_counts_as_a_naive_edge_that_nobody_could_fill() -> None:
    late = [book(0, 1_000, bids=[(34, 9)], asks=[(35, 9)]), *pair(2_000, bids=[(34, 9)], asks=[(35, 9)])]
    exchange = opened([*pair(0, bids=[(44, 100)], asks=[(45, 100)]), *late])
    exchange.advance(START_MS + 2_000)
    edges = exchange.naive_edges("0xc0ffee")
    assert (edges.below_one, edges.whole_updates, edges.fillable) == (2, 1, 0)


def test_depth_is_told_level_by_level() -> None:
    exchange = opened([*pair(0, bids=BIDS, asks=ASKS), *pair(1_000, bids=BIDS, asks=[(45, 40)])])
    (depth,) = exchange.depth(YES, Side.BUY, START_MS)
    assert (depth.visible, depth.held, depth.fillable) == (100 * MICRO, 40 * MICRO, 40 * MICRO)
