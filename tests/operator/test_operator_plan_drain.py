"""Deletions come to an end, whatever fails on the way: the loop of an operator over a cluster, a gate and a bot that are made up.

The model knows only what Kubernetes and the gate promise: objects stay while they have finalizers, Pods end when they are told to and at
the latest when their grace is over, a status that is written is read back. The operator's time is made up too.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.operator.plan_cases import (
    CONDITION_ID,
    FACTS,
    GOING,
    HOLDER,
    NOW,
    OWN_MARK,
    POLICY,
    deployment,
    known,
    market,
    pod,
    report,
    unresolved,
)

from kabobagool.gate.interface import DRAINING, Halt
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.bot_pod import GRACE_S
from kabobagool_operator.conditions import Reason
from kabobagool_operator.facts import BotDeployment, GateFacts, Observed, PodFacts, Resolution, Resolved
from kabobagool_operator.labels import FINALIZER
from kabobagool_operator.plan import plan
from kabobagool_operator.plan_drain import PATIENCE_S, SETTLE_S
from kabobagool_operator.plan_types import Action, Notice, Plan
from kabobagool_operator.report import status_of

TIMEOUT_S = 60
LOOK_S = 2
LAST_MOMENT_S = 2 * TIMEOUT_S + GRACE_S + PATIENCE_S
"""Hedging before it is told to end, the Pod's grace after, and what is added to both."""


@dataclass
class World:
    """One market with its bot. `gate_up` and `status_writes` are the seconds in which these work; None for all."""

    arb: ArbMarket
    deployment: BotDeployment | None = field(default_factory=deployment)
    pod: PodFacts | None = field(default_factory=pod)
    resolution: Resolution = field(default_factory=lambda: Resolved(FACTS))
    phase: str = "watching"
    open_intents: bool = False
    halts: tuple[Halt, ...] = ()
    pod_takes_s: int | None = 10
    """How long the Pod takes to end once it was told; None on a node that is lost."""
    gate_up: set[int] | None = None
    status_writes: set[int] | None = None
    second: int = 0
    told_at: int | None = None
    done: list[tuple[int, Action]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.second)

    @property
    def gone(self) -> bool:
        return self.arb.metadata.deleting and not self.arb.metadata.finalizers

    def when(self, action: Action) -> int | None:
        """The second of the first such action."""
        return next((second for second, done in self.done if done is action), None)

    def look(self) -> Observed:
        up = self.gate_up is None or self.second in self.gate_up
        heard = self.pod is not None and up
        gate = GateFacts(
            reachable=up,
            report=report(self.phase) if heard else None,
            report_age_s=1.0 if heard else None,
            lease_holder=HOLDER if heard else None,
            lease_number=7 if heard else None,
            halts=self.halts,
            open_intents=self.open_intents if up and self.halts else None,
        )
        pods = () if self.pod is None else (self.pod,)
        return Observed(resolution=self.resolution, deployment=self.deployment, pods=pods, gate=gate, desired_hash="h1")

    def reconcile(self) -> Plan:
        """Observe, plan, apply, report."""
        observed = self.look()
        made = plan(self.arb, observed, POLICY, self.now)
        for action in made.actions:
            self.apply(action)
        self.notices += made.notices
        if self.status_writes is None or self.second in self.status_writes:
            written = status_of(self.arb, observed, made, self.now)
            self.arb = self.arb.model_copy(update={"status": Status.model_validate(written.body(), by_alias=True)})
        return made

    def apply(self, action: Action) -> None:
        self.done.append((self.second, action))
        match action:
            case Action.MARK_DRAINING:
                self.halts = (OWN_MARK,)
            case Action.LIFT_DRAINING:
                self.halts = ()
            case Action.REMOVE_BOT:
                self.deployment = None
                self.end_the_pod()
            case Action.SCALE_TO_ZERO:
                self.deployment = replace(self.deployment, replicas=0, ready=False) if self.deployment else None
                self.end_the_pod()
            case Action.REMOVE_FINALIZER:
                self.set_finalizers(())
            case Action.ADD_FINALIZER:
                self.set_finalizers((FINALIZER,))
            case Action.APPLY_BOT:
                self.deployment, self.pod, self.told_at = deployment(), pod(age_s=0.0), None

    def end_the_pod(self) -> None:
        self.told_at = self.second if self.told_at is None else self.told_at
        self.pod = GOING if self.pod is not None else None

    def set_finalizers(self, finalizers: tuple[str, ...]) -> None:
        self.arb = self.arb.model_copy(update={"metadata": self.arb.metadata.model_copy(update={"finalizers": finalizers})})

    def tick(self) -> None:
        self.second += 1
        if self.told_at is not None and self.pod_takes_s is not None and self.second >= self.told_at + self.pod_takes_s:
            self.pod = None

    def run(self, seconds: int, *, operator_up: set[int] | None = None) -> "World":
        """Let time pass, with a look every two seconds while the operator lives."""
        for _ in range(seconds):
            if self.second % LOOK_S == 0 and not self.gone and (operator_up is None or self.second in operator_up):
                self.reconcile()
            self.tick()
        return self


def deleted(**fields: object) -> World:
    """A market that was deleted this moment while its bot ran."""
    return World(market(deleting=True, status=known(), drainTimeoutSeconds=TIMEOUT_S), **fields)  # type: ignore[arg-type]


