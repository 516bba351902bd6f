"""Frames that come twice, late or half, and sockets that break: what is believed is what the venue said, and it is called back gently."""

import asyncio
from pathlib import Path

from tests.faults.fault_books import always_cheap, cheap_after, moving
from tests.support.bot_rig import Rig, trading

from kabobagool.domain.edge import Reason
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import PRICE_ONE
from kabobagool.engine.market_engine import EngineState
from kabobagool.feed.reasons import ReconnectReason
from paper_exchange.faults import Fault, FaultKind


def sees_what_the_venue_has(rig: Rig) -> bool:
    """Whether both believed books are the venue's own of this moment."""
    view, exchange = rig.bot.engine.view, rig.paper.exchange
    rig.paper.step()
    for outcome in Outcome:
        book, theirs = view.book(outcome), exchange.book(rig.paper.market.tokens[outcome], rig.paper.clock.now_ms())
        if theirs is None or not book.has_snapshot or book.asks != {level.price: level.size for level in theirs.asks}:
            return False
    return True


async def test_frames_that_come_twice_buy_one_pair_and_not_two(tmp_path: Path) -> None:
    async with trading(tmp_path, faults=[Fault(FaultKind.DUPLICATED_FRAMES, for_ms=600_000)]) as rig:
        await rig.until_pairs(1)
        await rig.venue_seconds(10)
        await rig.until(lambda: sees_what_the_venue_has(rig), "the venue's books")
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2


async def test_frames_out_of_order_never_become_an_edge_and_the_true_books_come_back(tmp_path: Path) -> None:
    async with trading(tmp_path, moving()) as rig:
        await rig.until(lambda: rig.bot.snapshot().connected, "both books known")
        rig.paper.add_fault(FaultKind.REORDERED_FRAMES, for_ms=40_000, probability=0.3)
        await rig.venue_seconds(41)
        counters = rig.bot.counters
        assert counters.out_of_order + counters.superseded + counters.stale_snapshots + counters.best_mismatch > 0, "disorder was noticed"
        await rig.until(lambda: sees_what_the_venue_has(rig), "the venue's books")
        assert rig.posts == 0


async def test_frames_out_of_order_do_not_spoil_a_true_edge_for_ever(tmp_path: Path) -> None:
    disorder = Fault(FaultKind.REORDERED_FRAMES, for_ms=20_000, probability=0.3)
    async with trading(tmp_path, faults=[disorder]) as rig:
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()


async def test_nobody_ever_sees_half_a_frame(tmp_path: Path) -> None:
    async with trading(tmp_path, moving()) as rig:
        view, frames, looks = rig.bot.engine.view, rig.bot.counters, 0
        await rig.until(lambda: rig.bot.snapshot().connected, "both books known")
        first = frames.frames
        while frames.frames < first + 150:
            looks += 1
            assert not view.frame_open
            assert view.yes.best_ask + view.no.best_bid == PRICE_ONE == view.no.best_ask + view.yes.best_bid
            await asyncio.sleep(0)
        assert looks > 150
        assert set(rig.rejected) <= {Reason.MIRROR_BROKEN}, "two first books may be of two moments, and no more"
        assert (rig.bot.engine.strategy.truth.acted_on, rig.posts) == (0, 0)


async def test_a_storm_of_disconnects_leaves_the_books_invalid_and_the_bot_calls_back_gently(tmp_path: Path) -> None:
    storm = Fault(FaultKind.DISCONNECT, for_ms=90_000)
    async with trading(tmp_path, cheap_after(96), faults=[storm], speed=60) as rig:
        await rig.until(lambda: rig.bot.counters.reconnects[ReconnectReason.CLOSED], "a first disconnect")
        await rig.until(lambda: not rig.bot.snapshot().connected, "no book is believed")
        assert rig.bot.snapshot().pair_cost is None
        await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.clock.start_ms + 90_000, "the storm is over")
        assert 2 <= rig.wire.socket_connects <= 16, "a minute and a half of disconnects"
        assert rig.posts == 0
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()


async def test_an_exchange_that_dies_and_comes_back_is_found_again_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    async with trading(tmp_path, always_cheap(), MAX_POSITION_USD="20") as rig:
        await rig.until_pairs(2)
        await rig.settled()
        before = rig.believed()
        await rig.wire.go_down()
        await rig.until(lambda: not rig.bot.snapshot().connected, "no book is believed")
        await rig.venue_seconds(20)
        calls = rig.wire.requests
        await rig.wire.start()
        await rig.until(lambda: rig.bot.snapshot().connected, "connected again")
        assert rig.believed() == before
        assert rig.wire.requests - calls < 40
        await rig.venue_seconds(5)
        assert rig.posts == 4
        await rig.agrees_with_the_ledger()


async def test_an_exchange_that_dies_with_an_order_in_hand_has_it_looked_up_when_it_is_back(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        rig.wire.replies_may_pass.clear()
        await rig.until(lambda: rig.filled() == 1, "the first leg filled, and its reply is held")
        await rig.wire.go_down()
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen")
        await rig.venue_seconds(15)
        assert rig.posts == 1
        rig.wire.replies_may_pass.set()
        await rig.wire.start()
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2
