"""What the panels of a dashboard show of a Prometheus, in numbers: every question asked as Grafana asks it.

`draw_dashboards.py` makes pictures of them, and the tests on a real node want no panel to be empty that ought to show something.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.monitoring.prometheus_api import PrometheusApi

Panel = dict[str, Any]
POINTS = 300
"""About one for every second pixel of a panel."""
SCRAPE_S = 15
"""What Grafana takes for the interval of scrapes unless it is told."""
LABEL = re.compile(r"\{\{\s*(\w+)\s*}}")


@dataclass(frozen=True)
class Window:
    """The time that a dashboard shows, in seconds since the epoch."""

    start: float
    end: float

    @property
    def step_s(self) -> int:
        """From one point to the next."""
        return max(1, round((self.end - self.start) / POINTS))

    @property
    def rate_interval(self) -> str:
        """Grafana's `$__rate_interval`: long enough for every rate to find the scrapes that it needs."""
        return f"{max(4 * SCRAPE_S, self.step_s + SCRAPE_S)}s"


@dataclass(frozen=True)
class Curve:
    """What came of one question for one set of labels: points of time and value, one alone where only the present is asked for."""

    question: str
    name: str
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]

    @property
    def last(self) -> float:
        """The newest value, NaN when there is none."""
        return next((value for _, value in reversed(self.points) if not math.isnan(value)), math.nan)

    @property
    def peak(self) -> float:
        """The highest value, 0 when none is higher."""
        return max((value for _, value in self.points if not math.isnan(value)), default=0.0)


@dataclass(frozen=True)
class Answer:
    """A panel, as its dashboard has it, and its curves."""

    panel: Panel
    curves: tuple[Curve, ...]

    @property
    def is_empty(self) -> bool:
        """Whether Grafana would say `No data`."""
        return all(math.isnan(curve.last) for curve in self.curves)


def answers(board: Path, prometheus: PrometheusApi, window: Window, **chosen: str) -> list[Answer]:
    """All panels of a dashboard's file, with `chosen` for its variables. OSError while Prometheus does not answer."""
    panels = json.loads(board.read_text())["panels"]
    return [Answer(panel, tuple(_curves(panel, prometheus, window, chosen))) for panel in panels]


def _curves(panel: Panel, prometheus: PrometheusApi, window: Window, chosen: dict[str, str]) -> Iterator[Curve]:
    for target in panel["targets"]:
        question = _filled(target["expr"], chosen | {"__rate_interval": window.rate_interval})
        for series in _asked(question, prometheus, window, instant=target.get("instant", False)):
            points = series["values"] if "values" in series else [series["value"]]
            name = _named(target["legendFormat"], series["metric"])
            yield Curve(target["refId"], name, series["metric"], tuple((float(at), float(value)) for at, value in points))


def _named(legend: str, labels: dict[str, str]) -> str:
    return LABEL.sub(lambda found: labels.get(found[1], ""), legend)


def _asked(question: str, prometheus: PrometheusApi, window: Window, *, instant: bool) -> list[dict[str, Any]]:
    if instant:
        return list(prometheus.ask("query", query=question, time=f"{window.end:.3f}")["result"])
    span = {"start": f"{window.start:.3f}", "end": f"{window.end:.3f}", "step": str(window.step_s)}
    return list(prometheus.ask("query_range", query=question, **span)["result"])


def _filled(question: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        question = question.replace(f"${name}", value)
    return question
