"""The CLOB's private reads: balances, orders, trades, rate-limit tier, heartbeat.

Truth after a restart: a bot rebuilds its position from these.
"""

import uuid
from typing import Any

from aiohttp import web

from paper_exchange.ledger import UNLIMITED
from paper_exchange.server.account_views import order_view, trade_view
from paper_exchange.server.credentials import ApiKey
from paper_exchange.server.eip712 import EXCHANGE, NEG_RISK_EXCHANGE
from paper_exchange.server.errors import bad_request, not_found
from paper_exchange.server.requests import caller, integer, json_body, page, reply, required, venue_of
from paper_exchange.server.venue import Venue
from paper_exchange.types import OrderRecord, OrderStatus, Trade

_SPENDERS = (EXCHANGE, NEG_RISK_EXCHANGE)
_OPEN = (OrderStatus.LIVE, OrderStatus.DELAYED)
_MILLISECONDS = 1000
routes = web.RouteTableDef()


@routes.get("/balance-allowance")
async def balance_allowance(request: web.Request) -> web.Response:
    """Usable balance and allowances in millionths, of dollars or of one token."""
    return reply(await _balance(request))


@routes.get("/balance-allowance/update")
async def update_balance_allowance(request: web.Request) -> web.Response:
    """Refresh the venue's view of the wallet; this exchange has no cache, so it only answers."""
    await _balance(request)
    return reply("")


async def _balance(request: web.Request) -> dict[str, Any]:
    key, venue = await caller(request), venue_of(request)
    signature_type = integer(request, "signature_type", default=0)
    wallet = venue.wallets.wallet_of(key.address, signature_type)
    venue.fund(wallet)
    account = venue.exchange.account(wallet)
    asset_type = required(request, "asset_type")
    if asset_type == "COLLATERAL":
        balance, allowance = account.dollars, account.allowance
    elif asset_type == "CONDITIONAL":
        token = required(request, "token_id")
        venue.market_of_token(token)
        balance, allowance = account.shares.get(token, 0), UNLIMITED
    else:
        raise bad_request("Invalid asset_type")
    return {"balance": str(balance), "allowances": {spender: str(allowance) for spender in _SPENDERS}}


def _own_order(venue: Venue, key: ApiKey, order_hash: str) -> OrderRecord | None:
    record = venue.exchange.order(order_hash)
    if record is None or record.request.maker not in venue.wallets.all_of(key.address):
        return None
    return record


@routes.get("/data/order/{order_hash}")
async def order(request: web.Request) -> web.Response:
    """One order by its hash, open or not. 404 when the venue never accepted it or it belongs to somebody else."""
    key, venue = await caller(request), venue_of(request)
    record = _own_order(venue, key, request.match_info["order_hash"].lower())
    if record is None:
        raise not_found("order not found")
    return reply(_order(venue, record))


def _order(venue: Venue, record: OrderRecord) -> dict[str, Any]:
    owner = venue.owner_key(record.request.order_hash)
    return order_view(record, venue.market(record.condition_id), owner=owner)


@routes.get("/data/orders")
async def open_orders(request: web.Request) -> web.Response:
    """Open orders in pages: with fill-or-kill orders only, these are the delayed ones."""
    key, venue = await caller(request), venue_of(request)
    records = (_own_order(venue, key, order_hash) for order_hash in venue.order_owner)
    shown = [record for record in records if record is not None and record.status in _OPEN and _asked(request, record)]
    return reply(page(request, shown, lambda record: _order(venue, record)))


def _asked(request: web.Request, record: OrderRecord) -> bool:
    filters = {"id": record.request.order_hash, "market": record.condition_id, "asset_id": record.request.token}
    return all(request.query.get(name, value) in ("", value) for name, value in filters.items())


@routes.get("/data/trades")
async def trades(request: web.Request) -> web.Response:
    """The caller's trades, newest first, in pages; `after` and `before` are Unix seconds of the match."""
    key, venue = await caller(request), venue_of(request)
    after = integer(request, "after", default=0) * _MILLISECONDS
    before = integer(request, "before", default=10**12) * _MILLISECONDS
    wallets = venue.wallets.all_of(key.address)
    if (maker := request.query.get("maker_address", "").lower()) and maker in wallets:
        wallets = {maker}
    found = [trade for wallet in sorted(wallets) for trade in venue.exchange.trades(wallet)]
    shown = [trade for trade in found if after <= trade.match_ms <= before and _asked_trade(request, trade)]
    shown.sort(key=lambda trade: (-trade.match_ms, trade.trade_id))
    return reply(page(request, shown, lambda trade: _trade(venue, trade)))


def _asked_trade(request: web.Request, trade: Trade) -> bool:
    filters = {"id": trade.trade_id, "market": trade.condition_id, "asset_id": trade.token}
    return all(request.query.get(name, value) in ("", value) for name, value in filters.items())


def _trade(venue: Venue, trade: Trade) -> dict[str, Any]:
    return trade_view(trade, venue.market(trade.condition_id), owner=venue.owner_key(trade.order_hash))


@routes.get("/v1/user/rate-limit-tier")
async def rate_limit_tier(request: web.Request) -> web.Response:
    """The caller's tier: orders per second and burst."""
    await caller(request)
    tier = venue_of(request).settings.tier
    return reply({"tier": tier.name, "rate": tier.rate_per_s, "burst": tier.burst})


@routes.post("/v1/heartbeats")
async def heartbeat(request: web.Request) -> web.Response:
    """Acknowledge a heartbeat with the id to send next; there are no resting orders to cancel."""
    key, body = await caller(request), await json_body(request)
    if not isinstance(body, dict) or not isinstance(body.get("heartbeat_id", ""), str):
        raise bad_request("Invalid payload")
    following = uuid.uuid5(uuid.NAMESPACE_OID, f"{key.key}|{body.get('heartbeat_id', '')}|{venue_of(request).now_ms()}")
    return reply({"heartbeat_id": str(following)})


@routes.get("/notifications")
async def notifications(request: web.Request) -> web.Response:
    """Nothing: this exchange notifies over the user channel only."""
    await caller(request)
    return reply([])
