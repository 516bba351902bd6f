"""An order's way through the exchange: refused, filled, killed, delayed, lost on the way, and never matched twice."""

from dataclasses import replace

import pytest
from tests.paper_exchange.core.worlds import NO, START_MS, WALLET, YES, book, buy, opened, pair, sell, steady

from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import Fault, FaultKind, FaultPlan
from paper_exchange.types import (
    MICRO,
    Accepted,
    BookUpdate,
    OrderChanged,
    OrderRequest,
    OrderStatus,
    Pending,
    Refused,
    TradeChanged,
)

BIDS, ASKS = [(44, 200)], [(45, 100), (46, 50)]
FOK_SENTENCE = "order couldn't be fully filled. FOK orders are fully filled or killed."


def accepted(exchange: Exchange, request: OrderRequest, at_ms: int = 0) -> Accepted:
    submission = exchange.submit(request, START_MS + at_ms)
    assert isinstance(submission, Accepted), submission
    return submission


def refused(exchange: Exchange, request: OrderRequest, at_ms: int = 0) -> Refused:
    submission = exchange.submit(request, START_MS + at_ms)
    assert isinstance(submission, Refused), submission
    return submission


def test_a_fok_buy_fills_across_levels_and_each_level_is_a_trade() -> None:
    exchange = opened(steady(BIDS, ASKS))
    record = accepted(exchange, buy(YES, 120, 46)).record
    assert record.status is OrderStatus.MATCHED
    assert [(trade.bucket_index, trade.price, trade.dollars) for trade in record.trades] == [
        (0, 4_500, 45 * MICRO),
        (1, 4_600, 10_200_000),
    ]
    assert record.making == 55_200_000
    assert record.taking == 100 * MICRO + 10_200_000 * 10_000 // 4_600
    assert exchange.trades(WALLET) == record.trades
    exchange.ledger.check()


def test_a_fok_buy_that_cannot_be_filled_whole_is_killed_whole() -> None:
    exchange = opened(steady(BIDS, ASKS))
    record = accepted(exchange, buy(YES, 151, 46)).record
    assert (record.status, record.reason, record.trades) == (OrderStatus.CANCELED, FOK_SENTENCE, [])
    assert exchange.account(WALLET).dollars == 1_000 * MICRO


def test_a_fak_buy_takes_what_is_there() -> None:
    record = accepted(opened(steady(BIDS, ASKS)), buy(YES, 151, 45, kind="FAK")).record
    assert (record.status, record.making, record.taking) == (OrderStatus.MATCHED, 45 * MICRO, 100 * MICRO)


def test_a_fak_buy_that_meets_nothing_is_killed_with_its_own_sentence() -> None:
    record = accepted(opened(steady(BIDS, ASKS)), buy(YES, 50, 44, kind="FAK")).record
    assert record.status is OrderStatus.CANCELED
    assert record.reason.startswith("no orders found to match with FAK order.")


def test_our_own_fill_is_gone_from_both_mirrored_books_until_they_change() -> None:
    exchange = opened(steady(BIDS, ASKS))
    accepted(exchange, buy(YES, 100, 45), 500)
    yes, no = (exchange.book(token, START_MS + 500) for token in (YES, NO))
    assert yes is not None
    assert no is not None
    assert (yes.venue_ms, no.venue_ms) == (START_MS + 500, START_MS + 500)
    assert [level.price for level in yes.asks] == [4_600]
    assert [level.price for level in no.bids] == [5_400]
    assert accepted(exchange, buy(YES, 10, 45), 600).record.status is OrderStatus.CANCELED
    exchange.advance(START_MS + 60_000)
    assert accepted(exchange, buy(YES, 10, 45), 60_000).record.status is OrderStatus.CANCELED


