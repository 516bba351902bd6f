"""Markets as the CLOB prints them: the long form, the simplified form and the terse `/clob-markets` form.

Gamma prints the same markets differently; see `gamma_views.py`.
"""

from datetime import UTC, datetime
from typing import Any

from paper_exchange.server.numbers import MICRO_PLACES, PRICE_PLACES, json_number
from paper_exchange.types import MICRO, PaperMarket, Snapshot

LEGACY_BASE_FEE_BPS = 1000
View = dict[str, Any]


def iso_time(venue_ms: int) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(venue_ms / 1000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def mid_price(snapshot: Snapshot | None) -> int | float:
    """A display price for one outcome: the midpoint, or the only side there is, or zero."""
    if snapshot is None or not (snapshot.bids or snapshot.asks):
        return 0
    bid = snapshot.bids[0].price if snapshot.bids else snapshot.asks[0].price
    ask = snapshot.asks[0].price if snapshot.asks else snapshot.bids[0].price
    return json_number((bid + ask) * 5, PRICE_PLACES + 1)


def token_views(market: PaperMarket, books: tuple[Snapshot | None, Snapshot | None], *, resolved: bool) -> list[View]:
    """Both tokens with label, price and, once the market paid out, the winner."""
    payout = market.payout if resolved else None
    return [
        {
            "token_id": market.tokens[index],
            "outcome": market.outcomes[index],
            "price": mid_price(books[index]) if payout is None else json_number(payout[index], MICRO_PLACES),
            "winner": payout is not None and payout[index] == MICRO,
        }
        for index in (0, 1)
    ]


def simplified_view(market: PaperMarket, books: tuple[Snapshot | None, Snapshot | None], *, accepting: bool, resolved: bool) -> View:
    """What /simplified-markets and /sampling-simplified-markets list."""
    return {
        "condition_id": market.condition_id,
        "rewards": {"rates": None, "min_size": 0, "max_spread": 0},
        "tokens": token_views(market, books, resolved=resolved),
        "active": True,
        "closed": resolved,
        "archived": False,
        "accepting_orders": accepting,
    }


def market_view(
    market: PaperMarket, books: tuple[Snapshot | None, Snapshot | None], *, tick_size: int, accepting: bool, resolved: bool
) -> View:
    """The long form: /markets and /markets/{condition_id}."""
    return simplified_view(market, books, accepting=accepting, resolved=resolved) | {
        "enable_order_book": not resolved,
        "accepting_order_timestamp": iso_time(market.start_ms),
        "minimum_order_size": json_number(market.min_order_size, MICRO_PLACES),
        "minimum_tick_size": json_number(tick_size, PRICE_PLACES),
        "question_id": market.condition_id,
        "question": market.question,
        "description": market.question,
        "market_slug": market.slug,
        "end_date_iso": iso_time(market.end_ms),
        "game_start_time": None,
        "seconds_delay": market.taker_delay_ms // 1000,
        "fpmm": "",
        "maker_base_fee": LEGACY_BASE_FEE_BPS if market.fee_rate_micros else 0,
        "taker_base_fee": LEGACY_BASE_FEE_BPS if market.fee_rate_micros else 0,
        "notifications_enabled": False,
        "neg_risk": market.neg_risk,
        "neg_risk_market_id": market.condition_id if market.neg_risk else "",
        "neg_risk_request_id": "",
        "icon": "",
        "image": "",
        "is_50_50_outcome": resolved and market.payout is not None and market.payout[0] == market.payout[1],
        "tags": [market.category],
    }


def clob_market_view(market: PaperMarket, *, tick_size: int, accepting: bool) -> View:
    """The terse form which both official clients trade by; `fd` is absent when the market charges nothing."""
    base_fee = LEGACY_BASE_FEE_BPS if market.fee_rate_micros else 0
    view: View = {
        "c": market.condition_id,
        "t": [{"t": token, "o": label} for token, label in zip(market.tokens, market.outcomes, strict=True)],
        "mts": json_number(tick_size, PRICE_PLACES),
        "mos": json_number(market.min_order_size, MICRO_PLACES),
        "nr": market.neg_risk,
        "ao": accepting,
        "aot": iso_time(market.start_ms),
        "itode": market.taker_delay_ms > 0,
        "mbf": base_fee,
        "tbf": base_fee,
        "gst": None,
        "cbos": False,
        "rfqe": False,
    }
    if market.fee_rate_micros:
        view["fd"] = {"r": json_number(market.fee_rate_micros, MICRO_PLACES), "e": market.fee_exponent, "to": True}
    return view
