"""The boards are complete and lead to each other, and Prometheus understands every question on them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.monitoring.rule_files import DASHBOARDS, program

BY_NAME = {file.stem: dict(json.loads(file.read_text())) for file in DASHBOARDS}


def questions(board: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]


def test_there_is_one_for_the_fleet_a_market_the_gate_and_the_operator() -> None:
    assert sorted(BY_NAME) == ["fleet", "gate", "market", "operator"]


@pytest.mark.parametrize("name", BY_NAME)
def test_every_panel_says_what_it_shows_and_none_covers_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BY_NAME[name]["panels"]:
        assert panel["title"]
        assert panel["description"].endswith(".")
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", BY_NAME)
def test_every_board_leads_to_every_other(name: str) -> None:
    boards = {board["uid"] for board in BY_NAME.values()}
    linked = set(re.findall(r"/d/([\w-]+)", json.dumps(BY_NAME[name])))
    assert linked | {BY_NAME[name]["uid"]} == boards


@pytest.mark.parametrize(
    ("name", "variable", "series"), [("market", "market", "kabobagool_state"), ("gate", "mode", "kabobagool_gate_lease_changes_total")]
)
def test_a_board_about_one_thing_asks_about_the_chosen_one_only(name: str, variable: str, series: str) -> None:
    board = BY_NAME[name]
    assert all(f'{variable}="${variable}"' in question for question in questions(board))
    offered = next(each for each in board["templating"]["list"] if each["name"] == variable)
    assert offered["definition"] == offered["query"]["query"] == f"label_values({series}, {variable})"


@pytest.mark.parametrize("name", BY_NAME)
def test_every_panel_reads_from_the_source_that_the_reader_chose(name: str) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in BY_NAME[name]["panels"]:
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])


def test_prometheus_understands_every_question(tmp_path: Path) -> None:
    asked = [question.replace("$__rate_interval", "1m") for board in BY_NAME.values() for question in questions(board)]
    rules = [{"record": f"question:{number}", "expr": question} for number, question in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    checked = subprocess.run([program("promtool"), "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
