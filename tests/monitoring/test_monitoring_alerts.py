"""Every alert fires when it should and is silent when it should be, by Prometheus's own reckoning, and says what a person needs to know."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs.test_docs_commands import check
from tests.monitoring.promql import groups_of
from tests.monitoring.rule_files import RULE_FILES, RUNBOOKS, TEST_FILES, Rule, program, rules

RUNBOOK_URL = "https://github.com/kabobagool/kabobagool/blob/main/docs/runbooks/"


def promtool(*arguments: str) -> str:
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def each(of: list[Any], name: str) -> list[Any]:
    return [pytest.param(thing, id=thing[name]) for thing in of]


def test_prometheus_understands_the_rules() -> None:
    assert promtool("check", "rules", *map(str, RULE_FILES)).count("SUCCESS") == len(RULE_FILES)


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)
def test_alerts_fire_and_do_not_as_their_cases_say(file: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(file))


def test_every_file_of_rules_has_its_cases() -> None:
    assert [file.name for file in TEST_FILES] == [file.name for file in RULE_FILES]


@pytest.mark.parametrize("rule", each(rules(), "alert"))
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(rule: Rule) -> None:
    cases = [case for file in TEST_FILES for test in yaml.safe_load(file.read_text())["tests"] for case in test["promql_expr_test"]]
    about = [case for case in cases if f'alertname="{rule["alert"]}"' in case["expr"]]
    silent = [case for case in cases if not case["exp_samples"] and _names(case["expr"], rule["alert"])]
    assert any(case["exp_samples"] for case in about)
    assert silent


@pytest.mark.parametrize("rule", each(rules(), "alert"))
def test_every_alert_says_what_it_is_what_it_costs_and_where_to_read_on(rule: Rule) -> None:
    assert re.fullmatch(r"Kabobagool[A-Z]\w+", rule["alert"])
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert said["description"].endswith(".")
    assert not said["summary"].endswith(".")
    assert said["runbook_url"] == f"{RUNBOOK_URL}{rule['alert']}.md"


@pytest.mark.parametrize("rule", each(rules(), "alert"))
def test_every_alert_speaks_of_labels_that_it_has(rule: Rule) -> None:
    spoken = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"] + rule["annotations"]["description"]))
    assert spoken <= groups_of(rule["expr"])


def test_each_fear_wakes_somebody() -> None:
    pages = {rule["alert"] for rule in rules() if rule["labels"]["severity"] == "page"}
    fears = "PricesStale OrderOutcomeUnknown NakedLeg NakedLegsAtCap GateUnreachable BotSilent BotDown BotCrashLoops OperatorWithoutLeader"
    assert {f"Kabobagool{fear}" for fear in fears.split()} <= pages


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"} == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("file", sorted(RUNBOOKS.glob("Kabobagool*.md")), ids=lambda file: file.stem)
def test_every_runbook_says_what_it_means_for_money_how_to_check_and_what_to_do(file: Path) -> None:
    text = file.read_text()
    assert text.startswith(f"# {file.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["What it means for money", "How to check", "What to do"]
    check = text.split("## How to check")[1].split("## What to do")[0]
    assert "```" in check, "commands that can be copied"


COMMANDS = sorted({line.strip() for file in RUNBOOKS.glob("*.md") for line in re.findall(r"-- (kabobagool [^`\n]*)", file.read_text())})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_a_runbook_is_one_that_a_bot_takes(line: str) -> None:
    check(line)


def test_the_list_of_runbooks_names_every_alert_with_its_severity() -> None:
    page = (RUNBOOKS / "README.md").read_text()
    for rule in rules():
        assert f"| [{rule['alert']}]({rule['alert']}.md) | {rule['labels']['severity']} |" in page


def _names(question: str, alert: str) -> bool:
    found = re.search(r'alertname(=~?)"([^"]*)"', question)
    assert found
    return bool(re.fullmatch(found[2], alert)) if found[1] == "=~" else found[2] == alert
