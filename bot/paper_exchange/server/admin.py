"""What the real venue would never tell: true ledgers, orders, counters and faults, and the levers of a rehearsal.

For tests, demos and people; a bot must not need it. Amounts are integers in millionths.
"""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from paper_exchange.faults import Fault, FaultError
from paper_exchange.ledger import UNLIMITED, LedgerError
from paper_exchange.server.account_views import trade_view
from paper_exchange.server.broadcast import print_book
from paper_exchange.server.errors import bad_request
from paper_exchange.server.requests import driver_of, json_body, reply, venue_of
from paper_exchange.server.venue import Venue
from paper_exchange.types import OrderRecord, PaperMarket, Side

_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_MAX_AMOUNT = 10**18
View = dict[str, Any]
routes = web.RouteTableDef()


def clock_view(venue: Venue) -> View:
    """Venue time, speed and start."""
    clock = venue.clock
    return {"now_ms": clock.now_ms(), "start_ms": clock.start_ms, "speed": clock.speed}


def market_position(venue: Venue, wallet: str, market: PaperMarket) -> View:
    """What a wallet did and holds in one market; `net_dollars` left the wallet for shares, less what came back, without fees."""
    trades = venue.exchange.trades(wallet, market.condition_id)
    kept = [trade for trade in trades if trade.status != "FAILED"]
    account = venue.exchange.account(wallet)
    return {
        "condition_id": market.condition_id,
        "shares": [account.held(token) for token in market.tokens],
        "settled_shares": [account.shares.get(token, 0) for token in market.tokens],
        "dollars": sum(trade.dollars for trade in kept),
        "net_dollars": sum(trade.dollars if trade.side is Side.BUY else -trade.dollars for trade in kept),
        "fees": sum(trade.fee for trade in kept),
        "trades": len(trades),
        "failed_trades": sum(trade.status == "FAILED" for trade in trades),
    }


def ledger_view(venue: Venue, wallet: str) -> View:
    """One wallet: dollars, allowance, shares by token, fees, spending, and each market it traded."""
    account = venue.exchange.account(wallet)
    touched = {trade.condition_id for trade in venue.exchange.trades(wallet)}
    markets = [market for market in venue.exchange.markets if market.condition_id in touched]
    return {
        "address": wallet,
        "dollars": account.dollars,
        "pending_dollars": account.pending_dollars,
        "allowance": None if account.allowance >= UNLIMITED else account.allowance,
        "shares": dict(account.shares),
        "pending_shares": dict(account.pending_shares),
        "fees_paid": account.fees_paid,
        "spent": account.spent,
        "received": account.received,
        "redeemed": account.redeemed,
        "markets": {market.slug: market_position(venue, wallet, market) for market in markets},
    }


def order_row(record: OrderRecord) -> View:
    """One order as the core sees it."""
    request = record.request
    return {
        "order_hash": request.order_hash,
        "maker": request.maker,
        "signer": request.signer,
        "token": request.token,
        "side": request.side.value,
        "order_type": request.order_type,
        "maker_amount": request.maker_amount,
        "taker_amount": request.taker_amount,
        "condition_id": record.condition_id,
        "outcome": record.outcome,
        "received_ms": record.received_ms,
        "status": record.status.value,
        "reason": record.reason,
        "making": record.making,
        "taking": record.taking,
        "trade_ids": [trade.trade_id for trade in record.trades],
    }


def market_counters(venue: Venue) -> View:
    """For each market: how often it seemed to sell a pair below a dollar, and what was visible but not fillable."""
    exchange = venue.exchange
    return {
        market.slug: {
            "naive_edges": asdict(exchange.naive_edges(market.condition_id)),
            "seen_not_fillable": asdict(exchange.seen_not_fillable(market.condition_id)),
        }
        for market in exchange.markets
    }


def counters_view(venue: Venue) -> View:
    """Counts of the shell, of faults which struck, and of each market."""
    return {
        "requests": dict(venue.counters),
        "faults_struck": {kind.value: count for kind, count in venue.exchange.faults.struck.items() if count},
        "sockets": {"market": len(venue.market_sockets), "user": len(venue.user_sockets)},
        "markets": market_counters(venue),
    }


def ledger_balances(venue: Venue) -> str:
    """`ok`, or how the books fail to balance."""
    try:
        venue.exchange.ledger.check()
    except LedgerError as error:
        return str(error)
    return "ok"


