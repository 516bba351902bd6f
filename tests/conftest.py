"""What holds for every test."""

import gc

import pytest


@pytest.fixture(autouse=True, scope="module")
def small_heap_for_the_collector() -> None:
    """Set aside what earlier modules left behind.

    Many tests run a venue's clock forty times as fast as the wall's. A full collection that looks at all that thousands of tests have
    loaded stops such a venue for half a minute of its time, and bots rightly call that a dead connection.
    """
    gc.collect()
    gc.freeze()
