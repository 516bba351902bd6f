"""What the plan says in sentences, and whose bot a name at the gate belongs to."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.operator.plan_cases import (
    AT_PAPER,
    CASES,
    CONDITION_ID,
    HOLDER,
    LIVE,
    NAKED,
    NOW,
    OLD,
    POD,
    POLICY,
    STRANGER,
    deployment,
    draining,
    gate,
    halted,
    marked,
    market,
    ours,
    pod,
    report,
    running,
    without_bot,
)

from kabobagool.gate.interface import WALLET
from kabobagool_operator.arbmarket_status import Condition, PositionFacts, Status
from kabobagool_operator.conditions import Reason, Type
from kabobagool_operator.facts import PodFacts
from kabobagool_operator.observe import NOBODYS
from kabobagool_operator.plan import plan
from kabobagool_operator.plan_beliefs import is_bot_of
from kabobagool_operator.plan_types import Action, Plan
from kabobagool_operator.policy import Policy

SHARE = 1_000_000


def truth(made: Plan, about: Type) -> str:
    return next(condition.status for condition in made.conditions if condition.type is about)


def message(made: Plan, about: Type) -> str:
    return next(condition.message for condition in made.conditions if condition.type is about)


@pytest.mark.parametrize(
    ("holder", "expected"),
    [
        (f"1000@{POD}/1/ab12", True),
        ("1000@rain-5d8f7c9b6-zzzzz/1/ab12", True),  # a Pod that has gone: its lease lasts a little longer
        ("1000@rain-again-5d8f7c9b6-zzzzz/1/ab12", False),  # the Pod of a Deployment whose name begins like ours
        ("1000@rain-5d8f7c9b6/1/ab12", False),
        ("trader@rain/4711/ab12", False),
        ("trader@laptop/4711/ab12", False),
        ("rain-5d8f7c9b6-zzzzz", True),
        ("", False),
    ],
)
def test_a_holder_is_ours_when_it_is_a_pod_of_our_deployment(holder: str, expected: bool) -> None:
    assert is_bot_of(holder, pods={POD}, deployments={"rain"}) is expected


def test_a_pod_that_is_seen_is_ours_whatever_its_name() -> None:
    assert is_bot_of("1000@odd/1/ab12", pods={"odd"}, deployments=())


def test_a_mode_that_is_not_there_is_said_with_the_field_and_what_to_choose() -> None:
    said = message(ours(market(mode="Paper"), without_bot()), Type.READY)
    assert said.startswith("spec.mode=Paper: this operator was installed without a paper exchange: choose DryRun or Live")
    said = message(ours(market(**LIVE), without_bot(), AT_PAPER), Type.READY)
    assert said.startswith(
        "spec.mode=Live: this operator was installed with a paper exchange and sends no real orders: choose Paper or DryRun"
    )


@pytest.mark.parametrize(
    ("spec", "policy", "where"), [({}, POLICY, " in this dry run"), ({"mode": "Paper"}, AT_PAPER, " at the paper exchange")]
)
def test_shares_that_are_not_real_are_said_not_to_be(spec: dict[str, Any], policy: Policy, where: str) -> None:
    gone = market(deleting=True, status=draining(80, **NAKED), **spec)
    (notice,) = ours(gone, without_bot(gate=marked(None)), policy).notices
    assert f"are still owned{where}, " in notice.message


def test_a_gate_that_was_never_asked_leaves_no_mark_to_be_lifted_by_hand() -> None:
    gone = market(deleting=True, status=draining(80), **LIVE)
    assert ours(gone, without_bot(gate=NOBODYS)).notices == ()


def test_a_rival_is_named_so_that_a_person_finds_it() -> None:
    made = ours(OLD, running(gate=gate(None, lease_holder=STRANGER, lease_number=9)))
    assert STRANGER in message(made, Type.READY)
    assert made.summary == Reason.LEASE_HELD


def test_a_bot_that_crashes_because_another_one_holds_its_market_is_said_to_be_held_up() -> None:
    crashing = replace(pod(ready=False), restarts=4)
    made = ours(OLD, running(pods=(crashing,), gate=gate(None, lease_holder=STRANGER, lease_number=9)))
    assert made.summary == Reason.LEASE_HELD


def test_what_a_stranger_reports_is_not_taken_for_our_bots() -> None:
    theirs = report("orphan", holder=STRANGER, yes_shares=5 * SHARE)
    made = ours(OLD, running(gate=gate(report=theirs, lease_holder=HOLDER)))
    assert made.conditions != ours(OLD, running(gate=gate("orphan"))).conditions
    assert made.summary == Reason.BOT_SILENT


def test_a_halt_says_who_and_why() -> None:
    assert message(CASES["wallet-halted"](), Type.PAUSED) == "Everything is stopped by anna: maintenance of the wallet"
    assert message(CASES["new-pairs-stopped"](), Type.PAUSED) == "New pairs are stopped by anna: maintenance of the wallet"


def test_a_bot_says_itself_why_it_degraded() -> None:
    assert message(CASES["bot-degraded"](), Type.DEGRADED) == "order refused: signature"


def test_pairs_that_are_left_are_said_with_shares_and_dollars() -> None:
    (notice,) = CASES["delete-done"]().notices
    owned = "60 YES and 60 NO are still owned in this dry run, $57.50 was spent on them."
    expected = f"{owned} A pair of YES and NO pays $1.00 when the market resolves."
    assert (notice.message, notice.warning) == (expected, False)


def test_a_naked_leg_that_is_left_is_a_warning_that_says_what_to_do() -> None:
    live = {"mode": "Live", "credentials": {"secretName": "wallet"}}
    left = market(deleting=True, status=draining(30, **NAKED), **live)
    (notice,) = ours(left, without_bot(gate=marked(None))).notices
    expected = (
        "60 YES and 0 NO are still owned, $30.00 was spent on them. "
        "60 YES without a partner are a bet: sell them, or buy the other side, at the venue."
    )
    assert (notice.message, notice.warning) == (expected, True)


def test_the_bots_last_word_goes_before_what_the_status_says() -> None:
    last = report("watching", yes_shares=10 * SHARE, no_shares=10 * SHARE, locked_profit=SHARE)
    observed = without_bot(gate=marked(None, report=last, report_age_s=29.0))
    (notice,) = ours(market(deleting=True, status=draining(30, **NAKED)), observed).notices
    assert notice.message.startswith("10 YES and 10 NO")
    assert "$9.00" in notice.message


@pytest.mark.parametrize(("yes", "no"), [(0, 0), (4_999_999, 0)])
def test_dust_is_no_naked_leg_and_nothing_is_nothing(yes: int, no: int) -> None:
    status = draining(30, position=PositionFacts.of(yes=yes, no=no), locked_profit="0")
    notices = ours(market(deleting=True, status=status), without_bot(gate=marked(None))).notices
    assert [notice.warning for notice in notices] == ([False] if yes else [])


def test_a_position_that_cannot_be_read_is_not_made_up() -> None:
    status = draining(30, position=PositionFacts(yes_shares="many", no_shares="0", summary="many/0"), locked_profit="0")
    assert ours(market(deleting=True, status=status), without_bot(gate=marked(None))).notices == ()


def test_the_command_that_lifts_a_forgotten_mark_names_the_market() -> None:
    (notice,) = CASES["delete-done-gate-away"]().notices
    assert f"kabobagool gate resume --drain --market {CONDITION_ID}" in notice.message


def test_a_drain_keeps_its_beginning_and_follows_a_changed_timeout() -> None:
    arb = market(deleting=True, status=draining(20), drainTimeoutSeconds=300)
    made = ours(arb, running(gate=marked("orphan")))
    assert made.drain is not None
    assert made.drain.started_at == NOW - timedelta(seconds=20)
    assert made.drain.deadline == NOW + timedelta(seconds=280)


def test_a_drain_that_seems_to_begin_in_the_future_begins_now() -> None:
    made = ours(market(deleting=True, status=draining(-500)), running(gate=marked("orphan")))
    assert made.drain is not None
    assert made.drain.started_at == NOW


def resolved_as(**fields: str) -> Status:
    """The status of a market that was found, with another `Resolved`."""
    found: tuple[Condition, ...] = OLD.status.conditions
    return OLD.status.model_copy(update={"conditions": tuple(condition.model_copy(update=fields) for condition in found)})


def test_what_was_true_of_the_market_stays_true_for_an_operator_that_just_started() -> None:
    closed = OLD.model_copy(update={"status": resolved_as(status="False", reason="MarketClosed")})
    made = ours(closed, without_bot(resolution=None))
    assert (made.actions, made.phase) == ((), "Closed")
    assert Action.APPLY_BOT in ours(OLD, without_bot(resolution=None)).actions


def test_a_status_of_a_later_version_is_no_reason_to_stop_a_bot() -> None:
    later = OLD.model_copy(update={"status": resolved_as(reason="OfALaterVersion")})
    assert ours(later, running(resolution=None)).actions == ()


def test_a_bot_that_was_found_running_is_left_alone_until_its_market_is_known() -> None:
    strange = running(resolution=None, deployment=deployment(drifted=True), desired_hash="h2")
    assert ours(market(), strange).actions == ()


def test_a_mark_that_was_not_seen_yet_is_lifted_too_when_the_drain_is_taken_back() -> None:
    assert ours(market(status=draining(1)), running()).actions == (Action.LIFT_DRAINING,)


def test_a_bot_that_was_just_started_has_a_moment_to_report() -> None:
    made = ours(OLD, running(pods=(pod(age_s=5.0),), gate=gate(None)))
    assert made.phase == "Running"
    assert truth(made, Type.MARKET_DATA_FRESH) == "Unknown"
    assert ours(OLD, running(pods=(pod(age_s=30.0),), gate=gate(None))).phase == "Degraded"


@pytest.mark.parametrize(
    ("seen", "seconds"),
    [
        (pod(ready=False, age_s=10.0), 50.1),
        (pod(ready=False, age_s=58.0), 2.1),
        (pod(ready=False, age_s=61.0), POLICY.resync_s),
        (pod(age_s=28.0), 2.1),
    ],
)
def test_a_young_bot_is_looked_at_again_when_time_alone_changes_what_is_said_of_it(seen: PodFacts, seconds: float) -> None:
    made = ours(OLD, running(deployment=deployment(ready=seen.ready), pods=(seen,), gate=gate(None)))
    assert made.requeue_after_s == pytest.approx(seconds)


def test_a_young_bot_that_reports_is_not_looked_at_for_nothing() -> None:
    assert ours(OLD, running(pods=(pod(age_s=5.0),))).requeue_after_s == POLICY.resync_s


def test_without_a_gate_nothing_is_missing() -> None:
    made = CASES["no-gate"]()
    assert made.phase == "Running"
    assert message(made, Type.TRADING) == "No order gate is configured, and bots report through it."


def test_a_gate_that_is_away_still_shows_the_halt_that_was_seen_last() -> None:
    made = ours(OLD, running(gate=replace(halted(WALLET), reachable=False)))
    assert message(made, Type.PAUSED) == "Everything is stopped by anna: maintenance of the wallet"


@pytest.mark.parametrize(("said", "reason"), [("exceeded quota: pods", Reason.QUOTA), ("violates PodSecurity", Reason.REFUSED)])
def test_pods_that_cannot_be_made_are_a_quota_only_when_the_api_server_says_so(said: str, reason: Reason) -> None:
    made = plan(OLD, running(deployment=deployment(ready=False, quota_message=said), pods=(), gate=gate(None)), POLICY, NOW)
    assert next(condition.reason for condition in made.conditions if condition.type is Type.READY) is reason
