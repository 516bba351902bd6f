"""Histories that once showed a fault of the bot, or of its judge: played again, one of them with the switch that brings the fault back."""

import pytest
from tests.simulation.generate import random_history
from tests.simulation.mutants.bug import Bug, Patch, returns_later
from tests.simulation.mutations import promises_broken
from tests.simulation.world import play

from kabobagool.execution.journal import Journal
from kabobagool.gate.interface import KeptHalts

HALTS_LIE_ON_NO_DISK = Bug(
    "halts lie on no disk", (Patch(Journal, "kept_halts", returns_later(KeptHalts())),), 3581, "respects_a_halt", alone=True
)


@pytest.mark.parametrize("seed", [129, 460, 461, 474, 729, 1519, 1637, 2559, 3581, 5047, 5347, 5761, 6094, 6129, 6872, 9451, 9564])
def test_every_promise_is_kept_now(seed: int) -> None:
    assert play(random_history(seed)).violations == []


def test_a_halt_that_lies_on_no_disk_is_traded_through_when_server_and_program_forget_it_together() -> None:
    promises, _ = promises_broken(HALTS_LIE_ON_NO_DISK, HALTS_LIE_ON_NO_DISK.seed)
    assert promises == (HALTS_LIE_ON_NO_DISK.promise,)
