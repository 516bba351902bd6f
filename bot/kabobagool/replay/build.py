"""Adds up what a replay did into a report.

An `EpisodeBook` collects episodes while the tape plays, so that the memory of a long one stays small; `build_report` writes everything
down at the end. Called by `cli/replay.py`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from kabobagool import __version__
from kabobagool.domain.money import MICRO, format_micros, format_price
from kabobagool.domain.position import Position
from kabobagool.engine.snapshot import position_snapshot
from kabobagool.replay.decision_log import DecisionLog
from kabobagool.replay.edges import ToldEdgeTruth
from kabobagool.replay.episodes import Episode
from kabobagool.replay.histogram import DURATION_BOUNDS, SHARE_BOUNDS, Histogram
from kabobagool.replay.market_run import MarketRun
from kabobagool.replay.pair_trace import PairTrace
from kabobagool.replay.replayer import Replay
from kabobagool.replay.report import (
    Bars,
    EdgeCounts,
    EdgeReport,
    EpisodeReport,
    Funnel,
    GapReport,
    MarketReport,
    RunReport,
    TapeReport,
    Totals,
    Trace,
)
from kabobagool.replay.tape_reader import TapeReader

MOST_EPISODES = 2_000
"""Episodes of one market that are listed one by one; all are counted."""


class EpisodeBook:
    """All episodes of a replay: counted by market, spread over histograms, and the first of each market kept."""

    def __init__(self) -> None:
        self.real_ms = 0
        self.durations = (Histogram(DURATION_BOUNDS), Histogram(DURATION_BOUNDS))
        self.shares = (Histogram(SHARE_BOUNDS), Histogram(SHARE_BOUNDS))
        self.kept: dict[str, list[Episode]] = {}
        self._passed: dict[str, Counter[str]] = {}

    def add(self, condition_id: str, episode: Episode) -> None:
        """Enter an episode that is over."""
        real = is_real(episode)
        self.real_ms += episode.duration_ms if real else 0
        self.durations[real].add(episode.duration_ms)
        self.shares[real].add(episode.shares // MICRO)
        passed = self._passed.setdefault(condition_id, Counter())
        passed["below_one"] += 1
        passed.update(name for name in ("whole", "pays_fees", "buyable", "acted_on") if getattr(episode, name))
        kept = self.kept.setdefault(condition_id, [])
        if len(kept) < MOST_EPISODES:
            kept.append(episode)

    def funnel(self, condition_id: str) -> Funnel:
        """How far the episodes of one market got."""
        passed = self._passed.get(condition_id, Counter())
        return Funnel(**{name: passed[name] for name in Funnel.__struct_fields__})


def is_real(episode: Episode) -> bool:
    """Whether both legs could be believed and cost less than they pay, fees included."""
    return episode.whole and episode.pays_fees


def build_report(
    replay: Replay, book: EpisodeBook, reader: TapeReader, log: DecisionLog, *, settings: Mapping[str, str], wall_ms: int
) -> EdgeReport:
    """The report of a replay that is over and took `wall_ms`."""
    tape = _tape(replay, reader)
    markets = [_market(condition_id, run, book) for condition_id, run in replay.runs.items()]
    divisor = max(wall_ms, 1)
    return EdgeReport(
        tape=tape,
        settings=settings,
        decisions=log.hexdigest(),
        decision_lines=log.lines,
        totals=_totals(replay.runs.values(), markets, book),
        durations=_bars(DURATION_BOUNDS, book.durations),
        shares=_bars(SHARE_BOUNDS, book.shares),
        markets=markets,
        run=RunReport(
            bot=__version__,
            wall_ms=wall_ms,
            frames_per_s=tape.frames * 1000 // divisor,
            times_real_time=tape.covered_ms // divisor,
        ),
    )


def _tape(replay: Replay, reader: TapeReader) -> TapeReport:
    facts = replay.facts
    missing_ms = sum(gap.until_ms - gap.from_ms for gap in facts.gaps)
    return TapeReport(
        name=reader.path.name,
        bytes=reader.total_bytes,
        started_ms=facts.started_ms,
        ended_ms=facts.ended_ms,
        covered_ms=facts.ended_ms - facts.started_ms - missing_ms,
        recordings=len(facts.opened),
        gaps=[GapReport(from_ms=gap.from_ms, until_ms=gap.until_ms) for gap in facts.gaps],
        closed=facts.closed,
        torn=reader.torn,
        frames=replay.counters.frames,
        unreadable_frames=replay.counters.decode_errors,
        lost_connections=facts.lost_connections,
        venue=facts.opened[-1].venue,
    )


def _market(condition_id: str, run: MarketRun, book: EpisodeBook) -> MarketReport:
    market, funnel = run.desk.view.market, book.funnel(condition_id)
    kept = book.kept.get(condition_id, [])
    return MarketReport(
        slug=market.slug,
        condition_id=condition_id,
        question=market.question,
        resolved=run.desk.view.resolved,
        views=run.engine.strategy.ticks,
        funnel=funnel,
        edges=_edges([run]),
        orders=_sorted(run.orders),
        gate_refusals=_sorted(run.gate_refusals),
        orphans=run.orphans,
        position=position_snapshot(run.engine.tracker.position),
        episodes=[_episode(episode) for episode in kept],
        episodes_shown=len(kept),
        trace=_trace(run.trace),
    )


def _episode(episode: Episode) -> EpisodeReport:
    return EpisodeReport(
        began_ms=episode.began_ms,
        duration_ms=episode.duration_ms,
        views=episode.views,
        lowest_pair=format_price(episode.lowest_pair),
        shares=format_micros(episode.shares),
        real=is_real(episode),
        verdict=episode.verdict,
        cut_short=episode.cut_short,
    )


def _trace(trace: PairTrace) -> Trace:
    return Trace(span_ms=trace.span_ms, points=[(point.at_ms, point.lowest, point.highest) for point in trace.points])


def _totals(runs: Iterable[MarketRun], markets: Iterable[MarketReport], book: EpisodeBook) -> Totals:
    runs, markets = list(runs), list(markets)
    positions: list[Position] = [run.engine.tracker.position for run in runs]
    orders: Counter[str] = Counter()
    for run in runs:
        orders.update(run.orders)
    return Totals(
        funnel=Funnel(**{name: sum(getattr(market.funnel, name) for market in markets) for name in Funnel.__struct_fields__}),
        edges=_edges(runs),
        orders=_sorted(orders),
        orphans=sum(run.orphans for run in runs),
        spent=format_micros(sum(position.spent for position in positions)),
        fees=format_micros(sum(position.fees for position in positions)),
        locked_profit=format_micros(sum(position.locked_profit for position in positions)),
        real_ms=book.real_ms,
    )


def _edges(runs: Iterable[MarketRun]) -> EdgeCounts:
    runs = list(runs)
    truths: list[ToldEdgeTruth] = [run.truth for run in runs]
    rejected: Counter[str] = Counter()
    for truth in truths:
        rejected.update({str(reason): count for reason, count in truth.rejected.items()})
    return EdgeCounts(
        seen=sum(truth.seen for truth in truths),
        acted_on=sum(truth.acted_on for truth in truths),
        rejected=_sorted(rejected),
        undecided=sum(run.undecided for run in runs),
    )


def _bars(bounds: tuple[int, ...], histograms: tuple[Histogram, Histogram]) -> Bars:
    phantom, real = histograms
    return Bars(bounds=bounds, real=real.counts, phantom=phantom.counts)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first, equals by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
