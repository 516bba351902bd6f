"""A match is followed until the chain has it, and a failed one is taken out of the position again."""

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.execution.bench_account import HASH, a_market, an_account, buy, fill, row, some_books
from tests.support.paper import paper_exchange_server

from kabobagool.domain.market import Outcome
from kabobagool.domain.money import MICRO, Micros
from kabobagool.domain.outcome import Filled
from kabobagool.domain.position import Fill, Position, position_of
from kabobagool.engine.position_tracker import PositionTracker
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


class Books:
    """The position as the engine keeps it, corrected by what settlement reports."""

    def __init__(self) -> None:
        self.ledger = PositionTracker()
        self.changes: list[OrderFill] = []

    def take(self, change: OrderFill) -> None:
        self.changes.append(change)
        self.ledger.take_over(change, now_ms=change.match_ms)

    @property
    def position(self) -> Position:
        return replace(self.ledger.position, surplus_cost=None)

    def settled(self, outcome: Outcome = Outcome.YES) -> Micros:
        return self.ledger.settled_shares(outcome)


class Bench:
    def __init__(self) -> None:
        self.venue = Venue()
        self.books = Books()
        self.changes = self.books.changes
        self.tracker = SettlementTracker(market=a_market(), reader=self.venue, clock=self.venue, on_change=self.books.take)

    def book(self, order_hash: str, fill: Fill) -> None:
        """What the engine does with a reply."""
        self.books.ledger.book(order_hash, fill, now_ms=self.venue.ms)
        self.tracker.book(order_hash, fill)

    async def sees(self, *rows: TradeRow) -> None:
        self.venue.rows = list(rows)
        await self.tracker.poll()


def provisional() -> Fill:
    """What a reply said: shares and dollars right, the fee only reckoned."""
    exact = fill()
    return Fill(exact.outcome, exact.side, exact.shares, exact.dollars, exact.fee + 40)


async def test_a_provisional_fill_counts_at_once_but_is_not_settled() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    assert bench.books.position == position_of([provisional()])
    assert bench.books.settled() == 0
    assert [one.order_hash for one in bench.tracker.pending] == [HASH]


async def test_the_confirmed_rows_replace_the_provisional_amounts_exactly() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    await bench.sees(row("a"))
    assert bench.books.position == position_of([fill()])
    assert bench.books.settled() == 10 * MICRO
    assert [change.status for change in bench.changes] == [FillStatus.CONFIRMED]
    assert bench.tracker.pending == []


async def test_a_failed_fill_is_taken_out_and_told_once() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    bench.book(OTHER, fill(outcome=Outcome.NO))
    await bench.sees(row("a", status="FAILED"), row("b", taker_order_id=OTHER, token="222"))
    assert bench.books.position.imbalance == -10 * MICRO
    assert {change.order_hash: change.status for change in bench.changes} == {HASH: FillStatus.FAILED, OTHER: FillStatus.CONFIRMED}
    await bench.tracker.poll()
    assert len(bench.changes) == 2


async def test_rows_on_their_way_stay_pending() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    await bench.sees(row("a", status="MATCHED"))
    await bench.sees(row("a", status="MINED"))
    assert bench.tracker.pending
    assert bench.books.position == position_of([fill()])
    assert len(bench.changes) == 1


async def test_half_of_the_rows_do_not_shrink_the_fill() -> None:
    bench = Bench()
    bench.book(HASH, fill(shares=20))
    await bench.sees(row("a"))
    assert bench.books.position.yes.shares == 20 * MICRO
    await bench.sees(row("a"), row("b"))
    assert bench.books.settled() == 20 * MICRO


async def test_rows_that_stay_short_are_believed_after_a_minute() -> None:
    bench = Bench()
    bench.book(HASH, fill(shares=20))
    await bench.venue.sleep(60)
    await bench.sees(row("a"))
    assert bench.books.settled() == 10 * MICRO


async def test_a_part_that_failed_is_taken_out_at_once() -> None:
    bench = Bench()
    bench.book(HASH, fill(shares=20))
    await bench.sees(row("a"), row("b", status="FAILED"))
    assert bench.books.settled() == 10 * MICRO


