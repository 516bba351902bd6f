"""What the documentation calls a variable, a reason or a metric is one, and every word the program says no with is explained."""

import re
from enum import Enum
from pathlib import Path

import msgspec
import pytest
from tests.docs.pages import DOCS, PAGES, fences, in_backticks, name

from kabobagool.cli.patient_start import Starting
from kabobagool.discovery.crawl import Stop
from kabobagool.discovery.reasons import Reason as Choice
from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import Purpose
from kabobagool.domain.outcome import Rejection
from kabobagool.engine.market_engine import EngineState
from kabobagool.engine.snapshot import PositionSnapshot, RuntimeSnapshot
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.gate.interface import Halt, Refusal
from kabobagool.hydra.fleet_snapshot import DiscoveryView, FeedView, FleetSnapshot, MarketRow, RetiredMarket, Totals
from kabobagool.hydra.market_task import Phase
from kabobagool.settings import FIELDS
from kabobagool.telemetry.health import HealthReason
from kabobagool.telemetry.metric_table import FLEET_METRICS, METRICS, PREFIX
from kabobagool_operator.operator_metrics import METRICS as OPERATOR_METRICS
from kabobagool_operator.policy import Policy

WORDS: tuple[type[Enum], ...] = (
    Reason,
    Choice,
    Rejection,
    Refusal,
    EngineState,
    Phase,
    HealthReason,
    ReconnectReason,
    ResnapshotReason,
    Stop,
    Purpose,
)
SHOWN: tuple[type[msgspec.Struct], ...] = (
    FleetSnapshot,
    MarketRow,
    RuntimeSnapshot,
    PositionSnapshot,
    RetiredMarket,
    Totals,
    DiscoveryView,
    FeedView,
    Halt,
    Starting,
)
EXPLAINED: tuple[type[Enum], ...] = (
    Reason,
    Choice,
    Rejection,
    Refusal,
    EngineState,
    Phase,
    HealthReason,
    ReconnectReason,
    ResnapshotReason,
)
LABELS = {label for metric in (*METRICS, *FLEET_METRICS) for label in (*metric.labels, *(metric.fleet_labels or ()))}
ORDER_OUTCOMES = {"filled", "killed", "delayed", "rejected", "unknown"}
ELSEWHERE = {"stop_grace_period", "price_change", "order_version_mismatch", "fleet_", "dry_run"}
"""Words of Docker and of the venue, a part of names, a mode."""
NOT_OURS = {
    *("PAPER_PORT", "PAPER_MARKETS", "PAPER_MINUTES", "OPERATOR_MARKETS", "OPERATOR_QUIET_S"),
    *("KABOBAGOOL_PROFILE", "CREDENTIALS_DIRECTORY", "DOCKER_BUILDKIT", "AF_INET6", "AF_UNIX"),
}
"""Variables of scripts, benchmarks, Compose, systemd and docker, and two kinds of addresses."""
CHECKED = [DOCS / page for page in ("DEPLOYMENT.md", "events.md", "hosting_plan.md", "metrics_guidelines.md", "troubleshooting.md")]


def vocabulary() -> set[str]:
    values = {str(word.value) for words in WORDS for word in words}
    return values | {field for struct in SHOWN for field in struct.__struct_fields__} | LABELS | ORDER_OUTCOMES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_variable_that_is_named_exists(page: Path) -> None:
    texts = [*in_backticks(page), *(line for language in ("", "ini") for fence in fences(page, language) for line in fence.split())]
    named = {found[1] for text in texts if (found := re.fullmatch(r"\$?([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?", text))}
    of_the_operator = {f"KABOBAGOOL_{field.upper()}" for field in Policy.model_fields}
    assert named - {field.upper() for field in FIELDS} - of_the_operator - NOT_OURS == set()


@pytest.mark.parametrize("page", CHECKED, ids=name)
def test_every_word_of_the_program_is_one(page: Path) -> None:
    named = {text for text in in_backticks(page) if re.fullmatch(r"[a-z]+(_[a-z]+)+_?", text)}
    assert named - vocabulary() - ELSEWHERE - {text for text in named if text.startswith(PREFIX)} == set()


def test_every_word_that_a_table_explains_is_one() -> None:
    words, explains = set(), False
    for line in (DOCS / "troubleshooting.md").read_text().splitlines():
        first = line.split("|")[1].strip() if line.startswith("| ") else ""
        explains = first in ("Word", "Reason", "Reason on the page") or (explains and line.startswith("|"))
        words |= set(re.findall(r"`([a-z_]+)`", first)) if explains else set()
    assert len(words) > 70
    assert words - vocabulary() == set()


@pytest.mark.parametrize("words", EXPLAINED, ids=lambda words: f"{words.__module__}.{words.__name__}")
def test_troubleshooting_explains_every_word_the_program_says_no_with(words: type[Enum]) -> None:
    explained = in_backticks(DOCS / "troubleshooting.md")
    assert [word.value for word in words if word.value not in explained] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_metric_that_is_named_exists(page: Path) -> None:
    known = {PREFIX + metric.name for metric in (*METRICS, *FLEET_METRICS)} | {metric.name for metric in OPERATOR_METRICS}
    named = {text.partition("{")[0] for text in in_backticks(page) if re.match(rf"{PREFIX}\w+", text)}
    assert named - known - {PREFIX} == set()
