"""When to stop believing a book that nobody has contradicted.

A socket can stay open, answer every PING and deliver nothing for hours, for one token or for all. So only events that name a
token count as its life. `connection.py` shows this module the state of both tokens whenever something may have become due and does what
it says: nothing, read these books over REST, or leave the connection. Pure: time comes in as milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kabobagool.feed.apply import TokenTrack, Verdict
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings

MAX_DOUBLINGS: Final = 2
"""A quiet market is compared with REST at most every `silence_s * 2 ** MAX_DOUBLINGS` seconds."""


@dataclass(frozen=True, slots=True)
class Resnapshot:
    """Read these tokens over REST, each for its reason."""

    wanted: tuple[tuple[str, ResnapshotReason], ...]


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Leave this connection: it cannot be believed any more."""

    reason: ReconnectReason


Action = Resnapshot | Reconnect | None


class _Doubt:
    """What is held against one token's book."""

    __slots__ = ("agreements", "compared_ms", "disagreed_ms", "due_ms", "fetches", "last_fetch_ms", "reason")

    def __init__(self, now_ms: int, due_ms: int) -> None:
        self.reason = ResnapshotReason.FIRST_SNAPSHOT
        self.due_ms = due_ms
        self.fetches = 0
        self.last_fetch_ms: int | None = None
        self.compared_ms = now_ms
        self.agreements = 0
        self.disagreed_ms: int | None = None


