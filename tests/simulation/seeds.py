"""The seeds that every test run plays, a block for each file, so that files side by side share them."""

import os

from tests.simulation.generate import random_history
from tests.simulation.world import play

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "300"))
BLOCKS = 6


def broken_in_block(block: int) -> list[str]:
    """What breaks in the block's seeds, each with how to look at it."""
    seeds = range(block, SEEDS, BLOCKS)
    broken = ((seed, violation) for seed in seeds for violation in play(random_history(seed)).violations)
    return [f"{found.invariant}: {found.text}; look at it: kabobagool simulate --seed {seed} --explain" for seed, found in broken]
