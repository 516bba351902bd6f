"""The pictures of the report as inline SVG: no script, no fonts, no files beside the page.

Pure functions of the report's numbers; colours come from `report.css` by class, so that a dark page has dark pictures. Every mark tells
its number when pointed at. `page.py` places them; `timeline.py` holds those with a time axis.
"""

from collections.abc import Mapping, Sequence

from kabobagool.domain.money import Micros
from kabobagool.replay.episodes import ACTED_ON, UNDECIDED
from kabobagool.replay.markup import NOTHING, Markup, element
from kabobagool.replay.report import Bars, Funnel
from kabobagool.replay.wording import count_of, dollars, reason_words

WIDTH = 520
ROW = 30
BAR = 14
LABELS = 268
NUMBERS = 56
SHORTEST_BAR = 2.0
HISTOGRAM_HEIGHT = 190
AXIS = 40
LEAST_BARS = 6
MOST_TICKS = 9
MOST_ROWS = 30

FUNNEL_QUESTIONS = (
    ("below_one", "asks summed below $1"),
    ("whole", "both books whole, of one moment"),
    ("pays_fees", "below $1 after the venue's fees"),
    ("buyable", "within your limits"),
    ("acted_on", "acted on"),
)


def svg(width: float, height: float, *children: Markup, label: str) -> Markup:
    """A picture that scales with its column."""
    return element("svg", *children, viewBox=f"0 0 {width:g} {height:g}", role="img", aria_label=label)


def text(x: float, y: float, words: str, class_: str = "label", anchor: str = "start") -> Markup:
    """Words at a point."""
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def rectangle(x: float, y: float, width: float, height: float, class_: str, *, told: str = "", rounded: float = 2.0) -> Markup:
    """A bar that says `told` when pointed at."""
    title = element("title", told) if told else NOTHING
    return element("rect", title, x=x, y=y, width=width, height=height, rx=min(rounded, width / 2), class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def funnel_chart(funnel: Funnel) -> Markup:
    """How many episodes passed each question."""
    classes = {"below_one": "phantom", "acted_on": "acted"}
    rows = [(words, getattr(funnel, name), classes.get(name, "real")) for name, words in FUNNEL_QUESTIONS]
    return _rows([(words, count, class_, f"{words}: {count_of(count, 'episode')}") for words, count, class_ in rows], label="Episodes")


def reasons_chart(acted_on: int, rejected: Mapping[str, int], undecided: int) -> Markup:
    """What became of every edge, the most frequent first."""
    counts = [(ACTED_ON, acted_on), *rejected.items(), (UNDECIDED, undecided)]
    rows = sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])
    drawn = [(reason_words(name), count, "acted" if name == ACTED_ON else "phantom", f"{name}: {count:,}") for name, count in rows]
    return _rows(drawn, label="Edges by verdict")


def _rows(rows: Sequence[tuple[str, int, str, str]], *, label: str) -> Markup:
    """Horizontal bars with words before and numbers behind: (words, count, class, told)."""
    longest = max((count for _, count, _, _ in rows), default=0) or 1
    room = WIDTH - LABELS - NUMBERS
    marks: list[Markup] = []
    for number, (words, count, class_, told) in enumerate(rows):
        middle = number * ROW + ROW / 2
        width = max(room * count / longest, SHORTEST_BAR if count else 0)
        marks.append(text(LABELS - 12, middle + 4, words, anchor="end"))
        marks.append(rectangle(LABELS, middle - BAR / 2, width, BAR, class_, told=told))
        marks.append(text(LABELS + width + 8, middle + 4, f"{count:,}", "number"))
    return svg(WIDTH, max(len(rows), 1) * ROW, *marks, label=label)


def histogram_chart(bars: Bars, tick_words: Sequence[str], *, label: str) -> Markup:
    """Two kinds of episodes stacked in each bar. `tick_words` name the bounds."""
    first, last = _used(bars)
    tallest = max(real + phantom for real, phantom in zip(bars.real, bars.phantom, strict=True)) or 1
    step = WIDTH / (last - first)
    every = -(-(last - first) // MOST_TICKS)
    marks = [line(0, HISTOGRAM_HEIGHT, WIDTH, HISTOGRAM_HEIGHT, "axis")]
    for number in range(first, last):
        marks += _stack((number - first) * step, step, bars.real[number], bars.phantom[number], tallest, _between(tick_words, number))
        if number > first and (number - first) % every == 0:
            marks.append(text((number - first) * step, HISTOGRAM_HEIGHT + 18, tick_words[number - 1], "tick", "middle"))
    return svg(WIDTH, HISTOGRAM_HEIGHT + AXIS - 14, *marks, label=label)


def _stack(x: float, step: float, real: int, phantom: int, tallest: int, between: str) -> list[Markup]:
    room = HISTOGRAM_HEIGHT - 22
    marks: list[Markup] = []
    top = float(HISTOGRAM_HEIGHT)
    for count, class_ in ((real, "real"), (phantom, "phantom")):
        if count:
            height = max(room * count / tallest, SHORTEST_BAR)
            top -= height
            marks.append(rectangle(x + 2, top, step - 4, height, class_, told=f"{between}: {count_of(count, class_ + ' episode')}"))
    if real + phantom:
        marks.append(text(x + step / 2, top - 6, f"{real + phantom:,}", "number", "middle"))
    return marks


def _used(bars: Bars) -> tuple[int, int]:
    """The bars to draw: those that hold something, and a few around them so that few look like few."""
    counts = [real + phantom for real, phantom in zip(bars.real, bars.phantom, strict=True)]
    held = [number for number, count in enumerate(counts) if count] or [0]
    first, last = max(held[0] - 1, 0), min(held[-1] + 2, len(counts))
    while last - first < LEAST_BARS:
        first, last = max(first - 1, 0), min(last + 1, len(counts))
    return first, last


def _between(tick_words: Sequence[str], number: int) -> str:
    if number == 0:
        return f"below {tick_words[0]}"
    if number == len(tick_words):
        return f"{tick_words[-1]} and more"
    return f"{tick_words[number - 1]} to {tick_words[number]}"


def profit_chart(profits: Sequence[tuple[str, Micros, str]]) -> Markup:
    """Locked profit by market, best first: (name, micro-dollars, the same as text); losses go to the left."""
    rows = sorted(profits, key=lambda row: -row[1])[:MOST_ROWS]
    highest, lowest = max([0, *(row[1] for row in rows)]), min([0, *(row[1] for row in rows)])
    room = 2 * WIDTH - LABELS - 2 * NUMBERS - 16
    scale = room / ((highest - lowest) or 1)
    zero = LABELS + (NUMBERS if lowest else 0) - lowest * scale
    marks = [line(zero, 0, zero, max(len(rows), 1) * ROW, "axis")]
    for number, (name, profit, amount) in enumerate(rows):
        middle = number * ROW + ROW / 2
        width = max(abs(profit) * scale, SHORTEST_BAR)
        left = zero if profit >= 0 else zero - width
        end, anchor = (zero + width + 8, "start") if profit >= 0 else (left - 8, "end")
        marks.append(text(LABELS - 12, middle + 4, name, anchor="end"))
        marks.append(rectangle(left, middle - BAR / 2, width, BAR, "acted" if profit >= 0 else "loss", told=f"{name}: {amount}"))
        marks.append(text(end, middle + 4, dollars(amount), "number", anchor))
    return svg(2 * WIDTH, max(len(rows), 1) * ROW, *marks, label="Locked profit by market")
