"""What the benchmarks measure on is what they say it is; otherwise their figures would be about something else."""

import json
import time

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from kabobagool.domain.decision import decide
from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import Intent, Reject
from kabobagool.domain.money import PRICE_ONE
from kabobagool.domain.position import EMPTY
from tests.bench.frame_server import STAMP_NS, STAMP_ORIGIN, STAMPS, age_ns, attend, stamp_at, stamped_frame
from tests.bench.frames import a_desk_at_work
from tests.bench.sockets import STAMP
from tests.bench.worlds import NOW_MS, POLICY, a_strategy, a_view, books_frame, change_frame, change_frames, ladder


def test_the_view_with_an_edge_makes_a_pair_and_each_doubtful_one_its_own_reason() -> None:
    assert isinstance(decide(a_view(4_500, 4_800), EMPTY, POLICY, NOW_MS), Intent)
    for doubt, reason in (
        ({"age_ms": 2_500}, Reason.LEG_TOO_OLD),
        ({"skew_ms": 300}, Reason.LEGS_APART_IN_TIME),
        ({"mirrored": False}, Reason.MIRROR_BROKEN),
    ):
        assert decide(a_view(4_500, 4_800, **doubt), EMPTY, POLICY, NOW_MS) == Reject(reason)


def test_a_view_without_an_edge_costs_the_strategy_no_decision() -> None:
    strategy = a_strategy()
    strategy.on_view(a_view(5_200, 4_900))
    assert (strategy.ticks, strategy.decisions) == (1, 0)
    assert not strategy.on_tick(5_200, 4_900)


def test_every_frame_changes_both_books_and_leaves_none_in_doubt() -> None:
    desk, take_in = a_desk_at_work()
    frames = change_frames(200) + change_frames(200, fresh_sizes=True)
    for frame in frames:
        take_in(frame)
    assert desk.strategy.ticks == len(frames) + 1
    assert (desk.counters.best_mismatch, desk.counters.mirror_mismatch, desk.counters.out_of_order) == (0, 0, 0)
    assert desk.view.no.asks == {PRICE_ONE - price: size for price, size in desk.view.yes.bids.items()}


def test_fresh_sizes_are_never_the_same_twice() -> None:
    sizes = [json.loads(frame)["price_changes"][0]["size"] for frame in change_frames(3_000, fresh_sizes=True)]
    assert len(set(sizes)) == 3_000
    assert len({json.loads(frame)["price_changes"][0]["size"] for frame in change_frames(3_000)}) <= 64


@pytest.mark.parametrize("levels", [40, 150])
def test_a_book_has_as_many_levels_as_it_says_and_the_same_best(levels: int) -> None:
    bids, asks = ladder(levels)
    assert len(dict(bids)) + len(dict(asks)) == levels
    assert (max(bids)[0], min(asks)[0]) == (5_000, 5_100)
    assert all(0 < price < PRICE_ONE and size > 0 for price, size in bids + asks)


def test_stamps_stand_at_the_same_place_in_every_frame() -> None:
    for now_ns in (0, STAMP_NS, 10**13, 10**17):
        assert int(stamped_frame(now_ns)[STAMP]) == stamp_at(now_ns) >= STAMP_ORIGIN


def test_a_stamp_tells_its_age_also_when_stamps_began_anew_meanwhile() -> None:
    assert 5_000 <= age_ns(stamp_at(time.monotonic_ns() - 5_000)) < 10**9
    assert age_ns(stamp_at(time.monotonic_ns() - 5_000 + STAMPS * STAMP_NS)) < 10**9


async def test_the_server_sends_books_then_as_many_frames_as_asked_for_at_the_pace_asked_for() -> None:
    async with serve(attend, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with connect(f"{url}/paced/20/3000", compression=None) as socket:
            await socket.send("{}")
            assert await socket.recv(decode=False) == books_frame(40)
            stamps = [int((await socket.recv(decode=False))[STAMP]) for _ in range(20)]
        assert stamps == sorted(stamps)
        assert (stamps[-1] - stamps[0]) * STAMP_NS >= 19 * 2_500_000
        assert stamps[-1] <= stamp_at(time.monotonic_ns())


async def test_a_flood_delivers_every_frame_whole() -> None:
    async with serve(attend, "127.0.0.1", 0, compression=None) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        async with connect(f"{url}/flood/150", compression=None) as socket:
            await socket.send("{}")
            await socket.recv(decode=False)
            frames = [await socket.recv(decode=False) for _ in range(150)]
    assert frames == [change_frames(64)[number % 64] for number in range(150)]


def test_a_frame_reads_as_the_venue_prints_it() -> None:
    message = json.loads(change_frame(4_880, 20_250_000))
    yes, no = message["price_changes"]
    assert (message["event_type"], yes["side"], yes["price"], no["side"], no["price"]) == ("price_change", "BUY", "0.488", "SELL", "0.512")
    assert yes["size"] == no["size"] == "20.25"
