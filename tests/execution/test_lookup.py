"""What became of a doubtful order: one look decides nothing that is doubtful."""

from collections.abc import Sequence

import pytest
from tests.execution.bench_account import HASH, a_market, fill, row

from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome
from kabobagool.execution.lookup import OrderLookup
from kabobagool.venue.errors import VenueError
from kabobagool.venue.rows import OrderRow, TradeRow

SENT_MS = 1_000_000


class Desk:
    """A venue that says what it is told to say, and the clock that goes with it."""

    def __init__(self) -> None:
        self.ms = SENT_MS
        self.order_row: OrderRow | None = None
        self.rows: Sequence[TradeRow] = []
        self.asked_after_s = -1
        self.broken = False

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)

    async def order(self, order_hash: str) -> OrderRow | None:
        if self.broken:
            raise VenueError("the venue does not answer")
        return self.order_row

    async def trades(self, condition_id: str, after_s: int) -> list[TradeRow]:
        self.asked_after_s = after_s
        return list(self.rows)


class Bench:
    def __init__(self) -> None:
        self.desk = Desk()
        self.lookup = OrderLookup(reader=self.desk, clock=self.desk)

    async def look(self, *, after_s: float = 0.0) -> OrderOutcome | None:
        await self.desk.sleep(after_s)
        return await self.lookup.resolve(HASH, a_market(), SENT_MS)


def order_row(status: str, matched: int = 0) -> OrderRow:
    market = a_market()
    return OrderRow(
        id=HASH,
        status=status,
        condition_id=market.condition_id,
        token="111",
        side=None,
        price_micros=480_000,
        original_size=4_800_000,
        size_matched=matched,
        created_at_s=0,
    )


def a_fill() -> Filled:
    known = fill()
    return Filled(known.shares, known.dollars, known.fee)


@pytest.mark.parametrize("matched", [10 * MICRO, 4_800_000], ids=["shares", "dollars"])
async def test_a_match_whose_trades_add_up_is_a_fill_at_once(matched: int) -> None:
    bench = Bench()
    bench.desk.order_row, bench.desk.rows = order_row("MATCHED", matched), [row("a", status="MATCHED")]
    assert await bench.look() == a_fill()


async def test_a_match_without_trades_yet_is_not_known() -> None:
    bench = Bench()
    bench.desk.order_row = order_row("MATCHED", 10 * MICRO)
    assert [await bench.look(after_s=30) for _ in range(5)] == [None] * 5


async def test_rows_that_appear_one_by_one_are_waited_for() -> None:
    bench = Bench()
    bench.desk.order_row = order_row("MATCHED", 20 * MICRO)
    bench.desk.rows = [row("a")]
    assert await bench.look() is None
    bench.desk.rows = [row("a"), row("b")]
    found = await bench.look(after_s=3)
    assert isinstance(found, Filled)
    assert found.shares == 20 * MICRO


async def test_trades_alone_prove_a_fill_when_two_looks_agree() -> None:
    bench = Bench()
    bench.desk.rows = [row("a")]
    assert await bench.look() is None
    assert await bench.look(after_s=1) is None
    assert await bench.look(after_s=1) == a_fill()


@pytest.mark.parametrize("status", ["CANCELED", "CANCELED_FOK", "UNMATCHED", "INVALID"])
async def test_an_order_that_ended_without_trades_was_killed(status: str) -> None:
    bench = Bench()
    bench.desk.order_row = order_row(status)
    assert await bench.look() == Killed(status)


@pytest.mark.parametrize("status", ["LIVE", "DELAYED"])
async def test_an_order_that_is_held_is_delayed_until_it_ends(status: str) -> None:
    bench = Bench()
    bench.desk.order_row = order_row(status)
    assert await bench.look() == Delayed(status)
    bench.desk.order_row = order_row("CANCELED")
    assert isinstance(await bench.look(), Killed)


async def test_not_found_proves_nothing_for_a_minute() -> None:
    bench = Bench()
    assert [await bench.look(after_s=7) for _ in range(8)] == [None] * 8
    found = await bench.look(after_s=7)
    assert isinstance(found, Killed)
    assert "never arrived" in found.text


async def test_after_a_restart_one_not_found_is_not_enough() -> None:
    bench = Bench()
    assert await bench.look(after_s=3_600) is None
    assert await bench.look(after_s=0.5) is None
    assert isinstance(await bench.look(after_s=2), Killed)


async def test_an_order_that_shows_up_late_was_not_absent() -> None:
    bench = Bench()
    assert await bench.look(after_s=59) is None
    bench.desk.order_row = order_row("MATCHED", 10 * MICRO)
    assert await bench.look(after_s=3) is None
    bench.desk.rows = [row("a")]
    assert await bench.look(after_s=3) == a_fill()


async def test_a_venue_that_does_not_answer_decides_nothing() -> None:
    bench = Bench()
    await bench.look(after_s=61)
    bench.desk.broken = True
    with pytest.raises(VenueError):
        await bench.look(after_s=3)


async def test_trades_are_asked_from_before_the_order_was_sent_and_others_are_not_ours() -> None:
    bench = Bench()
    bench.desk.order_row, bench.desk.rows = order_row("CANCELED"), [row("a", taker_order_id="0xother")]
    assert isinstance(await bench.look(), Killed)
    assert bench.desk.asked_after_s == SENT_MS // 1000 - 60


async def test_a_match_that_failed_to_settle_bought_nothing() -> None:
    bench = Bench()
    bench.desk.order_row, bench.desk.rows = order_row("MATCHED", 10 * MICRO), [row("a", status="FAILED")]
    assert isinstance(await bench.look(), Killed)
