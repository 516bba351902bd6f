"""What a fuzz target is, and the invariants that all of them share.

A target takes bytes and raises only when a promise is broken: an exception that is not the documented one of that parser, an answer out
of proportion to its question, or a value outside its range. The modules `*_targets.py` define them, `targets.py` lists them.
"""

import json
import resource
import signal
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

T = TypeVar("T")
SLOWEST_S: Final = 0.5
"""CPU time of a small case; everything here takes less than a thousandth of it when nothing is wrong."""
SLOWEST_S_PER_BYTE: Final = 20e-6
"""The operating system's answer to a page of many megabytes is not what is tested: a byte may cost twenty microseconds, and no more."""
ENDLESS_S: Final = 30.0
MOST_KEPT_BYTES: Final = 48 * 1024 * 1024
MOST_KEPT_PER_BYTE: Final = 400
"""Python objects of a tiny JSON array weigh some hundred times its text."""
LONGEST_ERROR: Final = 2_000
PRICE_ONE: Final = 10_000
MOST_MICROS: Final = 10**18


class Shape(StrEnum):
    """What the input of a target looks like, so that rubbish is made that gets past the first bracket."""

    JSON = "json"
    """One JSON document."""
    LINES = "lines"
    """A JSON document a line."""
    TEXT = "text"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`run` raises what broke; `guards` is what would go wrong without it. `seeds` are valid inputs. `weight`: how dear a case is."""

    name: str
    guards: str
    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    shape: Shape = Shape.JSON
    weight: int = 1


class Endless(BaseException):
    """A case that does not end. No `except Exception` of what is tested may swallow it."""


def check(target: Target, data: bytes) -> None:
    """Run one case and hold it to its bounds of time and memory. Raises what is wrong with it."""
    kept, started = _most_memory(), time.thread_time()
    with _ended_after(ENDLESS_S):
        target.run(data)
    took_s, grown = time.thread_time() - started, _most_memory() - kept
    assert took_s <= SLOWEST_S + len(data) * SLOWEST_S_PER_BYTE, f"too slow: {took_s:.2f} s for {len(data)} bytes"
    assert grown <= MOST_KEPT_BYTES + len(data) * MOST_KEPT_PER_BYTE, f"too large: {grown} bytes of memory for {len(data)} bytes"


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _end(*_: object) -> None:
    raise Endless(f"it did not end within {ENDLESS_S:.0f} s of CPU")


def _most_memory() -> int:
    """Bytes this process had at most so far; it never falls."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def readable(error: Exception) -> None:
    """An error that is logged for every rubbish message is short, however long the message was, and can be written anywhere."""
    text = str(error)
    assert len(text) <= LONGEST_ERROR, f"{type(error).__name__} of {len(text)} characters: {text[:80]!r}..."
    text.encode()


def a_price(value: object) -> None:
    """A price in 1/10,000 dollar."""
    assert type(value) is int, f"{value!r} is no price"
    assert 0 <= value <= PRICE_ONE, f"{value!r} is no price"


def an_amount(value: object) -> None:
    """Shares or dollars in millionths."""
    assert type(value) is int, f"{value!r:.80} is no amount"
    assert 0 <= value <= MOST_MICROS, f"{value!r:.80} is no amount"


def documents(*values: object) -> tuple[bytes, ...]:
    """Each as JSON: seeds."""
    return tuple(json.dumps(value).encode() for value in values)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it waited for something")
