"""Which markets are being watched, without haste in either direction.

A supervisor tells every round of discovery to a `Roster` and starts and stops engines as it answers. Pure: the time is a parameter. A
round that failed is simply not told, so an outage of the catalogue retires nobody.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from kabobagool.discovery.reasons import FINAL, Reason

RETIRE_AFTER_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A market on the roster. `missed_since_ms` is None while it qualifies; `reason` is then None too."""

    joined_ms: int
    missed_since_ms: int | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a round changed: condition ids that joined, best first, and those that left with why."""

    joined: tuple[str, ...]
    left: tuple[tuple[str, Reason], ...]


class Roster:
    """At most `max_markets` markets by condition id, except that one with a position stays in any case."""

    def __init__(self, *, max_markets: int, retire_after_ms: int = RETIRE_AFTER_MS) -> None:
        self._max_markets = max_markets
        self._retire_after_ms = retire_after_ms
        self._watched: dict[str, Watched] = {}

    @property
    def watched(self) -> Mapping[str, Watched]:
        """The roster, in the order of joining."""
        return dict(self._watched)

    def adopt(self, condition_ids: Collection[str], *, now_ms: int) -> None:
        """Put markets on the roster without asking, as after a restart that found positions in them."""
        for condition_id in condition_ids:
            self._watched.setdefault(condition_id, Watched(now_ms))

    def retire(self, condition_id: str) -> None:
        """Take a market off the roster that is known to be over; nothing happens when it is not on it."""
        self._watched.pop(condition_id, None)

    def observe(self, qualifying: Sequence[str], rejected: Mapping[str, Reason], *, now_ms: int, holding: Collection[str] = ()) -> Changes:
        """One round: who qualifies (best first), why others do not, and who holds a position now."""
        passing = set(qualifying) | {market for market, reason in rejected.items() if reason is Reason.OVER_MAX_MARKETS}
        left = []
        for condition_id, state in list(self._watched.items()):
            state = _observed(state, None if condition_id in passing else rejected.get(condition_id, Reason.NOT_LISTED), now_ms)
            self._watched[condition_id] = state
            if state.reason is not None and condition_id not in holding and self._is_over(state, now_ms):
                del self._watched[condition_id]
                left.append((condition_id, state.reason))
        return Changes(self._admit(qualifying, now_ms), tuple(left))

    def _is_over(self, state: Watched, now_ms: int) -> bool:
        since_ms = state.missed_since_ms
        return state.reason in FINAL or (since_ms is not None and now_ms - since_ms >= self._retire_after_ms)

    def _admit(self, qualifying: Sequence[str], now_ms: int) -> tuple[str, ...]:
        room = max(self._max_markets - len(self._watched), 0)
        joined = tuple(market for market in dict.fromkeys(qualifying) if market not in self._watched)[:room]
        self._watched.update((market, Watched(now_ms)) for market in joined)
        return joined


def _observed(state: Watched, reason: Reason | None, now_ms: int) -> Watched:
    if reason is None:
        return Watched(state.joined_ms)
    since_ms = now_ms if state.missed_since_ms is None else state.missed_since_ms
    return Watched(state.joined_ms, since_ms, reason)
