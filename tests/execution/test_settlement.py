"""A match is followed until the chain has it, and a failed one is taken out of the position again."""

import asyncio
from collections.abc import Callable

import pytest
from tests.execution.bench_account import HASH, a_market, an_account, buy, fill, row, some_books
from tests.support.paper import paper_exchange_server

from kabobagool.domain.market import Outcome
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Filled
from kabobagool.domain.position import Fill, position_of
from kabobagool.execution.fills import FillStatus, OrderFill
from kabobagool.execution.settlement import SettlementTracker
from kabobagool.venue.errors import VenueError
from kabobagool.venue.rows import TradeRow

OTHER = "0x" + "cd" * 32


class Venue:
    """Trades as a test wants them, and a clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.rows: list[TradeRow] = []
        self.reads = 0
        self.slept: list[float] = []
        self.broken = False

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def order(self, order_hash: str) -> None:
        return None

    async def trades(self, condition_id: str, after_s: int) -> list[TradeRow]:
        self.reads += 1
        if self.broken:
            raise VenueError("no answer")
        return [one for one in self.rows if one.match_time_s >= after_s]


async def until(happened: Callable[[], object]) -> None:
    """Let the loop turn until it happened; it must happen soon."""
    for _ in range(1_000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


class Bench:
    def __init__(self) -> None:
        self.venue = Venue()
        self.changes: list[OrderFill] = []
        self.tracker = SettlementTracker(market=a_market(), reader=self.venue, clock=self.venue, on_change=self.changes.append)

    async def sees(self, *rows: TradeRow) -> None:
        self.venue.rows = list(rows)
        await self.tracker.poll()


def provisional() -> Fill:
    """What a reply said: shares and dollars right, the fee only reckoned."""
    exact = fill()
    return Fill(exact.outcome, exact.side, exact.shares, exact.dollars, exact.fee + 40)


async def test_a_provisional_fill_counts_at_once_but_is_not_settled() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    assert bench.tracker.position == position_of([provisional()])
    assert bench.tracker.settled_position == position_of([])
    assert [one.order_hash for one in bench.tracker.pending] == [HASH]


async def test_the_confirmed_rows_replace_the_provisional_amounts_exactly() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    await bench.sees(row("a"))
    assert bench.tracker.position == bench.tracker.settled_position == position_of([fill()])
    assert [change.status for change in bench.changes] == [FillStatus.CONFIRMED]
    assert bench.tracker.pending == []


async def test_a_failed_fill_is_taken_out_and_told_once() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    bench.tracker.book(OTHER, fill(outcome=Outcome.NO))
    await bench.sees(row("a", status="FAILED"), row("b", taker_order_id=OTHER, token="222"))
    assert bench.tracker.position.imbalance == -10 * MICRO
    assert {change.order_hash: change.status for change in bench.changes} == {HASH: FillStatus.FAILED, OTHER: FillStatus.CONFIRMED}
    await bench.tracker.poll()
    assert len(bench.changes) == 2


async def test_rows_on_their_way_stay_pending() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    await bench.sees(row("a", status="MATCHED"))
    await bench.sees(row("a", status="MINED"))
    assert bench.tracker.pending
    assert bench.tracker.position == position_of([fill()])
    assert len(bench.changes) == 1


async def test_half_of_the_rows_do_not_shrink_the_fill() -> None:
    bench = Bench()
    bench.tracker.book(HASH, fill(shares=20))
    await bench.sees(row("a"))
    assert bench.tracker.position.yes.shares == 20 * MICRO
    await bench.sees(row("a"), row("b"))
    assert bench.tracker.settled_position.yes.shares == 20 * MICRO


async def test_rows_that_stay_short_are_believed_after_a_minute() -> None:
    bench = Bench()
    bench.tracker.book(HASH, fill(shares=20))
    await bench.venue.sleep(60)
    await bench.sees(row("a"))
    assert bench.tracker.settled_position.yes.shares == 10 * MICRO


async def test_a_part_that_failed_is_taken_out_at_once() -> None:
    bench = Bench()
    bench.tracker.book(HASH, fill(shares=20))
    await bench.sees(row("a"), row("b", status="FAILED"))
    assert bench.tracker.settled_position.yes.shares == 10 * MICRO


async def test_a_fill_without_a_trace_stays_pending() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    await bench.sees()
    await bench.sees(row("x", taker_order_id=OTHER))
    assert bench.changes == []
    assert bench.tracker.pending


async def test_an_order_is_booked_once() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    await bench.sees(row("a"))
    bench.tracker.book(HASH, provisional())
    assert bench.tracker.position == position_of([fill()])


async def test_reconciled_fills_are_adopted_and_the_pending_ones_followed() -> None:
    bench = Bench()
    bench.tracker.adopt([OrderFill(HASH, fill(), FillStatus.PENDING, 1_000_000), OrderFill(OTHER, fill(), FillStatus.CONFIRMED, 1)])
    await bench.sees(row("a"))
    assert bench.tracker.settled_position.yes.shares == 20 * MICRO


async def test_nobody_is_asked_while_nothing_is_pending_and_a_silent_venue_is_asked_again() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.tracker.run())
    await asyncio.sleep(0.01)
    assert bench.venue.reads == 0
    bench.venue.broken = True
    bench.tracker.book(HASH, provisional())
    await until(lambda: bench.tracker.failed_polls >= 3)
    bench.venue.broken = False
    bench.venue.rows = [row("a")]
    await until(lambda: not bench.tracker.pending)
    await asyncio.sleep(0.01)
    reads = bench.venue.reads
    await asyncio.sleep(0.01)
    assert bench.venue.reads == reads
    assert bench.tracker.failed_polls == 0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_settlement_that_takes_long_is_asked_for_less_often() -> None:
    bench = Bench()
    bench.tracker.book(HASH, provisional())
    running = asyncio.ensure_future(bench.tracker.run())
    await until(lambda: bench.venue.ms >= 1_300_000)
    running.cancel()
    assert bench.venue.slept[:3] == [2.0, 2.0, 2.0]
    assert bench.venue.slept[-1] == 30.0


async def test_a_real_fill_is_confirmed_to_the_micro() -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        changes: list[OrderFill] = []
        tracker = SettlementTracker(market=account.market, reader=account.reader, clock=account.clock, on_change=changes.append)
        signed, outcome = await account.buys(buy(4900, 150))
        assert isinstance(outcome, Filled)
        tracker.book(signed.order_hash, Fill(Outcome.YES, signed.plan.side, outcome.shares, outcome.dollars, outcome.fee))
        await asyncio.sleep(0.15)
        paper.step()
        await tracker.poll()
        assert tracker.pending == []
        record = paper.exchange.order(signed.order_hash)
        assert record
        assert tracker.settled_position.yes.bought == sum(trade.shares for trade in record.trades)
        assert tracker.settled_position.yes.cost == outcome.dollars


async def test_a_real_settlement_failure_makes_a_pair_an_orphan() -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        changes: list[OrderFill] = []
        tracker = SettlementTracker(market=account.market, reader=account.reader, clock=account.clock, on_change=changes.append)
        paper.add_fault("settlement_failed", token=account.market.tokens[0])
        for plan in (buy(4800, 10), buy(5300, 10, Outcome.NO)):
            signed, outcome = await account.buys(plan)
            assert isinstance(outcome, Filled)
            tracker.book(signed.order_hash, Fill(plan.outcome, plan.side, outcome.shares, outcome.dollars, outcome.fee))
        assert tracker.position.pairs == 10 * MICRO
        for _ in range(20):
            await asyncio.sleep(0.05)
            paper.step()
            await tracker.poll()
            if not tracker.pending:
                break
        assert tracker.position.pairs == 0
        assert tracker.position.imbalance == -10 * MICRO
        assert FillStatus.FAILED in {change.status for change in changes}
