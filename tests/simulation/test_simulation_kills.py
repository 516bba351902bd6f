"""A program killed wherever something leaves it or comes back, one place after the other: the next one owns what the ledger says."""

import pytest
from tests.simulation.history import Burst, Edge, Happening, History, HostPlan, Kill, MarketPlan, VenueFault
from tests.simulation.world import Result, play

from paper_exchange.faults import FaultKind

MINUTE = 60_000
EDGE = Edge(at_ms=MINUTE, for_ms=4_000, yes_ask=4_000, no_ask=5_000, yes_depth=20_000_000, no_depth=20_000_000)
LAST = Edge(at_ms=8 * MINUTE, for_ms=10_000, yes_ask=4_500, no_ask=4_500, yes_depth=60_000_000, no_depth=60_000_000)
STEPS = 26
"""More than a pair has."""


def one_pair(*happenings: Happening, shared_gate: bool = False) -> Result:
    """Ten minutes with an edge in the second of them, a burst for whoever is naked, and a last edge."""
    length_ms = 10 * MINUTE
    bursts = tuple(Burst(at_ms=at_ms, for_ms=5_000, every_ms=250, jump=1) for at_ms in (2 * MINUTE, 4 * MINUTE))
    market = MarketPlan(
        number=0, seed=4, length_ms=length_ms + 60 * MINUTE, quiet_ms=MINUTE, fee_rate_micros=20_000, edges=(EDGE, LAST), bursts=bursts
    )
    history = History(
        seed=1,
        length_ms=length_ms,
        faults_end_ms=3 * MINUTE,
        markets=(market,),
        hosts=(HostPlan(name="a", markets=(0,)),),
        happenings=happenings,  # type: ignore[arg-type]
        shared_gate=shared_gate,
        variables={"BATCH_SIZE": "10"},
    )
    return play(history)


def places_to_die(*, shared_gate: bool) -> set[str]:
    """Kill a fresh program at each step; where it died."""
    found = set()
    for step in range(STEPS):
        kill = Kill(at_ms=MINUTE - 100, host=0, step=step, within_ms=2_000, down_ms=3_000)
        result = one_pair(kill, shared_gate=shared_gate)
        assert result.violations == [], f"step {step}"
        assert result.lives >= 2, "and at a shared gate as often as it takes until the dead one's lease ends"
        found |= {line.text.partition("killed: ")[2] for line in result.lines if "killed: " in line.text}
    return found


def test_killed_at_any_step_of_a_pair_nothing_is_lost_and_nothing_bought_twice() -> None:
    died = places_to_die(shared_gate=False)
    assert died >= {"sign", "disk asked", "disk done", "order about to leave", "order placed", "reply came"}


def test_killed_at_any_step_of_a_pair_at_a_shared_gate() -> None:
    died = places_to_die(shared_gate=True)
    assert died >= {"gate asked", "gate has answered", "order about to leave", "order placed"}


def test_without_trouble_the_pair_is_bought_once() -> None:
    result = one_pair()
    assert (result.violations, result.lives) == ([], 1)
    assert result.pairs >= 10


@pytest.mark.parametrize("filled", [True, False])
def test_a_lost_reply_is_looked_up_whatever_became_of_its_order(filled: bool) -> None:
    lost = VenueFault(at_ms=MINUTE - 1_000, kind=FaultKind.REPLY_DROPPED, count=1, filled=filled)
    result = one_pair(lost)
    assert result.violations == []
    assert any("looked up" in line.text for line in result.lines)
