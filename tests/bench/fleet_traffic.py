"""What a fleet is measured on: its markets as catalogue and exchange describe them, and the frames that their books and changes come in.

`fleet_server.py` sends these, `fleet_process.py` receives them and must know how many to expect; `fleet.py` starts both. The market is told
by its tokens, which a subscription names; both tokens of a market are subscribed in one frame.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kabobagool.domain.money import PRICE_ONE, format_micros, format_price
from tests.bench.frame_server import STAMP_ORIGIN, STAMPS
from tests.bench.worlds import book_message, ladder, mirror, printed

LEVELS: Final = 40
"""Levels of each book, half of them on each side."""
PACED, PACED_PER_S = 6_000, 2_000
FLOOD: Final = 10_000
CROWDED, EVENTS_A_FRAME = 1_000, 20
"""The venue sends changes of several markets that happen together in one frame, as an array."""
FLOODS: Final = 3
LATER: Final = STAMP_ORIGIN + STAMPS
"""The stamp of frames nobody measures the age of; not before any that was sent at a pace."""
_TOKEN: Final = 10**70


def plan() -> list[tuple[str, int]]:
    """All traffic in its order: `paced`, `flood` (as fast as it is taken) or `crowded` (the same, many in a frame), and how many frames."""
    return [("paced", PACED), *([("flood", FLOOD), ("crowded", CROWDED)] * FLOODS)]


def tokens_of(number: int) -> tuple[str, str]:
    """YES and NO of a market; all tokens are of the same length."""
    return str(_TOKEN + number), str(2 * _TOKEN + number)


def number_of(token: str) -> int:
    """Which market a token belongs to."""
    return int(token) % _TOKEN


def condition_of(number: int) -> str:
    """A market's condition id."""
    return f"0x{number:064x}"


def catalogue_entry(number: int) -> dict[str, Any]:
    """A market as the catalogue lists it, those with small numbers traded most."""
    return {
        "conditionId": condition_of(number),
        "slug": f"market-{number}",
        "question": f"Will number {number} happen?",
        "endDate": (datetime.now(UTC) + timedelta(days=7)).isoformat(),
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": json.dumps(tokens_of(number)),
        "feeSchedule": {"rate": 0.04, "exponent": 1},
        "volume24hr": 1_000_000 - number,
    }


def exchange_entry(number: int) -> dict[str, Any]:
    """The same market in the exchange's own words."""
    return {
        "c": condition_of(number),
        "t": [{"t": token, "o": label} for token, label in zip(tokens_of(number), ("Yes", "No"), strict=True)],
        "mts": 0.001,
        "mos": 5,
        "ao": True,
        "fd": {"r": 0.04, "e": 1, "to": True},
    }


def books(numbers: Sequence[int]) -> bytes:
    """Both books of these markets, as the venue dumps them on subscribing."""
    book = ladder(LEVELS)
    yes_and_no = (book, mirror(book))
    return printed([book_message(token, side) for number in numbers for token, side in zip(tokens_of(number), yes_and_no, strict=True)])


def change(number: int, variant: int, *, stamp: int = LATER) -> bytes:
    """A change of one bid of YES below the best, and its image in NO."""
    yes, no = tokens_of(number)
    price, size = ladder(LEVELS)[0][1 + variant % (LEVELS // 2 - 1)][0], (variant * 17 % 64 + 5) * 1_250_000
    changes = [
        _change(yes, "BUY", price, size, ("0.5", "0.51")),
        _change(no, "SELL", PRICE_ONE - price, size, ("0.49", "0.5")),
    ]
    return printed({"market": condition_of(number), "price_changes": changes, "timestamp": str(stamp), "event_type": "price_change"})


def flood_frames(numbers: Sequence[int], count: int) -> list[bytes]:
    """Changes of these markets in turn, one in each frame."""
    return [change(numbers[at % len(numbers)], at // len(numbers)) for at in range(count)]


def crowded_frames(numbers: Sequence[int], count: int) -> list[bytes]:
    """Changes of these markets in turn, so many in each frame that a frame is never about the same market twice."""
    single = flood_frames(numbers, count * EVENTS_A_FRAME)
    starts = range(0, len(single), EVENTS_A_FRAME)
    return [b"[" + b",".join(single[start : start + EVENTS_A_FRAME]) + b"]" for start in starts]


def share(total: int, parts: int) -> Iterator[int]:
    """The total in almost equal parts."""
    for part in range(parts):
        yield total * (part + 1) // parts - total * part // parts


def _change(token: str, side: str, price: int, size: int, best: tuple[str, str]) -> dict[str, str]:
    return {
        "asset_id": token,
        "price": format_price(price),
        "size": format_micros(size),
        "side": side,
        "hash": "56621a121a47ed9333273e21c83b660cff37ae50",
        "best_bid": best[0],
        "best_ask": best[1],
    }
