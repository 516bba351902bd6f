"""The rebuilt position: a table of histories, and the property that the order of rows does not matter."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.execution.bench_account import CONDITION, HASH, a_journal, a_market, an_account, buy, fill, intent_of, row, some_books
from tests.support.paper import paper_exchange_server

from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Filled, Unknown
from kabobagool.domain.position import position_of
from kabobagool.execution.fills import FillStatus, OrderFill, average_fee, fills_of, foreign_rows, row_dollars
from kabobagool.execution.reconcile import DUST_MICROS, Reconciliation, plan_reconciliation, reconcile
from kabobagool.venue.rows import TradeRow

OTHER = "0x" + "cd" * 32


def plan(rows: list[TradeRow], yes: int, no: int = 0) -> Reconciliation:
    """Reconcile with balances in whole shares."""
    balances = {Outcome.YES: yes * MICRO, Outcome.NO: no * MICRO}
    return plan_reconciliation(a_market(), rows, balances, resolved={}, unresolved=[])


def test_one_confirmed_buy_is_a_fill_with_its_fee() -> None:
    result = plan([row("a")], yes=10)
    assert result.fills == [OrderFill(HASH, fill(), FillStatus.CONFIRMED, 1_000_000)]
    assert (result.pending, result.foreign, result.disagreement, result.merged_pairs) == ([], [], None, 0)
    assert result.position == position_of([fill()])


def test_rows_of_one_order_are_summed_and_each_pays_its_own_fee() -> None:
    rows = [row("a"), row("b", price_micros=500_000, match_time_s=900)]
    [found] = plan(rows, yes=20).fills
    schedule = FeeSchedule(70_000)
    assert (found.fill.shares, found.fill.dollars) == (20 * MICRO, 9_800_000)
    assert found.fill.fee == taker_fee(schedule, 4800, 10 * MICRO) + taker_fee(schedule, 5000, 10 * MICRO)
    assert found.match_ms == 900_000


def test_a_pair_and_a_sale_make_the_position_they_should() -> None:
    rows = [
        row("a"),
        row("b", taker_order_id=OTHER, token="222", price_micros=450_000),
        row("c", taker_order_id="0xee", side=Side.SELL, shares=4 * MICRO, price_micros=500_000),
    ]
    position = plan(rows, yes=6, no=10).position
    assert (position.yes.shares, position.no.shares, position.pairs) == (6 * MICRO, 10 * MICRO, 6 * MICRO)
    assert position.yes.proceeds == 2_000_000


@pytest.mark.parametrize("status", ["MATCHED", "MINED", "RETRYING", "MATCHED_NOT_BROADCASTED"])
@pytest.mark.parametrize("arrived", [0, 10])
def test_a_pending_fill_counts_and_explains_a_balance_with_or_without_it(status: str, arrived: int) -> None:
    result = plan([row("a", status=status)], yes=arrived)
    assert result.pending == [HASH]
    assert result.disagreement is None
    assert result.position.yes.shares == 10 * MICRO


def test_one_pending_row_makes_the_order_pending() -> None:
    assert plan([row("a"), row("b", status="MINED")], yes=10).pending == [HASH]


def test_a_failed_trade_is_no_fill() -> None:
    result = plan([row("a", status="FAILED")], yes=0)
    assert (result.fills, result.pending, result.disagreement) == ([], [], None)


def test_a_trade_that_failed_in_part_keeps_the_rest() -> None:
    [found] = fills_of([row("a"), row("b", status="FAILED")], a_market())
    assert (found.fill, found.failed_shares, found.status) == (fill(), 10 * MICRO, FillStatus.CONFIRMED)


def test_a_row_read_twice_counts_once_with_its_later_status() -> None:
    rows = [row("a"), row("a", status="MATCHED"), row("a", status="MINED")]
    assert plan(rows, yes=10).fills == plan([row("a")], yes=10).fills
    assert plan([row("a", status="FAILED"), row("a", status="MATCHED")], yes=0).fills == []


def test_a_maker_trade_is_foreign_and_not_counted() -> None:
    result = plan([row("a"), row("m", is_taker=False), row("f", is_taker=False, status="FAILED")], yes=10)
    assert result.foreign == ["m"]
    assert len(result.fills) == 1


def test_tokens_of_other_markets_are_left_out() -> None:
    assert plan([row("a", token="333")], yes=0).fills == []


@pytest.mark.parametrize(
    ("yes", "no", "said"),
    [
        (0, 0, "10 Yes less"),
        (9, 0, "1 Yes less"),
        (12, 0, "2 Yes more"),
        (10, 3, "3 No more"),
        (11, 3, "1 Yes more and 3 No more"),
    ],
)
def test_a_balance_that_trades_do_not_explain_is_said_in_words(yes: int, no: int, said: str) -> None:
    disagreement = plan([row("a")], yes=yes, no=no).disagreement
    assert disagreement is not None
    assert said in disagreement


@pytest.mark.parametrize("off", [-DUST_MICROS, DUST_MICROS])
def test_dust_is_no_disagreement(off: int) -> None:
    balances = {Outcome.YES: 10 * MICRO + off, Outcome.NO: 0}
    assert plan_reconciliation(a_market(), [row("a")], balances, resolved={}, unresolved=[]).disagreement is None


def test_pairs_that_were_merged_elsewhere_are_no_disagreement() -> None:
    rows = [row("a"), row("b", taker_order_id=OTHER, token="222")]
    result = plan(rows, yes=4, no=4)
    assert (result.disagreement, result.merged_pairs) == (None, 6 * MICRO)
    assert plan(rows, yes=4, no=5).disagreement is not None
    assert plan(rows, yes=10, no=10).merged_pairs == 0


def test_a_pending_sale_explains_shares_that_are_gone_and_shares_that_are_still_there() -> None:
    rows = [row("a"), row("s", taker_order_id=OTHER, side=Side.SELL, shares=4 * MICRO, status="MATCHED")]
    assert plan(rows, yes=10).disagreement is None
    assert plan(rows, yes=6).disagreement is None
    assert plan(rows, yes=5).disagreement is not None


def test_a_cost_is_rounded_up_and_a_revenue_down() -> None:
    odd = row("a", shares=3, price_micros=333_333)
    assert row_dollars(odd) == 1
    assert row_dollars(row("a", shares=3, price_micros=333_333, side=Side.SELL)) == 0


def test_the_fee_of_a_fill_without_rows_is_that_of_its_average_price() -> None:
    schedule = FeeSchedule(70_000)
    assert average_fee(schedule, 10 * MICRO, 4_800_000) == taker_fee(schedule, 4800, 10 * MICRO)
    assert average_fee(None, 10 * MICRO, 4_800_000) == 0
    assert average_fee(schedule, 0, 0) == 0


trade_rows = st.lists(
    st.builds(
        lambda order, token, shares, price, status, taker, at: row(
            "",
            taker_order_id=f"0x{order}",
            token=token,
            side=Side.SELL if order % 5 == 4 else Side.BUY,
            shares=shares,
            price_micros=price * 10_000,
            status=status,
            is_taker=taker,
            match_time_s=at,
        ),
        st.integers(0, 9),
        st.just("111"),
        st.integers(1, 100).map(lambda count: count * MICRO),
        st.integers(1, 99),
        st.sampled_from(["MATCHED", "MINED", "CONFIRMED", "FAILED", "RETRYING"]),
        st.sampled_from([True, True, True, False]),
        st.integers(0, 99),
    ),
    max_size=12,
)


def named(rows: list[TradeRow]) -> list[TradeRow]:
    """The same rows with ids of their own; one token for each order, so that both legs occur."""
    tokens = ("111", "222")
    return [
        row(
            f"t{number}",
            taker_order_id=one.taker_order_id,
            token=tokens[int(one.taker_order_id, 16) % 2],
            side=one.side,
            shares=one.shares,
            price_micros=one.price_micros,
            status=one.status,
            is_taker=one.is_taker,
            match_time_s=one.match_time_s,
        )
        for number, one in enumerate(rows)
    ]


def split(one: TradeRow, part: int) -> list[TradeRow]:
    """A row as two rows of whole shares, which cost and pay what the one did but for the rounding of the fee."""
    kept = one.shares // MICRO * part // 100 * MICRO
    fields = {
        name: getattr(one, name) for name in ("taker_order_id", "token", "side", "price_micros", "status", "is_taker", "match_time_s")
    }
    parts = ((f"{one.id}-a", kept), (f"{one.id}-b", one.shares - kept))
    return [row(name, **fields, shares=shares) for name, shares in parts if shares]


@settings(deadline=None)
@given(trade_rows, st.randoms(use_true_random=False), st.integers(0, 100))
def test_any_order_duplication_and_splitting_of_rows_gives_the_same_position(rows: list[TradeRow], rng: random.Random, part: int) -> None:
    whole = named(rows)
    shuffled = [piece for one in whole for piece in split(one, part)]
    shuffled += [rng.choice(shuffled) for _ in range(5) if shuffled]
    rng.shuffle(shuffled)
    expected, found = fills_of(whole, a_market()), fills_of(shuffled, a_market())
    assert [(fill.order_hash, fill.status, fill.match_ms, fill.failed_shares) for fill in found] == [
        (fill.order_hash, fill.status, fill.match_ms, fill.failed_shares) for fill in expected
    ]
    assert [(f.fill.outcome, f.fill.side, f.fill.shares, f.fill.dollars) for f in found] == [
        (f.fill.outcome, f.fill.side, f.fill.shares, f.fill.dollars) for f in expected
    ]
    # Each further row rounds its own fee up, to 10 micros at most.
    assert all(abs(a.fill.fee - b.fill.fee) <= 10 * len(whole) for a, b in zip(expected, found, strict=True))
    assert bool(foreign_rows(shuffled)) == bool(foreign_rows(whole))


@settings(deadline=None)
@given(trade_rows, st.randoms(use_true_random=False))
def test_shuffled_rows_give_the_identical_reconciliation(rows: list[TradeRow], rng: random.Random) -> None:
    whole = named(rows)
    shuffled = rng.sample(whole, len(whole))
    assert plan(shuffled, yes=7, no=3) == plan(whole, yes=7, no=3)


@settings(deadline=None)
@given(trade_rows)
def test_balances_that_follow_the_confirmed_rows_never_disagree(rows: list[TradeRow]) -> None:
    whole = [one for one in named(rows) if one.is_taker]
    for believed in (("CONFIRMED",), ("CONFIRMED", "MINED", "MATCHED", "RETRYING")):
        held = dict.fromkeys(Outcome, 0)
        for one in whole:
            if one.status in believed:
                held[a_market().outcome_of(one.token)] += one.shares if one.side is Side.BUY else -one.shares
        result = plan_reconciliation(a_market(), whole, held, resolved={}, unresolved=[])
        assert result.disagreement is None


async def test_a_bought_pair_is_rebuilt_from_the_venue_and_agrees_with_its_balances(tmp_path: Path) -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        yes = (await account.buys(buy(4900, 10)))[1]
        no = (await account.buys(buy(5300, 10, Outcome.NO)))[1]
        async with a_journal(tmp_path / "j", account.market) as journal:
            result = await reconcile(
                account.market, reader=account.reader, client=account.execution, journal=journal, clock=account.clock, lookback_hours=1
            )
        assert isinstance(yes, Filled)
        assert isinstance(no, Filled)
        assert (result.position.yes.bought, result.position.yes.cost) == (yes.shares, yes.dollars)
        assert (result.position.no.bought, result.position.no.cost) == (no.shares, no.dollars)
        assert (result.disagreement, result.foreign, result.unresolved) == (None, [], [])


async def test_an_order_still_in_doubt_is_named_and_stays_open(tmp_path: Path) -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        paper.add_fault("reply_dropped", filled=False)
        signed, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Unknown)
        async with a_journal(tmp_path / "j", account.market) as journal:
            await journal.record(intent_of("i", signed))
            result = await reconcile(
                account.market,
                reader=account.reader,
                client=account.execution,
                journal=journal,
                clock=account.clock,
                lookback_hours=1,
                patience_s=0,
            )
            assert result.unresolved == [signed.order_hash]
            assert [order.order_hash for order in await journal.open_orders(account.market.condition_id)] == [signed.order_hash]
        assert account.market.condition_id != CONDITION
