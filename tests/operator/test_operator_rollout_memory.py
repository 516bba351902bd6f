"""What an operator that was just started knows of a roll-out, it knows from the cluster: who tries it, and that it was stopped."""

from copy import deepcopy

from hypothesis import given
from tests.operator.arbmarket_bodies import BOTS
from tests.operator.bot_objects import market, objects_of
from tests.operator.plan_cases import NOW, known, ours, running
from tests.operator.plan_cases import market as planned
from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.arbmarket_status import Condition, Status
from kabobagool_operator.caches import Caches
from kabobagool_operator.conditions import Reason, Type
from kabobagool_operator.directory import Directory
from kabobagool_operator.facts import Slots
from kabobagool_operator.fleet import NOT_YET, Fleet
from kabobagool_operator.labels import ANNOTATIONS, CANARY
from kabobagool_operator.names import Wallets
from kabobagool_operator.plan_types import Plan
from kabobagool_operator.pods import bot_deployment
from kabobagool_operator.policy import Policy
from kabobagool_operator.rollout_rows import Row

WHY = "snow runs with the new configuration and is not well: crash loop. The others keep the old one."


@given(BOTS)
def test_a_bot_that_becomes_a_canary_is_the_same_bot(bot: dict[str, object]) -> None:
    plain = objects_of(market(bot=bot))
    before = deepcopy(plain)
    canary = plain.as_canary()
    assert (canary.hash, canary.config_map, canary.deployment["spec"]) == (plain.hash, plain.config_map, plain.deployment["spec"])
    assert canary.deployment["metadata"]["annotations"] == {CANARY: "true"}
    assert plain == before, "and the others are none"


def test_a_deployment_that_says_so_is_a_canarys() -> None:
    plain = objects_of(market())
    uid = {"uid": "u"}
    for wanted, is_one in ((plain, False), (plain.as_canary(), True)):
        live = {**wanted.deployment, "metadata": {**wanted.deployment["metadata"], **uid}}
        assert bot_deployment(live, None).canary is is_one


def test_what_it_says_is_explained() -> None:
    assert CANARY in ANNOTATIONS


def stopped() -> Status:
    """The status of a market that waits for a change which was stopped."""
    before = known()
    ready = Condition(type="Ready", status="True", reason="RolloutStopped", message=WHY, last_transition_time=NOW)
    return before.model_copy(update={"conditions": (*before.conditions, ready)})


def ready(plan: Plan) -> tuple[Reason, str]:
    found = next(condition for condition in plan.conditions if condition.type is Type.READY)
    return found.reason, found.message


def test_a_stop_stays_in_the_status_until_turns_are_given_out() -> None:
    waiting = planned(status=stopped())
    assert ready(ours(waiting, running(desired_hash="h2", slots=NOT_YET))) == (Reason.ROLLOUT_STOPPED, WHY)
    held = Slots(may_create=False, may_roll=False)
    assert ready(ours(waiting, running(desired_hash="h2", slots=held)))[0] is Reason.ROLLOUT_PENDING
    assert ready(ours(waiting, running(slots=NOT_YET)))[0] is Reason.RUNNING, "it does not wait any more"


def fleet_of(*rows: Row) -> tuple[Fleet, list[str]]:
    """A fleet that was looked at by an operator that was just started; whom it has looked at again."""
    woken: list[str] = []
    caches = Caches(lambda name, *, by_us: None)
    directory = Directory(lambda market: None, lambda market: None, wallets=Wallets())
    fleet = Fleet(caches, directory, Policy(), clock=VirtualClock(), wake=woken.append)
    for row in rows:
        fleet.looked_at(row.name, row)
    return fleet, woken


def waits(name: str, *, stopped: bool) -> Row:
    return Row(name=name, created_s=1.0, desired_hash="new", running_hash="old", ready=True, stopped=stopped)


def test_whoever_waits_for_a_change_that_is_stopped_no_longer_is_told_so() -> None:
    well_again = Row(name="canary", created_s=0.0, desired_hash="new", running_hash="new", ready=True, canary=True)
    fleet, woken = fleet_of(well_again, waits("told", stopped=True), waits("not-told", stopped=False))
    fleet.tick()
    assert sorted(woken) == ["canary", "told"]
    assert not fleet.slots("told").may_roll, "it has to prove the change anew"
    assert fleet.slots("told").stopped is None


def test_a_fleet_in_which_nothing_changes_is_not_looked_at_again_because_of_a_restart() -> None:
    fleet, woken = fleet_of(*(Row(name=f"bot-{n}", created_s=0.0, desired_hash="new", running_hash="new", ready=True) for n in range(9)))
    fleet.tick()
    assert woken == []
