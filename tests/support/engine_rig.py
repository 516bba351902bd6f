"""One market's engine with everything real around it but the venue and the time.

The journal is the real one on a real file, the gate is the real one in memory, the books are filled by hand as a feed would. Only the
execution client is scripted: it answers every order as the test says and keeps what an auditor would ask for (what was sent, how often,
one at a time or not).
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

from kabobagool.domain.book import Level, PairView
from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.market import FeeSchedule, Market, Outcome, Side
from kabobagool.domain.money import PRICE_ONE, Micros, Price, parse_micros, parse_price
from kabobagool.domain.outcome import Filled, OrderOutcome
from kabobagool.domain.position import Fill, Position
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.order_flow import OrderFlow
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution.client import AlreadySentError, SignedOrder
from kabobagool.execution.journal import Journal, JournalError, JournalledIntent
from kabobagool.execution.journal_store import JournalledOrder
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.gate.interface import Answer
from kabobagool.gate.memory import MemoryGate
from tests.support.virtual_clock import VirtualClock, turn_the_loop

BASE_S, MAX_S, BACKOFF = 0.5, 30.0, 2.0
"""Cooldown of every rig."""


class Hang:
    """A reply that comes when the test releases it."""

    def __init__(self) -> None:
        self.release: asyncio.Future[OrderOutcome] = asyncio.get_running_loop().create_future()


Reply = OrderOutcome | Exception | Hang | Callable[[OrderPlan], OrderOutcome]
Found = OrderOutcome | Exception | None | Callable[[OrderPlan], OrderOutcome]


def fill(plan: OrderPlan) -> Filled:
    """Exactly what was ordered, without a fee."""
    return Filled(plan.shares, plan.dollars, 0)


def fill_with_extra(shares: str) -> Callable[[OrderPlan], Filled]:
    """Price improvement: a BUY spends its budget and receives this much more."""
    return lambda plan: Filled(plan.shares + parse_micros(shares), plan.dollars, 0)


class ScriptedExecution:
    """`ExecutionClient` that answers from scripts: `replies` to orders and `found` by look-ups, one after the other, then the defaults."""

    def __init__(self, clock: VirtualClock, view: PairView) -> None:
        self.view = view
        self.fills_show_in_the_book = True
        self.replies: deque[Reply] = deque()
        self.found: deque[Found] = deque()
        self.otherwise: Reply = fill
        self.otherwise_found: Found = None
        self.latency_s = 0.0
        self.while_preparing: Callable[[], None] = lambda: None
        self.before_sending: Callable[[OrderPlan], None] = lambda plan: None
        self.prepared: list[SignedOrder] = []
        self.sent: list[SignedOrder] = []
        self.submits: Counter[str] = Counter()
        self.lookups: list[tuple[str, int]] = []
        self.sent_ms: dict[str, int] = {}
        self.fills: dict[str, Fill] = {}
        self.on_their_way = 0
        self.most_on_their_way = 0
        self._clock = clock

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Name the order; the test may change the world meanwhile."""
        await asyncio.sleep(0)
        self.while_preparing()
        order_hash = f"0x{len(self.prepared):064x}"
        signed = SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=self._clock.now_ms(), payload=None)
        self.prepared.append(signed)
        return signed

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """Answer as scripted. The same order twice is refused, and counted."""
        self.submits[signed.order_hash] += 1
        if self.submits[signed.order_hash] > 1:
            raise AlreadySentError(signed.order_hash)
        self.before_sending(signed.plan)
        self.sent.append(signed)
        self.sent_ms[signed.order_hash] = self._clock.now_ms()
        self.on_their_way += 1
        self.most_on_their_way = max(self.most_on_their_way, self.on_their_way)
        try:
            return await self._reply(signed)
        finally:
            self.on_their_way -= 1

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """The next scripted finding."""
        self.lookups.append((order_hash, since_ms))
        await asyncio.sleep(0)
        found = self.found.popleft() if self.found else self.otherwise_found
        if isinstance(found, Exception):
            raise found
        plan = next(order.plan for order in self.sent if order.order_hash == order_hash)
        return self._remember(order_hash, plan, found(plan) if callable(found) else found)

    async def close(self) -> None:
        """Nothing to let go of."""

    def plans(self) -> list[OrderPlan]:
        """What was sent, in order."""
        return [order.plan for order in self.sent]

    async def _reply(self, signed: SignedOrder) -> OrderOutcome:
        await self._clock.sleep(self.latency_s)
        reply = self.replies.popleft() if self.replies else self.otherwise
        if isinstance(reply, Hang):
            reply = await reply.release
        if isinstance(reply, Exception):
            raise reply
        outcome = reply(signed.plan) if callable(reply) else reply
        if isinstance(outcome, Filled) and self.fills_show_in_the_book:
            take_from(self.view, signed.plan)
        self._remember(signed.order_hash, signed.plan, outcome)
        return outcome

    def _remember(self, order_hash: str, plan: OrderPlan, outcome: OrderOutcome | None) -> OrderOutcome | None:
        if isinstance(outcome, Filled):
            self.fills[order_hash] = Fill(plan.outcome, plan.side, outcome.shares, outcome.dollars, outcome.fee)
        return outcome


