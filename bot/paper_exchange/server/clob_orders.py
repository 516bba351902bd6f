"""Placing and cancelling orders over REST.

The order of checks is the venue's: who you are, is the engine up, may you send now, is the order sound, and only then matching.
"""

from dataclasses import dataclass
from typing import Any, assert_never

from aiohttp import web

from paper_exchange.server.account_views import delayed_reply, failed_entry, filled_reply
from paper_exchange.server.credentials import ApiKey
from paper_exchange.server.driver import Driver
from paper_exchange.server.errors import VenueError, bad_request
from paper_exchange.server.faulting import FaultGate, dropped
from paper_exchange.server.order_wire import INVALID_PAYLOAD, parse_order, verify_order
from paper_exchange.server.requests import caller, driver_of, json_body, reply, venue_of
from paper_exchange.server.venue import Venue
from paper_exchange.types import Accepted, OrderRecord, OrderRequest, OrderStatus, Pending, Refused

MAX_BATCH = 15
MAX_CANCELS = 1000
_RATE_LIMITED = "Too Many Requests"
_NOT_CANCELABLE = "order can't be found - already canceled or matched"
_HELD = "order is delayed and can't be canceled"
routes = web.RouteTableDef()


@dataclass(frozen=True, slots=True)
class Desk:
    """One caller at one venue, about to place orders."""

    venue: Venue
    driver: Driver
    key: ApiKey

    async def place(self, entry: object) -> dict[str, Any]:
        """The 200 body for one posted order. VenueError when it was refused or killed."""
        request = self._verified(entry)
        self.driver.step()
        match self.venue.exchange.submit(request, self.venue.now_ms()):
            case Accepted(record=record):
                self.driver.step()
                return self._result(record)
            case Refused() as refused:
                raise VenueError(refused.status, refused.error, order_id=refused.order_hash)
            case Pending() as pending:
                return await self._wait(pending)
            case never:
                assert_never(never)

    def _verified(self, entry: object) -> OrderRequest:
        order = parse_order(entry)
        market = self.venue.exchange.market(order.token)
        if market is None or order.token not in market.tokens:
            raise bad_request(f"the orderbook {order.token} does not exist")
        request = verify_order(order, self.key, market, self.venue.wallets)
        self.venue.fund(request.maker)
        self.venue.order_owner.setdefault(request.order_hash, self.key)
        return request

    async def _wait(self, pending: Pending) -> dict[str, Any]:
        if pending.delayed:
            self.driver.wake()
            return delayed_reply(pending.order_hash)
        return self._result(await self.driver.outcome(pending.order_hash, due_ms=pending.due_ms))

    def _result(self, record: OrderRecord) -> dict[str, Any]:
        if record.status is OrderStatus.MATCHED:
            self.venue.counters["orders_filled"] += 1
            return filled_reply(record)
        if record.status is OrderStatus.DELAYED:
            return delayed_reply(record.request.order_hash)
        self.venue.counters["orders_killed"] += 1
        raise bad_request(record.reason, order_id=record.request.order_hash)


async def _admitted(request: web.Request, *, cost: int) -> tuple[Desk, dict[str, str]]:
    """The caller's desk and the rate-limit headers, or a refusal before any order is looked at."""
    venue, key = venue_of(request), await caller(request)
    FaultGate(venue).refuse_orders()
    verdict = venue.orders_limiter.take(key.address, cost=cost, now_ms=venue.now_ms())
    venue.counters["orders_received"] += cost
    if not verdict.allowed:
        venue.counters["orders_rate_limited"] += cost
        raise VenueError(429, _RATE_LIMITED, headers=verdict.headers())
    return Desk(venue, driver_of(request), key), verdict.headers()


@routes.post("/order")
async def post_order(request: web.Request) -> web.Response:
    """Place one order."""
    desk, headers = await _admitted(request, cost=1)
    entry = await json_body(request)
    lost = FaultGate(desk.venue).lost_reply()
    if lost is not None and not lost.executed:
        return await dropped(request, lost)
    try:
        body = await desk.place(entry)
    except VenueError as refusal:
        if lost is None:
            refusal.headers |= headers
            raise
        return await dropped(request, lost)
    return reply(body, headers=headers) if lost is None else await dropped(request, lost)


@routes.post("/orders")
async def post_orders(request: web.Request) -> web.Response:
    """Place up to fifteen orders; each stands alone and answers in its own entry."""
    entries = await json_body(request)
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_BATCH:
        await caller(request)
        raise bad_request(INVALID_PAYLOAD)
    desk, headers = await _admitted(request, cost=len(entries))
    lost = FaultGate(desk.venue).lost_reply()
    if lost is not None and not lost.executed:
        return await dropped(request, lost)
    results = [await _batch_entry(desk, entry) for entry in entries]
    return reply(results, headers=headers) if lost is None else await dropped(request, lost)


async def _batch_entry(desk: Desk, entry: object) -> dict[str, Any]:
    try:
        return await desk.place(entry)
    except VenueError as refusal:
        return failed_entry(refusal.order_id, refusal.error)


async def _cancelling(request: web.Request) -> tuple[Venue, ApiKey, dict[str, str]]:
    venue, key = venue_of(request), await caller(request)
    verdict = venue.cancels_limiter.take(key.address, cost=1, now_ms=venue.now_ms())
    if not verdict.allowed:
        raise VenueError(429, _RATE_LIMITED, headers=verdict.headers())
    return venue, key, verdict.headers()


def _cancelled(venue: Venue, order_hashes: list[str], headers: dict[str, str]) -> web.Response:
    """Nothing can be cancelled: a fill-or-kill order is over when it is known, a delayed one is held."""
    reasons = {}
    for order_hash in order_hashes:
        record = venue.exchange.order(order_hash)
        reasons[order_hash] = _HELD if record is not None and record.status is OrderStatus.DELAYED else _NOT_CANCELABLE
    return reply({"canceled": [], "not_canceled": reasons}, headers=headers)


@routes.delete("/order")
async def cancel_order(request: web.Request) -> web.Response:
    """Cancel one order by its hash."""
    venue, _, headers = await _cancelling(request)
    body = await json_body(request)
    order_hash = body.get("orderID") if isinstance(body, dict) else None
    if not isinstance(order_hash, str):
        raise bad_request("Invalid orderID")
    return _cancelled(venue, [order_hash], headers)


@routes.delete("/orders")
async def cancel_orders(request: web.Request) -> web.Response:
    """Cancel several orders by their hashes."""
    venue, _, headers = await _cancelling(request)
    body = await json_body(request)
    if not isinstance(body, list) or len(body) > MAX_CANCELS or not all(isinstance(item, str) for item in body):
        raise bad_request(INVALID_PAYLOAD)
    return _cancelled(venue, body, headers)


@routes.delete("/cancel-all")
@routes.delete("/cancel-market-orders")
async def cancel_all(request: web.Request) -> web.Response:
    """Cancel everything, or everything of a market: there are no resting orders."""
    venue, _, headers = await _cancelling(request)
    return _cancelled(venue, [], headers)
