"""What a first reading of the rules got wrong, each as the smallest case that shows it."""

import pytest
from tests.support.domain_strategies import NOW_MS, market, micros, mirrored_view, naked, view_of

from kabobagool.domain.decision import decide, forced_hedge
from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import Intent, Purpose
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import parse_micros, parse_price
from kabobagool.domain.position import EMPTY, Position
from kabobagool.domain.sizing import sell_order, sweep_buy

YES, NO = Outcome.YES, Outcome.NO
MINIMUM = micros("5")


@pytest.mark.parametrize("text", ["1e400", "1e9999999", "0.4" + "0" * 40 + "1", "٠.٤٨", "0.4_8", " 0.48", "0.48\n"], ids=ascii)
def test_text_that_is_no_plain_number_is_a_value_error(text: str) -> None:
    for parse in (parse_price, parse_micros):
        with pytest.raises(ValueError, match=r"price|amount"):
            parse(text)


def test_dust_that_cannot_be_sold_does_not_drag_the_limit_of_a_sale_down() -> None:
    order = sell_order(YES, [(4_800, micros("10")), (100, micros("100"))], micros("10.004"), MINIMUM)
    assert order is not None
    assert (order.price, order.shares) == (4_800, micros("10"))


def test_dust_that_cannot_be_bought_does_not_drag_the_limit_of_a_hedge_up() -> None:
    order = sweep_buy(YES, [(4_800, micros("100")), (9_700, micros("100"))], micros("100.5"), MINIMUM)
    assert order is not None
    assert (order.price, order.shares) == (4_800, micros("100"))


def test_a_hedge_that_gains_is_not_refused_for_the_price_of_its_last_share() -> None:
    view = mirrored_view(market(), [(3_000, micros("101")), (7_000, micros("1000"))], [(4_500, micros("1000"))])
    answer = forced_hedge(view, naked(NO, "102", "0.45"), Policy(), NOW_MS)
    assert isinstance(answer, Intent), answer


def test_a_book_that_shows_all_but_one_share_still_hedges_what_it_shows() -> None:
    answer = forced_hedge(view_of("0.48", "0.45", yes_depth="101"), naked(NO, "102", "0.45"), Policy(), NOW_MS)
    assert isinstance(answer, Intent), answer
    assert answer.orders[0].shares == micros("101")


@pytest.mark.parametrize("paired", [True, False])
def test_an_ask_at_zero_is_no_crash(paired: bool) -> None:
    view = mirrored_view(market(), [(0, micros("100"))], [(4_500, micros("100"))])
    decide(view, EMPTY, Policy(paired=paired), NOW_MS)


def test_an_entry_never_opens_what_would_at_once_be_force_hedged() -> None:
    policy = Policy(paired=False, taker_fee_bps=0, batch_shares=micros("100"), forced_hedge_above=micros("50"))
    answer = decide(view_of("0.52", "0.45"), Position(), policy, NOW_MS)
    assert isinstance(answer, Intent)
    assert answer.purpose is Purpose.LEG
    assert answer.orders[0].shares <= policy.forced_hedge_above
