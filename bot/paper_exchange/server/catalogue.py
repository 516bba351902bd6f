"""A catalogue as large as the venue's: tens of thousands of markets that can be listed, made up from their number.

Whoever searches the venue must be measured against as many entries as it has, with all its odd ones among them. Each entry is made when its
page is asked for, so that a catalogue costs nothing until it is read. `gamma.py` lists them behind the exchange's own markets; they have no
books and nobody can trade them.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from paper_exchange.server.gamma_views import gamma_market_view
from paper_exchange.types import MICRO, PaperMarket

View = dict[str, Any]
FIRST_INDEX = 100_000
"""Beyond the positions of the exchange's own markets, so that no two listed ids are the same."""
MISSING = object()
_MARKETS_AN_EVENT = 4
_HOUR_MS = 3_600_000
_CATEGORIES = ("sports", "politics", "crypto", "finance", "culture", "weather", "economics", "mentions", "geopolitics")
_FEES = {"sports": 50_000, "crypto": 70_000, "geopolitics": 0}
_USUAL_FEE = 40_000
_LABELS = (("Yes", "No"), ("Yes", "No"), ("Over", "Under"), ("Yes", "No"), ("Up", "Down"), ("Kickers", "Rovers"))
_RULES = (
    "This market resolves to the first outcome if the event takes place as described before the end date, and otherwise to the second. "
    "The source is the official announcement; a consensus of credible reporting will also be used. "
)
_SHARE = 64
"""One entry in so many has each of the quirks."""


def _hexadecimal_tokens(market: PaperMarket) -> View:
    return {"clobTokenIds": json.dumps([hex(int(token)) for token in market.tokens])}


def _second_version(market: PaperMarket) -> View:
    return {"version": "v2", "positionIds": list(market.tokens), "clobTokenIds": None}


