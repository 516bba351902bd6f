"""A deliberate bug: what it is called, the fear behind it, and what it puts in the place of which production function."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kabobagool.domain import decision, sizing

KEPT = (decision.quote_pair, sizing.smallest_buy, sizing.pair_bounds)


class Patch(NamedTuple):
    """`owner.name` is replaced by what `make` makes of the original."""

    owner: Any
    name: str
    make: Callable[[Any], Any]


class Bug(NamedTuple):
    """One deliberate bug. `seed` is a history in which `promise` notices it, and, when `alone`, no other promise does."""

    name: str
    patches: tuple[Patch, ...]
    seed: int
    promise: str
    alone: bool = False


@contextmanager
def mutated(bug: Bug) -> Iterator[None]:
    """The bug is in the code inside the block."""
    originals = [(patch, getattr(patch.owner, patch.name)) for patch in bug.patches]
    for patch, original in originals:
        setattr(patch.owner, patch.name, patch.make(original))
    _forget_answers()
    try:
        yield
    finally:
        for patch, original in originals:
            setattr(patch.owner, patch.name, original)
        _forget_answers()


def _forget_answers() -> None:
    """What is kept between calls would hide a bug, or outlive it."""
    for kept in KEPT:
        kept.cache_clear()


def returns(value: Any) -> Callable[[Any], Any]:
    """A function that always answers the same."""
    return lambda original: lambda *args, **named: value


def returns_later(value: Any) -> Callable[[Any], Any]:
    """A coroutine function that always answers the same."""

    def make(original: Any) -> Any:
        async def call(*args: Any, **named: Any) -> Any:
            return value

        return call

    return make