async def test_a_fill_without_a_trace_stays_pending() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    await bench.sees()
    await bench.sees(row("x", taker_order_id=OTHER))
    assert bench.changes == []
    assert bench.tracker.pending


@pytest.mark.parametrize("status", ["CONFIRMED", "FAILED"])
async def test_a_fill_that_was_found_out_long_after_its_trade_is_followed_to_its_end(status: str) -> None:
    bench = Bench()
    traded_s = bench.venue.ms // 1000
    bench.venue.ms += 400_000
    bench.book(HASH, provisional())
    for _ in range(5):
        await bench.sees(row("a", status=status, match_time_s=traded_s))
    assert [change.status.name for change in bench.changes] == [status]
    assert bench.tracker.pending == []


async def test_an_order_is_booked_once() -> None:
    bench = Bench()
    bench.book(HASH, provisional())
    await bench.sees(row("a"))
    bench.book(HASH, provisional())
    assert bench.books.position == position_of([fill()])


async def test_reconciled_fills_are_adopted_and_the_pending_ones_followed() -> None:
    bench = Bench()
    found = [OrderFill(HASH, fill(), FillStatus.PENDING, 1_000_000), OrderFill(OTHER, fill(), FillStatus.CONFIRMED, 1)]
    bench.tracker.adopt(found)
    for one in found:
        bench.books.ledger.take_over(one, now_ms=one.match_ms)
    await bench.sees(row("a"))
    assert bench.books.settled() == 20 * MICRO


async def test_nobody_is_asked_while_nothing_is_pending_and_a_silent_venue_is_asked_again() -> None:
    bench = Bench()
    running = asyncio.ensure_future(bench.tracker.run())
    await asyncio.sleep(0.01)
    assert bench.venue.reads == 0
    bench.venue.broken = True
    bench.book(HASH, provisional())
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
    bench.book(HASH, provisional())
    running = asyncio.ensure_future(bench.tracker.run())
    await until(lambda: bench.venue.ms >= 1_300_000)
    running.cancel()
    assert bench.venue.slept[:3] == [2.0, 2.0, 2.0]
    assert bench.venue.slept[-1] == 30.0


async def test_a_real_fill_is_confirmed_to_the_micro() -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        books = Books()
        tracker = SettlementTracker(market=account.market, reader=account.reader, clock=account.clock, on_change=books.take)
        signed, outcome = await account.buys(buy(4900, 150))
        assert isinstance(outcome, Filled)
        booked = Fill(Outcome.YES, signed.plan.side, outcome.shares, outcome.dollars, outcome.fee)
        books.ledger.book(signed.order_hash, booked, now_ms=account.clock.now_ms())
        tracker.book(signed.order_hash, booked)
        await asyncio.sleep(0.15)
        paper.step()
        await tracker.poll()
        assert tracker.pending == []
        record = paper.exchange.order(signed.order_hash)
        assert record
        assert books.settled() == sum(trade.shares for trade in record.trades)
        assert books.position.yes.cost == outcome.dollars


async def test_a_real_settlement_failure_makes_a_pair_an_orphan() -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        books = Books()
        tracker = SettlementTracker(market=account.market, reader=account.reader, clock=account.clock, on_change=books.take)
        paper.add_fault("settlement_failed", token=account.market.tokens[0])
        for plan in (buy(4800, 10), buy(5300, 10, Outcome.NO)):
            signed, outcome = await account.buys(plan)
            assert isinstance(outcome, Filled)
            booked = Fill(plan.outcome, plan.side, outcome.shares, outcome.dollars, outcome.fee)
            books.ledger.book(signed.order_hash, booked, now_ms=account.clock.now_ms())
            tracker.book(signed.order_hash, booked)
        assert books.position.pairs == 10 * MICRO
        for _ in range(20):
            await asyncio.sleep(0.05)
            paper.step()
            await tracker.poll()
            if not tracker.pending:
                break
        assert books.position.pairs == 0
        assert books.position.imbalance == -10 * MICRO
        assert FillStatus.FAILED in {change.status for change in books.changes}
