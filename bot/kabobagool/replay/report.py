"""The edge-truth report as plain data: what `report.json` holds, and all that `page.py` draws.

Made by `build.py`. Dollars, shares and prices are decimal text, because JSON numbers are floats to most readers; times are venue
milliseconds. Everything but `run` is the same for the same tape and the same settings, to the last byte.
"""

from collections.abc import Mapping, Sequence

import msgspec

from kabobagool.engine.snapshot import PositionSnapshot


class GapReport(msgspec.Struct, frozen=True, kw_only=True):
    """A span of which the tape knows nothing."""

    from_ms: int
    until_ms: int


class TapeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was played. `torn` says what is wrong with the tape's end; `closed` is false when its last recorder died."""

    name: str
    bytes: int
    started_ms: int
    ended_ms: int
    covered_ms: int
    recordings: int
    gaps: Sequence[GapReport]
    closed: bool
    torn: str | None
    frames: int
    unreadable_frames: int
    lost_connections: int
    venue: Mapping[str, str]


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """Of all episodes below a dollar, how many passed each question: see `episodes.Episode`."""

    below_one: int
    whole: int
    pays_fees: int
    buyable: int
    acted_on: int


class EdgeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Views that the strategy counted as edges, and their verdicts: `seen` is the sum of all others."""

    seen: int
    acted_on: int
    rejected: Mapping[str, int]
    undecided: int


class EpisodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One episode; `shares` could be had on both legs at its lowest pair cost."""

    began_ms: int
    duration_ms: int
    views: int
    lowest_pair: str
    shares: str
    real: bool
    verdict: str
    cut_short: bool


class Bars(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram of episodes. `bounds` are the inner edges of the bars, so there is one bar more than bounds.

    `real` counts episodes that were whole and paid for their fees, `phantom` all others.
    """

    bounds: Sequence[int]
    real: Sequence[int]
    phantom: Sequence[int]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What a pair cost over time: `[ms, lowest, highest]`, prices in 1/10,000 dollar, each for `span_ms` at least."""

    span_ms: int
    points: Sequence[tuple[int, int, int]]


class MarketReport(msgspec.Struct, frozen=True, kw_only=True):
    """One market. `orphans` counts how often a leg became naked; `episodes` are the first `episodes_shown` of all."""

    slug: str
    condition_id: str
    question: str
    resolved: bool
    views: int
    funnel: Funnel
    edges: EdgeCounts
    orders: Mapping[str, int]
    gate_refusals: Mapping[str, int]
    orphans: int
    position: PositionSnapshot
    episodes: Sequence[EpisodeReport]
    episodes_shown: int
    trace: Trace


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """All markets together. `real_ms` is for how long, added up, a real edge stood."""

    funnel: Funnel
    edges: EdgeCounts
    orders: Mapping[str, int]
    orphans: int
    spent: str
    fees: str
    locked_profit: str
    real_ms: int


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """How fast it went; differs from run to run."""

    bot: str
    wall_ms: int
    frames_per_s: int
    times_real_time: int


class EdgeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report. `decisions` is the SHA-256 over the decision log of `decision_lines` lines."""

    tape: TapeReport
    settings: Mapping[str, str]
    decisions: str
    decision_lines: int
    totals: Totals
    durations: Bars
    shares: Bars
    markets: Sequence[MarketReport]
    run: RunReport
