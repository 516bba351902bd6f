"""Draws the chart's Grafana dashboards from a Prometheus, where there is no Grafana: for the documentation and for a look after a test.

`python -m tests.monitoring.draw_dashboards http://localhost:9090 --minutes 15 --market pinned --mode paper FOLDER`, or `draw` from a test.
Questions, places, titles, units and thresholds are the dashboards' own. Grafana's hand is another: only the shapes are like it.
"""

import argparse
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, FuncFormatter
from tests.monitoring.board_answers import Answer, Curve, Panel, Window, answers
from tests.monitoring.prometheus_api import PrometheusApi
from tests.monitoring.rule_files import DASHBOARDS

COLUMNS = 24
WIDTH, CELL_HEIGHT = 16.0, 0.4
"""Inches: of the whole, and of a dashboard's unit of height."""
GAP = 0.08
PAGE, CARD, TEXT, FAINT = "#111217", "#181b1f", "#d8d9da", "#8e9197"
HUES = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#fade2a", "#ffa6b0", "#96d98d")
NAMED_COLOURS = {"green": "#73bf69", "red": "#f2495c", "orange": "#ff9830", "yellow": "#fade2a"}
SHOWN_ROWS = 12
WIDE = 500
"""Pixels of a panel that has room for more names in a row."""
SHORT = timedelta(minutes=10)


def draw(folder: Path, prometheus: PrometheusApi, window: Window, **chosen: str) -> list[Path]:
    """Write `dashboard-NAME.png` for every dashboard, with `chosen` for their variables; where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for board in DASHBOARDS:
        written.append(folder / f"dashboard-{board.stem}.png")
        figure_of(answers(board, prometheus, window, **chosen), window).savefig(written[-1], dpi=80)
    return written


def figure_of(shown: Sequence[Answer], window: Window) -> Figure:
    """One dashboard."""
    rows = max(answer.panel["gridPos"]["y"] + answer.panel["gridPos"]["h"] for answer in shown)
    height = rows * CELL_HEIGHT
    with mpl.rc_context({"text.color": TEXT, "font.size": 9, "xtick.color": FAINT, "ytick.color": FAINT}):
        figure = Figure(figsize=(WIDTH, height), facecolor=PAGE)
        for answer in shown:
            _draw_panel(figure, answer, window, rows)
    return figure


def _draw_panel(figure: Figure, answer: Answer, window: Window, rows: int) -> None:
    place = answer.panel["gridPos"]
    wide, high = figure.get_size_inches()
    left, bottom = place["x"] / COLUMNS * wide + GAP, (rows - place["y"] - place["h"]) * CELL_HEIGHT + GAP
    width, height = place["w"] / COLUMNS * wide - 2 * GAP, place["h"] * CELL_HEIGHT - 2 * GAP
    card = figure.add_axes((left / wide, bottom / high, width / wide, height / high), facecolor=CARD, xticks=[], yticks=[])
    card.spines[:].set_visible(False)
    card.text(GAP / width, 1 - GAP / height, answer.panel["title"], va="top", weight="bold")
    if answer.is_empty:
        card.text(0.5, 0.45, "No data", ha="center", va="center", color=FAINT)
    elif answer.panel["type"] == "stat":
        _draw_number(card, answer)
    elif answer.panel["type"] == "table":
        _draw_table(card, answer, height)
    else:
        legend = 0.45
        inner = (left + 0.55, bottom + legend + 0.2, width - 0.7, height - legend - 0.6)
        _draw_curves(figure.add_axes((inner[0] / wide, inner[1] / high, inner[2] / wide, inner[3] / high), facecolor=CARD), answer, window)


def _draw_number(card: Axes, answer: Answer) -> None:
    value = next(curve.last for curve in answer.curves if not math.isnan(curve.last))
    card.text(0.5, 0.4, _formatter(answer.panel)(value), ha="center", va="center", size=24, color=_threshold(answer.panel, value))


def _draw_curves(axes: Axes, answer: Answer, window: Window) -> None:
    style = answer.panel["fieldConfig"]["defaults"]["custom"]
    curves = sorted(answer.curves, key=lambda curve: (-curve.peak, curve.name))
    times = [window.start + step * window.step_s for step in range(int((window.end - window.start) / window.step_s) + 1)]
    moments = [datetime.fromtimestamp(at, UTC) for at in times]
    values = [_at(curve, times, window.step_s) for curve in curves]
    hues = [HUES[n % len(HUES)] for n in range(len(curves))]
    alpha = style["fillOpacity"] / 100
    if "stacking" in style:
        below = [0.0] * len(times)
        for hue, curve, here in zip(hues, curves, values, strict=True):
            above = [low + (0.0 if math.isnan(value) else value) for low, value in zip(below, here, strict=True)]
            axes.fill_between(moments, below, above, color=hue, alpha=alpha, linewidth=0)
            axes.plot(moments, above, color=hue, linewidth=1, label=curve.name)
            below = above
    else:
        for hue, curve, here in zip(hues, curves, values, strict=True):
            axes.plot(moments, here, color=hue, linewidth=style["lineWidth"] + 0.3, label=curve.name)
            axes.fill_between(moments, here, 0, color=hue, alpha=alpha, linewidth=0)
    _furnish(axes, answer, moments)


def _furnish(axes: Axes, answer: Answer, moments: list[datetime]) -> None:
    axes.set_xlim(moments[0], moments[-1])
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M" if moments[-1] - moments[0] > SHORT else "%H:%M:%S", tz=UTC))
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=8))
    if axes.dataLim.height == 0 and axes.dataLim.ymin == 0:
        axes.set_ylim(0, 1)
    elif axes.dataLim.ymin >= 0:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_formatter(answer.panel))
    axes.grid(visible=True, color="#2c3235", linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=7)
    _give_legend(axes)


def _give_legend(axes: Axes) -> None:
    """The first curves, which rose highest; a row of their names is as wide as the panel."""
    columns = 5 if axes.bbox.width > WIDE else 3
    lines = axes.get_lines()[: 2 * columns]
    names = [str(line.get_label()) for line in lines]
    place = {"loc": "upper left", "bbox_to_anchor": (-0.08, -0.1)}
    axes.legend(lines, names, **place, ncols=columns, frameon=False, labelcolor=FAINT, fontsize=7, handlelength=1)


def _draw_table(card: Axes, answer: Answer, height: float) -> None:
    names = next(each["options"]["renameByName"] for each in answer.panel["transformations"] if each["id"] == "organize")
    titles = {target["refId"]: names[f"Value #{target['refId']}"] for target in answer.panel["targets"]}
    (label,) = (name for name in names if not name.startswith("Value #"))
    cells = {(curve.labels.get(label, ""), curve.question): curve.last for curve in answer.curves}
    lines = sorted({line for line, _ in cells})[:SHOWN_ROWS]
    text = [[line, *(_cell(answer.panel, titles[ref], cells.get((line, ref), math.nan)) for ref in titles)] for line in lines]
    room = 0.26 * (len(lines) + 1) / height
    table = card.table(text, colLabels=[names[label], *titles.values()], bbox=(0.01, 0.86 - room, 0.98, room), edges="horizontal")
    table.auto_set_font_size(value=False)
    for cell in table.get_celld().values():
        cell.set(edgecolor="#2c3235")
        cell.set_text_props(color=TEXT, size=9)


def _cell(panel: Panel, title: str, value: float) -> str:
    if math.isnan(value):
        return ""
    overrides = panel["fieldConfig"]["overrides"]
    units = [given["value"] for rule in overrides if title in rule["matcher"]["options"].split("|")
             for given in rule["properties"] if given["id"] == "unit"]  # fmt: skip
    return _of_unit(units[0] if units else panel["fieldConfig"]["defaults"]["unit"], None)(value)


def _at(curve: Curve, times: Sequence[float], step_s: float) -> list[float]:
    """A curve's values at these times, NaN where it has none."""
    known = {round((at - times[0]) / step_s): value for at, value in curve.points}
    return [known.get(n, math.nan) for n in range(len(times))]


