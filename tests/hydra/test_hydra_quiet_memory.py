"""The collector works when nothing is under way, and what a market that left had is not kept."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.virtual_clock import VirtualClock

from kabobagool.hydra.market_task import Phase
from kabobagool.hydra.quiet_memory import QuietMemory


class Cycle:
    """A bot of which only the collector can get rid."""

    def __init__(self) -> None:
        self.engine = SimpleNamespace(is_busy=lambda: False)
        self.me = self


def task(phase: Phase = Phase.RUNNING) -> Any:
    return SimpleNamespace(phase=phase, bot=Cycle())


@pytest.fixture(autouse=True)
def nothing_frozen():
    yield
    gc.unfreeze()


def test_it_collects_once_for_every_change_of_the_fleet():
    tasks = {"a": task()}
    memory = QuietMemory(tasks, clock=VirtualClock())
    assert memory.look()
    assert gc.get_freeze_count() > 0
    assert not memory.look(), "nothing changed"
    tasks["b"] = task()
    assert memory.look()


def test_it_waits_while_a_market_starts_or_an_order_is_on_its_way():
    tasks = {"a": task(Phase.STARTING)}
    memory = QuietMemory(tasks, clock=VirtualClock())
    assert not memory.look()
    tasks["a"].phase = Phase.RUNNING
    tasks["a"].bot.engine.is_busy = lambda: True
    assert not memory.look()
    tasks["a"].bot.engine.is_busy = lambda: False
    assert memory.look()


def test_what_a_market_that_left_had_is_not_kept_for_ever():
    tasks = {"a": task(), "b": task()}
    memory = QuietMemory(tasks, clock=VirtualClock())
    assert memory.look()
    gone = weakref.ref(tasks.pop("a").bot)
    gc.collect()
    assert gone() is not None, "it was set aside, so the collector alone does not find it"
    assert memory.look()
    assert gone() is None
