"""What a person writes is understood as meant, or refused in a line that names the field, the value and the fix."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from pydantic import ValidationError
from tests.operator.arbmarket_bodies import GOOD, ROOT, Body, body, broken, smallest
from tests.operator.arbmarket_refusals import REFUSED

from kabobagool.settings import load_settings
from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_spec import Mode, Strategy
from kabobagool_operator.arbmarket_status import Phase

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("market*.yaml"))
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine draws slowly."""
KEY = "0x" + "7f" * 32
LINE = re.compile(r"[A-Za-z][\w.\[\]-]*(=.*| is not set| is not a field of an ArbMarket)?: \w.+", re.DOTALL)


def parsed(**spec: Any) -> ArbMarket:
    return ArbMarket.parse(smallest(**spec))


def problems_of(given: Body) -> tuple[str, ...]:
    try:
        ArbMarket.parse(given)
    except ArbMarketError as e:
        return e.problems
    return ()


def refusal(given: Body) -> tuple[str, ...]:
    with pytest.raises(ArbMarketError) as refused:
        ArbMarket.parse(given)
    return refused.value.problems


def test_a_slug_alone_is_a_careful_dry_run() -> None:
    spec = parsed().spec
    assert (spec.market.slug, spec.profile, spec.mode) == ("rain", "conservative", Mode.DRY_RUN)
    assert (spec.suspend, spec.drain_timeout_seconds, spec.credentials) == (False, 60, None)
    assert spec.strategy == Strategy()


def test_the_examples_hold_one_market_of_each_mode_and_the_careful_one_is_the_plain_one() -> None:
    markets = {file.name: ArbMarket.parse(yaml.safe_load(file.read_text())) for file in EXAMPLES}
    assert {name: market.spec.mode for name, market in markets.items()} == {
        "market.yaml": Mode.DRY_RUN,
        "market-paper.yaml": Mode.PAPER,
        "market-live.yaml": Mode.LIVE,
    }
    assert markets["market.yaml"].spec.model_dump(exclude_unset=True) == {"market": {"slug": "fed-rate-hike-in-2026"}}


def test_what_the_cluster_adds_is_read_or_passed_over() -> None:
    given = smallest() | {"status": {"phase": "Running", "phaseOfTheMoon": "full"}}
    given["metadata"] |= {"uid": "1", "generation": 3, "managedFields": [{}], "deletionTimestamp": "2026-11-05T06:07:08Z", "labels": None}
    market = ArbMarket.parse(given)
    assert (market.metadata.uid, market.metadata.generation, market.metadata.labels) == ("1", 3, {})
    assert market.metadata.deletion_timestamp == datetime(2026, 11, 5, 6, 7, 8, tzinfo=UTC)
    assert market.metadata.deleting
    assert not parsed().metadata.deleting
    assert market.status.phase is Phase.RUNNING


def test_nothing_of_it_can_be_changed() -> None:
    with pytest.raises(ValidationError):
        parsed().spec.suspend = True


@pytest.mark.parametrize(("given", "line"), REFUSED, ids=[line[:60] for _, line in REFUSED])
def test_what_is_wrong_is_named_with_the_fix(given: Body, line: str) -> None:
    (said,) = refusal(given)
    assert line in said


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = refusal(smallest(mode="live", suspend="no", strategy={"batchSize": "1"}))
    assert [line.partition("=")[0] for line in said] == ["spec.strategy.batchSize", "spec.mode", "spec.suspend"]


def test_who_writes_yes_and_no_without_quotes_is_told_what_yaml_made_of_them() -> None:
    said = refusal(body({"market": {"tokens": {"true": "1", "false": "2"}}}))  # as kubectl sends it
    assert 'spec.market.tokens.true is not a field of an ArbMarket: YAML reads a bare yes as true, so write "yes" in quotes' in said


@pytest.mark.parametrize("field", ["secretName", "walletAddress", "privateKey"])
def test_a_key_that_was_pasted_into_the_wrong_field_is_not_repeated(field: str) -> None:
    said = "\n".join(refusal(smallest(credentials={"secretName": "w", field: KEY + "!"})))
    assert field in said
    assert KEY not in said


@UNHURRIED
@given(GOOD)
def test_every_good_one_is_understood_and_written_back_as_it_was(given: Body) -> None:
    market = ArbMarket.parse(given)
    again = market.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"status"})
    assert ArbMarket.parse(again).spec == market.spec


@settings(UNHURRIED, max_examples=200)
@given(broken())
def test_a_broken_one_is_understood_or_refused_in_lines_that_name_a_field(given: Body) -> None:
    assert all(LINE.match(line) for line in problems_of(given))


@UNHURRIED
@given(GOOD)
def test_the_bot_accepts_what_the_operator_accepted_and_means_the_same(given: Body) -> None:
    spec = ArbMarket.parse(given).spec
    environment = spec.market.environment | spec.strategy.environment
    assume({"MAX_PAIR_COST", "EDGE_BUFFER"} & environment.keys() != {"EDGE_BUFFER"})  # what it is held back from is the profile's
    found = load_settings(environment)
    assert (found.market_slug, found.condition_id) == (spec.market.slug, spec.market.condition_id)
    for variable, asked in spec.strategy:
        if asked is not None:
            assert str(getattr(found, variable)) == str(asked)


def test_an_asked_for_tolerance_is_not_overruled_by_a_profile() -> None:
    environment = {"MARKET_SLUG": "rain", "FORCE_HEDGE_IMBALANCE": "7"} | Strategy(hedge_tolerance="3").environment
    assert load_settings(environment).hedge_tolerance_micros == 3_000_000


def test_the_metadata_of_one_that_cannot_be_used_can_still_be_read() -> None:
    unusable = body({"market": {}}, name="r" * 64)
    assert Metadata.model_validate(unusable["metadata"]).name == "r" * 64