def _formatter(panel: Panel) -> Formatter:
    defaults = panel["fieldConfig"]["defaults"]
    return _of_unit(defaults["unit"], defaults.get("decimals"))


def _of_unit(unit: str, decimals: int | None) -> Formatter:
    if unit == "currencyUSD":
        places = 2 if decimals is None else decimals
        return FuncFormatter(lambda value, _: f"{'-' if value < 0 else ''}${abs(value):,.{places}f}")
    ending = {"s": "s", "ops": "ops/s", "reqps": "req/s"}.get(unit, "")
    with_prefix = EngFormatter(ending, places=decimals, sep=" " if ending else "")

    def three_digits(value: float, _: object) -> str:
        rounded = float(f"{value:.3g}")
        return with_prefix(rounded) if unit == "s" or abs(rounded) >= 1000 else f"{rounded:g} {ending}".rstrip()

    return FuncFormatter(three_digits)


def _threshold(panel: Panel, value: float) -> str:
    """The colour of the highest step that the value reaches."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    reached = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    return NAMED_COLOURS.get(reached[-1], TEXT) if reached else NAMED_COLOURS["green"]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("prometheus", help="its address")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--minutes", type=float, default=180, help="how much of the past they show")
    parser.add_argument("--market", default="", help="the market of the dashboard about one")
    parser.add_argument("--mode", default="paper", help="the mode of the order gate's")
    given = parser.parse_args()
    now = time.time()
    for file in draw(
        given.folder, PrometheusApi(given.prometheus), Window(now - given.minutes * 60, now), market=given.market, mode=given.mode
    ):
        print(file)


if __name__ == "__main__":
    main()
