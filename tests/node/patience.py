"""Waiting for a cluster: look until something holds, and say what was seen last when it never does."""

import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

LOOK_S = 0.5
PATIENCE_S = 240.0
Seen = TypeVar("Seen")


class NeverError(AssertionError):
    """It did not come to be; the text has what was seen last."""


def until(what: str, look: Callable[[], Seen], holds: Callable[[Seen], bool] = bool, *, patience_s: float = PATIENCE_S) -> Seen:
    """What `look` saw when it held. A look that fails is one that saw nothing: servers come and go in these tests."""
    deadline, seen = time.monotonic() + patience_s, "nothing yet"
    while True:
        try:
            found = look()
            if holds(found):
                return found
            seen = repr(found)
        except (AssertionError, KeyError, ValueError, OSError, subprocess.TimeoutExpired) as error:
            seen = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise NeverError(f"never in {patience_s:.0f} s: {what}; seen last: {seen[:3000]}")
        time.sleep(LOOK_S)