def take_from(view: PairView, plan: OrderPlan) -> None:
    """What was bought or sold is gone from its level and from the level that mirrors it, as the venue's next frame would say."""
    book, mirror, mirrored = view.book(plan.outcome), view.book(plan.outcome.other), PRICE_ONE - plan.price
    if plan.side is Side.BUY:
        left = max(book.asks.get(plan.price, 0) - plan.shares, 0)
        book.set_ask(plan.price, left)
        mirror.set_bid(mirrored, left)
    else:
        left = max(book.bids.get(plan.price, 0) - plan.shares, 0)
        book.set_bid(plan.price, left)
        mirror.set_ask(mirrored, left)


class WatchedJournal(Journal):
    """The real journal; knows whether its thread is at work, and can be told that its disk is full."""

    busy = 0
    finished = 0
    disk_full = False

    async def record(self, intent: JournalledIntent) -> None:
        """Write, unless the disk is full."""
        await self._watched(self._record(intent))

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write, unless the disk is full."""
        await self._watched(self._mark(order_hash, outcome))

    async def _record(self, intent: JournalledIntent) -> None:
        self._check_disk()
        await super().record(intent)

    async def _mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        self._check_disk()
        await super().mark(order_hash, outcome)

    async def _watched(self, work: Coroutine[None, None, None]) -> None:
        self.busy += 1
        try:
            await work
        finally:
            self.busy -= 1
            self.finished += 1

    def _check_disk(self) -> None:
        if self.disk_full:
            raise JournalError("journal.db: database or disk is full; no new pair is opened until the journal can be written")


class Listener:
    """Observer that keeps what it was told."""

    def __init__(self) -> None:
        self.ended: list[tuple[Purpose, OrderOutcome]] = []
        self.found: list[OrderOutcome] = []
        self.positions: list[tuple[Position, bool]] = []
        self.answers: list[Answer] = []

    def order_ended(self, plan: OrderPlan, purpose: Purpose, outcome: OrderOutcome, latency_s: float) -> None:
        """An order got its reply."""
        self.ended.append((purpose, outcome))

    def order_found(self, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """The end of an order whose reply was lost became known."""
        self.found.append(outcome)

    def position(self, position: Position, *, naked: bool) -> None:
        """The position changed."""
        self.positions.append((position, naked))

    def gate(self, answer: Answer) -> None:
        """The gate answered."""
        self.answers.append(answer)


def a_market(*, rate: str = "0", tick_size: Price = 100) -> Market:
    """A market that may be traded: minimum five shares, whole-cent ticks."""
    return Market(
        condition_id="0x" + "ab" * 32,
        slug="will-it-rain",
        question="Will it rain?",
        outcomes=("Yes", "No"),
        tokens=("111", "222"),
        tick_size=tick_size,
        min_order_shares=parse_micros("5"),
        fee=FeeSchedule(parse_micros(rate)),
    )


class EngineRig:
    """The engine, its collaborators, and the two hands of a test: `show` a book and let time pass."""

    def __init__(self, clock: VirtualClock, journal: WatchedJournal, gate: MemoryGate, policy: Policy, market: Market) -> None:
        self.clock, self.journal, self.gate = clock, journal, gate
        self.view = PairView(market)
        self.execution = ScriptedExecution(clock, self.view)
        self.tracker, self.cooldown, self.listener = PositionTracker(), Cooldown(base_s=BASE_S, max_s=MAX_S, backoff=BACKOFF), Listener()
        self.buffer = ConflatingPriceBuffer(FeedCounters())
        self.strategy = KabobagoolStrategy(policy=policy, clock=clock, wake=lambda: self.buffer.publish(self.view))
        self.unknown = UnknownOrders(execution=self.execution, journal=journal, clock=clock)
        self.engine = self._engine()
        self.task: asyncio.Task[None] | None = None
        self.beside: list[asyncio.Task[bool]] = []
        clock.settle = self.settle

    def _engine(self) -> MarketEngine:
        flow = OrderFlow(
            execution=self.execution,
            journal=self.journal,
            clock=self.clock,
            on_outcome=lambda order, plan, outcome: self.engine.on_reply(order, plan, outcome),
        )
        return MarketEngine(
            view=self.view,
            strategy=self.strategy,
            buffer=self.buffer,
            tracker=self.tracker,
            flow=flow,
            unknown=self.unknown,
            gate=self.gate,
            cooldown=self.cooldown,
            clock=self.clock,
            observer=self.listener,
        )

    def start(self) -> None:
        """Let the engine act."""
        self.task = asyncio.get_running_loop().create_task(self.engine.run())

    async def stop(self) -> None:
        """Cancel the engine and everything it follows; an exception of the engine is the test's failure."""
        await self.unknown.close()
        for task in self.beside:
            task.cancel()
        if self.task is not None:
            self.task.cancel()
            result = (await asyncio.gather(self.task, return_exceptions=True))[0]
            if not isinstance(result, asyncio.CancelledError):
                raise AssertionError("the engine died") from result
        await self.journal.close()

    def watch(self, work: Coroutine[None, None, bool]) -> asyncio.Task[bool]:
        """Run something beside the engine; it ends with the rig."""
        task = asyncio.get_running_loop().create_task(work)
        self.beside.append(task)
        return task

    def alive(self) -> bool:
        """Whether the engine still runs."""
        return self.task is not None and not self.task.done()

    async def settle(self) -> None:
        """Let everything happen that can happen now, the journal's thread included."""
        finished = -1
        while self.journal.busy or finished != self.journal.finished:
            if self.journal.busy:
                await self.journal.open_orders("")  # the thread does one thing after the other: this waits for all before it
            finished = self.journal.finished
            await turn_the_loop()

    def fill_books(self, yes_ask: str, no_ask: str, *, yes_depth: str = "10", no_depth: str = "10") -> None:
        """One ask on each side and the bids that mirror them, a millisecond newer than whatever was there."""
        self.clock.now_us += 1000
        yes, no = _asks(yes_ask, yes_depth), _asks(no_ask, no_depth)
        now_ms = self.clock.now_ms()
        self.view.yes.apply_snapshot(_mirror(no), yes, venue_ms=now_ms, received_ms=now_ms)
        self.view.no.apply_snapshot(_mirror(yes), no, venue_ms=now_ms, received_ms=now_ms)

    def show_now(self, yes_ask: str, no_ask: str, *, yes_depth: str = "10", no_depth: str = "10") -> None:
        """A whole frame arrives; nothing else happens yet."""
        self.fill_books(yes_ask, no_ask, yes_depth=yes_depth, no_depth=no_depth)
        self.strategy.on_view(self.view)

    async def show(self, yes_ask: str, no_ask: str, *, yes_depth: str = "10", no_depth: str = "10") -> None:
        """A whole frame arrives, and everything happens that follows at this moment."""
        self.show_now(yes_ask, no_ask, yes_depth=yes_depth, no_depth=no_depth)
        await self.settle()

    async def show_for(
        self, seconds: float, yes_ask: str, no_ask: str, *, every_s: float = 0.25, yes_depth: str = "10", no_depth: str = "10"
    ) -> None:
        """The same books again and again, as a lively feed repeats them."""
        for _ in range(round(seconds / every_s)):
            await self.show(yes_ask, no_ask, yes_depth=yes_depth, no_depth=no_depth)
            await self.clock.advance(every_s)

    async def journalled(self) -> list[JournalledOrder]:
        """Every order the journal knows, oldest first."""
        return [order for intent in await self.journal.intents(self.view.market.condition_id, 0) for order in intent.orders]

    def hold(self, outcome: Outcome, shares: str, at: str, *, settled: bool = False, name: str = "earlier") -> None:
        """Something bought earlier, booked now."""
        dollars = parse_price(at) * parse_micros(shares) // PRICE_ONE
        fill_before = Fill(outcome, Side.BUY, parse_micros(shares), dollars, 0)
        self.tracker.book(name, fill_before, now_ms=self.clock.now_ms(), settled=settled)
        self.execution.fills[name] = fill_before
        self.engine.booked()

    def unaccounted(self) -> int:
        """Edges seen that are neither acted on, rejected nor pending: must be zero at every moment."""
        truth = self.strategy.truth
        return truth.seen - truth.acted_on - sum(truth.rejected.values()) - self.strategy.pending


