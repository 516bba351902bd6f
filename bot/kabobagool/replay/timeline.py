"""Pictures with a time axis: when episodes came, market by market, and what a pair cost all the while.

Drawn in columns of a pixel or two: however many episodes a market had, the page stays small. `page.py` places them.
"""

from collections.abc import Callable, Iterator, Sequence

from kabobagool.domain.money import PRICE_ONE
from kabobagool.replay.charts import WIDTH, line, rectangle, svg, text
from kabobagool.replay.episodes import ACTED_ON
from kabobagool.replay.markup import Markup, element
from kabobagool.replay.report import EpisodeReport, MarketReport, TapeReport, Trace
from kabobagool.replay.wording import clock_time, reason_words, span

LANE = 24
NAMES = 250
FULL = 2 * WIDTH
COLUMN = 2
MOST_LANES = 40
STEPS_MS = (1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 4 * 3_600_000, 12 * 3_600_000, 24 * 3_600_000, 7 * 24 * 3_600_000)
MOST_TICKS = 9
SPARK_WIDTH = 240
SPARK_HEIGHT = 44
LEAST_RANGE = 200
"""A pair that never moved is a flat line, not noise blown up."""
CHEAPEST_DRAWN, DEAREST_DRAWN = PRICE_ONE - 1_200, PRICE_ONE + 600
"""What is beyond is drawn at the edge."""

Column = tuple[int, int, EpisodeReport]
Point = tuple[int, int, int]