def test_depth_we_took_comes_back_when_the_level_changes() -> None:
    exchange = opened([*pair(0, bids=BIDS, asks=[(45, 100)]), *pair(1_000, bids=BIDS, asks=[(45, 90)])])
    assert accepted(exchange, buy(YES, 90, 45)).record.status is OrderStatus.MATCHED
    assert accepted(exchange, buy(YES, 90, 45), 1_000).record.status is OrderStatus.MATCHED


def test_buying_one_outcome_leaves_the_asks_of_the_other_alone() -> None:
    exchange = opened(steady([(52, 80)], [(45, 80)]))
    assert accepted(exchange, buy(YES, 80, 45)).record.status is OrderStatus.MATCHED
    assert accepted(exchange, buy(NO, 80, 48)).record.status is OrderStatus.MATCHED
    exchange.ledger.check()


def test_a_fill_is_announced_as_order_then_trades_then_full_books() -> None:
    exchange = opened(steady(BIDS, ASKS))
    accepted(exchange, buy(YES, 120, 46))
    assert exchange.next_event_ms() == START_MS
    events = exchange.advance(START_MS)
    assert [type(event) for event in events] == [OrderChanged, TradeChanged, TradeChanged, BookUpdate]
    update = events[-1]
    assert isinstance(update, BookUpdate)
    assert update.full
    assert [snapshot.outcome for snapshot in update.snapshots] == [0, 1]
    assert next(previous.asks[0].size for previous in update.previous if previous is not None) == 100 * MICRO


def test_a_kill_is_announced_as_a_cancellation() -> None:
    exchange = opened(steady(BIDS, ASKS))
    accepted(exchange, buy(YES, 151, 46))
    (event,) = exchange.advance(START_MS)
    assert isinstance(event, OrderChanged)
    assert (event.kind, event.record.reason) == ("CANCELLATION", FOK_SENTENCE)


@pytest.mark.parametrize("first_shares", [50, 900])
def test_the_same_order_sent_twice_is_a_duplicate_whether_it_was_filled_or_killed(first_shares: int) -> None:
    exchange = opened(steady(BIDS, ASKS))
    request = buy(YES, first_shares, 45)
    accepted(exchange, request)
    assert refused(exchange, request).error == f"order {request.order_hash} is invalid. Duplicated."
    assert len(exchange.orders()) == 1


def test_an_order_that_was_refused_may_be_sent_again() -> None:
    exchange = opened(steady(BIDS, ASKS), dollars=1)
    request = buy(YES, 50, 45)
    assert refused(exchange, request).error.startswith("not enough balance / allowance")
    exchange.deposit(WALLET, 100 * MICRO)
    assert accepted(exchange, request).record.status is OrderStatus.MATCHED


def test_improvement_that_raises_the_fee_beyond_the_balance_refuses_the_order() -> None:
    exchange = opened(steady([(1, 10)], [(5, 10_000)]), dollars=1)
    exchange.deposit(WALLET, 44 * MICRO + 1_800_000)
    assert refused(exchange, buy(YES, 50, 90)).error.startswith("not enough balance / allowance")
    assert exchange.account(WALLET).dollars == 46_800_000


def test_an_unknown_token_has_no_book_to_trade_on() -> None:
    assert refused(opened(steady(BIDS, ASKS)), buy("999", 50, 45)).error == "the orderbook 999 does not exist"


def test_a_condition_id_is_not_a_token() -> None:
    exchange = opened(steady(BIDS, ASKS))
    assert refused(exchange, buy("0xc0ffee", 50, 45)).status == 400


def test_orders_are_refused_after_the_end_and_after_closing_by_hand() -> None:
    exchange = opened(steady(BIDS, ASKS))
    assert refused(exchange, buy(YES, 50, 45), 600_000).error == "the market is not accepting orders"
    early = opened(steady(BIDS, ASKS))
    early.close("0xc0ffee")
    assert not early.accepting("0xc0ffee", START_MS)
    assert refused(early, buy(YES, 50, 45)).error == "the market is not accepting orders"


