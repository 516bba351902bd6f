"""Entries and pages of a catalogue, in the shape and size of the venue's own, and replies as a transport would bring them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kabobagool.venue.transport import HttpReply, Params

NOW_MS = 1_795_305_600_123
HOUR_MS = 3_600_000
TOMORROW = "2026-11-23T12:00:00Z"
MISSING = object()
DOLLAR = 1_000_000


def condition_id(number: int) -> str:
    return f"0x{number:064x}"


def entry(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A market that qualifies; its fields can be replaced or, with MISSING, left out."""
    made: dict[str, Any] = {
        "id": str(500_000 + number),
        "question": f"Will number {number} happen?",
        "conditionId": condition_id(number),
        "slug": f"will-number-{number}-happen",
        "endDate": TOMORROW,
        "outcomes": '["Yes", "No"]',
        "outcomePrices": '["0.52", "0.48"]',
        "clobTokenIds": json.dumps([str(10**70 + number), str(2 * 10**70 + number)]),
        "active": True,
        "closed": False,
        "archived": False,
        "enableOrderBook": True,
        "acceptingOrders": True,
        "umaResolutionStatus": "",
        "negRisk": False,
        "version": "v1",
        "orderMinSize": 5,
        "orderPriceMinTickSize": 0.01,
        "secondsDelay": None,
        "feesEnabled": True,
        "feeType": "sports_fees_v2",
        "feeSchedule": {"rate": 0.03, "exponent": 1, "takerOnly": True, "rebateRate": 0.25},
        "volume": "101887.832649",
        "volumeNum": 101887.832649,
        "volume24hr": 5000.25,
        "liquidity": "9384.9344",
        "liquidityNum": 9384.9344,
        "events": [{"id": str(number), "slug": f"event-{number}", "negRiskAugmented": False}],
    }
    return {name: value for name, value in (made | fields).items() if value is not MISSING}


def page_body(entries: list[Any], cursor: str = "") -> bytes:
    page: dict[str, Any] = {"markets": entries} | ({"next_cursor": cursor} if cursor else {})
    return json.dumps(page).encode()


def page_reply(entries: list[Any], cursor: str = "", headers: Mapping[str, str] | None = None) -> HttpReply:
    return HttpReply(200, headers or {}, page_body(entries, cursor))


QUIRKS: dict[int, dict[str, Any]] = {3: {"umaResolutionStatus": "proposed"}, 5: {"endDate": "2028-11-05T00:00:00Z"}, 6: {"secondsDelay": 3}}


def large_entry(number: int, *, total: int) -> dict[str, Any]:
    """An entry as large as the venue's (5 to 6 KB), its volume falling with its number; one in seven resolves, ends late or is delayed."""
    quirk = QUIRKS.get(number % 7, {})
    filler: dict[str, Any] = {f"field{index}": f"value {index} of {number}" for index in range(40)}
    event = {"id": str(number), "description": "an event of many words " * 70, "negRiskAugmented": False, "tags": [{"label": "all"}] * 5}
    own = {"description": "a rule of many words " * 85, "volume24hr": round(2_000_000 / (number + 1), 6), "events": [event], "total": total}
    return entry(number, **(filler | own | quirk))


def large_pages(markets: int, *, page_size: int = 100) -> Iterator[bytes]:
    """The pages of a generated catalogue, one at a time."""
    for start in range(0, markets, page_size):
        last = start + page_size >= markets
        entries = [large_entry(number, total=markets) for number in range(start, min(start + page_size, markets))]
        yield page_body(entries, "" if last else f"after-{start + page_size}")


class ScriptedPages:
    """A transport that answers listings from bodies it is given, in order, and writes down what was asked."""

    def __init__(self, *replies: HttpReply) -> None:
        self._replies = list(replies)
        self.asked: list[dict[str, str]] = []

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        self.asked.append(dict(params))
        return self._replies[min(len(self.asked), len(self._replies)) - 1]

    async def close(self) -> None:
        """Nothing is open."""
