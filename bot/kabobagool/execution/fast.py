"""Orders to the real venue by our own signer and connections.

It signs where it is called, because that takes less time than handing it to a thread, and sends over connections of its own that stay
open. An order is sent once: never over a transport that repeats what a closed connection swallowed, and never again after whatever came
back, or did not. Made by `trading/session.py` for live trading, called by the engine through `client.ExecutionClient`.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome, Unknown
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.fast_signer import FastSigner, WireOrder
from kabobagool.execution.lookup import NOT_FOUND_AFTER_S, AccountReader, OrderLookup
from kabobagool.execution.presigned import PresignedOrders
from kabobagool.execution.sending import NOT_SENT, QUEUE_SHARE, REQUEST_TIMEOUT_S, SentOrders, outcome_of_reply
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import ApiCredentials, l2_headers
from kabobagool.venue.transport import AiohttpTransport, HttpReply, TransportError, check_proxy

ORDER_PATH: Final = "/order"
TIME_PATH: Final = "/time"
KEEP_OPEN_EVERY_S: Final = 10.0
"""More often than the transport lets go of connections that nobody uses (15 s)."""
ORDERS_AT_ONCE: Final = 32
"""Fewer than the transport has connections, so that an order which may leave need not wait for one."""


class _OrderBody(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is posted, in the order in which the official client writes it."""

    order: WireOrder
    owner: str
    orderType: str = "FOK"  # noqa: N815 - the venue's name
    deferExec: bool = False  # noqa: N815
    postOnly: bool = False  # noqa: N815


class FastExecution:
    """`ExecutionClient` of one wallet at the venue. ValueError when the private key is none or the proxy cannot be used."""

    def __init__(
        self,
        *,
        host: str,
        wallet: Wallet,
        credentials: ApiCredentials,
        reader: AccountReader,
        clock: Clock,
        rng: random.Random,
        timeout_s: float = REQUEST_TIMEOUT_S,
        not_found_after_s: float = NOT_FOUND_AFTER_S,
        proxy_url: str | None = None,
    ) -> None:
        check_proxy(proxy_url, schemes=("http", "https"), hint="orders cannot leave through a SOCKS proxy: give an http one")
        self._host = host
        self._credentials = credentials
        self._clock = clock
        self._timeout_s = timeout_s
        self._signer = FastSigner(wallet=wallet, clock=clock, rng=rng)
        self._encoder = msgspec.json.Encoder()
        self._lookup = OrderLookup(reader=reader, clock=clock, not_found_after_s=not_found_after_s)
        self._transport = AiohttpTransport(proxy_url=proxy_url)
        self._turn = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._sent = SentOrders()
        self._presigned = PresignedOrders()
        self._keeping_open: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open a connection, and keep one open from now on."""
        self._keeping_open = asyncio.create_task(self._keep_open())

    def foresee(self, plans: Sequence[OrderPlan], market: Market) -> None:
        """Sign the orders that are likely next for a market, now; all others that were foreseen for it are forgotten."""
        self._presigned.foresee(plans, market, self._sign, now_ms=self._clock.now_ms())

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Sign an order, or take the one that was foreseen; nothing is sent."""
        return self._presigned.take(plan, market, now_ms=self._clock.now_ms()) or self._sign(plan, market)

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """POST a signed order, once. AlreadySentError for the second time; everything else is an outcome."""
        self._sent.claim(signed.order_hash)
        if not await self._has_a_turn():
            return NOT_SENT
        try:
            reply = await self._post(signed)
        except TransportError as e:
            return outcome_of_reply(None, {}, str(e), signed)
        except Exception as e:
            return Unknown(f"{type(e).__name__} while sending")
        finally:
            self._turn.release()
        return outcome_of_reply(reply.status, reply.headers, reply.body, signed)

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """What became of an order that was sent at `since_ms` at the earliest; None while that cannot be said yet."""
        return await self._lookup.resolve(order_hash, market, since_ms)

    async def close(self) -> None:
        """Close the connections; an order on its way is not waited for, the journal knows it."""
        if self._keeping_open is not None:
            self._keeping_open.cancel()
            await asyncio.wait({self._keeping_open})
        await self._transport.close()

    def _sign(self, plan: OrderPlan, market: Market) -> SignedOrder:
        order, order_hash = self._signer.sign(plan, market)
        body = self._encoder.encode(_OrderBody(order=order, owner=self._credentials.key))
        return SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=int(order.timestamp), payload=body)

    async def _has_a_turn(self) -> bool:
        """Wait until the order may be sent; False when that took so long that its price is old."""
        if not self._turn.locked():
            return await self._turn.acquire()
        try:
            async with asyncio.timeout(self._timeout_s * QUEUE_SHARE):
                return await self._turn.acquire()
        except TimeoutError:
            return False

    def _headers(self, body: bytes) -> dict[str, str]:
        now_s = self._clock.now_ms() // 1000
        proof = l2_headers(self._credentials, self._signer.address, "POST", ORDER_PATH, body, now_s)
        return {"Content-Type": "application/json", **proof}

    async def _post(self, signed: SignedOrder) -> HttpReply:
        body = cast("bytes", signed.payload)
        return await self._transport.request(
            "POST", self._host + ORDER_PATH, headers=self._headers(body), params=(), body=body, timeout_s=self._timeout_s
        )

    async def _keep_open(self) -> None:
        """Ask the time now and then, so that an order finds a connection open and need not wait for its handshakes."""
        while True:
            with contextlib.suppress(TransportError):
                await self._transport.request("GET", self._host + TIME_PATH, headers={}, params=(), body=None, timeout_s=self._timeout_s)
            await self._clock.sleep(KEEP_OPEN_EVERY_S)
