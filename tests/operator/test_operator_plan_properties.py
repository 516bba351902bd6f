"""What holds for the plan in every situation, however unlikely."""

from collections.abc import Callable

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.operator.plan_cases import AT_PAPER, NOW, POLICY, WITHOUT_GATE
from tests.operator.plan_strategies import FOUND, doubts, markets, observations

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_status import Phase, Status
from kabobagool_operator.conditions import Reason, Truth, Type
from kabobagool_operator.facts import Observed, Resolved
from kabobagool_operator.plan import plan, plan_unreadable
from kabobagool_operator.plan_types import Action, Plan
from kabobagool_operator.policy import Policy

POLICIES = st.sampled_from((POLICY, WITHOUT_GATE, AT_PAPER))
ENDS_A_BOT = {Action.MARK_DRAINING, Action.SCALE_TO_ZERO, Action.REMOVE_BOT}
TELLS_THE_GATE = {Action.MARK_DRAINING, Action.LIFT_DRAINING}
many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def ended(observed: Observed) -> bool:
    """Whether the venue says now that the market is over."""
    return observed.resolution is not None and not isinstance(observed.resolution, Resolved) and observed.resolution.ended


def all_six_conditions_are_there(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert [condition.type for condition in made.conditions] == list(Type)
    assert made.summary in set(Reason)


def actions_come_once_each_and_in_the_order_in_which_they_are_done(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert list(made.actions) == [action for action in Action if action in made.actions]


def the_market_is_looked_at_again(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert made.requeue_after_s is not None
    assert 0 < made.requeue_after_s <= POLICY.resync_s


def no_bot_is_made_that_should_not_be_there(market: ArbMarket, observed: Observed, made: Plan) -> None:
    unwanted = market.metadata.deleting or market.spec.suspend or observed.duplicate_of is not None or ended(observed)
    assert not (unwanted and Action.APPLY_BOT in made.actions)


def nothing_is_changed_in_a_frozen_deployment(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert not (market.metadata.annotations and Action.APPLY_BOT in made.actions)


def the_finalizer_comes_before_the_bot(market: ArbMarket, observed: Observed, made: Plan) -> None:
    if Action.APPLY_BOT in made.actions:
        assert market.metadata.finalizers or Action.ADD_FINALIZER in made.actions


def a_finalizer_is_added_in_life_and_removed_in_deletion(market: ArbMarket, observed: Observed, made: Plan) -> None:
    if Action.ADD_FINALIZER in made.actions:
        assert not market.metadata.deleting
        assert not market.metadata.finalizers
    if Action.REMOVE_FINALIZER in made.actions:
        assert market.metadata.deleting
        assert market.metadata.finalizers


def a_duplicate_never_closes_the_market_of_the_one_that_trades(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert observed.duplicate_of is None or TELLS_THE_GATE.isdisjoint(made.actions)


def a_gate_that_is_away_is_not_told_anything(market: ArbMarket, observed: Observed, made: Plan) -> None:
    assert observed.gate.reachable or TELLS_THE_GATE.isdisjoint(made.actions)


def nobody_claims_to_know_what_a_silent_bot_does(market: ArbMarket, observed: Observed, made: Plan) -> None:
    gate, said = observed.gate, {condition.type: condition.status for condition in made.conditions}
    if not gate.reachable or gate.report is None or gate.report_age_s is None or gate.report_age_s > 30:
        assert said[Type.MARKET_DATA_FRESH] is Truth.UNKNOWN
        assert said[Type.TRADING] is not Truth.TRUE


def running_means_ready_and_not_degraded(market: ArbMarket, observed: Observed, made: Plan) -> None:
    said = {condition.type: condition.status for condition in made.conditions}
    if made.phase is Phase.RUNNING:
        assert (said[Type.READY], said[Type.DEGRADED]) == (Truth.TRUE, Truth.FALSE)
    if said[Type.READY] is Truth.TRUE:
        assert made.phase in (Phase.RUNNING, Phase.DEGRADED)


PROMISES: tuple[Callable[[ArbMarket, Observed, Plan], None], ...] = (
    all_six_conditions_are_there,
    actions_come_once_each_and_in_the_order_in_which_they_are_done,
    the_market_is_looked_at_again,
    no_bot_is_made_that_should_not_be_there,
    nothing_is_changed_in_a_frozen_deployment,
    the_finalizer_comes_before_the_bot,
    a_finalizer_is_added_in_life_and_removed_in_deletion,
    a_duplicate_never_closes_the_market_of_the_one_that_trades,
    a_gate_that_is_away_is_not_told_anything,
    nobody_claims_to_know_what_a_silent_bot_does,
    running_means_ready_and_not_degraded,
)


@many
@given(markets(), observations(), POLICIES)
def test_every_promise_is_kept_in_every_situation(market: ArbMarket, observed: Observed, policy: Policy) -> None:
    made = plan(market, observed, policy, NOW)
    assert made == plan(market, observed, policy, NOW), "the same facts give the same plan"
    for promise in PROMISES:
        promise(market, observed, made)


@some
@given(markets(), observations(), POLICIES)
def test_every_promise_is_kept_for_a_spec_that_cannot_be_read(market: ArbMarket, observed: Observed, policy: Policy) -> None:
    made = plan_unreadable(market.metadata, market.status, ArbMarketError("spec.profile=A: no"), observed, policy, NOW)
    for promise in PROMISES:
        promise(market, observed, made)
    assert Action.APPLY_BOT not in made.actions


@some
@given(
    markets(deleting=False, suspend=False, paused=False, status=Status()),
    observations(resolution=st.none() | doubts.map(lambda doubt: replace(doubt, facts=None))),
)
def test_no_bot_is_made_before_the_market_was_ever_found(market: ArbMarket, observed: Observed) -> None:
    assert Action.APPLY_BOT not in plan(market, observed, POLICY, NOW).actions


@some
@given(markets(deleting=False, suspend=False), observations(duplicate_of=st.none(), resolution=st.none() | FOUND | doubts))
def test_a_bot_that_is_wanted_is_never_stopped_whatever_cannot_be_asked(market: ArbMarket, observed: Observed) -> None:
    resolved = market.status.condition(Type.RESOLVED)
    assume(resolved is None or resolved.reason != Reason.CLOSED)
    assume(POLICY.objection(market.spec.mode) is None)
    assert ENDS_A_BOT.isdisjoint(plan(market, observed, POLICY, NOW).actions)


@some
@given(markets(), observations(), POLICIES)
def test_no_bot_of_a_mode_that_the_operator_was_not_installed_for_is_made_or_goes_on(
    market: ArbMarket, observed: Observed, policy: Policy
) -> None:
    assume(policy.objection(market.spec.mode) is not None)
    made = plan(market, observed, policy, NOW)
    assert Action.APPLY_BOT not in made.actions
    assert made.phase in (Phase.DRAINING, Phase.FAILED, Phase.SUSPENDED, Phase.CLOSED)
