"""What goes wrong in a soak, when and for how long: one trouble after the other with quiet between them, all of it from one seed.

Every round holds each trouble once, in an order of its own, so that each comes many times in an hour and never in the same company. Pure:
`run.py` carries it out. A fault is what the exchange's `/admin/faults` accepts; a standstill is the whole exchange not getting any time.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from paper_exchange.faults import POST_ONLY_MS, FaultKind

FULL_LENGTH_S: Final = 600.0
"""In a run shorter than this everything is shorter in proportion."""
CALM_AT_END: Final = 0.1
"""The part of a run at its end in which nothing goes wrong, a minute at most."""
LONGEST_CALM_S: Final = 60.0
STANDSTILL: Final = "standstill"
LEFT_OUT: Final = frozenset({FaultKind.CLOUDFLARE_403, FaultKind.GEOBLOCKED})
"""An address that may not trade stops a market until a person restarts the bot, on purpose: there is no recovery to be seen."""

Fault = Mapping[str, Any]
Make = Callable[[random.Random, int], list[Fault]]
"""The faults of one trouble that lasts so many milliseconds."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble: seconds since the beginning at which it begins and has ended, and the faults it consists of (none: a standstill)."""

    name: str
    begin_s: float
    end_s: float
    faults: tuple[Fault, ...]


def plan(seed: int, seconds: float) -> list[Trouble]:
    """The troubles of a run of that length, in order and none over another."""
    rng = random.Random(f"soak|{seed}")
    scale = min(1.0, seconds / FULL_LENGTH_S)
    last_s = seconds - min(LONGEST_CALM_S, seconds * CALM_AT_END)
    now_s, planned = 10.0 * scale, []
    for name, make in _rounds(rng, [name for name in TROUBLES if scale == 1.0 or not _aftermath_s(name)]):
        length_s = rng.uniform(4, 12) * scale
        trouble = Trouble(name, now_s, now_s + length_s + _aftermath_s(name), tuple(make(rng, round(length_s * 1000))))
        if trouble.end_s <= last_s:
            planned.append(trouble)
            now_s = trouble.end_s + rng.uniform(10, 16) * scale
        elif not _aftermath_s(name):
            break
    return planned


def _rounds(rng: random.Random, names: Sequence[str]) -> Iterator[tuple[str, Make]]:
    while True:
        yield from ((str(name), TROUBLES[name]) for name in rng.sample(names, len(names)))


def _aftermath_s(name: str) -> float:
    """A restart of the venue is followed by two minutes in which it takes no order, however short it was; only long runs have one."""
    return POST_ONLY_MS / 1000 if name == FaultKind.RESTART_425 else 0.0


def _always(kind: FaultKind, **fields: Any) -> Make:
    return lambda rng, for_ms: [{"kind": kind, "for_ms": for_ms, **fields}]


def _sometimes(kind: FaultKind) -> Make:
    """So often that what is tried again succeeds in the end."""
    return lambda rng, for_ms: [{"kind": kind, "for_ms": for_ms, "probability": rng.choice((0.3, 0.6, 1.0))}]


def _slow(kind: FaultKind) -> Make:
    return lambda rng, for_ms: [{"kind": kind, "for_ms": for_ms, "probability": 0.7, "delay_ms": rng.choice((500, 2_000, 4_000))}]


def _once_each(*kinds: FaultKind) -> Make:
    """A cut of all sockets, while new ones or reads are not right either."""

    def make(rng: random.Random, for_ms: int) -> list[Fault]:
        return [*({"kind": kind, "for_ms": for_ms} for kind in kinds), {"kind": FaultKind.DISCONNECT, "count": 1}]

    return make


def _limited(rng: random.Random, for_ms: int) -> list[Fault]:
    return [{"kind": FaultKind.RATE_LIMITED_WITH_HEADERS, "for_ms": for_ms, "count": 3, "retry_after_s": rng.choice((1, 2, 5))}]


TROUBLES: Final[Mapping[str, Make]] = {
    FaultKind.SETTLEMENT_FAILED: _sometimes(FaultKind.SETTLEMENT_FAILED),
    FaultKind.ORDER_LATENCY: _slow(FaultKind.ORDER_LATENCY),
    FaultKind.DELAYED_REPLY: _slow(FaultKind.DELAYED_REPLY),
    FaultKind.RESTART_425: _always(FaultKind.RESTART_425),
    FaultKind.POST_ONLY_503: _always(FaultKind.POST_ONLY_503, retry_after_s=2),
    FaultKind.RATE_LIMITED_WITH_HEADERS: _limited,
    FaultKind.RATE_LIMITED_BARE_429: _sometimes(FaultKind.RATE_LIMITED_BARE_429),
    FaultKind.COULD_NOT_RUN_500: _sometimes(FaultKind.COULD_NOT_RUN_500),
    FaultKind.REPLY_DROPPED: _sometimes(FaultKind.REPLY_DROPPED),
    FaultKind.SILENT_FREEZE: _always(FaultKind.SILENT_FREEZE),
    FaultKind.MISSING_FIRST_SNAPSHOT: _once_each(FaultKind.MISSING_FIRST_SNAPSHOT),
    FaultKind.DUPLICATED_FRAMES: _sometimes(FaultKind.DUPLICATED_FRAMES),
    FaultKind.REORDERED_FRAMES: _sometimes(FaultKind.REORDERED_FRAMES),
    FaultKind.DISCONNECT: _always(FaultKind.DISCONNECT, count=3),
    FaultKind.STALE_BOOK: _once_each(FaultKind.STALE_BOOK, FaultKind.MISSING_FIRST_SNAPSHOT),
    STANDSTILL: lambda rng, for_ms: [],
}
"""Every failure that the exchange can act out, but those of `LEFT_OUT`, and standing still: open sockets are silent, reads hang."""
