"""docs/configuration.md is what the program itself says."""

from pathlib import Path

import pytest

from kabobagool.settings import FIELDS, SECRETS
from kabobagool.settings_reference import range_text, reference_table

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_page_is_what_the_program_prints() -> None:
    assert PAGE.read_text() == reference_table(), "write it again: python -m kabobagool.cli.main config reference > docs/configuration.md"


def test_every_variable_has_exactly_one_row() -> None:
    rows = [line.split("`")[1] for line in reference_table().splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(name.upper() for name in FIELDS)


def test_every_row_has_four_columns() -> None:
    rows = [line for line in reference_table().splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {5}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("max_pair_cost", "0.01 to below 1 dollars per pair"),
        ("dry_run", "true, false"),
        ("entry_mode", "paired, sequential"),
        ("health_check_port", "0 to 65535"),
        ("host", "URL"),
        ("end_margin_s", "0 to 31536000 s"),
        ("market_slug", "text"),
    ],
)
def test_a_range_reads_like_a_sentence(name: str, text: str) -> None:
    assert range_text(name, FIELDS[name]) == text


def test_a_secret_has_no_default_to_show() -> None:
    assert all(FIELDS[name].default is None and range_text(name, FIELDS[name]) == "secret" for name in SECRETS)