class FreshnessWatch:
    """Doubts of one connection; make a new one for the next."""

    __slots__ = ("_doubts", "_mirror_look_ms", "_mirror_read_ms", "_settings", "last_frame_ms")

    def __init__(self, tokens: Iterable[str], *, settings: FeedSettings, now_ms: int) -> None:
        due_ms = now_ms + _ms(settings.first_snapshot_s)
        self._settings = settings
        self._doubts = {token: _Doubt(now_ms, due_ms) for token in tokens}
        self._mirror_read_ms: int | None = None
        self._mirror_look_ms = 0
        self.last_frame_ms = now_ms

    def want(self, wanted: Iterable[tuple[str, ResnapshotReason]], *, now_ms: int) -> None:
        """These books were distrusted: read them now, or as soon as the pause after the last fetch allows."""
        for token, reason in wanted:
            doubt = self._doubts[token]
            self._forgive_if_calm(doubt, now_ms)
            doubt.reason = reason
            doubt.due_ms = self._next_fetch_ms(doubt, now_ms)

    def fetched(self, verdicts: Mapping[str, Verdict], *, tokens: Iterable[str], asked_ms: int, now_ms: int) -> None:
        """REST, asked for `tokens` at `asked_ms`, has answered; a token that is not in `verdicts` got no usable answer."""
        for token in tokens:
            doubt = self._doubts[token]
            self._forgive_if_calm(doubt, now_ms)
            doubt.fetches += 1
            doubt.last_fetch_ms = now_ms
            doubt.compared_ms = asked_ms
            doubt.due_ms = self._next_fetch_ms(doubt, now_ms)
            verdict = verdicts.get(token, Verdict.STALE)
            if verdict is Verdict.DISAGREES:
                doubt.disagreed_ms = now_ms
            elif verdict is not Verdict.RESTORED:
                doubt.agreements += 1

    def check(self, tracks: Sequence[TokenTrack], *, now_ms: int, mirror_broken_since_ms: int | None = None) -> Action:
        """What to do now: leave the connection, read some books, or nothing."""
        if now_ms - self.last_frame_ms >= _ms(self._settings.dead_s):
            return Reconnect(ReconnectReason.DEAD)
        wanted: list[tuple[str, ResnapshotReason]] = []
        for track in tracks:
            match self._check_token(track, now_ms):
                case ReconnectReason() as reason:
                    return Reconnect(reason)
                case ResnapshotReason() as reason:
                    wanted.append((track.book.token, reason))
        if not wanted and self._mirror_needs_reading(mirror_broken_since_ms, now_ms):
            self._mirror_read_ms = now_ms
            wanted = [(token, ResnapshotReason.MIRROR_BROKEN) for token in self._doubts]
        return Resnapshot(tuple(wanted)) if wanted else None

    def next_look_ms(self, tracks: Iterable[TokenTrack], *, now_ms: int, mirror_broken_since_ms: int | None = None) -> int:
        """The last moment at which to ask `check` again, which has just said nothing, unless `want` or `mirror_broke` ask for it sooner.

        Whatever else happens meanwhile puts off what is due, or is due no sooner than a new silence.
        """
        due_ms = min(self.last_frame_ms + _ms(self._settings.dead_s), now_ms + _ms(self._settings.silence_s))
        for track in tracks:
            due_ms = min(due_ms, self._token_due_ms(track))
        if mirror_broken_since_ms is not None:
            due_ms = min(due_ms, self._mirror_due_ms(mirror_broken_since_ms))
        return min(due_ms, self._mirror_look_ms) if self._mirror_look_ms > now_ms else due_ms

    def mirror_broke(self, now_ms: int) -> bool:
        """The books contradict each other since now: whether nobody will look in time unless told so."""
        if now_ms < self._mirror_look_ms:
            return False
        self._mirror_look_ms = now_ms + _ms(self._settings.mirror_s)
        return True

    def _token_due_ms(self, track: TokenTrack) -> int:
        doubt = self._doubts[track.book.token]
        if not track.book.has_snapshot:
            return doubt.due_ms
        silence_ms = max(track.last_data_ms, doubt.compared_ms) + self._patience_ms(doubt)
        if doubt.disagreed_ms is None:
            return silence_ms
        return min(silence_ms, doubt.disagreed_ms + _ms(self._settings.disagreement_s))

    def _check_token(self, track: TokenTrack, now_ms: int) -> ReconnectReason | ResnapshotReason | None:
        doubt = self._doubts[track.book.token]
        if track.last_data_ms > doubt.compared_ms:
            doubt.agreements, doubt.disagreed_ms = 0, None
        if not track.book.has_snapshot:
            return self._check_missing(doubt, now_ms)
        if doubt.disagreed_ms is not None and now_ms - doubt.disagreed_ms >= _ms(self._settings.disagreement_s):
            return ReconnectReason.DISAGREEMENT
        return self._check_silence(doubt, track.last_data_ms, now_ms)

    def _check_missing(self, doubt: _Doubt, now_ms: int) -> ReconnectReason | ResnapshotReason | None:
        if now_ms < doubt.due_ms:
            return None
        if doubt.fetches >= self._settings.retry_limit:
            return ReconnectReason.NO_SNAPSHOT
        return doubt.reason

    def _check_silence(self, doubt: _Doubt, last_data_ms: int, now_ms: int) -> ReconnectReason | ResnapshotReason | None:
        if now_ms - max(last_data_ms, doubt.compared_ms) < self._patience_ms(doubt):
            return None
        if doubt.agreements >= self._settings.silence_limit:
            return ReconnectReason.SILENCE
        return ResnapshotReason.SILENCE

    def _patience_ms(self, doubt: _Doubt) -> int:
        return _ms(self._settings.silence_s) << min(doubt.agreements, MAX_DOUBLINGS)

    def _mirror_needs_reading(self, broken_since_ms: int | None, now_ms: int) -> bool:
        return broken_since_ms is not None and now_ms >= self._mirror_due_ms(broken_since_ms)

    def _mirror_due_ms(self, broken_since_ms: int) -> int:
        due_ms = broken_since_ms + _ms(self._settings.mirror_s)
        return due_ms if self._mirror_read_ms is None else max(due_ms, self._mirror_read_ms + _ms(self._settings.silence_s))

    def _forgive_if_calm(self, doubt: _Doubt, now_ms: int) -> None:
        """Fetches long ago are no sign that fetching does not help."""
        if doubt.last_fetch_ms is not None and now_ms - doubt.last_fetch_ms >= _ms(self._settings.silence_s):
            doubt.fetches = 0

    def _next_fetch_ms(self, doubt: _Doubt, now_ms: int) -> int:
        """At once the first time; then after a pause that doubles with every fetch that did not end the doubt."""
        if doubt.last_fetch_ms is None or not doubt.fetches:
            return now_ms
        return max(now_ms, doubt.last_fetch_ms + (_ms(self._settings.retry_s) << (doubt.fetches - 1)))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
