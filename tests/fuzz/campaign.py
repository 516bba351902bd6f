"""Many cases of one target over the cores, and the shortest input for each way in which it fails.

Cases are made in batches, each from its own seed, so that a run finds the same whatever the number of processes. `__main__.py` calls
`campaign`, the tests call `batch`.
"""

import json
import logging
import random
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.fuzz.mutate import Mutator
from tests.fuzz.target import Shape, Target, check
from tests.fuzz.targets import TARGETS

BATCH: Final = 2_000
FOUND: Final = Path(__file__).parent / "found"
MOST_TRIES: Final = 3_000
PATIENCE_S: Final = 20.0
Way = tuple[str, str]
"""How a case failed: the kind of exception, and where it was raised."""


@dataclass(slots=True)
class Result:
    """What a target did with `cases`: seconds of CPU they took, and the shortest input of each way in which it failed, with its words."""

    cases: int = 0
    cpu_s: float = 0.0
    failures: dict[Way, tuple[bytes, str]] = field(default_factory=dict)

    def add(self, other: "Result") -> None:
        """Another batch of the same target."""
        self.cases += other.cases
        self.cpu_s += other.cpu_s
        for way, (data, words) in other.failures.items():
            self._note(way, data, words)

    def failed(self, data: bytes, error: BaseException) -> None:
        """One more case that failed."""
        self._note(way_of(error), data, f"{type(error).__name__}: {error}"[:500])

    def _note(self, way: Way, data: bytes, words: str) -> None:
        known = self.failures.get(way)
        if known is None or len(data) < len(known[0]):
            self.failures[way] = (data, words)


def batch(name: str, seed: str, cases: int) -> Result:
    """Run so many cases of a target, made from `seed`."""
    target, result = TARGETS[name], Result(cases)
    mutator = Mutator(target.seeds, target.shape, random.Random(f"{seed}/{name}"))
    started = time.process_time()
    with silence():
        for _ in range(cases):
            data = mutator.case()
            error = broken(target, data)
            if error is not None:
                result.failed(data, error)
    result.cpu_s = time.process_time() - started
    return result


def broken(target: Target, data: bytes) -> BaseException | None:
    """What this case breaks, None when it breaks nothing."""
    try:
        check(target, data)
    except KeyboardInterrupt:
        raise
    except BaseException as e:
        return e
    return None


@contextmanager
def silence() -> Iterator[None]:
    """Rubbish is worth a log line each in production, and a million of them here."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def way_of(error: BaseException) -> Way:
    """The kind of the exception and its place, so that one defect is one failure."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error).__name__, f"{Path(last.filename).name}:{last.lineno}"


def campaign(target: Target, *, cases: int, seed: str, pool: Executor, progress: Callable[[Result, float], None]) -> tuple[Result, float]:
    """Run all cases of a target and shorten what failed. The result, and how many seconds it took."""
    result, started = Result(), time.monotonic()
    sizes = [min(BATCH, cases - begun) for begun in range(0, cases, BATCH)]
    for done in pool.map(batch, [target.name] * len(sizes), [f"{seed}/{number}" for number in range(len(sizes))], sizes, chunksize=1):
        result.add(done)
        progress(result, time.monotonic() - started)
    for way, (data, words) in list(result.failures.items()):
        result.failures[way] = (shortened(target, data, way), words)
    return result, time.monotonic() - started


def shortened(target: Target, data: bytes, way: Way) -> bytes:
    """A shorter input that fails in the same way: parts are left out for as long as that works."""
    ends_at, tries = time.monotonic() + PATIENCE_S, iter(range(MOST_TRIES))

    def still_fails(candidate: bytes) -> bool:
        error = broken(target, candidate)
        return error is not None and way_of(error) == way

    with silence():
        again = True
        while again:
            again = False
            for candidate in _shorter(data, target.shape):
                if next(tries, None) is None or time.monotonic() > ends_at:
                    return data
                if len(candidate) < len(data) and still_fails(candidate):
                    data, again = candidate, True
                    break
    return data


def _shorter(data: bytes, shape: Shape) -> Iterator[bytes]:
    """What is left when a part is gone: lines, fields and entries, then bytes."""
    lines = data.split(b"\n")
    if shape is Shape.LINES and len(lines) > 1:
        yield from (b"\n".join(lines[:at] + lines[at + 1 :]) for at in range(len(lines)))
    if shape in (Shape.JSON, Shape.LINES):
        for at, line in enumerate(lines):
            yield from (b"\n".join([*lines[:at], smaller, *lines[at + 1 :]]) for smaller in _smaller_json(line))
    size = len(data) // 2
    while size:
        yield from (data[:at] + data[at + size :] for at in range(0, len(data), size))
        size //= 2


def _smaller_json(line: bytes) -> Iterator[bytes]:
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return
    with suppress(RecursionError):
        for smaller in _smaller(tree):
            yield json.dumps(smaller).encode()


def _smaller(tree: Any) -> Iterator[Any]:
    match tree:
        case dict():
            for key, value in tree.items():
                yield {name: other for name, other in tree.items() if name != key}
                yield from ({**tree, key: smaller} for smaller in _smaller(value))
        case list():
            if len(tree) > 3:
                yield tree[: len(tree) // 2]
                yield tree[len(tree) // 2 :]
            for at, value in enumerate(tree):
                yield [*tree[:at], *tree[at + 1 :]]
                yield from ([*tree[:at], smaller, *tree[at + 1 :]] for smaller in _smaller(value))
        case str() if len(tree) > 1:
            yield tree[: len(tree) // 2]
            yield tree[:-1]
        case _:
            return


def keep(target: Target, data: bytes) -> Path:
    """Save an input beside the others that were found; the tests run them from then on."""
    folder = FOUND / target.name
    folder.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(path.stem) for path in folder.iterdir() if path.stem.isdigit()), default=0)
    path = folder / f"{number:03}.{'bin' if target.shape is Shape.BYTES or not _is_text(data) else 'json'}"
    path.write_bytes(data)
    return path


def _is_text(data: bytes) -> bool:
    try:
        return data.decode().isprintable()
    except UnicodeDecodeError:
        return False
