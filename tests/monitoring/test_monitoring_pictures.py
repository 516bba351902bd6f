"""A dashboard is drawn from what Prometheus answers to the questions that Grafana would ask it, empty panels included."""

from pathlib import Path
from typing import Any

import pytest
from tests.monitoring.board_answers import Window, answers
from tests.monitoring.draw_dashboards import COLUMNS, draw, figure_of
from tests.monitoring.prometheus_api import PrometheusApi
from tests.monitoring.rule_files import DASHBOARDS

WINDOW = Window(1_000_000.0, 1_000_900.0)
MARKET = next(file for file in DASHBOARDS if file.stem == "market")
FLEET = next(file for file in DASHBOARDS if file.stem == "fleet")


class Scripted(PrometheusApi):
    """Answers every question with `series`, and remembers the questions."""

    def __init__(self, *series: dict[str, Any]) -> None:
        super().__init__("http://nowhere.example")
        self.series = series
        self.asked: list[tuple[str, dict[str, str]]] = []

    def ask(self, what: str, **query: str) -> Any:
        self.asked.append((what, query))
        many = what == "query_range"
        return {"result": [{k: v for k, v in each.items() if k != ("value" if many else "values")} for each in self.series]}


def series(*points: tuple[int, str], **labels: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[at, value] for at, value in points], "value": list(points[-1])}


def test_every_variable_is_filled_in_and_the_present_is_asked_for_at_the_windows_end() -> None:
    prometheus = Scripted()
    answers(MARKET, prometheus, WINDOW, market="rain")
    assert all("$" not in query["query"] and 'market="rain"' in query["query"] for _, query in prometheus.asked)
    assert {query.get("time") for what, query in prometheus.asked if what == "query"} == {"1000900.000"}
    spans = [(query["start"], query["end"], query["step"]) for what, query in prometheus.asked if what == "query_range"]
    assert set(spans) == {("1000000.000", "1000900.000", "3")}


@pytest.mark.parametrize(("minutes", "interval"), [(5, "60s"), (180, "60s"), (24 * 60, "303s")])
def test_a_rate_is_asked_over_four_scrapes_at_least_and_over_no_less_than_a_step(minutes: int, interval: str) -> None:
    assert Window(0.0, minutes * 60.0).rate_interval == interval


def test_a_curve_is_called_what_the_legend_makes_of_its_labels() -> None:
    shown = answers(MARKET, Scripted(series((1_000_003, "0.5"), outcome="YES")), WINDOW, market="rain")
    asks = next(each for each in shown if each.panel["title"] == "Best asks")
    assert [curve.name for curve in asks.curves] == ["YES", "both"]


@pytest.mark.parametrize("found", [(), (series((1_000_003, "NaN")),)], ids=["no series", "no number"])
def test_a_panel_without_a_number_is_empty(found: tuple[dict[str, Any], ...]) -> None:
    assert all(each.is_empty for each in answers(MARKET, Scripted(*found), WINDOW, market="rain"))
    assert not any(each.is_empty for each in answers(MARKET, Scripted(series((1_000_003, "0"))), WINDOW, market="rain"))


def test_a_dashboard_is_drawn_with_its_titles_numbers_curves_and_lines() -> None:
    rain, snow = (series((1_000_003, "1.5"), (1_000_600, "2.5"), market=name, reason=name) for name in ("rain", "snow"))
    shown = answers(FLEET, Scripted(rain, snow), WINDOW)
    axes = figure_of(shown, WINDOW).axes
    written = {text.get_text() for each in axes for text in each.texts}
    assert {each.panel["title"] for each in shown} <= written
    assert "$2.50" in written, "locked profit"
    assert "No data" not in written
    cells = {cell.get_text().get_text() for each in axes for table in each.tables for cell in table.get_celld().values()}
    assert {"rain", "snow", "$2.50", "2.5 s", "Feed age"} <= cells
    reasons = [
        each for each in axes if (legend := each.get_legend()) and [text.get_text() for text in legend.get_texts()] == ["rain", "snow"]
    ]
    assert reasons
    assert max(reasons[0].lines[1].get_ydata()) == pytest.approx(5.0), "stacked"


def test_all_dashboards_become_pictures_without_any_data_too(tmp_path: Path) -> None:
    for file in draw(tmp_path, Scripted(), WINDOW, market="rain", mode="paper"):
        assert file.read_bytes().startswith(b"\x89PNG")
    assert sorted(file.stem for file in tmp_path.iterdir()) == sorted(f"dashboard-{board.stem}" for board in DASHBOARDS)


def test_places_are_those_of_the_dashboard() -> None:
    shown = answers(MARKET, Scripted(), WINDOW, market="rain")
    cards = [each for each in figure_of(shown, WINDOW).axes if each.texts]
    columns = [round(card.get_position().x0 * COLUMNS) for card in cards]
    assert columns == [each.panel["gridPos"]["x"] for each in shown]
