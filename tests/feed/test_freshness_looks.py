"""When the watchdog has to look: never later than something is due, and no more often than needed."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.feed.feed_examples import YES, Venue, change, eventually, mirrored, price_change
from tests.feed.test_freshness_watch import Scene
from tests.feed.test_market_feed import PATIENT, running

from kabobagool.feed.apply import Verdict
from kabobagool.feed.freshness import Reconnect, Resnapshot
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.feed.settings import FeedSettings

STEP_MS = 250
SETTINGS = FeedSettings()


class Watched:
    """A watchdog that is asked all the time, and says when it would have looked by itself."""

    def __init__(self, settings: FeedSettings = SETTINGS) -> None:
        self.scene = Scene(settings)
        self.now_ms = 0
        self.mirror_broken_since_ms: int | None = None
        self.left = False
        self.looks = 0
        self.look()

    @property
    def tracks(self):
        return tuple(self.scene.tracks.values())

    def ask(self):
        return self.scene.watch.check(self.tracks, now_ms=self.now_ms, mirror_broken_since_ms=self.mirror_broken_since_ms)

    def look(self, verdict: Verdict = Verdict.AGREES) -> None:
        """As the connection does it."""
        while True:
            self.looks += 1
            match self.ask():
                case Reconnect():
                    self.left = True
                    return
                case Resnapshot(wanted):
                    self.scene.read(self.now_ms / 1000, verdict, *(token for token, _ in wanted))
                case None:
                    broken_ms = self.mirror_broken_since_ms
                    self.due_ms = self.scene.watch.next_look_ms(self.tracks, now_ms=self.now_ms, mirror_broken_since_ms=broken_ms)
                    assert self.due_ms > self.now_ms, "or it would never wait"
                    return

    def pass_until(self, end_ms: int) -> None:
        """Let time pass: between two looks there must be nothing to say."""
        while not self.left and self.now_ms < end_ms:
            self.now_ms = min(self.now_ms + STEP_MS, self.due_ms)
            if self.now_ms >= self.due_ms:
                self.look()
            else:
                assert self.ask() is None, f"due at {self.now_ms}, and the next look was planned for {self.due_ms}"

    def frame(self, *tokens: str) -> None:
        self.scene.hear(self.now_ms / 1000, *tokens)
        self.scene.watch.last_frame_ms = self.now_ms

    def pong(self) -> None:
        self.scene.watch.last_frame_ms = self.now_ms

    def lose(self, token: str) -> None:
        self.scene.lose(self.now_ms / 1000, token)
        self.look(Verdict.STALE)

    def break_mirror(self) -> None:
        if self.mirror_broken_since_ms is None:
            self.mirror_broken_since_ms = self.now_ms
            if self.scene.watch.mirror_broke(self.now_ms):
                self.look()

    def heal_mirror(self) -> None:
        self.mirror_broken_since_ms = None


HAPPENINGS: dict[str, Callable[[Watched], None]] = {
    "frame": lambda watched: watched.frame(),
    "half a frame": lambda watched: watched.frame("yes"),
    "pong": lambda watched: watched.pong(),
    "book lost": lambda watched: watched.lose("no"),
    "mirror breaks": lambda watched: watched.break_mirror(),
    "mirror heals": lambda watched: watched.heal_mirror(),
    "REST disagrees": lambda watched: watched.look(Verdict.DISAGREES),
}


@given(st.lists(st.tuples(st.integers(1, 50_000), st.sampled_from(sorted(HAPPENINGS))), max_size=25), st.sampled_from((30.0, 1e6)))
@example([(1, "frame"), (95_000, "frame")], 1e6)
def test_nothing_is_due_before_the_planned_look_whatever_happens_meanwhile(happenings, dead_s):
    watched = Watched(replace(SETTINGS, dead_s=dead_s))
    for after_ms, happening in happenings:
        watched.pass_until(watched.now_ms + after_ms)
        if watched.left:
            return
        HAPPENINGS[happening](watched)
    watched.pass_until(watched.now_ms + 200_000)


def test_a_busy_market_is_looked_at_once_a_silence_and_a_quiet_one_when_it_is_read():
    busy = Watched()
    while busy.now_ms < 600_000:
        busy.frame()
        busy.pass_until(busy.now_ms + 1_000)
    assert busy.looks <= 25
    assert not busy.left


def test_a_mirror_that_breaks_again_and_again_asks_for_one_look_at_a_time():
    scene = Scene(SETTINGS)
    scene.hear(0)
    assert [scene.watch.mirror_broke(at_ms) for at_ms in (0, 100, 1_999, 2_000, 2_100)] == [True, False, False, True, False]
    assert scene.watch.next_look_ms(tuple(scene.tracks.values()), now_ms=2_100) == 4_000, "whether it healed meanwhile or not"


@pytest.fixture
async def venue():
    async with Venue() as venue:
        yield venue


async def test_a_running_feed_does_not_look_when_nothing_can_be_due(venue, monkeypatch):
    looks: list[int] = []
    check = MarketDesk.check
    monkeypatch.setattr(MarketDesk, "check", lambda desk, **moment: (looks.append(1), check(desk, **moment))[1])
    async with running(venue, PATIENT) as rig:
        await eventually(lambda: rig.both_known)
        for moment in range(5):
            await venue.say(mirrored("BUY", 4900 + moment, 5, (4900 + moment, 5000), at=venue_ms(rig) + moment))
            await asyncio.sleep(0.05)
        assert len(looks) <= 3


def venue_ms(rig) -> int:
    return rig.view.yes.venue_ms + 1


async def test_a_mirror_that_stays_broken_is_read_though_nothing_else_calls_for_a_look(venue):
    async with running(venue, replace(PATIENT, mirror_s=1)) as rig:
        await eventually(lambda: rig.both_known)
        await venue.say(price_change(change(YES, "BUY", 4900, 5, (4900, 5000)), at=venue_ms(rig)))
        await eventually(lambda: rig.counters.resnapshots[ResnapshotReason.MIRROR_BROKEN] > 0)
