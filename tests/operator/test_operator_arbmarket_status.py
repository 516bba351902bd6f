"""What the operator tells is what the CRD knows, and an odd status never stands in the way of the spec."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.operator.arbmarket_bodies import smallest

from kabobagool.domain.money import parse_micros
from kabobagool_operator.arbmarket import ArbMarket, readable_status
from kabobagool_operator.arbmarket_fields import milliseconds, moment
from kabobagool_operator.arbmarket_status import Condition, DrainFacts, LeaseFacts, Phase, PositionFacts, Status

AT = datetime(2026, 11, 5, 6, 7, 8, tzinfo=UTC)
WHOLE = Status(
    observed_generation=2,
    phase=Phase.DRAINING,
    reason="waits for one hedge",
    conditions=(Condition(type="Ready", status="False", reason="Draining", message="", last_transition_time=AT, observed_generation=2),),
    position=PositionFacts.of(yes=100_000_000, no=99_500_000),
    locked_profit="6.5",
    lease=LeaseFacts(holder="rain-0", number=4),
    drain=DrainFacts(started_at=AT, deadline=AT),
)


def test_it_is_written_as_the_cluster_stores_it_and_read_back_the_same() -> None:
    written = WHOLE.body()
    assert written["conditions"][0]["lastTransitionTime"] == "2026-11-05T06:07:08Z"
    assert written["position"] == {"yesShares": "100", "noShares": "99.5", "summary": "100/99.5"}
    assert written.keys() == {"observedGeneration", "phase", "reason", "conditions", "position", "lockedProfit", "lease", "drain"}
    assert readable_status({"status": written}) == WHOLE


def test_a_condition_is_found_by_its_type() -> None:
    assert WHOLE.condition("Ready") == WHOLE.conditions[0]
    assert WHOLE.condition("Trading") is None


@pytest.mark.parametrize("status", [None, [], {"phase": "Dreaming"}, {"drain": {"startedAt": "soon"}}, {"conditions": [{}]}, "Running"])
def test_a_status_that_cannot_be_read_counts_as_none_and_the_spec_is_read(status: object) -> None:
    market = ArbMarket.parse(smallest() | {"status": status})
    assert market.status == Status()
    assert market.spec.market.slug == "rain"


@pytest.mark.parametrize("reason", ["", "no longer", "ends-with-"])
def test_a_reason_that_the_api_server_would_refuse_is_not_made(reason: str) -> None:
    with pytest.raises(ValidationError):
        Condition(type="Ready", status="True", reason=reason, message="", last_transition_time=AT)


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_position_loses_no_millionth(yes: int, no: int) -> None:
    position = PositionFacts.of(yes=yes, no=no)
    assert (parse_micros(position.yes_shares), parse_micros(position.no_shares)) == (yes, no)
    assert position.summary == f"{position.yes_shares}/{position.no_shares}"


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_is_kept_to_the_second(at_ms: int) -> None:
    assert milliseconds(moment(at_ms)) == at_ms - at_ms % 1000
