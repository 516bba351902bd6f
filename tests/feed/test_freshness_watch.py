"""The watchdog as a table of moments: what it says at which second of silence, of a missing book, of a contradiction."""

import pytest

from kabobagool.domain.book import Book
from kabobagool.feed.apply import TokenTrack, Verdict
from kabobagool.feed.freshness import FreshnessWatch, Reconnect, Resnapshot
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.feed.settings import FeedSettings

SETTINGS = FeedSettings(dead_s=1e6)
BOTH = ("yes", "no")


class Scene:
    """Two tokens, a watch that began at second 0, and seconds instead of milliseconds."""

    def __init__(self, settings: FeedSettings = SETTINGS) -> None:
        self.watch = FreshnessWatch(BOTH, settings=settings, now_ms=0)
        self.tracks = {token: TokenTrack(Book(token)) for token in BOTH}

    def hear(self, second: float, *tokens: str) -> None:
        """An event named these tokens; it brought a book where there was none."""
        for token in tokens or BOTH:
            track = self.tracks[token]
            track.last_data_ms = int(second * 1000)
            track.book.has_snapshot = True

    def lose(self, second: float, token: str, reason: ResnapshotReason = ResnapshotReason.OUT_OF_ORDER) -> None:
        self.tracks[token].book.invalidate()
        self.watch.want([(token, reason)], now_ms=int(second * 1000))

    def read(self, second: float, verdict: Verdict | None, *tokens: str, took: float = 0.0) -> None:
        verdicts = {} if verdict is None else dict.fromkeys(tokens or BOTH, verdict)
        asked_ms, now_ms = int(second * 1000), int((second + took) * 1000)
        self.watch.fetched(verdicts, tokens=tokens or BOTH, asked_ms=asked_ms, now_ms=now_ms)
        if verdict is Verdict.RESTORED:
            for token in tokens or BOTH:
                self.tracks[token].book.has_snapshot = True

    def says(self, second: float, *, mirror_broken_since: float | None = None) -> str:
        since_ms = None if mirror_broken_since is None else int(mirror_broken_since * 1000)
        action = self.watch.check(tuple(self.tracks.values()), now_ms=int(second * 1000), mirror_broken_since_ms=since_ms)
        match action:
            case Reconnect(reason):
                return f"reconnect: {reason}"
            case Resnapshot(wanted):
                return ", ".join(f"{token}: {reason}" for token, reason in wanted)
            case None:
                return ""


def test_first_books_are_waited_for_and_then_read_over_rest():
    scene = Scene()
    assert scene.says(4.9) == ""
    assert scene.says(5.0) == "yes: first_snapshot, no: first_snapshot"


def test_only_the_missing_first_book_is_read():
    scene = Scene()
    scene.hear(1, "yes")
    assert scene.says(5.0) == "no: first_snapshot"


def test_a_distrusted_book_is_read_at_once():
    scene = Scene()
    scene.hear(1)
    scene.lose(1.5, "no")
    assert scene.says(1.5) == "no: out_of_order"


def test_a_read_that_did_not_help_is_repeated_ever_more_slowly_and_then_the_connection_is_left():
    scene = Scene()
    scene.hear(1)
    scene.lose(2, "yes")
    reads, second = [], 2.0
    while not (said := scene.says(second)).startswith("reconnect"):
        if said:
            reads.append(second)
            scene.read(second, Verdict.STALE, "yes")
        second += 0.5
    assert reads == [2.0, 3.0, 5.0, 9.0]
    assert (said, second) == ("reconnect: no_snapshot", 17.0)


def test_a_read_that_failed_counts_like_one_that_did_not_help():
    scene = Scene()
    scene.lose(0, "yes")
    scene.read(0, None, "yes")
    assert scene.says(0.5) == ""
    assert scene.says(1.0).startswith("yes: ")


def test_distrust_again_and_again_cannot_flood_rest():
    scene = Scene()
    scene.hear(1)
    scene.lose(2, "yes")
    scene.read(2, Verdict.RESTORED, "yes")
    scene.lose(2.1, "yes")
    assert scene.says(2.1) == ""
    assert scene.says(3.0) == "yes: out_of_order"


def test_trouble_long_ago_is_forgiven():
    scene = Scene()
    scene.hear(1)
    for second in (2, 3, 5, 9):
        scene.lose(second, "yes")
        scene.read(second, Verdict.RESTORED, "yes")
    scene.hear(60)
    scene.lose(60, "yes")
    assert scene.says(60) == "yes: out_of_order"


def test_comparisons_of_a_quiet_market_do_not_use_up_the_tries_of_a_later_doubt():
    scene = Scene()
    scene.hear(1)
    for second in (31, 91, 211, 331):
        scene.read(second, Verdict.AGREES)
    scene.hear(331.5)
    scene.lose(332, "yes")
    assert scene.says(332) == "yes: out_of_order"


def test_silence_of_one_token_is_noticed_although_the_other_lives():
    scene = Scene()
    scene.hear(1)
    scene.hear(30, "no")
    assert scene.says(30.9) == ""
    assert scene.says(31) == "yes: silence"


def test_a_quiet_market_that_rest_confirms_is_asked_about_less_and_less_and_finally_reconnected():
    scene = Scene()
    scene.hear(0.001)
    reads, second = [], 1.0
    while not (said := scene.says(second)).startswith("reconnect"):
        if said:
            reads.append(second)
            scene.read(second, Verdict.AGREES)
        second += 1.0
    assert reads == [31, 91, 211, 331]
    assert (said, second) == ("reconnect: silence", 451)


def test_one_event_ends_the_silence():
    scene = Scene()
    scene.hear(1)
    scene.read(31, Verdict.AGREES)
    scene.hear(40)
    assert scene.says(69) == ""
    assert scene.says(70) == "yes: silence, no: silence"


def test_rest_that_contradicts_a_silent_socket_ends_the_connection_after_a_grace():
    scene = Scene()
    scene.hear(1, "yes")
    scene.hear(30, "no")
    scene.read(31, Verdict.DISAGREES, "yes")
    assert scene.says(32.9) == ""
    assert scene.says(33) == "reconnect: disagreement"


def test_a_contradiction_that_the_socket_explains_in_time_is_forgotten():
    scene = Scene()
    scene.hear(1)
    scene.read(31, Verdict.DISAGREES, "yes")
    scene.hear(32)
    assert scene.says(34) == ""


def test_an_event_that_arrived_while_rest_was_asked_is_life():
    scene = Scene()
    scene.hear(1)
    scene.hear(31.2)
    scene.read(31, Verdict.DISAGREES, took=0.5)
    assert scene.says(60) == ""


def test_frames_of_any_kind_missing_means_a_dead_connection():
    scene = Scene(FeedSettings())
    scene.hear(1)
    scene.watch.last_frame_ms = 10_000
    assert scene.says(39.9) != "reconnect: dead"
    assert scene.says(40) == "reconnect: dead"


@pytest.mark.parametrize("since", [8.1, 9.9])
def test_books_that_contradict_each_other_only_for_a_moment_are_left_alone(since):
    scene = Scene()
    scene.hear(10)
    assert scene.says(10, mirror_broken_since=since) == ""


def test_books_that_contradict_each_other_for_long_are_both_read_but_not_again_and_again():
    scene = Scene()
    scene.hear(10)
    assert scene.says(10, mirror_broken_since=8) == "yes: mirror_broken, no: mirror_broken"
    assert scene.says(11, mirror_broken_since=8) == ""
    scene.hear(39)
    assert scene.says(40, mirror_broken_since=8) == "yes: mirror_broken, no: mirror_broken"