def test_with_latency_an_order_meets_the_book_that_stands_when_it_arrives() -> None:
    books = [*pair(0, bids=BIDS, asks=[(45, 100)]), *pair(100, bids=[(46, 10)], asks=[(48, 100)])]
    exchange = opened(books, settings=ExchangeSettings(order_latency_ms=150))
    request = buy(YES, 50, 45)
    assert exchange.submit(request, START_MS) == Pending(request.order_hash, START_MS + 150, delayed=False)
    assert exchange.order(request.order_hash) is None
    exchange.advance(START_MS + 149)
    assert exchange.outcome(request.order_hash) is None
    exchange.advance(START_MS + 150)
    record = exchange.outcome(request.order_hash)
    assert record is not None
    assert (record.status, record.received_ms) == (OrderStatus.CANCELED, START_MS + 150)


def test_an_order_on_its_way_is_already_a_duplicate() -> None:
    exchange = opened(steady(BIDS, ASKS), settings=ExchangeSettings(order_latency_ms=150))
    request = buy(YES, 50, 45)
    exchange.submit(request, START_MS)
    assert "Duplicated" in refused(exchange, request, 10).error


def test_two_orders_on_their_way_cannot_spend_the_same_dollars() -> None:
    exchange = opened(steady(BIDS, ASKS), dollars=30, settings=ExchangeSettings(order_latency_ms=150))
    requests = [buy(YES, 50, 45), buy(YES, 50, 45)]
    for request in requests:
        assert isinstance(exchange.submit(request, START_MS), Pending)
    exchange.advance(START_MS + 150)
    first, second = (exchange.outcome(request.order_hash) for request in requests)
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (OrderStatus.MATCHED, OrderStatus.INVALID)
    assert second.reason.startswith("not enough balance / allowance")
    exchange.ledger.check()


def test_a_taker_delay_holds_the_order_in_sight_and_then_matches_it() -> None:
    exchange = opened(steady(BIDS, ASKS), taker_delay_ms=250)
    request = buy(YES, 50, 45)
    assert exchange.submit(request, START_MS) == Pending(request.order_hash, START_MS + 250, delayed=True)
    held = exchange.order(request.order_hash)
    assert held is not None
    assert held.status is OrderStatus.DELAYED
    assert exchange.outcome(request.order_hash) is None
    exchange.advance(START_MS + 250)
    done = exchange.outcome(request.order_hash)
    assert done is held
    assert (done.status, done.reason) == (OrderStatus.MATCHED, "")


def test_a_delayed_order_tells_the_user_channel_of_placement_and_update() -> None:
    exchange = opened(steady(BIDS, ASKS), taker_delay_ms=250, settings=ExchangeSettings(order_latency_ms=50))
    request = buy(YES, 50, 45)
    assert exchange.submit(request, START_MS) == Pending(request.order_hash, START_MS + 300, delayed=True)
    told = [event for event in exchange.advance(START_MS + 300) if isinstance(event, OrderChanged)]
    assert [(event.kind, event.record.status) for event in told] == [
        ("PLACEMENT", OrderStatus.DELAYED),
        ("UPDATE", OrderStatus.MATCHED),
    ]


def test_an_order_held_past_the_end_of_its_market_is_not_matched() -> None:
    exchange = opened(steady(BIDS, ASKS), taker_delay_ms=250, end_ms=START_MS + 100)
    request = buy(YES, 50, 45)
    exchange.submit(request, START_MS)
    exchange.advance(START_MS + 300)
    record = exchange.outcome(request.order_hash)
    assert record is not None
    assert (record.status, record.trades) == (OrderStatus.INVALID, [])


