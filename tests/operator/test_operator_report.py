"""The status says what the bot says, keeps what a silent bot said, and is written only when there is something to say."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.operator.plan_cases import (
    FACTS,
    GOING,
    HOLDER,
    NOW,
    OLD,
    POLICY,
    deployment,
    draining,
    gate,
    known,
    marked,
    market,
    plan,
    report,
    running,
    without_bot,
)
from tests.operator.plan_strategies import markets, observations

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_fields import moment
from kabobagool_operator.arbmarket_status import PositionFacts, Status
from kabobagool_operator.conditions import LONGEST_MESSAGE
from kabobagool_operator.facts import GateFacts, Observed
from kabobagool_operator.plan import plan_unreadable
from kabobagool_operator.report import age_text, seconds_until_worth_writing, status_of, status_of_unreadable

SHARE = 1_000_000
FIGURES = {
    "position": PositionFacts.of(yes=3 * SHARE, no=2 * SHARE),
    "last_pair_cost": "0.97",
    "locked_profit": "1.5",
    "feed_age": "2s",
    "last_fill_time": NOW,
}


def written(arb: ArbMarket, observed: Observed, *, after_s: float = 0.0) -> Status:
    """The status, read back as the cluster gives it."""
    now = NOW + timedelta(seconds=after_s)
    status = status_of(arb, observed, plan(arb, observed, POLICY, now), now)
    return Status.model_validate(status.body(), by_alias=True)


def said(phase: str = "watching", **fields: Any) -> Observed:
    """A bot that reports these figures."""
    return running(gate=gate(report=report(phase, **fields)))


def worth_writing(before: Status, after: Status, last_written_s: float | None, now_s: float) -> bool:
    """Whether it is written now."""
    return seconds_until_worth_writing(before, after, last_written_s, now_s, POLICY) == 0


def test_the_figures_are_the_bots() -> None:
    status = written(
        OLD,
        said(
            yes_shares=60 * SHARE,
            no_shares=50 * SHARE,
            pair_cost=968_400,
            locked_profit=-1_500_000,
            feed_age_ms=3_000,
            last_fill_ms=1_795_305_600_123,
        ),
    )
    assert status.position == PositionFacts(yes_shares="60", no_shares="50", summary="60/50")
    assert (status.last_pair_cost, status.locked_profit, status.feed_age) == ("0.969", "-1.5", "5s")
    assert status.last_fill_time == moment(1_795_305_600_123)


def test_a_status_says_who_holds_the_market_which_bot_runs_and_what_the_venue_says() -> None:
    status = written(OLD, running())
    assert status.lease is not None
    assert (status.lease.holder, status.lease.number) == (HOLDER, 7)
    assert status.deployment is not None
    assert (status.deployment.name, status.deployment.config_hash, status.deployment.image) == ("rain", "h1", "bot:1")
    assert status.market == FACTS
    assert (status.observed_generation, status.phase, status.reason) == (3, "Running", "Watching")
    assert len(status.conditions) == 6


@pytest.mark.parametrize("observed", [running(gate=gate(None)), running(gate=GateFacts(reachable=False)), without_bot()])
def test_the_figures_of_a_silent_bot_are_kept_but_for_the_age_of_its_feed(observed: Observed) -> None:
    status = written(market(status=known(**FIGURES)), observed)
    kept = {name: getattr(status, name) for name in FIGURES}
    assert kept == {**FIGURES, "feed_age": None}


def test_what_a_bot_does_not_know_yet_does_not_wipe_out_what_it_knew() -> None:
    status = written(market(status=known(**FIGURES)), said(pair_cost=None, last_fill_ms=None))
    assert (status.last_pair_cost, status.last_fill_time) == ("0.97", NOW)


def test_a_condition_that_stays_keeps_its_time() -> None:
    before = written(OLD, running())
    after = written(market(status=before), running(gate=gate("orphan")), after_s=60)
    times = {condition.type: condition.last_transition_time for condition in after.conditions}
    assert times["Ready"] == NOW
    assert times["Degraded"] == NOW + timedelta(seconds=60)


def test_a_drain_is_in_the_status_for_the_next_operator() -> None:
    status = written(market(deleting=True, status=known()), running())
    assert status.drain is not None
    assert status.drain.started_at == NOW
    assert written(market(suspend=True, status=draining(30)), without_bot(gate=marked(None))).drain is None


def test_the_name_of_a_deployment_is_known_as_long_as_its_pods_are_there() -> None:
    assert written(OLD, without_bot(pods=(GOING,))).deployment == OLD.status.deployment
    assert written(OLD, without_bot()).deployment is None


def test_the_holder_is_kept_while_the_gate_cannot_be_asked() -> None:
    before = written(OLD, running())
    assert written(market(status=before), running(gate=GateFacts(reachable=False))).lease == before.lease
    assert written(market(status=before), running(gate=gate(None))).lease is None


def test_a_market_whose_spec_cannot_be_read_has_a_status_too() -> None:
    arb, error = market(status=known(**FIGURES)), ArbMarketError("spec.profile=A: no")
    made = plan_unreadable(arb.metadata, arb.status, error, running(), POLICY, NOW)
    status = status_of_unreadable(arb.metadata, arb.status, running(), made, NOW)
    assert status.condition("Ready") is not None
    assert status.position is not None
    assert status.reason == "SpecInvalid"


@pytest.mark.parametrize(
    ("age_ms", "text"), [(0, "2s"), (2_000, "2s"), (2_001, "5s"), (59_000, "1m"), (60_001, "2m"), (1_800_000, "30m"), (1_800_001, ">30m")]
)
def test_an_age_stands_still_while_little_happens(age_ms: int, text: str) -> None:
    assert age_text(age_ms) == text


def test_a_status_that_says_nothing_new_is_not_written() -> None:
    before = written(OLD, running())
    after = written(market(status=before), running(), after_s=3600)
    assert before == after
    assert seconds_until_worth_writing(before, after, 0.0, 1e9, POLICY) is None


@pytest.mark.parametrize(
    "observed",
    [
        said(yes_shares=SHARE),
        said(pair_cost=950_000),
        said(locked_profit=1),
        said(feed_age_ms=20_000),
        said(last_fill_ms=1_795_305_600_000),
    ],
)
def test_figures_wait_until_the_interval_is_over(observed: Observed) -> None:
    before = written(OLD, running())
    after = written(market(status=before), observed, after_s=1)
    assert seconds_until_worth_writing(before, after, 100.0, 101.0, POLICY) == POLICY.status_interval_s - 1
    assert not worth_writing(before, after, 100.0, 101.0)
    assert worth_writing(before, after, 100.0, 100.0 + POLICY.status_interval_s)
    assert worth_writing(before, after, None, 101.0), "this process wrote nothing yet"


@pytest.mark.parametrize(
    "observed",
    [
        running(gate=gate("orphan")),
        running(gate=gate("ordering")),
        running(resolution=None, gate=gate(lease_number=8)),
        running(deployment=deployment(config_hash="h0")),
        running(gate=gate(None)),
    ],
)
def test_everything_else_is_written_at_once(observed: Observed) -> None:
    before = written(OLD, running())
    assert worth_writing(before, written(market(status=before), observed), 100.0, 100.1)


def test_a_drain_that_begins_is_written_at_once() -> None:
    before = written(OLD, running())
    assert worth_writing(before, written(market(status=before, deleting=True), running()), 100.0, 100.1)


def test_other_words_of_the_same_reason_wait_like_figures() -> None:
    before = written(OLD, said("degraded", reasons=("no answer from the venue, 3 tries",)))
    after = written(market(status=before), said("degraded", reasons=("no answer from the venue, 4 tries",)))
    assert before != after
    assert not worth_writing(before, after, 100.0, 101.0)


def test_a_bot_that_talks_without_end_is_cut_short() -> None:
    status = written(OLD, said("degraded", reasons=("no answer",) * 10_000))
    assert max(len(condition.message) for condition in status.conditions) == LONGEST_MESSAGE


def test_a_change_of_the_spec_is_answered_at_once() -> None:
    before = written(OLD, running())
    changed = market(status=before)
    newer = changed.model_copy(update={"metadata": changed.metadata.model_copy(update={"generation": 4})})
    assert worth_writing(before, written(newer, running()), 100.0, 100.1)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(markets(), observations())
def test_every_status_can_be_written_and_stands_still_when_nothing_changes(arb: ArbMarket, observed: Observed) -> None:
    first = written(arb, observed)
    again = written(arb.model_copy(update={"status": first}), observed)
    settled = written(arb.model_copy(update={"status": again}), observed)
    assert settled == again
    assert not worth_writing(again, settled, None, 101.0)


@given(st.integers(0, 10**9))
def test_an_age_is_never_said_to_be_less_than_it_is(age_ms: int) -> None:
    text = age_text(age_ms)
    seconds = int(text.strip(">sm")) * (60 if text.endswith("m") else 1)
    assert text.startswith(">") or seconds * 1000 >= age_ms
