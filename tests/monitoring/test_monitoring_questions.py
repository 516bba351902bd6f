"""Rules and dashboards ask for what bots, fleets and the operator expose, with labels and words that these have; all is documented."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.monitoring.known_metrics import TARGET, bot_series, fleet_series, operator_series, words
from tests.monitoring.promql import GROWTH, groups_of, metrics_of, selections_of, unselected_counters
from tests.monitoring.rule_files import DASHBOARDS, ROOT, Rule, rules

OF_PROMETHEUS = {"up": frozenset[str]()}
BY_JOB = {"kabobagool-bots": {**bot_series(), **OF_PROMETHEUS}, "kabobagool-operator": {**operator_series(), **OF_PROMETHEUS}}
VARIABLES = {"$mode", "$market"}
BOARD_QUESTIONS = [
    pytest.param(target["expr"], id=f"{file.stem}: {panel['title']} {target['refId']}")
    for file in DASHBOARDS
    for panel in json.loads(file.read_text())["panels"]
    for target in panel["targets"]
]
ONLY_OF_A_FLEET = {"Restarts, 1 h", "Not chosen"}
"""In a cluster Kubernetes restarts bots, and the log of discovery says what it left out."""
DOCUMENTED = "".join((ROOT / "docs" / page).read_text() for page in ("metrics.md", "operator-metrics.md"))


def alerts() -> list[Any]:
    return [pytest.param(rule, id=rule["alert"]) for rule in rules()]


@pytest.mark.parametrize("rule", alerts())
def test_every_rule_asks_one_job_for_what_it_exposes(rule: Rule) -> None:
    question = rule["expr"]
    asked = selections_of(question)
    for metric in metrics_of(question):
        jobs = {word for each in asked if each.metric == metric and each.label == "job" for word in each.words}
        assert jobs, f"{metric} is asked of everybody: other programs may have one of that name"
        for job in jobs:
            assert metric in BY_JOB[job], f"{job} exposes no {metric}"
            labels = {each.label for each in asked if each.metric == metric}
            assert labels <= BY_JOB[job][metric] | TARGET


@pytest.mark.parametrize("rule", alerts())
def test_every_rule_selects_by_words_that_the_program_says(rule: Rule) -> None:
    for metric, label, asked in selections_of(rule["expr"]):
        known = words(metric, label)
        assert known is None or set(asked) <= known, f"{metric}: {label} never says {set(asked) - known}"


@pytest.mark.parametrize("rule", alerts())
def test_every_rule_groups_by_labels_that_are_there(rule: Rule) -> None:
    series = {**bot_series(), **operator_series()}
    allowed = TARGET.union(*(series.get(metric, frozenset()) for metric in metrics_of(rule["expr"])))
    assert groups_of(rule["expr"]) <= allowed


@pytest.mark.parametrize("question", BOARD_QUESTIONS)
def test_every_panel_asks_for_series_labels_and_words_that_exist(question: str) -> None:
    worlds = ({**fleet_series(), **operator_series()}, {**bot_series(), **operator_series()})
    names = metrics_of(question) - {"__rate_interval"}
    assert names
    assert all(any(name in world for world in worlds) for name in names), names
    labels = TARGET.union(*(world.get(name, frozenset()) for name in names for world in worlds))
    assert groups_of(question) <= labels
    for metric, label, asked in selections_of(question):
        assert label in TARGET or any(label in world.get(metric, frozenset()) for world in worlds)
        known = words(metric, label)
        assert known is None or set(asked) <= known | VARIABLES


@pytest.mark.parametrize("question", [pytest.param(rule["expr"], id=rule["alert"]) for rule in rules()])
def test_counters_are_asked_for_their_growth(question: str) -> None:
    assert not unselected_counters(question)


@pytest.mark.parametrize("question", BOARD_QUESTIONS)
def test_panels_over_time_ask_counters_for_their_growth(question: str) -> None:
    assert not GROWTH.search(question) or not unselected_counters(question)


@pytest.mark.parametrize("name", sorted({*bot_series(), *fleet_series(), *operator_series()}))
def test_every_metric_of_the_program_is_documented(name: str) -> None:
    pages = [name, *(name.removesuffix(end) for end in ("_bucket", "_sum", "_count") if name.endswith(end))]
    assert any(f"| `{page}` |" in DOCUMENTED for page in pages)


@pytest.mark.parametrize("file", [file for file in DASHBOARDS if file.stem != "operator"], ids=lambda file: file.stem)
def test_no_panel_is_empty_in_a_cluster_or_with_a_fleet(file: Path) -> None:
    """A panel that never shows anything where its board is used would teach people to overlook empty panels."""
    in_a_cluster, with_a_fleet = bot_series().keys() | operator_series().keys(), fleet_series().keys()
    for panel in json.loads(file.read_text())["panels"]:
        asked = set().union(*(metrics_of(target["expr"]) for target in panel["targets"]))
        assert asked & with_a_fleet, panel["title"]
        assert bool(asked & in_a_cluster) == (panel["title"] not in ONLY_OF_A_FLEET), panel["title"]
