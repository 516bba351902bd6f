"""docs/lifecycle.md is what the operator does: every row of its tables is a case of the plan, and every case is a row."""

import re

import pytest
from tests.docs.pages import DOCS
from tests.operator.plan_cases import CASES

from kabobagool_operator.arbmarket_status import Phase
from kabobagool_operator.conditions import Reason
from kabobagool_operator.plan_types import Action, Notice, Plan

PAGE = (DOCS / "lifecycle.md").read_text()
Cells = dict[str, str]


def tables() -> list[Cells]:
    """The rows of all tables whose first column is `Row`, by the heading of the column."""
    rows: list[Cells] = []
    headings: list[str] = []
    for line in PAGE.splitlines():
        cells = line.strip("| ").split(" | ") if line.startswith("|") else []
        headings = cells if cells[:1] == ["Row"] else headings if cells else []
        if headings and cells and cells != headings and not set(cells[0]) <= set("-|"):
            rows.append(dict(zip(headings, cells, strict=True)))
    return rows


ROWS = {row["Row"]: row for row in tables()}


def said(plan: Plan) -> set[str]:
    """Everything that a plan says, in the words of the page."""
    return {f"{condition.type}={condition.status}/{condition.reason}" for condition in plan.conditions} | {event(it) for it in plan.notices}


def event(notice: Notice) -> str:
    return f"Event {notice.reason}{' Warning' if notice.warning else ''}"


def test_every_row_is_a_case_and_every_case_is_a_row() -> None:
    assert [row["Row"] for row in tables()] == list(dict.fromkeys(row["Row"] for row in tables())), "a row is there twice"
    assert ROWS.keys() ^ CASES.keys() == set()


@pytest.mark.parametrize("name", ROWS)
def test_the_operator_does_what_the_row_says(name: str) -> None:
    row, plan = ROWS[name], CASES[name]()
    assert [f"`{action}`" for action in plan.actions] == ([] if row["Does"] == "nothing" else row["Does"].split(", "))
    assert plan.phase == row["Phase"]
    promised = set(row["Says"].split(", "))
    assert promised - said(plan) == set()
    assert {event(notice) for notice in plan.notices} - promised == set(), "an Event that the row does not name"


@pytest.mark.parametrize("words", [Phase, Action], ids=lambda words: words.__name__)
def test_every_phase_and_action_is_explained_and_happens(words: type[Phase] | type[Action]) -> None:
    explained = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    happen = {word for case in CASES.values() for word in (*case().actions, case().phase)}
    for word in words:
        assert word.value in explained
        assert word in happen


def test_every_reason_is_given_in_some_row() -> None:
    given = {condition.reason for case in CASES.values() for condition in case().conditions}
    assert set(Reason) - given == set()


@pytest.mark.parametrize("name", ROWS)
def test_every_row_says_what_to_do_in_a_sentence(name: str) -> None:
    assert ROWS[name]["What to do"].endswith(".")
    assert ROWS[name]["Situation"].endswith(".")
