"""Orders to the real venue, through its official client: for the day on which only that client knows what the venue wants.

It works on two threads of its own, so that signing and waiting never hold up the event loop. An order is sent once. Whatever comes
back, or does not, becomes an outcome; only `lookup` may turn a doubt into something else. Made by `trading/session.py` with
ORDER_CLIENT=official, called by the engine through `client.ExecutionClient`.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome, Unknown
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.lookup import NOT_FOUND_AFTER_S, AccountReader, OrderLookup
from kabobagool.execution.sending import NOT_SENT, QUEUE_SHARE, REQUEST_TIMEOUT_S, SentOrders, outcome_of_reply
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import ApiCredentials

if TYPE_CHECKING:
    from py_clob_client_v2.order_utils.model.order_data_v2 import SignedOrderV2

    from kabobagool.execution.official import OrderClient, OrderSigner, Reply

THREADS = 2
"""One for each leg."""


class ClobExecution:
    """`ExecutionClient` of one wallet at the venue. Nothing is imported, signed or connected before `start` or the first `prepare`."""

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
    ) -> None:
        self._host, self._wallet, self._credentials = host, wallet, credentials
        self._clock, self._rng = clock, rng
        self._timeout_s = timeout_s
        self._lookup = OrderLookup(reader=reader, clock=clock, not_found_after_s=not_found_after_s)
        self._threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="orders")
        self._tools: asyncio.Future[tuple[OrderSigner, OrderClient]] | None = None
        self._sent = SentOrders()

    async def start(self) -> None:
        """Load the official client now rather than with the first order (0.6 s). ValueError when the private key is none."""
        await self._loaded()

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Sign an order; nothing is sent."""
        signer, _ = await self._loaded()
        payload, order_hash = await asyncio.get_running_loop().run_in_executor(self._threads, signer.sign, plan, market)
        return SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=self._clock.now_ms(), payload=payload)

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """POST a signed order, once. AlreadySentError for the second time; everything else is an outcome."""
        _, client = await self._loaded()
        self._sent.claim(signed.order_hash)
        start_by = self._clock.monotonic() + self._timeout_s * QUEUE_SHARE
        sending = self._threads.submit(self._place, client, cast("SignedOrderV2", signed.payload), start_by)
        try:
            # Not `wait_for`: on Python 3.11 it swallows a cancellation that comes together with the reply.
            async with asyncio.timeout(self._timeout_s * (1 + QUEUE_SHARE)):
                reply = await asyncio.shield(asyncio.wrap_future(sending))
        except TimeoutError:
            return NOT_SENT if sending.cancel() else Unknown("the reply to the order never ended")
        except asyncio.CancelledError:
            sending.cancel()
            raise
        except Exception as e:
            return Unknown(f"{type(e).__name__} while sending")
        return NOT_SENT if reply is None else outcome_of_reply(reply.status, reply.headers, reply.body, signed)

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """What became of an order that was sent at `since_ms` at the earliest; None while that cannot be said yet."""
        return await self._lookup.resolve(order_hash, market, since_ms)

    async def close(self) -> None:
        """Let go of the threads; an order on its way is not waited for, the journal knows it."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _place(self, client: "OrderClient", payload: "SignedOrderV2", start_by: float) -> "Reply | None":
        """In a thread of the pool: send, unless the order waited so long for the thread that its price is old."""
        return client.place(payload) if self._clock.monotonic() <= start_by else None

    async def _loaded(self) -> "tuple[OrderSigner, OrderClient]":
        if self._tools is None:
            self._tools = asyncio.get_running_loop().run_in_executor(self._threads, self._load)
        return await asyncio.shield(self._tools)

    def _load(self) -> "tuple[OrderSigner, OrderClient]":
        from kabobagool.execution.official import OrderClient, OrderSigner

        signer = OrderSigner(wallet=self._wallet, clock=self._clock, rng=self._rng)
        client = OrderClient(
            host=self._host, wallet=self._wallet, credentials=self._credentials, clock=self._clock, timeout_s=self._timeout_s
        )
        return signer, client