@routes.get("/state")
async def state(request: web.Request) -> web.Response:
    """Everything at once: clock, ledgers, orders, true books, counters, faults still armed."""
    driver_of(request).step()
    venue = venue_of(request)
    exchange = venue.exchange
    return reply(
        {
            "clock": clock_view(venue),
            "ledger_check": ledger_balances(venue),
            "ledgers": {wallet: ledger_view(venue, wallet) for wallet in exchange.ledger.accounts},
            "orders": [order_row(record) for record in exchange.orders()],
            "books": {market.slug: _books(venue, market) for market in exchange.markets},
            "counters": counters_view(venue),
            "faults": [_fault_view(fault) for fault in exchange.faults.armed(venue.now_ms())],
        }
    )


def _books(venue: Venue, market: PaperMarket) -> list[View | None]:
    snapshots = (venue.exchange.book(token, venue.now_ms()) for token in market.tokens)
    return [None if snapshot is None else print_book(venue, market, snapshot) for snapshot in snapshots]


def _fault_view(fault: Fault) -> View:
    return {name: value for name, value in asdict(fault).items() if value is not None}


def _address(value: object) -> str:
    text = value.lower() if isinstance(value, str) else ""
    if not _ADDRESS.fullmatch(text):
        raise bad_request(f"address={value!r}: give a wallet address, 0x and 40 hex digits")
    return text


@routes.get("/ledger/{address}")
async def ledger(request: web.Request) -> web.Response:
    """One wallet's ledger and its trades."""
    driver_of(request).step()
    venue, wallet = venue_of(request), _address(request.match_info["address"])
    trades = [trade_view(trade, venue.market(trade.condition_id), owner="") for trade in venue.exchange.trades(wallet)]
    return reply(ledger_view(venue, wallet) | {"trades": trades})


@routes.get("/counters")
async def counters(request: web.Request) -> web.Response:
    """The counters alone."""
    driver_of(request).step()
    return reply(counters_view(venue_of(request)))


@routes.get("/faults")
async def armed_faults(request: web.Request) -> web.Response:
    """Faults which may still strike."""
    venue = venue_of(request)
    return reply([_fault_view(fault) for fault in venue.exchange.faults.armed(venue.now_ms())])


@routes.post("/faults")
async def add_faults(request: web.Request) -> web.Response:
    """Arm one fault or a list of them; all or none."""
    venue, body = venue_of(request), await json_body(request)
    entries = body if isinstance(body, list) else [body]
    try:
        faults = [Fault.from_dict(entry, f"faults[{index}]") for index, entry in enumerate(entries)]
    except FaultError as error:
        raise bad_request(str(error)) from None
    for fault in faults:
        venue.exchange.faults.add(fault, now_ms=venue.now_ms())
    driver_of(request).wake()
    return reply([_fault_view(fault) for fault in faults])


@routes.delete("/faults")
async def end_faults(request: web.Request) -> web.Response:
    """Nothing goes wrong any more, now or later, whatever was armed."""
    venue_of(request).exchange.faults.end()
    driver_of(request).wake()
    return reply([])


async def _fields(request: web.Request) -> View:
    body = await json_body(request)
    if not isinstance(body, dict):
        raise bad_request("write a JSON object")
    return body


def _amount(body: View, name: str, fits: Callable[[int], bool], fix: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value > _MAX_AMOUNT or not fits(value):
        raise bad_request(f"{name}={value!r}: {fix}")
    return value


@routes.post("/deposit")
async def deposit(request: web.Request) -> web.Response:
    """Credit `micros` millionths of a dollar to `address`; with `owner` and `signature_type` the wallet is tied to its owner."""
    venue, body = venue_of(request), await _fields(request)
    wallet = _address(body.get("address"))
    micros = _amount(body, "micros", lambda value: value > 0, "give a positive number of millionths of a dollar")
    if "owner" in body:
        kind = _amount(body, "signature_type", lambda value: 0 <= value <= 3, "give 0, 1, 2 or 3")
        venue.wallets.bind(owner=_address(body["owner"]), wallet=wallet, signature_type=kind)
    venue.fund(wallet)
    venue.exchange.deposit(wallet, micros)
    return reply(ledger_view(venue, wallet))


@routes.post("/allowance")
async def allowance(request: web.Request) -> web.Response:
    """Set what the exchange may take from `address`, in millionths of a dollar."""
    venue, body = venue_of(request), await _fields(request)
    wallet = _address(body.get("address"))
    micros = _amount(body, "micros", lambda value: value >= 0, "give 0 or more millionths of a dollar")
    venue.fund(wallet)
    venue.exchange.set_allowance(wallet, micros)
    return reply(ledger_view(venue, wallet))


@routes.post("/close/{slug}")
async def close(request: web.Request) -> web.Response:
    """Close a market before its time."""
    venue = venue_of(request)
    market = venue.market(request.match_info["slug"])
    venue.close(market)
    return reply({"slug": market.slug, "condition_id": market.condition_id, "closed": True})
