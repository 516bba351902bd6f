"""A seed is a history, and a history is one run: otherwise no failure could ever be looked at twice."""

import json
import os
import subprocess
import sys

import msgspec
import pytest
from tests.simulation.explain import as_json
from tests.simulation.generate import random_history
from tests.simulation.history import History
from tests.simulation.world import play

SEEDS = (0, 6, 10, 15)
SCRIPT = """
import json, sys
from tests.simulation.generate import random_history
from tests.simulation.world import play
runs = [play(random_history(seed)) for seed in map(int, sys.argv[1:])]
print(json.dumps([[run.fingerprint, len(run.lines), run.lives] for run in runs]))
"""


def fingerprints(hash_seed: str) -> list[list[object]]:
    """What these seeds bring in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."}
    command = (sys.executable, "-c", SCRIPT, *map(str, SEEDS))
    found: list[list[object]] = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return found


def test_the_same_seed_writes_the_same_log_in_any_process() -> None:
    first = fingerprints("1")
    assert first == fingerprints("424242")
    assert all(lines > 20 for _, lines, _ in first), "logs that say something"
    assert sum(int(str(lives)) for *_, lives in first) > 2 * len(SEEDS), "programs were killed and came back"


def test_a_history_is_plain_data_that_can_be_kept_and_played_again() -> None:
    history = random_history(SEEDS[0])
    kept = msgspec.json.decode(as_json(history), type=History)
    assert kept == history
    assert play(kept).fingerprint == play(history).fingerprint


@pytest.mark.parametrize("seed", [0, 1])
def test_different_seeds_are_different_histories(seed: int) -> None:
    assert random_history(seed) != random_history(seed + 2)
