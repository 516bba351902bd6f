"""No price, size or tick makes an amount the venue refuses, and a walk never promises what a fill-or-kill could not deliver."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.domain_strategies import (
    SHARE,
    TICKS,
    fill_or_kill_buy,
    levels_on,
    micros,
    price,
    prices_on,
    share_amounts,
    ticks,
    venue_objections,
)

from kabobagool.domain.book import Level
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.sizing import buy_order, is_whole_cents, pair_shares, pair_step, sell_order, share_step, smallest_buy, sweep_buy

MINIMUM = micros("5")
YES, NO = Outcome.YES, Outcome.NO


@pytest.mark.parametrize(
    ("at", "step"),
    [("0.5", 1), ("0.48", 1), ("0.485", 2), ("0.4825", 4), ("0.4875", 4), ("0.481", 10), ("0.4801", 100), ("0.4802", 50), ("0.4804", 25)],
)
def test_the_fewest_shares_that_cost_whole_cents(at: str, step: int) -> None:
    assert share_step(price(at)) == step


@pytest.mark.parametrize(
    ("tick", "multiple"),
    [("0.1", 1), ("0.01", 1), ("0.005", 2), ("0.0025", 4), ("0.001", 10), ("0.0001", 100)],
    ids=lambda value: str(value),
)
def test_the_safe_multiple_of_each_tick_is_enough_at_every_price(tick: str, multiple: int) -> None:
    steps = {share_step(at) for at in range(TICKS[tick], 10_000, TICKS[tick])}
    assert max(steps) == multiple
    assert all(multiple % step == 0 for step in steps)


def test_two_prices_share_the_fewest_shares_that_suit_both() -> None:
    assert pair_step(price("0.485"), price("0.481")) == 10
    assert pair_step(price("0.4825"), price("0.4802")) == 100
    assert pair_step(price("0.48"), price("0.45")) == 1


@pytest.mark.parametrize(
    ("at", "shares"),
    [("0.48", "5"), ("0.03", "34"), ("0.05", "20"), ("0.01", "100"), ("0.19", "6"), ("0.2", "5"), ("0.481", "10"), ("0.0001", "10000")],
)
def test_a_buy_is_at_least_the_minimum_and_one_dollar(at: str, shares: str) -> None:
    assert smallest_buy(price(at), MINIMUM) == micros(shares)


@pytest.mark.parametrize(
    ("yes", "no", "available", "shares"),
    [
        ("0.48", "0.45", "100", "100"),
        ("0.48", "0.45", "99.999999", "99"),
        ("0.48", "0.45", "4.9", "0"),
        ("0.485", "0.451", "37", "30"),
        ("0.03", "0.9", "33", "0"),
        ("0.03", "0.9", "34", "34"),
        ("0.4801", "0.4701", "99", "0"),
        ("0.4801", "0.4701", "250", "200"),
    ],
)
def test_how_many_pairs_both_legs_may_ask_for(yes: str, no: str, available: str, shares: str) -> None:
    assert pair_shares(price(yes), price(no), micros(available), MINIMUM) == micros(shares)


two_prices = ticks().flatmap(lambda tick: st.tuples(st.just(tick), prices_on(tick), prices_on(tick)))
minimums = st.sampled_from((MINIMUM, micros("1"), micros("15"), micros("5.5")))


@given(two_prices, share_amounts(20_000), minimums)
def test_the_venue_takes_both_legs_of_any_pair(drawn: tuple[int, int, int], available: int, minimum: int) -> None:
    tick, yes, no = drawn
    shares = pair_shares(yes, no, available, minimum)
    assert 0 <= shares <= available
    if shares:
        for order in (buy_order(YES, yes, shares), buy_order(NO, no, shares)):
            assert venue_objections(order, tick, minimum) == []
            assert is_whole_cents(order.dollars)


@settings(max_examples=50)
@given(two_prices, share_amounts(20_000), minimums)
def test_no_more_pairs_would_have_been_possible(drawn: tuple[int, int, int], available: int, minimum: int) -> None:
    tick, yes, no = drawn
    shares = pair_shares(yes, no, available, minimum)
    for more in range(shares // SHARE + 1, min(available // SHARE, shares // SHARE + 30) + 1):
        orders = (buy_order(YES, yes, more * SHARE), buy_order(NO, no, more * SHARE))
        assert any(venue_objections(order, tick, minimum) for order in orders)


@given(two_prices, minimums)
def test_the_smallest_buy_is_taken_and_one_step_less_is_not(drawn: tuple[int, int, int], minimum: int) -> None:
    tick, at, _ = drawn
    smallest = smallest_buy(at, minimum)
    assert venue_objections(buy_order(YES, at, smallest), tick, minimum) == []
    fewer = smallest - share_step(at) * SHARE
    assert fewer <= 0 or venue_objections(buy_order(YES, at, fewer), tick, minimum) != []


def test_a_walk_through_two_levels_is_limited_by_the_worse_and_paid_by_the_sum() -> None:
    order = sweep_buy(YES, [(4_800, micros("60")), (5_000, micros("100"))], micros("100"), MINIMUM)
    assert order is not None
    assert order.price == price("0.5")
    assert order.shares == micros("97")
    assert order.dollars == micros("48.5")


def test_a_single_level_is_bought_in_full() -> None:
    order = sweep_buy(NO, [(4_500, micros("100"))], micros("100"), MINIMUM)
    assert order == buy_order(NO, 4_500, micros("100"))
    assert order.dollars == micros("45")


@pytest.mark.parametrize(
    ("asks", "wanted"),
    [([], "10"), ([(4_800, "9.9")], "10"), ([(4_800, "100")], "4.9"), ([(300, "100")], "33"), ([(4_801, "500")], "99")],
    ids=["empty", "too thin", "below the minimum", "below a dollar", "below the step"],
)
def test_a_walk_that_cannot_be_ordered_is_none(asks: list[tuple[int, str]], wanted: str) -> None:
    levels = [(at, micros(size)) for at, size in asks]
    assert sweep_buy(YES, levels, micros(wanted), MINIMUM) is None


books = ticks().flatmap(lambda tick: st.tuples(st.just(tick), levels_on(tick)))


def _exact_walk(levels: list[Level], wanted: int) -> Decimal:
    dollars, left = Decimal(0), Decimal(wanted)
    for at, size in levels:
        taken = min(left, Decimal(size))
        dollars += taken * at / 10_000
        left -= taken
    return dollars


@given(books, share_amounts(500), minimums)
def test_a_sweep_is_fillable_and_spends_no_more_than_its_walk(book: tuple[int, list[Level]], wanted: int, minimum: int) -> None:
    tick, asks = book
    order = sweep_buy(YES, asks, wanted, minimum)
    if order is None:
        return
    assert venue_objections(order, tick, minimum) == []
    assert order.dollars <= _exact_walk(asks, wanted)
    received = fill_or_kill_buy(order, asks)
    assert received is not None
    assert Decimal(order.shares) / SHARE <= received + Decimal("1e-12")
    assert received <= Decimal(wanted) / SHARE + Decimal("1e-12")


@given(books, share_amounts(500), minimums)
def test_a_sweep_never_asks_for_more_than_is_wanted_or_shown(book: tuple[int, list[Level]], wanted: int, minimum: int) -> None:
    _, asks = book
    order = sweep_buy(NO, asks, wanted, minimum)
    if order is not None:
        assert order.shares <= min(wanted, sum(size for _, size in asks))
        assert order.price in {at for at, _ in asks}


def test_a_surplus_is_sold_down_to_the_bid_it_needs() -> None:
    order = sell_order(YES, [(4_800, micros("6")), (4_700, micros("10"))], micros("10"), MINIMUM)
    assert order is not None
    assert (order.side, order.price, order.shares, order.dollars) == (Side.SELL, 4_700, micros("10"), micros("4.7"))


@pytest.mark.parametrize(
    ("bids", "held"), [([], "10"), ([(4_800, "9.9")], "10"), ([(4_800, "100")], "4.99")], ids=["empty", "too thin", "below the minimum"]
)
def test_what_the_venue_would_not_buy_is_not_offered(bids: list[tuple[int, str]], held: str) -> None:
    assert sell_order(YES, [(at, micros(size)) for at, size in bids], micros(held), MINIMUM) is None


@given(books, share_amounts(500), minimums)
def test_the_venue_takes_any_sell_and_it_never_exceeds_what_is_held(book: tuple[int, list[Level]], held: int, minimum: int) -> None:
    tick, levels = book
    bids = sorted(levels, reverse=True)
    order = sell_order(NO, bids, held, minimum)
    if order is None:
        return
    assert venue_objections(order, tick, minimum) == []
    assert order.shares <= held
    at_or_above = sum(size for at, size in bids if at >= order.price)
    assert order.shares <= at_or_above


@given(ticks().flatmap(lambda tick: st.tuples(st.just(tick), prices_on(tick))), st.integers(500, 50_000))
def test_what_stays_behind_of_a_sell_is_less_than_one_step(drawn: tuple[int, int], held_hundredths: int) -> None:
    _, at = drawn
    held = held_hundredths * 10_000
    order = sell_order(YES, [(at, held)], held, MINIMUM)
    left = held - (order.shares if order else 0)
    assert left < 10_000 * 100 or (order is None and held < MINIMUM + 10_000 * 100)


@pytest.mark.parametrize(("dollars", "whole"), [("0", True), ("1.25", True), ("1.255", False), ("0.000001", False)])
def test_whole_cents(dollars: str, whole: bool) -> None:
    assert is_whole_cents(micros(dollars)) is whole
