"""The ways out of a simulated process: its clock, its requests, its sockets and its orders, over a network that a history can spoil.

Each stands where production code has a library or the operating system; everything behind them is the production code. `process.py` puts
them together. Every one asks the power switch, so a killed process reaches nobody however its code unwinds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec
from tests.simulation.power import Power
from tests.support.virtual_clock import VenueTime
from tests.support.virtual_venue import Reply, VirtualExecution, VirtualVenue
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.lookup import AccountReader
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.venue.transport import HttpReply, Params, TransportError
from paper_exchange.ledger import UNLIMITED
from paper_exchange.server import sockets
from paper_exchange.server.subscribers import Subscriber
from paper_exchange.types import OrderRequest

REQUEST_TIMEOUT_S = 5.0


@dataclass(slots=True)
class Network:
    """One host's way to the venue now: one-way latency, and what is wrong with it."""

    latency_ms: int
    slower_by_ms: int = 0
    down: bool = False
    silent: bool = False
    bad_status: int | None = None

    @property
    def one_way_s(self) -> float:
        """Seconds from the host to the venue, or back."""
        return (self.latency_ms + self.slower_by_ms) / 1000


class HostClock:
    """A process's `Clock`: the world's time, seen through the host's own idea of it. Sleeping ends with the process."""

    def __init__(self, clock: VenueTime, power: Power, skew_ms: Callable[[], int]) -> None:
        self._clock, self._power, self._skew_ms = clock, power, skew_ms

    def now_ms(self) -> int:
        """What the host believes."""
        return self._clock.now_ms() + self._skew_ms()

    def monotonic(self) -> float:
        """Seconds that no step of the wall clock disturbs."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> Awaitable[None]:
        """Sleep unless the process is dead; who sleeps when it dies is cancelled. A bare future: a history has thousands of sleeps."""
        self._power.insist()
        return self._clock.alarm(seconds) if seconds > 0 else asyncio.sleep(0)

    def ring_at(self, monotonic_s: float, bell: "asyncio.Future[None]") -> None:
        """Have a future done then."""
        self._clock.ring_in(monotonic_s - self._clock.monotonic(), bell)


class SimulatedTransport:
    """`HttpTransport` to the virtual venue: the handful of reads a bot makes."""

    def __init__(self, venue: VirtualVenue, network: Network, clock: Clock) -> None:
        self._venue, self._network, self._clock = venue, network, clock

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        """One request and its reply, each as late as the network is slow."""
        network = self._network
        await self._clock.sleep(network.one_way_s)
        if network.down:
            raise TransportError("connect", method=method, url=url)
        if network.bad_status == 0:
            await self._clock.sleep(timeout_s)
            raise TransportError("timeout", method=method, url=url)
        if network.bad_status is not None:
            return HttpReply(network.bad_status, {}, b"")
        path = url.partition("/")[2].partition("/")[2].partition("/")[2]
        reply = self._answer("/" + path, dict(params), body)
        await self._clock.sleep(network.one_way_s)
        return reply

    async def close(self) -> None:
        """Nothing to give back."""

    def _answer(self, path: str, params: Mapping[str, str], body: bytes | None) -> HttpReply:
        venue, last = self._venue, path.rsplit("/", 1)[-1]
        if path == "/books":
            return venue.read_books([entry["token_id"] for entry in msgspec.json.decode(body or b"[]")])
        if path.startswith("/clob-markets/"):
            return venue.read_market(venue.venue.market(last))
        if path == "/data/trades":
            return venue.read_trades(params["market"], int(params.get("after", 0)))
        if path.startswith("/data/order/"):
            return venue.read_order(last) or HttpReply(404, {}, b'{"error":"order not found"}')
        return self._balance(params)

    def _balance(self, params: Mapping[str, str]) -> HttpReply:
        account = self._venue.account
        dollars = params["asset_type"] == "COLLATERAL"
        balance = account.dollars if dollars else account.shares.get(params["token_id"], 0)
        return HttpReply(200, {}, msgspec.json.encode({"balance": str(balance), "allowance": str(UNLIMITED)}))


class LateSubscriber(Subscriber):
    """A socket whose frames are under way for a while; in silence they never arrive. Its one reader sleeps until the next one has."""

    def __init__(self, network: Network, clock: HostClock, limit: int) -> None:
        super().__init__(limit=limit)
        self._network, self._clock = network, clock
        self._under_way: deque[tuple[float, str]] = deque()
        self._last_s = 0.0
        self._reader: asyncio.Future[None] | None = None

    __slots__ = ("_clock", "_last_s", "_network", "_reader", "_under_way")

    def offer(self, frame: str) -> None:
        """Send a frame; frames never overtake each other."""
        if self._network.silent or self.severed:
            return
        if len(self._under_way) >= self.limit:
            self.cut()
            return
        self._last_s = max(self._last_s, self._clock.monotonic() + self._network.one_way_s)
        self._under_way.append((self._last_s, frame))
        if self._reader is not None and len(self._under_way) == 1:
            self._clock.ring_at(self._last_s, self._reader)

    def close(self) -> None:
        """Hang up."""
        self.cut()

    def cut(self) -> None:
        """Drop the connection, and whatever is under way."""
        self.severed = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def next_frame(self) -> str | None:
        """The next frame when it arrives, None when the socket broke."""
        while not self.severed:
            if self._under_way and self._under_way[0][0] <= self._clock.monotonic():
                return self._under_way.popleft()[1]
            await self._arrival()
        return None

    async def _arrival(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        if self._under_way:
            self._clock.ring_at(self._under_way[0][0], self._reader)
        try:
            await self._reader
        finally:
            self._reader = None


class SimulatedWire:
    """A socket to the market channel, without the socket."""

    def __init__(self, venue: VirtualVenue, network: Network, clock: HostClock, power: Power) -> None:
        self._venue, self._network, self._clock, self._power = venue.venue, network, clock, power
        self.subscriber = LateSubscriber(network, clock, self._venue.settings.queue_frames)

    async def __aenter__(self) -> "SimulatedWire":
        await self._clock.sleep(3 * self._network.one_way_s)
        if self._network.down:
            raise OSError("network is unreachable")
        self._venue.market_sockets.add(self.subscriber)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._venue.market_sockets.remove(self.subscriber)

    async def send(self, text: str) -> None:
        """A frame of the bot."""
        self._power.insist()
        if self.subscriber.severed:
            raise ConnectionClosedError(None, None)
        if text == "PING":
            self.subscriber.offer("PONG")
        else:
            sockets._market_frame(self._venue, self.subscriber, msgspec.json.decode(text))

    async def recv(self, *, decode: bool) -> bytes:
        """The next frame of the venue. ConnectionClosed when one side hung up."""
        frame = await self.subscriber.next_frame()
        if frame is None:
            raise ConnectionClosedError(None, None)
        self._power.insist()
        return frame.encode()


class SimulatedFeed(MarketFeed):
    """The production feed on simulated wires."""

    dial: Callable[[], SimulatedWire]

    def _connection(self) -> connect:
        return cast("connect", self.dial())


class SimulatedExecution(VirtualExecution):
    """The venue's order endpoint as one process reaches it. `judge` is shown every order as it leaves, and what the process heard of it."""

    def __init__(
        self,
        venue: VirtualVenue,
        *,
        name: str,
        clock: Clock,
        reader: AccountReader,
        network: Network,
        power: Power,
        judge: "OrderJudge",
    ) -> None:
        super().__init__(venue, name=name, clock=clock, reader=reader, timeout_s=REQUEST_TIMEOUT_S)
        self._network, self._power, self._judge = network, power, judge

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Sign."""
        self._power.touch("sign")
        return await super().prepare(plan, market)

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """Send, and hear."""
        self._power.touch("order about to leave")
        self._judge.leaves(signed)
        outcome = await super().submit(signed)
        self._power.touch("reply came")
        self._judge.heard(signed.order_hash, outcome)
        return outcome

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """Look an order up."""
        self._power.insist()
        outcome = await super().lookup(order_hash, market, since_ms)
        self._power.touch("look-up answered")
        self._judge.looked_up(order_hash, outcome)
        return outcome

    async def _post(self, request: OrderRequest) -> Reply:
        if self._network.down:
            await self._clock.sleep(0.05)
            return None, {}, b""
        reply = await super()._post(request)
        self._power.touch("order placed")
        if self._network.down:
            return None, {}, b""
        await self._clock.sleep(self._network.one_way_s)
        return reply


class OrderJudge:
    """Shown what one process sends and hears; `witness.py` has the one that remembers."""

    def leaves(self, signed: SignedOrder) -> None:
        """An order leaves now."""

    def heard(self, order_hash: str, outcome: OrderOutcome) -> None:
        """The process knows this reply."""

    def looked_up(self, order_hash: str, outcome: OrderOutcome | None) -> None:
        """The process knows what the venue says of an order."""
