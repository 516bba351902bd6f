"""The pauses between connections."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from kabobagool.feed.backoff import MAX_ASKED_S, Backoff
from kabobagool.feed.settings import FeedSettings

SETTINGS = FeedSettings()


def backoff(seed: int = 1) -> Backoff:
    return Backoff(lowest_s=SETTINGS.backoff_min_s, highest_s=SETTINGS.backoff_max_s, rng=random.Random(seed))


@settings(deadline=None, max_examples=60)
@given(st.integers())
def test_pauses_stay_within_bounds_and_reach_the_longest(seed):
    pauses = backoff(seed)
    delays = [pauses.next_delay_s() for _ in range(100)]
    assert all(0.25 <= delay <= 30 for delay in delays)
    assert delays[0] <= 0.5
    assert min(delays[10:]) >= 15


def test_each_ceiling_is_twice_the_one_before():
    ceilings = [max(delays) for delays in zip(*([b.next_delay_s() for _ in range(6)] for b in map(backoff, range(400))), strict=True)]
    for ceiling, expected in zip(ceilings, [0.5, 1, 2, 4, 8, 16], strict=True):
        assert expected * 0.95 < ceiling <= expected


def test_bots_that_lost_their_sockets_together_do_not_come_back_together():
    assert len({round(backoff(seed).next_delay_s(), 3) for seed in range(50)}) > 40


def test_only_a_settled_connection_makes_the_next_pause_short():
    pauses = backoff()
    for _ in range(8):
        pauses.next_delay_s()
    assert pauses.next_delay_s() > 10
    pauses.settled()
    assert pauses.next_delay_s() <= 0.5


def test_the_venues_wish_for_a_longer_pause_is_granted_within_reason():
    assert backoff().next_delay_s(asked_s=7) == 7
    assert backoff().next_delay_s(asked_s=1e9) == MAX_ASKED_S
    assert backoff().next_delay_s(asked_s=0.1) >= 0.25
