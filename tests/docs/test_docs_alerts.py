"""The alerts of the documentation can be copied: they ask for what a fleet exposes, with labels and words it knows, and say what to do."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.pages import DOCS, fences

from kabobagool.domain.outcome import Rejection
from kabobagool.engine.market_engine import EngineState
from kabobagool.hydra.market_task import Phase
from kabobagool.telemetry.metric_table import FLEET_METRICS, METRICS, PREFIX

PAGE = DOCS / "metrics_guidelines.md"
VALUES, SCRAPE, ALERTS = map(yaml.safe_load, fences(PAGE, "yaml"))
RULES: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]
QUESTIONS = [rule["expr"] for rule in RULES] + [line for fence in fences(PAGE, "promql") for line in fence.splitlines()]
OF_PROMETHEUS = {"job", "instance", "mode", "profile"}
WORDS = {
    "reason": {word.value for word in Rejection},
    "state": {word.value for word in EngineState},
    "phase": {word.value for word in Phase},
    "outcome": {"filled", "killed", "delayed", "rejected", "unknown"},
    "job": {"kabobagool"},
}


def series() -> dict[str, set[str]]:
    """What a fleet exposes, by full name, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in (*METRICS, *FLEET_METRICS):
        labels = set(metric.labels if metric.fleet_labels is None else metric.fleet_labels)
        ends = ("_bucket", "_sum", "_count") if metric.type == "histogram" else ("",)
        found |= {PREFIX + metric.name + end: labels | ({"le"} if end else set()) for end in ends}
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_about_metrics_labels_and_words_that_exist(question: str) -> None:
    known = series()
    names = re.findall(rf"{PREFIX}\w+", question)
    assert names
    assert set(names) <= known.keys()
    allowed = set.union(*(known[name] for name in names)) | OF_PROMETHEUS
    selected = re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', question)
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", question) for label in group.split(",")}
    assert {label for label, _ in selected} | grouped <= allowed
    for label, values in selected:
        assert set(values.split("|")) <= WORDS[label]


@pytest.mark.parametrize("question", QUESTIONS)
def test_counters_are_asked_for_their_growth(question: str) -> None:
    counters = re.findall(rf"{PREFIX}\w+_(?:total|bucket)(?:\{{[^}}]*\}})?(\[)?", question)
    assert all(counters)
    assert bool(counters) == bool(re.search(r"\b(rate|increase)\(", question))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_why_it_matters_and_what_to_do(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Kabobagool[A-Z]\w+", rule["alert"])
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert all(rule["annotations"][text].endswith(".") for text in ("why", "do"))


def test_each_fear_wakes_somebody() -> None:
    paged = " ".join(rule["expr"] for rule in RULES if rule["labels"]["severity"] == "page")
    for metric in ("market_feed_age_seconds", "unknown_orders_open", "orphan_shares", "build_info", "settlements_failed_total"):
        assert PREFIX + metric in paged


def test_the_scrape_configuration_is_the_one_of_compose() -> None:
    compose = yaml.safe_load((DOCS.parent / "docker-compose.yml").read_text())
    ready_made = yaml.safe_load(compose["configs"]["prometheus"]["content"])
    assert {key: value for key, value in SCRAPE.items() if key != "rule_files"} == ready_made


def test_the_values_for_a_cluster_are_values_of_the_chart() -> None:
    chart = yaml.safe_load((DOCS.parent / "charts" / "kabobagool" / "values.yaml").read_text())["monitoring"]
    for part, given in VALUES["monitoring"].items():
        assert given.keys() <= chart[part].keys()


def test_prometheus_accepts_the_alerts(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus), so it is not asked")
    file = tmp_path / "alerts.yml"
    file.write_text(yaml.safe_dump(ALERTS))
    checked = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
