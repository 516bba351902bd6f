"""Books a fault is acted out on: calm ones, and true dislocations in which a pair really costs 92 cents.

Every half second a level far from the best changes, so both books stay young and the best prices stand still. The venue's law is kept: NO
mirrors YES to the share, so a cheap pair is a crossed book that both outcomes show. Two scripts break that law on purpose.
"""

from collections.abc import Sequence
from typing import Any

from tests.support.paper import Scene, ScriptedBooks

PULSE_MS = 500
CALM_BIDS = [("0.47", 400)]
CALM_ASKS = [("0.50", 400)]
CROSSED_BIDS = [("0.58", 400)]
"""With asks at 0.50: YES costs 0.50 and NO 0.42."""


def scenes(*, from_s: float, until_s: float, bids: Sequence[tuple[str, float]], asks: Sequence[tuple[str, float]]) -> list[Scene]:
    """The same best prices from one second to another, with a pulse far behind them."""
    moments = range(round(from_s * 1000), round(until_s * 1000), PULSE_MS)
    return [(at_ms, [*bids, ("0.30", 100 + at_ms // PULSE_MS % 7)], [*asks, ("0.70", 100 + at_ms // PULSE_MS % 5)]) for at_ms in moments]


def calm(*, from_s: float = 0, until_s: float = 1200) -> list[Scene]:
    """A pair costs 1.03."""
    return scenes(from_s=from_s, until_s=until_s, bids=CALM_BIDS, asks=CALM_ASKS)


def cheap(*, from_s: float = 0, until_s: float = 1200) -> list[Scene]:
    """A pair costs 0.92, and all of it can be bought."""
    return scenes(from_s=from_s, until_s=until_s, bids=CROSSED_BIDS, asks=CALM_ASKS)


def always_cheap(**fields: Any) -> ScriptedBooks:
    """Cheap from the first moment on."""
    return ScriptedBooks(cheap(), **fields)


def cheap_after(calm_s: float, **fields: Any) -> ScriptedBooks:
    """Calm at first, then cheap for good."""
    return ScriptedBooks([*calm(until_s=calm_s), *cheap(from_s=calm_s)], **fields)


def cheap_until(cheap_s: float, **fields: Any) -> ScriptedBooks:
    """Cheap at first, then calm for good."""
    return ScriptedBooks([*cheap(until_s=cheap_s), *calm(from_s=cheap_s)], **fields)


def moving(*, until_s: float = 1200) -> ScriptedBooks:
    """Never cheap, but the best prices of both outcomes jump four times a second: every half-applied view would look like an edge."""
    made = []
    for step in range(round(until_s * 4)):
        cents = 40 + step * 7 % 21
        made.append((step * 250, [(f"0.{cents - 3}", 300 + step % 5)], [(f"0.{cents}", 300 + step % 3)]))
    return ScriptedBooks(made)