SECONDS = set(range(LAST_MOMENT_S + 60))
some_seconds = st.sets(st.sampled_from(sorted(SECONDS)))
pod_times = st.none() | st.integers(0, TIMEOUT_S + GRACE_S)
bot_phases = st.sampled_from(("watching", "ordering", "orphan", "frozen", "degraded", "resolved", "stopping"))


@settings(max_examples=80, deadline=None)
@given(some_seconds, bot_phases, st.booleans(), pod_times)
def test_a_deleted_market_is_gone_when_its_time_is_over_whatever_the_gate_and_the_bot_do(
    gate_up: set[int], phase: str, open_intents: bool, pod_takes_s: int | None
) -> None:
    world = deleted(gate_up=gate_up, phase=phase, open_intents=open_intents, pod_takes_s=pod_takes_s)
    assert world.run(LAST_MOMENT_S + 2 * LOOK_S).gone


@settings(max_examples=40, deadline=None)
@given(some_seconds, some_seconds, some_seconds, pod_times)
def test_an_operator_that_dies_at_any_moment_also_before_it_wrote_the_status_only_takes_longer(
    gate_up: set[int], operator_up: set[int], status_writes: set[int], pod_takes_s: int | None
) -> None:
    world = deleted(gate_up=gate_up, phase="orphan", open_intents=True, pod_takes_s=pod_takes_s, status_writes=status_writes)
    world.run(200, operator_up=operator_up)
    began = world.arb.status.drain.started_at if world.arb.status.drain else world.now
    world.gate_up = world.status_writes = None
    assert world.run(int((began - NOW).total_seconds()) + LAST_MOMENT_S + 2 * LOOK_S).gone


@settings(max_examples=40, deadline=None)
@given(some_seconds, bot_phases)
def test_the_mark_is_lifted_whenever_the_gate_is_there_at_the_end(gate_up: set[int], phase: str) -> None:
    world = deleted(gate_up=gate_up, phase=phase).run(LAST_MOMENT_S + 2 * LOOK_S)
    removed = world.when(Action.REMOVE_FINALIZER)
    assert removed is not None
    if removed in gate_up:
        assert not world.halts
    elif world.halts:
        assert "DrainMarkLeft" in [notice.reason for notice in world.notices]


def test_a_bot_with_nothing_to_finish_is_told_to_end_after_its_report_had_time_to_say_otherwise() -> None:
    world = deleted().run(40)
    assert world.when(Action.MARK_DRAINING) == 0
    assert world.when(Action.REMOVE_BOT) == SETTLE_S + 1, "the first look after it"
    assert world.gone
    assert world.halts == ()


def test_a_naked_leg_has_the_whole_time_to_be_hedged() -> None:
    world = deleted(phase="orphan").run(TIMEOUT_S)
    assert world.when(Action.REMOVE_BOT) is None
    world.phase = "watching"
    assert world.run(LOOK_S).when(Action.REMOVE_BOT) == TIMEOUT_S


def test_an_open_order_is_waited_for() -> None:
    world = deleted(open_intents=True).run(30)
    assert world.when(Action.REMOVE_BOT) is None
    world.open_intents = False
    world.run(LOOK_S)
    assert world.when(Action.REMOVE_BOT) == 30


def test_a_gate_that_is_away_is_not_waited_for() -> None:
    world = deleted(gate_up=set(), phase="orphan").run(30)
    assert world.when(Action.REMOVE_BOT) == 0
    assert world.gone


def test_a_pod_on_a_lost_node_is_given_up_and_said() -> None:
    world = deleted(pod_takes_s=None)
    world.run(LAST_MOMENT_S)
    assert not world.gone
    world.run(2 * LOOK_S)
    assert world.gone
    assert [notice.reason for notice in world.notices] == ["BotLeft"]
    assert world.halts == (OWN_MARK,), "the bot may be alive where nobody sees it"


def test_a_mark_that_a_person_set_is_drain_enough_and_stays() -> None:
    theirs = Halt(scope=DRAINING + CONDITION_ID, who="anna", why="I look at it", since_ms=0)
    world = deleted(halts=(theirs,)).run(40)
    assert world.when(Action.MARK_DRAINING) is None
    assert world.gone


@pytest.mark.parametrize("resumed_after_s", [1, 3, 5, 7, 9, 20, 60])
def test_a_suspension_that_is_taken_back_at_any_moment_leaves_a_bot_and_no_mark(resumed_after_s: int) -> None:
    world = World(market(status=known(), suspend=True))
    world.run(resumed_after_s)
    world.arb = world.arb.model_copy(update={"spec": world.arb.spec.model_copy(update={"suspend": False})})
    world.run(30)
    assert world.pod is not None
    assert not world.pod.ending
    assert world.halts == ()
    assert world.arb.status.drain is None


def test_a_suspended_market_stays_closed_to_new_pairs() -> None:
    world = World(market(status=known(), suspend=True)).run(60)
    assert world.pod is None
    assert world.halts == (OWN_MARK,)
    assert [action for _, action in world.done] == [Action.MARK_DRAINING, Action.SCALE_TO_ZERO]


def test_a_market_that_ended_is_drained_once_and_then_left_alone() -> None:
    world = World(market(status=known()))
    world.resolution = unresolved(Reason.CLOSED, ended=True, facts=FACTS)
    world.run(60)
    assert [action for _, action in world.done] == [Action.MARK_DRAINING, Action.REMOVE_BOT, Action.LIFT_DRAINING]
    assert world.arb.status.phase == "Closed"