@pytest.mark.parametrize(("kind", "delayed"), [(FaultKind.ORDER_LATENCY, False), (FaultKind.DELAYED_REPLY, True)])
def test_a_fault_can_slow_or_delay_one_order(kind: FaultKind, delayed: bool) -> None:
    exchange = opened(steady(BIDS, ASKS), faults=FaultPlan([Fault(kind, delay_ms=700)]))
    request = buy(YES, 50, 45)
    assert exchange.submit(request, START_MS) == Pending(request.order_hash, START_MS + 700, delayed=delayed)
    assert accepted(exchange, buy(YES, 5, 45)).record.status is OrderStatus.MATCHED


def test_depth_the_next_snapshot_denies_kills_the_order_and_is_counted() -> None:
    exchange = opened([*pair(0, bids=BIDS, asks=[(45, 100)]), *pair(1_000, bids=BIDS, asks=[(47, 100)])])
    assert accepted(exchange, buy(YES, 50, 45)).record.status is OrderStatus.CANCELED
    ghosts = exchange.seen_not_fillable("0xc0ffee")
    assert (ghosts.next_snapshot_orders, ghosts.next_snapshot_shares, ghosts.mirror_orders) == (1, 50 * MICRO, 0)


def test_depth_the_mirror_denies_kills_the_order_and_is_counted() -> None:
    lonely = [book(0, at_ms, bids=BIDS, asks=[(45, 100)]) for at_ms in (0, 1_000)]
    denying = [book(1, at_ms, bids=[(50, 100)], asks=[(56, 200)]) for at_ms in (0, 1_000)]
    exchange = opened([*lonely, *denying])
    assert accepted(exchange, buy(YES, 50, 45)).record.status is OrderStatus.CANCELED
    ghosts = exchange.seen_not_fillable("0xc0ffee")
    assert (ghosts.mirror_orders, ghosts.mirror_shares, ghosts.next_snapshot_orders) == (1, 50 * MICRO, 0)


def test_an_order_killed_by_its_own_limit_is_not_counted_as_a_ghost() -> None:
    exchange = opened(steady(BIDS, ASKS))
    accepted(exchange, buy(YES, 50, 44))
    assert exchange.seen_not_fillable("0xc0ffee").next_snapshot_orders == 0


def test_confirmed_shares_can_be_sold_into_the_bids() -> None:
    exchange = opened([*pair(0, bids=BIDS, asks=ASKS), *pair(60_000, bids=BIDS, asks=ASKS)])
    accepted(exchange, buy(YES, 50, 45))
    assert "not enough balance" in refused(exchange, sell(YES, 50, 44), 2_999).error
    record = accepted(exchange, sell(YES, 50, 44), 3_000).record
    assert (record.status, record.making, record.taking) == (OrderStatus.MATCHED, 50 * MICRO, 22 * MICRO)
    exchange.ledger.check()


def test_trades_can_be_narrowed_by_market_token_and_time() -> None:
    exchange = opened(steady(BIDS, ASKS))
    accepted(exchange, buy(YES, 10, 45))
    accepted(exchange, buy(NO, 10, 56), 5_000)
    assert [trade.token for trade in exchange.trades(WALLET.lower(), "0xc0ffee")] == [YES, NO]
    assert [trade.token for trade in exchange.trades(WALLET, token=NO)] == [NO]
    assert [trade.token for trade in exchange.trades(WALLET, after_ms=START_MS + 5_000)] == [NO]
    assert [trade.token for trade in exchange.trades(WALLET, before_ms=START_MS + 4_999)] == [YES]
    assert exchange.trades(WALLET, "0xother") == []


def test_the_size_minimum_of_the_market_is_applied() -> None:
    exchange = opened(steady(BIDS, ASKS), min_order_size=20 * MICRO)
    assert "lower than the minimum: 20" in refused(exchange, buy(YES, 10, 45)).error


def test_another_wallet_has_its_own_money() -> None:
    exchange = opened(steady(BIDS, ASKS))
    stranger = replace(buy(YES, 10, 45), maker="0xdef")
    assert refused(exchange, stranger).error.startswith("not enough balance / allowance")
