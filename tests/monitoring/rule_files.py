"""The alerts of the chart as the files hold them, and their tests, for all who ask about alerts."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kabobagool"
RULE_FILES = sorted((CHART / "rules").glob("*.yaml"))
TEST_FILES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))
DASHBOARDS = sorted((CHART / "dashboards").glob("*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks"

Rule = dict[str, Any]


def rules() -> list[Rule]:
    """All rules of all files."""
    return [rule for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def program(name: str) -> str:
    """Prometheus or promtool; the test is skipped where it is not installed."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed (Debian: apt install prometheus), so it is not asked")
