"""Order books as the venue prints them, over REST and in socket messages.

Bids ascend and asks descend, so the best level is the last one of each array, as on the venue.
"""

import hashlib
from functools import lru_cache
from typing import Any

import msgspec

from paper_exchange.server.numbers import PRICE_PLACES, decimal_text, micros_text, price_text
from paper_exchange.types import PRICE_ONE, Level, PaperMarket, Snapshot

View = dict[str, Any]
_HALF_PLACES = PRICE_PLACES + 1
_REMEMBERED = 65_536


@lru_cache(maxsize=_REMEMBERED)
def _level_view(level: Level) -> dict[str, str]:
    """One level; shared between books, because most levels outlive a hundred prints, and therefore never changed."""
    return {"price": price_text(level.price), "size": micros_text(level.size)}


def levels_view(levels: tuple[Level, ...]) -> list[dict[str, str]]:
    """Levels given best first, printed best last."""
    return [_level_view(level) for level in reversed(levels)]


def book_view(market: PaperMarket, snapshot: Snapshot, *, tick_size: int, last_trade_price: str) -> View:
    """A whole book; `hash` is the SHA-1 of its compact JSON with an empty hash, in the venue's key order."""
    view: View = {
        "market": market.condition_id,
        "asset_id": market.tokens[snapshot.outcome],
        "timestamp": str(snapshot.venue_ms),
        "hash": "",
        "bids": levels_view(snapshot.bids),
        "asks": levels_view(snapshot.asks),
        "min_order_size": micros_text(market.min_order_size),
        "tick_size": price_text(tick_size),
        "neg_risk": market.neg_risk,
        "last_trade_price": last_trade_price,
    }
    view["hash"] = hashlib.sha1(msgspec.json.encode(view), usedforsecurity=False).hexdigest()
    return view


def best_bid_text(snapshot: Snapshot) -> str:
    """The best bid, `0` when nobody bids."""
    return price_text(snapshot.bids[0].price if snapshot.bids else 0)


def best_ask_text(snapshot: Snapshot) -> str:
    """The best ask, `1` when nobody asks."""
    return price_text(snapshot.asks[0].price if snapshot.asks else PRICE_ONE)


def is_two_sided(snapshot: Snapshot) -> bool:
    """Whether both sides hold a level: midpoint and spread exist only then."""
    return bool(snapshot.bids and snapshot.asks)


def midpoint_text(snapshot: Snapshot) -> str:
    """Half way between the best levels of a two-sided book."""
    return decimal_text((snapshot.bids[0].price + snapshot.asks[0].price) * 5, _HALF_PLACES)


def spread_text(snapshot: Snapshot) -> str:
    """Best ask minus best bid of a two-sided book; negative when crossed."""
    return price_text(snapshot.asks[0].price - snapshot.bids[0].price)


def side_price_text(snapshot: Snapshot, side: str) -> str:
    """What GET /price answers: the best bid for BUY, the best ask for SELL, `0` when that side is empty."""
    levels = snapshot.bids if side == "BUY" else snapshot.asks
    return price_text(levels[0].price if levels else 0)


def level_changes(previous: Snapshot, current: Snapshot) -> list[tuple[str, int, int]]:
    """Side, price and new total size of every level which differs; size 0 removes it. Bids first, each side by price."""
    changes: list[tuple[str, int, int]] = []
    for side, before, after in (("BUY", previous.bids, current.bids), ("SELL", previous.asks, current.asks)):
        old = {level.price: level.size for level in before}
        new = {level.price: level.size for level in after}
        prices = sorted(old.keys() | new.keys())
        changes.extend((side, price, new.get(price, 0)) for price in prices if old.get(price, 0) != new.get(price, 0))
    return changes


def price_change_entries(token: str, previous: Snapshot, current: Snapshot, *, book_hash: str) -> list[View]:
    """One entry a changed level for a `price_change` message."""
    best_bid, best_ask = best_bid_text(current), best_ask_text(current)
    return [
        {
            "asset_id": token,
            "price": price_text(price),
            "size": micros_text(size),
            "side": side,
            "hash": book_hash,
            "best_bid": best_bid,
            "best_ask": best_ask,
        }
        for side, price, size in level_changes(previous, current)
    ]
