"""docs/conditions.md, docs/labels.md and docs/operator-metrics.md are what the program itself says."""

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS

from kabobagool_operator.conditions import MEANINGS, MEANINGS_OF_TYPES, Reason, Type
from kabobagool_operator.documents import PAGES, write
from kabobagool_operator.labels import ANNOTATIONS, LABELS
from kabobagool_operator.operator_metrics import METRICS


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_program_writes(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "write it again: python -m kabobagool_operator.documents docs"


def test_the_pages_are_written_where_they_are_wanted(tmp_path: Path) -> None:
    write(tmp_path)
    assert {page.name: page.read_text() for page in tmp_path.iterdir()} == {name: render() for name, render in PAGES.items()}


def test_every_condition_reason_label_annotation_and_metric_has_one_row() -> None:
    words = [word for render in PAGES.values() for word in re.findall(r"^\| `([^`]+)` \|", render(), re.MULTILINE)]
    assert sorted(words) == sorted([*Type, *Reason, *LABELS, *ANNOTATIONS, *(metric.name for metric in METRICS)])


def test_every_meaning_is_a_sentence_that_fits_into_a_table() -> None:
    for meaning in (*MEANINGS.values(), *MEANINGS_OF_TYPES.values(), *LABELS.values(), *ANNOTATIONS.values()):
        assert meaning.endswith(".")
        assert "|" not in meaning
        assert "\n" not in meaning
