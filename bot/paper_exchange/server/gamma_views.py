"""Markets and events as Gamma prints them, with its quirks: JSON arrays inside strings, volumes as strings beside numbers.

Called by the Gamma handlers only; prices shown here are display prices.
"""

import json
from typing import Any

from paper_exchange.server.market_views import LEGACY_BASE_FEE_BPS, iso_time, mid_price
from paper_exchange.server.numbers import MICRO_PLACES, PRICE_PLACES, json_number, micros_text
from paper_exchange.types import PRICE_ONE, PaperMarket, Snapshot

View = dict[str, Any]
Books = tuple[Snapshot | None, Snapshot | None]
FIRST_MARKET_ID = 500_000
FIRST_EVENT_ID = 90_000


def _outcome_prices(market: PaperMarket, books: Books, *, resolved: bool) -> list[str]:
    if resolved and market.payout is not None:
        return [micros_text(amount) for amount in market.payout]
    return [str(mid_price(book)) for book in books]


def _price_fields(book: Snapshot | None) -> View:
    bid = book.bids[0].price if book is not None and book.bids else 0
    ask = book.asks[0].price if book is not None and book.asks else PRICE_ONE
    return {
        "bestBid": json_number(bid, PRICE_PLACES),
        "bestAsk": json_number(ask, PRICE_PLACES),
        "spread": json_number(max(0, ask - bid), PRICE_PLACES),
        "lastTradePrice": mid_price(book),
    }


def _fee_fields(market: PaperMarket) -> View:
    if not market.fee_rate_micros:
        return {"feesEnabled": False, "feeType": None, "feeSchedule": None, "makerBaseFee": 0, "takerBaseFee": 0}
    rate = json_number(market.fee_rate_micros, MICRO_PLACES)
    return {
        "feesEnabled": True,
        "feeType": f"{market.category}_fees_v2",
        "feeSchedule": {"exponent": market.fee_exponent, "rate": rate, "takerOnly": True, "rebateRate": 0.2},
        "makerBaseFee": LEGACY_BASE_FEE_BPS,
        "takerBaseFee": LEGACY_BASE_FEE_BPS,
    }


def _size_fields(market: PaperMarket) -> View:
    return {
        "volume": micros_text(market.volume_24h),
        "volumeNum": json_number(market.volume_24h, MICRO_PLACES),
        "volume24hr": json_number(market.volume_24h, MICRO_PLACES),
        "liquidity": micros_text(market.liquidity),
        "liquidityNum": json_number(market.liquidity, MICRO_PLACES),
    }


def gamma_market_view(market: PaperMarket, books: Books, *, index: int, tick_size: int, accepting: bool, resolved: bool) -> View:
    """One market; `index` is its position in the listing and gives it a stable id."""
    return {
        "id": str(FIRST_MARKET_ID + index),
        "version": market.version,
        "question": market.question,
        "conditionId": market.condition_id,
        "questionID": market.condition_id,
        "slug": market.slug,
        "description": market.question,
        "category": market.category,
        "groupItemTitle": "",
        "startDate": iso_time(market.start_ms),
        "endDate": iso_time(market.end_ms),
        "outcomes": json.dumps(market.outcomes),
        "outcomePrices": json.dumps(_outcome_prices(market, books, resolved=resolved)),
        "clobTokenIds": json.dumps(market.tokens),
        "active": True,
        "closed": resolved,
        "archived": False,
        "restricted": True,
        "enableOrderBook": True,
        "acceptingOrders": accepting,
        "negRisk": market.neg_risk,
        "umaResolutionStatus": "resolved" if resolved else "",
        "orderMinSize": json_number(market.min_order_size, MICRO_PLACES),
        "orderPriceMinTickSize": json_number(tick_size, PRICE_PLACES),
        "secondsDelay": -(-market.taker_delay_ms // 1000),
        "events": [event_reference(market, index=index)],
    } | {**_size_fields(market), **_fee_fields(market), **_price_fields(books[0])}


def event_reference(market: PaperMarket, *, index: int) -> View:
    """The short event which a market carries; each market of this exchange has an event of its own."""
    return {
        "id": str(FIRST_EVENT_ID + index),
        "slug": market.slug,
        "title": market.question,
        "negRiskAugmented": False,
    }


def gamma_event_view(market: PaperMarket, market_view: View, *, index: int) -> View:
    """One event with its market nested; nested markets lack the order limits, as on the venue."""
    hidden = ("events", "orderMinSize", "orderPriceMinTickSize")
    return event_reference(market, index=index) | {
        "ticker": market.slug,
        "description": market.question,
        "startDate": market_view["startDate"],
        "endDate": market_view["endDate"],
        "active": True,
        "closed": market_view["closed"],
        "archived": False,
        "enableOrderBook": True,
        "negRisk": market.neg_risk,
        "liquidity": market_view["liquidityNum"],
        "volume": market_view["volumeNum"],
        "volume24hr": market_view["volume24hr"],
        "markets": [{name: value for name, value in market_view.items() if name not in hidden}],
    }