class TimeAxis:
    """Venue milliseconds to a picture's x."""

    def __init__(self, tape: TapeReport, left: float, right: float) -> None:
        self.start_ms = tape.started_ms
        self.end_ms = max(tape.ended_ms, tape.started_ms + 1)
        self.left, self.right = left, right

    def x(self, milliseconds: int) -> float:
        """Where this moment is, moments outside at the edge."""
        part = (milliseconds - self.start_ms) / (self.end_ms - self.start_ms)
        return self.left + (self.right - self.left) * min(max(part, 0.0), 1.0)

    def ticks(self) -> Iterator[tuple[int, str]]:
        """Round moments and their words."""
        length_ms = self.end_ms - self.start_ms
        step_ms = next((step for step in STEPS_MS if length_ms / step <= MOST_TICKS), STEPS_MS[-1])
        for moment_ms in range(-(-self.start_ms // step_ms) * step_ms, self.end_ms + 1, step_ms):
            yield moment_ms, clock_time(moment_ms, seconds=step_ms < 60_000)


def timeline_chart(tape: TapeReport, markets: Sequence[MarketReport]) -> Markup:
    """Every episode of the markets that had the most, one lane a market; gaps of the tape are shaded."""
    lanes = sorted((market for market in markets if market.episodes), key=lambda market: -market.funnel.below_one)[:MOST_LANES]
    axis, height = TimeAxis(tape, NAMES, FULL - 8), max(len(lanes), 1) * LANE
    marks: list[Markup] = []
    for moment_ms, words in axis.ticks():
        marks.append(line(axis.x(moment_ms), 0, axis.x(moment_ms), height, "grid"))
        marks.append(text(axis.x(moment_ms), height + 18, words, "tick", "middle"))
    for gap in tape.gaps:
        left, right = axis.x(gap.from_ms), axis.x(gap.until_ms)
        told = f"nothing was recorded for {span(gap.until_ms - gap.from_ms)}"
        marks.append(rectangle(left, 0, max(right - left, 1.5), height, "gap", told=told, rounded=0))
    for number, market in enumerate(lanes):
        marks += _lane(axis, number * LANE, market)
    return svg(FULL, height + 26, *marks, label="Episodes over time by market")


def _lane(axis: TimeAxis, top: int, market: MarketReport) -> Iterator[Markup]:
    yield text(NAMES - 12, top + LANE / 2 + 4, shortened(market.slug), anchor="end")
    yield line(axis.left, top + LANE - 0.5, axis.right, top + LANE - 0.5, "grid")
    for from_column, to_column, episode in merged_columns(axis, market.episodes):
        class_ = "acted" if episode.verdict == ACTED_ON else "real" if episode.real else "phantom"
        told = (
            f"{clock_time(episode.began_ms, seconds=True)}: pair at {episode.lowest_pair} for {span(episode.duration_ms)}, "
            f"{episode.shares} shares, {reason_words(episode.verdict)}"
        )
        height = LANE - 8 if class_ != "phantom" else LANE / 2 - 4
        width = (to_column - from_column + 1) * COLUMN
        yield rectangle(from_column * COLUMN, top + (LANE - height) / 2, width, height, class_, told=told, rounded=1)


def merged_columns(axis: TimeAxis, episodes: Sequence[EpisodeReport]) -> list[Column]:
    """Episodes as columns that do not overlap; where two share one, the one that matters more is told."""
    columns: dict[int, Column] = {}
    for episode in episodes:
        first, last = (int(axis.x(moment_ms)) // COLUMN for moment_ms in (episode.began_ms, episode.began_ms + episode.duration_ms))
        rival = columns.get(first)
        if rival is None or weight(episode) > weight(rival[2]):
            columns[first] = first, max(last, rival[1] if rival else last), episode
    return [columns[column] for column in sorted(columns)]


def weight(episode: EpisodeReport) -> int:
    """How much an episode matters to a trader."""
    return 2 * (episode.verdict == ACTED_ON) + episode.real


def shortened(name: str, longest: int = 34) -> str:
    """A name that fits its lane: the end of a slug is what tells two apart."""
    return name if len(name) <= longest else "…" + name[1 - longest :]


def spark_line(tape: TapeReport, trace: Trace) -> Markup:
    """What a pair cost: a line around one dollar, with everything below a dollar filled."""
    axis = TimeAxis(tape, 0, SPARK_WIDTH)
    lowest = min([PRICE_ONE - LEAST_RANGE, *(max(low, CHEAPEST_DRAWN) for _, low, _ in trace.points)])
    dearest = max([PRICE_ONE + LEAST_RANGE, *(min(low, DEAREST_DRAWN) for _, low, _ in trace.points)])

    def y(price: int) -> float:
        return 3 + (SPARK_HEIGHT - 6) * (dearest - min(max(price, lowest), dearest)) / (dearest - lowest)

    marks = [line(0, y(PRICE_ONE), SPARK_WIDTH, y(PRICE_ONE), "dollar")]
    for points, until_ms in pieces(tape, trace):
        outline = _steps(axis, points, y, until_ms)
        below = _steps(axis, [(ms, min(low, PRICE_ONE), high) for ms, low, high in points], y, until_ms)
        base = f"V{y(PRICE_ONE):.1f}H{axis.x(points[0][0]):.1f}Z"
        marks += [element("path", d=below + base, class_="below"), element("path", d=outline, class_="spark")]
    return svg(SPARK_WIDTH, SPARK_HEIGHT, *marks, label="Pair cost over time")


def pieces(tape: TapeReport, trace: Trace) -> list[tuple[list[Point], int]]:
    """The points of a trace, cut where the tape has gaps, and until when the last of each piece holds."""
    ends = [*((gap.from_ms, gap.until_ms) for gap in tape.gaps), (tape.ended_ms, tape.ended_ms + 1)]
    found, rest = [], list(trace.points)
    for from_ms, _ in ends:
        points = [point for point in rest if point[0] < max(from_ms, tape.started_ms + 1)]
        rest = rest[len(points) :]
        if points:
            found.append((points, from_ms))
    return found


def _steps(axis: TimeAxis, points: Sequence[Point], y: Callable[[int], float], until_ms: int) -> str:
    """A path that keeps each price until the next one."""
    path = [f"M{axis.x(points[0][0]):.1f},{y(points[0][1]):.1f}"]
    path += [f"H{axis.x(at_ms):.1f}V{y(low):.1f}" for at_ms, low, _ in points[1:]]
    return "".join(path) + f"H{axis.x(until_ms):.1f}"
