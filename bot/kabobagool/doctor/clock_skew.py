"""How far this machine's clock is from the venue's, out of answers that only say whole seconds.

Pure arithmetic for `venue_checks.py`. One answer bounds the offset to about a second; several, asked at different moments of a second,
bound it to a fraction of that, which is what telling 1 s from 0.5 s needs.
"""

from collections.abc import Sequence
from typing import NamedTuple

RESOLUTION_MS = 1_000


class Sample(NamedTuple):
    """One look at the venue's clock: our time before asking and after the answer, and what it said. Epoch milliseconds."""

    asked_ms: int
    answered_ms: int
    said_ms: int


def offset_ms(samples: Sequence[Sample]) -> int:
    """Milliseconds our clock is ahead of the venue's (negative: behind), as exact as the samples allow. ValueError without any.

    When they contradict each other (a clock was set meanwhile) the last one alone decides.
    """
    bounds = [_bounds(sample) for sample in samples]
    if not bounds:
        raise ValueError("the offset of a clock needs at least one look at it")
    least, most = max(low for low, _ in bounds), min(high for _, high in bounds)
    if least > most:
        least, most = bounds[-1]
    return (least + most) // 2


def _bounds(sample: Sample) -> tuple[int, int]:
    """Least and greatest offset that explain a sample: the venue's clock stood somewhere in the second it named."""
    return sample.asked_ms - (sample.said_ms + RESOLUTION_MS - 1), sample.answered_ms - sample.said_ms