_QUIRKS: Mapping[int, Callable[[PaperMarket], View]] = dict(
    enumerate(
        (
            _hexadecimal_tokens,
            _second_version,
            lambda market: {"clobTokenIds": list(market.tokens), "outcomes": list(market.outcomes)},
            lambda market: {"clobTokenIds": "[]"},
            lambda market: {"clobTokenIds": MISSING, "outcomes": MISSING},
            lambda market: {"outcomes": json.dumps(["First", "Second", "Third"])},
            lambda market: {"closed": True, "acceptingOrders": False},
            lambda market: {"archived": True},
            lambda market: {"active": False},
            lambda market: {"enableOrderBook": False},
            lambda market: {"acceptingOrders": False},
            lambda market: {"umaResolutionStatus": "proposed"},
            lambda market: {"negRisk": True, "negRiskOther": True},
            lambda market: {"secondsDelay": 3},
            lambda market: {"secondsDelay": "1"},
            lambda market: {"endDate": MISSING},
            lambda market: {"endDate": "2025-11-04T00:00:00Z"},
            lambda market: {"endDate": market.slug},
            lambda market: {"volume24hr": MISSING, "volumeNum": MISSING, "liquidityNum": None},
            lambda market: {"volume24hr": str(market.volume_24h // MICRO)},
            lambda market: {"version": None, "active": None, "closed": None, "archived": None, "acceptingOrders": None},
            lambda market: {"orderMinSize": MISSING, "orderPriceMinTickSize": MISSING, "secondsDelay": None},
            lambda market: {"orderMinSize": "5", "orderPriceMinTickSize": 1e-3},
            lambda market: {"feesEnabled": True, "feeSchedule": None},
            lambda market: {"feeSchedule": {"rate": "0.04", "exponent": 2.0}},
            lambda market: {"events": None, "question": None},
            lambda market: {"conditionId": ""},
        )
    )
)
"""By the remainder of an entry's position: what it has in place of the usual fields."""


class Catalogue:
    """`size` markets, the most traded first; the first one traded for `most_traded` (millionths of a dollar), each other one for less."""

    def __init__(self, size: int, *, start_ms: int, most_traded: int) -> None:
        self._size = size
        self._start_ms = start_ms
        self._most_traded = most_traded

    def __len__(self) -> int:
        return self._size

    def entries(self, first: int, last: int) -> list[View]:
        """The entries from position `first` up to but not including `last`, as far as there are any."""
        return [self._entry(number) for number in range(max(first, 0), min(last, self._size))]

    def named(self, condition_ids: Collection[str]) -> list[View]:
        """Those entries of this catalogue that have one of these ids."""
        numbers = sorted({number for wanted in condition_ids if (number := _number_of(wanted)) < self._size})
        return [entry for number in numbers if (entry := self._entry(number))["conditionId"] in condition_ids]

    def _entry(self, number: int) -> View:
        market = self._market(number)
        view = gamma_market_view(
            market, (None, None), index=FIRST_INDEX + number, tick_size=market.tick_size, accepting=True, resolved=False
        )
        view |= _words(market, number)
        quirk = _QUIRKS.get(number % _SHARE)
        if quirk is not None:
            view |= quirk(market)
            view = {name: value for name, value in view.items() if value is not MISSING}
        return view

    def _market(self, number: int) -> PaperMarket:
        digest = hashlib.sha256(f"catalogue|{number}".encode()).digest()
        category = _CATEGORIES[number % len(_CATEGORIES)]
        volume = self._most_traded * 100 // (number + 101)
        return PaperMarket(
            condition_id=f"0x{digest[:28].hex()}{number:08x}",
            slug=f"{category}-event-{number // _MARKETS_AN_EVENT}-candidate-{number}",
            question=f"Will candidate {number} win event {number // _MARKETS_AN_EVENT}?",
            outcomes=_LABELS[number % len(_LABELS)],
            tokens=(str(int.from_bytes(digest)), str(int.from_bytes(digest[::-1]))),
            start_ms=self._start_ms,
            end_ms=self._start_ms + _HOUR_MS * (1 + digest[0] * 4),
            payout=None,
            origin="synthetic",
            category=category,
            tick_size=(100, 10, 1, 50)[number % 4],
            fee_rate_micros=_FEES.get(category, _USUAL_FEE),
            neg_risk=number % 3 == 0,
            volume_24h=volume,
            liquidity=volume // 3,
        )


class Listed:
    """The exchange's own markets, then those of a catalogue, as one sequence of which only slices are ever made."""

    def __init__(self, own: list[View], catalogue: Catalogue) -> None:
        self._own = own
        self._catalogue = catalogue

    def __len__(self) -> int:
        return len(self._own) + len(self._catalogue)

    def __getitem__(self, part: slice) -> list[View]:
        first, last, _ = part.indices(len(self))
        return self._own[first:last] + self._catalogue.entries(first - len(self._own), last - len(self._own))


def _words(market: PaperMarket, number: int) -> View:
    """The texts and pictures that make up most of an entry, and that no bot reads."""
    event = number // _MARKETS_AN_EVENT
    picture = f"https://polymarket-upload.s3.us-east-2.amazonaws.com/{market.slug}.png"
    return {
        "description": f"{market.question} {_RULES * 10}",
        "image": picture,
        "icon": picture,
        "resolutionSource": "https://www.example.org/announcements",
        "groupItemTitle": f"Candidate {number}",
        "questionID": market.condition_id[::-1],
        "submitted_by": "0x91430CaD2d3975766499717fA0D66A78D814E5c5",
        "events": [
            {
                "id": str(event),
                "slug": f"{market.category}-event-{event}",
                "title": f"Who wins event {event}?",
                "description": f"Event {event}. {_RULES * 7}",
                "image": picture,
                "negRiskAugmented": number % 8 == 0,
                "volume": market.volume_24h / MICRO,
                "tags": [{"id": "1", "label": market.category, "slug": market.category}],
            }
        ],
    }


def _number_of(condition_id: str) -> int:
    """The position its id was made from; beyond every catalogue when it cannot be one."""
    try:
        return int(condition_id[-8:], 16)
    except ValueError:
        return 1 << 32
