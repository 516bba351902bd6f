"""Rubbish never stops a parser, fills its memory or becomes a number that cannot be: some cases of each target, and all that was found.

`make fuzz` runs millions of them.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kabobagool.domain import decision
from kabobagool.domain.intent import Purpose
from tests.fuzz.campaign import FOUND, batch, shortened, silence, way_of
from tests.fuzz.frame_targets import CONVERSATIONS, said
from tests.fuzz.mutate import RAW, VALUES, Mutator
from tests.fuzz.target import SLOWEST_S, Shape, Target, check
from tests.fuzz.targets import TARGETS

CASES = 600
EXAMPLES = 40
SHAPED = [target for target in TARGETS.values() if target.shape in (Shape.JSON, Shape.LINES)]
KEPT = sorted(path for path in FOUND.rglob("*") if path.is_file())

everybody = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with silence():
        yield


@everybody
def test_valid_input_breaks_nothing(target: Target) -> None:
    for seed in target.seeds:
        check(target, seed)


@everybody
def test_rubbish_made_by_chance_breaks_nothing(target: Target) -> None:
    result = batch(target.name, "make test", max(CASES // target.weight, 20))
    assert not result.failures


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_was_found_once_is_not_found_again(path: Path) -> None:
    check(TARGETS[path.parent.name], path.read_bytes())


def rubbish() -> st.SearchStrategy[Any]:
    """Any JSON, with the values that are a good deal in the wrong place."""
    leaves = st.one_of(st.sampled_from(VALUES), st.text(max_size=12), st.integers(), st.floats())
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4), max_leaves=8
    )


@st.composite
def spoilt(draw: st.DrawFn, target: Target) -> bytes:
    """A valid input with one node anywhere in it replaced, removed or written twice."""
    lines = draw(st.sampled_from(target.seeds)).split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    root: list[Any] = [json.loads(lines[at])]
    holder: Any = root
    key: Any = 0
    while isinstance(holder[key], list | dict) and holder[key] and (holder is root or draw(st.booleans())):
        holder = holder[key]
        key = draw(st.sampled_from(sorted(holder))) if isinstance(holder, dict) else draw(st.integers(0, len(holder) - 1))
    match draw(st.sampled_from(("value", "raw", "remove", "twice"))):
        case "remove" if holder is not root:
            del holder[key]
        case "twice" if isinstance(holder, dict):
            holder[f"{key}!"] = draw(rubbish())
        case "raw":
            holder[key] = "raw!"
        case _:
            holder[key] = draw(rubbish())
    written = json.dumps(root[0]).encode().replace(b'!"', b'"')
    lines[at] = written.replace(b'"raw"', draw(st.sampled_from(RAW)))
    return b"\n".join(lines)


@pytest.mark.parametrize("target", SHAPED, ids=lambda target: target.name)
def test_one_spoilt_place_in_a_valid_message_breaks_nothing(target: Target) -> None:
    @settings(
        max_examples=max(EXAMPLES // target.weight, 5),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(spoilt(target))
    def holds(data: bytes) -> None:
        check(target, data)

    holds()


@everybody
def test_the_same_seed_makes_the_same_cases_and_they_are_not_all_alike(target: Target) -> None:
    def cases() -> list[bytes]:
        mutator = Mutator(target.seeds, target.shape, random.Random("again"))
        return [mutator.case() for _ in range(50)]

    made = cases()
    assert made == cases()
    assert len(set(made)) > 25


def test_every_kind_of_order_is_decided_in_conversations_without_rubbish() -> None:
    wanted = sum((said(seed).wanted for seed in CONVERSATIONS), Counter())
    assert set(wanted) == {Purpose.PAIR, Purpose.LEG, Purpose.HEDGE}


@pytest.mark.parametrize("careless", ["first_objection", "leg_objection"])
def test_the_referee_notices_when_books_are_believed_that_should_not_be(careless: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision, careless, lambda *_: None)
    assert batch("conversation", "careless", 400).failures


def fails_on(word: bytes) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        if word in data:
            raise LookupError(word)

    return run


def test_a_failure_is_shortened_to_what_makes_it_fail() -> None:
    target = Target(name="made", guards="", run=fails_on(b"0.4801"), seeds=(b"{}",))
    data = json.dumps({"a": [1, {"b": "0.4801"}], "c": "x" * 500}).encode()
    with pytest.raises(LookupError) as caught:
        target.run(data)
    assert shortened(target, data, way_of(caught.value)) == b"0.4801"


def busy(data: bytes) -> None:
    until = time.thread_time() + SLOWEST_S + 0.1
    while time.thread_time() < until:
        pass


def test_a_case_that_takes_too_long_is_a_failure() -> None:
    with pytest.raises(AssertionError, match="too slow"):
        check(Target(name="made", guards="", run=busy, seeds=(b"",)), b"{}")
