"""What was compared once is remembered, and never instead of something that changed since."""

from copy import deepcopy
from typing import Any

import pytest
from tests.operator.drift_rig import applied, owned_of
from tests.operator.test_operator_drift import bot, container_of

from kabobagool_operator import drift_memory
from kabobagool_operator.drift_memory import DriftMemory

Object = dict[str, Any]


def live(**metadata: Any) -> Object:
    found = applied(bot())
    found["metadata"] |= {"uid": "a", "resourceVersion": "7", **metadata}
    return found


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Object]:
    """The objects that were really compared."""
    seen: list[Object] = []
    honest = drift_memory.covers

    def noted(found: Object, desired: Object) -> bool:
        seen.append(found)
        return honest(found, desired)

    monkeypatch.setattr(drift_memory, "covers", noted)
    return seen


def test_a_deployment_whose_status_alone_changes_is_compared_once(compared: list[Object]) -> None:
    memory = DriftMemory()
    for version in range(5):
        assert memory.covers({**live(resourceVersion=str(version)), "status": {"readyReplicas": version}}, bot())
    assert len(compared) == 1


def test_an_edit_is_seen_and_so_is_its_repair() -> None:
    memory, edited = DriftMemory(), live()
    container_of(edited)["image"] = "bot:2"
    assert [memory.covers(found, bot()) for found in (live(), edited, live())] == [True, False, True]


def test_a_field_that_is_no_longer_ours_is_seen() -> None:
    memory, taken = DriftMemory(), live()
    del owned_of(taken)["f:spec"]["f:replicas"]
    assert [memory.covers(found, bot()) for found in (live(), taken)] == [True, False]


def test_another_wish_is_compared_anew() -> None:
    memory, wish = DriftMemory(), deepcopy(bot())
    container_of(wish)["image"] = "bot:2"
    assert [memory.covers(live(), wanted) for wanted in (bot(), wish, bot())] == [True, False, True]


def test_a_deployment_that_was_made_anew_under_the_same_name_is_compared_anew(compared: list[Object]) -> None:
    memory = DriftMemory()
    assert memory.covers(live(), bot())
    assert memory.covers(live(uid="b"), bot())
    assert len(compared) == 2


def test_it_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch, compared: list[Object]) -> None:
    monkeypatch.setattr(drift_memory, "REMEMBERED", 3)
    memory = DriftMemory()
    for number in range(9):
        wanted = bot()
        wanted["metadata"]["name"] = f"bot-{number}"
        assert memory.covers({**applied(wanted), "kind": "Deployment"}, wanted)
    assert len(memory) <= 3
