"""The dashboards ask for metrics that exist, by labels they have, in a language that Prometheus understands."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.compose.compose_file import DASHBOARDS, compose, inline_config

from kabobagool.telemetry.metric_table import FLEET_METRICS, MARKET, METRICS, PREFIX

ADDED_BY_PROMETHEUS = {"job", "instance"}
FILES = sorted(DASHBOARDS.glob("*.json"))


def series() -> dict[str, set[str]]:
    """What a fleet exposes, by full name, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in (*METRICS, *FLEET_METRICS):
        labels = set(metric.labels if metric.fleet_labels is None else metric.fleet_labels)
        if metric.type == "histogram":
            found |= {PREFIX + metric.name + end: labels | {"le"} for end in ("_bucket", "_sum", "_count")}
        else:
            found[PREFIX + metric.name] = labels
    return found


def dashboard(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text()))


def questions(file: Path) -> Iterator[str]:
    for panel in dashboard(file)["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_there_is_one_for_the_fleet_and_one_for_a_market() -> None:
    assert [file.name for file in FILES] == ["fleet.json", "market.json"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_question_is_about_metrics_and_labels_that_exist(file: Path) -> None:
    known = series()
    for question in questions(file):
        names = re.findall(r"kabobagool_\w+", question)
        assert names, question
        assert set(names) <= known.keys(), question
        selected = set(re.findall(r"[{,]\s*(\w+)\s*[=!]", question))
        grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", question) for label in group.split(",")}
        assert selected | grouped <= set.intersection(*(known[name] for name in names)) | ADDED_BY_PROMETHEUS, question


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_counters_are_asked_for_their_growth(file: Path) -> None:
    for question in questions(file):
        counters = re.findall(r"kabobagool_\w+_(?:total|bucket)(?:\{[^}]*\})?(\[)?", question)
        growth = re.search(r"\b(rate|increase)\(", question)
        assert not counters or all(counters) == bool(growth), question


def test_the_market_board_asks_about_the_chosen_market_only() -> None:
    board = dashboard(DASHBOARDS / "market.json")
    assert all(f'{MARKET}="$market"' in question for question in questions(DASHBOARDS / "market.json"))
    variable = next(variable for variable in board["templating"]["list"] if variable["name"] == "market")
    assert variable["definition"] == f"label_values({PREFIX}state, {MARKET})"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_says_what_it_shows_and_none_covers_another(file: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard(file)["panels"]:
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells


def test_links_between_the_boards_lead_somewhere() -> None:
    boards = {dashboard(file)["uid"] for file in FILES}
    for file in FILES:
        linked = set(re.findall(r"/d/([\w-]+)", file.read_text()))
        assert linked
        assert linked <= boards


def test_grafana_is_told_where_the_boards_and_the_numbers_are() -> None:
    service = compose()["services"]["grafana"]
    (provider,) = inline_config("grafana-dashboards")["providers"]
    assert f"./charts/kabobagool/dashboards:{provider['options']['path']}:ro" in service["volumes"]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (home.parent, home.name) == (Path(provider["options"]["path"]), "fleet.json")
    (source,) = inline_config("grafana-datasource")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert source["isDefault"] is True


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus), so it is not asked")
    return found


def test_prometheus_accepts_its_configuration(promtool: str, tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(compose()["configs"]["prometheus"]["content"])
    checked = subprocess.run([promtool, "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_understands_every_question(promtool: str, tmp_path: Path) -> None:
    asked = [question.replace("$__rate_interval", "1m") for file in FILES for question in questions(file)]
    rules = [{"record": f"question:{number}", "expr": question} for number, question in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
