"""The position is the sum of one entry an order, whatever order the news arrives in and however often it is told."""

from hypothesis import given
from hypothesis import strategies as st

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.position import EMPTY, Fill, position_of
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.snapshot import position_snapshot, price_text
from kabobagool.execution.fills import FillStatus, OrderFill

FILLS = st.builds(
    Fill,
    st.sampled_from(Outcome),
    st.sampled_from(Side),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.integers(0, 10**6),
)
NAMES = st.sampled_from(["0xa", "0xb", "0xc", "0xd"])
NEWS = st.lists(st.tuples(NAMES, st.one_of(st.none(), st.tuples(FILLS, st.booleans()))), max_size=30)


def buy(outcome: Outcome, shares: int, dollars: int) -> Fill:
    return Fill(outcome, Side.BUY, shares, dollars, 0)


@given(NEWS)
def test_the_position_is_the_sum_of_what_is_known_of_each_order(news: list[tuple[str, tuple[Fill, bool] | None]]) -> None:
    tracker = PositionTracker()
    known: dict[str, tuple[Fill, bool]] = {}
    for now_ms, (name, told) in enumerate(news):
        if told is None:
            gone = known.pop(name, None)
            assert tracker.remove(name) == (gone[0] if gone else None)
        else:
            final = name in known and known[name][1] and not told[1]
            known[name] = known[name] if final else told  # what settlement said is not undone by older news
            tracker.book(name, told[0], now_ms=now_ms, settled=told[1])
        expected = position_of(fill for fill, _ in known.values())
        assert (tracker.position.yes, tracker.position.no, tracker.position.spent) == (expected.yes, expected.no, expected.spent)
        assert tracker.fills() == len(known)
        assert set(tracker.unsettled()) == {name for name, (_, settled) in known.items() if not settled}


@given(st.lists(st.tuples(FILLS, st.booleans()), max_size=10), st.sampled_from(Outcome))
def test_shares_to_sell_are_confirmed_buys_less_every_sale(fills: list[tuple[Fill, bool]], outcome: Outcome) -> None:
    tracker = PositionTracker()
    for number, (fill, settled) in enumerate(fills):
        tracker.book(str(number), fill, now_ms=0, settled=settled)
    bought = sum(fill.shares for fill, settled in fills if fill.outcome is outcome and fill.side is Side.BUY and settled)
    sold = sum(fill.shares for fill, _ in fills if fill.outcome is outcome and fill.side is Side.SELL)
    assert tracker.settled_shares(outcome) == bought - sold


@given(st.lists(st.tuples(NAMES, FILLS), max_size=8))
def test_the_order_of_the_news_does_not_matter(news: list[tuple[str, Fill]]) -> None:
    latest = dict(news)
    shuffled = sorted(latest.items(), key=lambda item: item[1].dollars)
    one, other = PositionTracker(), PositionTracker()
    for name, fill in latest.items():
        one.book(name, fill, now_ms=0)
    for name, fill in shuffled:
        other.book(name, fill, now_ms=0)
    assert (one.position.yes, one.position.no) == (other.position.yes, other.position.no)


def test_an_order_told_twice_counts_once_and_keeps_the_time_of_the_first_news() -> None:
    tracker = PositionTracker()
    tracker.book("0xa", buy(Outcome.YES, 10, 5), now_ms=100)
    tracker.book("0xa", buy(Outcome.YES, 12, 5), now_ms=900, settled=True)
    assert tracker.position.yes.shares == 12
    assert tracker.last_fill_ms == 100
    assert tracker.unsettled() == {}


def test_what_reconciliation_found_is_taken_over_and_failures_are_taken_out() -> None:
    tracker = PositionTracker()
    assert (tracker.position, tracker.last_fill_ms, tracker.fills()) == (EMPTY, None, 0)
    tracker.take_over(OrderFill("0xb", buy(Outcome.NO, 2, 1), FillStatus.PENDING, 60), now_ms=60)
    tracker.take_over(OrderFill("0xa", buy(Outcome.NO, 7, 3), FillStatus.CONFIRMED, 50), now_ms=50)
    assert tracker.position.no.shares == 9
    assert tracker.settled_shares(Outcome.NO) == 7
    assert tracker.last_fill_ms == 60
    assert list(tracker.unsettled()) == ["0xb"]
    tracker.take_over(OrderFill("0xb", buy(Outcome.NO, 0, 0), FillStatus.FAILED, 60), now_ms=70)
    assert tracker.position.no.shares == 7


def test_a_leg_that_lost_its_partner_is_judged_by_its_own_cost_and_not_by_the_average() -> None:
    tracker = PositionTracker()
    for number, fill in enumerate((buy(Outcome.YES, 50, 32), buy(Outcome.NO, 50, 14), buy(Outcome.YES, 50, 6))):
        tracker.book(str(number), fill, now_ms=number)
    assert tracker.position.imbalance == 50
    assert tracker.position.cost_of_surplus(50) == 6
    assert tracker.position.cost_of_surplus(25) == 3
    tracker.book("sold", Fill(Outcome.YES, Side.SELL, 20, 2, 0), now_ms=9)
    assert tracker.position.cost_of_surplus(30) == 3, "the newest shares are the ones without a partner, and the ones sold"


def test_taking_back_an_order_nobody_knows_changes_nothing() -> None:
    tracker = PositionTracker()
    tracker.book("0xa", buy(Outcome.YES, 10, 5), now_ms=100)
    assert tracker.remove("0xstranger") is None
    assert tracker.position.yes.shares == 10


def test_a_position_is_written_in_decimal_text_that_adds_up() -> None:
    tracker = PositionTracker()
    tracker.book("0xa", Fill(Outcome.NO, Side.BUY, 100_000_000, 45_000_000, 0), now_ms=0)
    tracker.book("0xb", Fill(Outcome.YES, Side.BUY, 100_500_000, 48_000_000, 20_000), now_ms=0)
    told = position_snapshot(tracker.position)
    assert (told.shares_yes, told.shares_no, told.pairs, told.imbalance) == ("100.5", "100", "100", "0.5")
    assert (told.average_no, told.spent, told.fees, told.locked_profit) == ("0.45", "93.02", "0.02", "6.98")


def test_a_price_is_only_told_while_its_book_is_valid() -> None:
    assert price_text(4850, valid=True) == "0.485"
    assert price_text(10_000, valid=False) is None