@asynccontextmanager
async def engine_rig(
    folder: Path,
    *,
    policy: Policy | None = None,
    market: Market | None = None,
    interval_us: int = 0,
    started: bool = True,
    **caps: Micros,
) -> AsyncIterator[EngineRig]:
    """A running engine; on leaving it is stopped, and a test fails when it had died."""
    rig = await make_rig(folder, policy=policy, market=market, interval_us=interval_us, **caps)
    if started:
        rig.start()
        await rig.settle()
    try:
        yield rig
    finally:
        await rig.stop()


async def make_rig(
    folder: Path,
    *,
    policy: Policy | None = None,
    market: Market | None = None,
    interval_us: int = 0,
    **caps: Micros,
) -> EngineRig:
    """A rig on a journal in `folder` that is not running yet; the market is claimed. `caps` are those of `MemoryGate`."""
    clock = VirtualClock()
    traded = market or a_market()
    journal = await WatchedJournal.open(folder / "journal.db", clock=clock)
    await journal.claim(traded.condition_id)
    gate = MemoryGate(clock=clock, interval_us=interval_us, burst=2, tokens_at_start=2, **caps)
    assert isinstance(journal, WatchedJournal)
    return EngineRig(clock, journal, gate, policy or Policy(batch_shares=parse_micros("10")), traded)


def _asks(at: str, depth: str) -> list[Level]:
    return [(parse_price(at), parse_micros(depth))]


def _mirror(levels: list[Level]) -> list[Level]:
    return [(PRICE_ONE - price, size) for price, size in levels]
