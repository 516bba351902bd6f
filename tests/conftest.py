"""What holds for every test."""

import gc
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLUSTERS = {"chart", "docs", "monitoring", "operator"}
IN_REAL_TIME = {"cli", "edge_truth", "engine", "faults", "feed", "gate", "hydra", "profiles", "replay", "trading"} | CLUSTERS
"""Folders whose tests run real processes and sockets, many with a venue's clock that is forty times as fast as the wall's."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give such a test one more try: a machine that stands still for half a second costs it half a minute of the venue's time.

    A defect fails twice. What was tried again is counted in the last line of the run.
    """
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in IN_REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


@pytest.fixture(autouse=True, scope="module")
def small_heap_for_the_collector() -> None:
    """Set aside what earlier modules left behind.

    Many tests run a venue's clock forty times as fast as the wall's. A full collection that looks at all that thousands of tests have
    loaded stops such a venue for half a minute of its time, and bots rightly call that a dead connection.
    """
    gc.collect()
    gc.freeze()
