"""Orders and trades as the venue prints them, over REST and on the user channel.

FOK and FAK orders only, so an account is always the taker; the other side is a nameless resting order.
"""

import hashlib
from typing import Any

from paper_exchange.server.eip712 import checksum_address
from paper_exchange.server.numbers import micros_text, price_text
from paper_exchange.types import PRICE_ONE, OrderChanged, OrderRecord, OrderStatus, PaperMarket, Side, Trade, TradeStatus

View = dict[str, Any]
NOBODY = "00000000-0000-0000-0000-000000000000"
HOUSE_ADDRESS = "0x" + "0" * 39 + "1"
_SETTLED = (TradeStatus.MINED, TradeStatus.CONFIRMED)


def limit_price(record: OrderRecord) -> int:
    """The worst price the order accepts, in 1/10,000 dollar, rounded to the nearest."""
    request = record.request
    is_buy = request.side is Side.BUY
    dollars, shares = (request.maker_amount, request.taker_amount) if is_buy else (request.taker_amount, request.maker_amount)
    return (dollars * PRICE_ONE + shares // 2) // shares if shares else 0


def matched_shares(record: OrderRecord) -> int:
    """Shares matched so far, in millionths."""
    return record.taking if record.request.side is Side.BUY else record.making


def order_view(record: OrderRecord, market: PaperMarket, *, owner: str) -> View:
    """An order as /data/order and /data/orders print it; `original_size` of a BUY is its dollar budget."""
    request = record.request
    return {
        "id": request.order_hash,
        "status": record.status.value,
        "owner": owner,
        "maker_address": checksum_address(request.maker),
        "market": market.condition_id,
        "asset_id": request.token,
        "side": request.side.value,
        "original_size": micros_text(request.maker_amount),
        "size_matched": micros_text(matched_shares(record)),
        "price": price_text(limit_price(record)),
        "outcome": market.outcomes[record.outcome],
        "associate_trades": [trade.trade_id for trade in record.trades],
        "created_at": record.received_ms // 1000,
        "expiration": "0",
        "order_type": request.order_type,
    }


def transaction_hash(trade: Trade) -> str:
    """The settlement's hash once it is mined, empty before and for failed trades."""
    if trade.status not in _SETTLED:
        return ""
    return trade.transaction_hash or "0x" + hashlib.sha256(trade.trade_id.encode()).hexdigest()


def _maker_order(trade: Trade, market: PaperMarket) -> View:
    order_id = hashlib.sha256(f"maker|{trade.trade_id}".encode()).hexdigest()
    return {
        "order_id": "0x" + order_id,
        "owner": NOBODY,
        "maker_address": HOUSE_ADDRESS,
        "matched_amount": micros_text(trade.shares),
        "price": price_text(trade.price),
        "fee_rate_bps": "0",
        "asset_id": trade.token,
        "outcome": market.outcomes[trade.outcome],
        "side": (Side.SELL if trade.side is Side.BUY else Side.BUY).value,
    }


def trade_view(trade: Trade, market: PaperMarket, *, owner: str, status: TradeStatus | None = None) -> View:
    """A trade as /data/trades prints it, seen by its taker."""
    return {
        "id": trade.trade_id,
        "taker_order_id": trade.order_hash,
        "market": market.condition_id,
        "asset_id": trade.token,
        "side": trade.side.value,
        "size": micros_text(trade.shares),
        "fee_rate_bps": "0",
        "price": price_text(trade.price),
        "status": (status or trade.status).value,
        "match_time": str(trade.match_ms // 1000),
        "last_update": str(max(trade.updated_ms, trade.match_ms) // 1000),
        "outcome": market.outcomes[trade.outcome],
        "bucket_index": trade.bucket_index,
        "owner": owner,
        "maker_address": checksum_address(trade.maker),
        "transaction_hash": transaction_hash(trade),
        "trader_side": "TAKER",
        "maker_orders": [_maker_order(trade, market)],
    }


def order_event_view(event: OrderChanged, market: PaperMarket, *, owner: str) -> View:
    """The user channel's `order` message; a kill carries its sentence in the status, as on the venue."""
    view = order_view(event.record, market, owner=owner)
    killed = event.kind == "CANCELLATION" and event.record.reason and event.record.status is OrderStatus.CANCELED
    status = f"CANCELED_{event.record.reason}" if killed else view["status"]
    return view | {
        "event_type": "order",
        "type": event.kind,
        "status": status,
        "order_owner": owner,
        "timestamp": str(event.venue_ms),
        "created_at": str(view["created_at"]),
    }


def trade_event_view(trade: Trade, market: PaperMarket, *, owner: str, status: TradeStatus, venue_ms: int) -> View:
    """The user channel's `trade` message at one settlement step."""
    return trade_view(trade, market, owner=owner, status=status) | {
        "event_type": "trade",
        "type": "TRADE",
        "trade_owner": owner,
        "timestamp": str(venue_ms),
    }


def filled_reply(record: OrderRecord) -> View:
    """The 200 reply to an order that matched: amounts as decimals, hashes empty because settlement comes later."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": record.request.order_hash,
        "status": "matched",
        "makingAmount": micros_text(record.making),
        "takingAmount": micros_text(record.taking),
        "tradeIDs": [trade.trade_id for trade in record.trades],
        "transactionsHashes": [],
    }


def delayed_reply(order_hash: str) -> View:
    """The 200 reply to an order which is held back: no amounts, no trades."""
    return {
        "success": True,
        "errorMsg": "",
        "orderID": order_hash,
        "status": "delayed",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }


def failed_entry(order_hash: str, error: str) -> View:
    """One refused or killed order among the results of POST /orders."""
    return {
        "success": True,
        "errorMsg": error,
        "orderID": order_hash,
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }
