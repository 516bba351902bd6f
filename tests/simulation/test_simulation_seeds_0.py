"""A third of the seeds: bots through histories in which everything goes wrong keep every promise."""

import pytest
from tests.simulation.seeds import broken_in_block


@pytest.mark.parametrize("block", [0, 1])
def test_every_promise_is_kept_whatever_happens(block: int) -> None:
    assert broken_in_block(block) == []
