"""Events of the core as messages of the market channel, in the venue's shapes and order.

`broadcast.py` sends them. What changed at one instant is one `price_change`, both tokens inside; `book` follows trades and first sights.
"""

from collections.abc import Callable
from typing import Any

from paper_exchange.server.book_views import best_ask_text, best_bid_text, is_two_sided, price_change_entries, spread_text
from paper_exchange.server.numbers import micros_text, price_text
from paper_exchange.types import BookUpdate, MarketResolved, PaperMarket, Snapshot, TickSizeChanged, Trade

Message = dict[str, Any]
BookPrinter = Callable[[Snapshot], Message]


def book_message(view: Message) -> Message:
    """A whole book."""
    return {"event_type": "book", **view}


def update_messages(update: BookUpdate, market: PaperMarket, print_book: BookPrinter) -> list[Message]:
    """A book update as whole books where there is nothing to compare with, as one `price_change` otherwise."""
    pairs = list(zip(update.previous, update.snapshots, strict=True))
    whole = [current for previous, current in pairs if update.full or previous is None]
    entries = [
        entry
        for previous, current in pairs
        if previous is not None and not update.full
        for entry in price_change_entries(market.tokens[current.outcome], previous, current, book_hash=print_book(current)["hash"])
    ]
    messages = [book_message(print_book(snapshot)) for snapshot in whole]
    if entries:
        stamp = str(update.venue_ms)
        messages.append({"market": market.condition_id, "price_changes": entries, "timestamp": stamp, "event_type": "price_change"})
    return messages


def best_bid_ask_messages(update: BookUpdate, market: PaperMarket) -> list[Message]:
    """One message for each outcome whose best bid or ask moved (custom features only)."""
    return [
        {
            "event_type": "best_bid_ask",
            "market": market.condition_id,
            "asset_id": market.tokens[current.outcome],
            "best_bid": best_bid_text(current),
            "best_ask": best_ask_text(current),
            "spread": spread_text(current) if is_two_sided(current) else "0",
            "timestamp": str(update.venue_ms),
        }
        for previous, current in zip(update.previous, update.snapshots, strict=True)
        if previous is None or _best(previous) != _best(current)
    ]


def _best(snapshot: Snapshot) -> tuple[str, str]:
    return best_bid_text(snapshot), best_ask_text(snapshot)


def last_trade_message(trade: Trade, market: PaperMarket, *, venue_ms: int) -> Message:
    """The public print of a trade."""
    return {
        "event_type": "last_trade_price",
        "market": market.condition_id,
        "asset_id": trade.token,
        "price": price_text(trade.price),
        "size": micros_text(trade.shares),
        "side": trade.side.value,
        "fee_rate_bps": "0",
        "transaction_hash": "",
        "timestamp": str(venue_ms),
    }


def tick_size_messages(event: TickSizeChanged, market: PaperMarket) -> list[Message]:
    """One message for each token."""
    return [
        {
            "event_type": "tick_size_change",
            "market": market.condition_id,
            "asset_id": token,
            "old_tick_size": price_text(event.old),
            "new_tick_size": price_text(event.new),
            "timestamp": str(event.venue_ms),
        }
        for token in market.tokens
    ]


def resolved_message(event: MarketResolved, market: PaperMarket) -> Message:
    """The resolution (custom features only); no winner when both outcomes pay the same."""
    payout = event.payout
    winner = None if payout[0] == payout[1] else int(payout[1] > payout[0])
    return {
        "event_type": "market_resolved",
        "id": market.slug,
        "market": market.condition_id,
        "assets_ids": list(market.tokens),
        "winning_asset_id": "" if winner is None else market.tokens[winner],
        "winning_outcome": "" if winner is None else market.outcomes[winner],
        "timestamp": str(event.venue_ms),
    }
