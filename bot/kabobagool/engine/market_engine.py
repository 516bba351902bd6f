"""MarketEngine: the task that trades one market.

The feed wakes it through a price buffer when there is something to decide. One decision is in flight at a time: a lock covers everything
from asking the rule to the last reply. What an order's outcome means is booked in `position_tracker.py`, what trouble it brings is
applied from `troubles.py`; orders with unknown ends freeze the market until `unknown_orders.py` has found out.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.decision import REJECT, dollars_needed
from kabobagool.domain.edge import Reason
from kabobagool.domain.fees import DEAREST_FEE
from kabobagool.domain.intent import Intent, OrderPlan, Purpose, Reject
from kabobagool.domain.market import Market, Side
from kabobagool.domain.money import Micros
from kabobagool.domain.outcome import Filled, OrderOutcome
from kabobagool.domain.position import Fill
from kabobagool.engine.bans import TRIED_AGAIN_S, Bans
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.gate_window import GateWindow, may_stand_in
from kabobagool.engine.observer import EngineObserver
from kabobagool.engine.order_flow import NotSent, OrderFlow, Prepared, Sent, outcome_name
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.purse import Purse
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.troubles import trouble_of
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.fills import OrderFill
from kabobagool.execution.orphan import is_orphan, resolve_orphan
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.gate.interface import OrderGate, Refused
from kabobagool.gate.stakes import exposure_of

log = logging.getLogger(__name__)

NAKED_LEG_POLL_S = 1.0
SHORTEST_WAIT_S = 0.01
"""A remainder of a float is no wait: the clock would stand still before it."""
GATE_RETRY_S = (0.1, 1.0)
"""The least and the longest pause before a gate that refused is asked again; its refusals are no failed orders."""


class EngineState(StrEnum):
    """What the engine is doing, in one word; also a metric label."""

    WATCHING = "watching"
    ORDERING = "ordering"
    COOLDOWN = "cooldown"
    FROZEN = "frozen"
    ORPHAN = "orphan"
    DEGRADED = "degraded"
    RESOLVED = "resolved"
    STOPPING = "stopping"


class MarketEngine:
    """Trades one market until cancelled. Everything it needs to touch the world is handed in."""

    def __init__(
        self,
        *,
        view: PairView,
        strategy: KabobagoolStrategy,
        buffer: ConflatingPriceBuffer,
        tracker: PositionTracker,
        flow: OrderFlow,
        unknown: UnknownOrders,
        gate: OrderGate,
        cooldown: Cooldown,
        clock: Clock,
        observer: EngineObserver,
        purse: Purse | None = None,
    ) -> None:
        self.view = view
        self.strategy = strategy
        self.tracker = tracker
        self.unknown = unknown
        self.cooldown = cooldown
        self.outcomes: Counter[str] = Counter()
        self.bans = Bans(clock)
        self.stopping = False
        self.cut_off = False
        """Whether it ended while an order was on its way: only the next bot of this market finds out what became of it."""
        self.history_open = False
        """Whether nobody knows yet what an earlier bot of this market spent: what the gate counts is nearer the truth than our position."""
        self.purse = purse or Purse()
        self.on_booked: Callable[[str, Fill], None] = lambda order_hash, fill: None
        """Told of every fill as it is booked: settlement follows it from there."""
        self._naked_since_ms: int | None = None
        self._purpose = Purpose.PAIR
        self._sending = False
        self._spent_ms = (-1, -1)
        self._buffer = buffer
        self._flow = flow
        self._window = GateWindow(gate, market=view.market.condition_id, clock=clock, observer=observer)
        self._clock = clock
        self._observer = observer
        self._lock = asyncio.Lock()
        strategy.blocked = self.obstacle
        unknown.resolved = self._on_resolved

    @property
    def market(self) -> Market:
        """The market as the feed knows it now."""
        return self.view.market

    @property
    def degraded(self) -> list[str]:
        """Why no order is sent now."""
        return self.bans.standing()

    def state(self) -> EngineState:
        """The engine's state in one word, the most serious first."""
        if self.view.resolved:
            return EngineState.RESOLVED
        if self.degraded:
            return EngineState.DEGRADED
        if self.unknown.open:
            return EngineState.FROZEN
        if self._lock.locked():
            return EngineState.ORDERING
        if self.strategy.naked:
            return EngineState.ORPHAN
        if self.stopping:
            return EngineState.STOPPING
        return EngineState.COOLDOWN if self._cooling() else EngineState.WATCHING

    def obstacle(self, intent: Intent | None = None) -> Reason | None:
        """Why this intent, or any, may not be begun now, whatever the books say."""
        return Reason.ORDER_IN_FLIGHT if self._lock.locked() else self._standing_obstacle(intent)

    def is_busy(self) -> bool:
        """Whether an order is on its way or its end is not known."""
        return self._lock.locked() or bool(self.unknown.open) or self.cut_off

    def may_be_naked(self) -> bool:
        """Whether a leg is naked, or an order that is on its way or of unknown end may still make one so."""
        return self.strategy.naked or self.is_busy()

    def degrade(self, reason: str) -> None:
        """No order before a person looked: something about this wallet or this market is not what we believe."""
        self.bans.add(reason)

    def recover(self, reason: str) -> None:
        """What `degrade` said of this reason no longer holds."""
        self.bans.lift(reason)

    def booked(self) -> None:
        """The tracker changed: take over the position, and notice a naked leg."""
        position = self.tracker.position
        between_legs = self._sending and not self.strategy.naked
        naked = not between_legs and is_orphan(position, self.strategy.policy, self.market.min_order_shares)
        if naked and self._naked_since_ms is None:
            self._naked_since_ms = self._clock.now_ms()
            self._buffer.publish(self.view)
            log.warning("a leg is naked", extra={"imbalance_micros": position.imbalance})
        elif not naked:
            self._naked_since_ms = None
        self.strategy.set_position(position, naked=naked)
        self._observer.position(position, naked=naked)

    def take_over(self, change: OrderFill, *, now_ms: int) -> None:
        """Bring what settlement or reconciliation says of an order into the position."""
        self.tracker.take_over(change, now_ms=now_ms)
        self.booked()
        self._tell_exposure()

    async def run(self) -> None:
        """Act on what the feed brings, until cancelled."""
        while True:
            view = await self._next_view()
            async with self._lock:
                if self._may_act_on_orphan():
                    self.strategy.gave_up(Reason.ORPHAN_OPEN)
                    await self._act(self._orphan_step, view)
                elif self.strategy.pending:
                    await self._act(self._entry, view)
            self._tell_exposure()
            self.strategy.look_again(view)  # the books may stand still with an edge in them

    async def hedge_before_stop(self, *, timeout_s: float) -> bool:
        """Open nothing new; give a naked leg up to `timeout_s` to be closed. Whether no leg is left naked."""
        self.stopping = True
        deadline = self._clock.monotonic() + timeout_s
        while self.may_be_naked() and self._clock.monotonic() < deadline:
            await self._clock.sleep(0.05)
        return not self.may_be_naked()

    def on_outcome(self, order: SignedOrder, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """Book what an order brought and apply what its outcome asks for: once a reply, and again when an unknown one is resolved."""
        name = outcome_name(outcome)
        self.outcomes[name] += 1
        log.info("order", extra={"order": order.order_hash, "outcome": name, "leg": plan.outcome.name, "side": plan.side.value})
        self._observer.order_ended(plan, self._purpose, outcome, self._flow.latency_s)
        self._apply(order, plan, outcome)

    async def on_reply(self, order: SignedOrder, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """The same of a reply that was just heard: before anything else is done, the whole wallet is silent if the venue asked for it."""
        self.on_outcome(order, plan, outcome)
        if pause_s := trouble_of(outcome).pause_s:
            await self._window.pause(seconds=pause_s, reason=outcome_name(outcome))

    def _apply(self, order: SignedOrder, plan: OrderPlan, outcome: OrderOutcome) -> None:
        if isinstance(outcome, Filled):
            fill = Fill(plan.outcome, plan.side, outcome.shares, outcome.dollars, outcome.fee)
            self.tracker.book(order.order_hash, fill, now_ms=self._clock.now_ms())
            self.purse.follow(fill)
            self.on_booked(order.order_hash, fill)
            self.cooldown.reset()
            self.booked()
            return
        trouble = trouble_of(outcome)
        if trouble.look_up:
            self.unknown.add(order, plan, since_ms=order.signed_ms)
        if trouble.no_money and plan.side is Side.BUY:
            self.purse.ran_dry()
        if trouble.fatal:
            self.degrade(f"order refused: {getattr(outcome, 'text', '')}")
        self.cooldown.fail(self._clock.monotonic(), at_least_s=trouble.stay_away_s)

    def _cost(self, intent: Intent) -> Micros:
        return dollars_needed(intent.orders, self.market.fee or DEAREST_FEE)

    def _can_pay(self, intent: Intent) -> bool:
        return self.purse.has(self._cost(intent), market=self.market.condition_id)

    def _let_go_of_money(self) -> None:
        """What was held is spent or never left; only an order of unknown end may still take it."""
        if not (self.unknown.open or self.cut_off):
            self.purse.release(market=self.market.condition_id)

    def _on_resolved(self, order: SignedOrder, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """An order whose end was unknown was found: counted beside the replies, so that replies still add up to orders."""
        self.outcomes[f"unknown_{outcome_name(outcome)}"] += 1
        self._observer.order_found(plan, outcome)
        self._apply(order, plan, outcome)
        self._let_go_of_money()
        self._tell_exposure()

    def _tell_exposure(self) -> None:
        """What was granted is spent or never left. While an order may still be on its way the gate goes on counting what it granted."""
        if not (self.is_busy() or self.history_open):
            self._window.set_exposure(exposure_of(self.tracker.position))

    async def _next_view(self) -> PairView:
        """The next view worth a decision. With a leg naked or a cooldown running, time alone changes what may be done."""
        if not (self.strategy.naked or self._cooling()):
            return await self._buffer.wait()
        remaining_s = NAKED_LEG_POLL_S if self.strategy.naked else self.cooldown.remaining(self._clock.monotonic())
        waiting = asyncio.ensure_future(self._buffer.wait())
        ticking = asyncio.ensure_future(self._clock.sleep(max(remaining_s, SHORTEST_WAIT_S)))
        try:
            await asyncio.wait({waiting, ticking}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else self.view
        finally:
            waiting.cancel()
            ticking.cancel()
            # The buffer has one consumer: the cancelled one must be gone before the next one waits.
            await asyncio.wait({waiting, ticking})

    def _may_act_on_orphan(self) -> bool:
        return self.strategy.naked and not self.degraded and not self.unknown.open and not self._cooling()

    async def _act(self, ask: Callable[[PairView], Intent | Reject], view: PairView) -> None:
        """Ask, sign, get leave, ask again, send. An edge that dies on the way is counted under what killed it."""
        intent = ask(view)
        if isinstance(intent, Reject):
            self.strategy.gave_up(intent.reason)
            return
        self.purse.hold(self._cost(intent), market=self.market.condition_id)
        try:
            await self._carry_out(intent, ask, view)
        finally:
            self._let_go_of_money()

    async def _carry_out(self, intent: Intent, ask: Callable[[PairView], Intent | Reject], view: PairView) -> None:
        prepared = await self._flow.prepare(intent, self.market)
        if isinstance(prepared, Prepared) and ask(view) != intent:
            prepared = NotSent(Reason.VIEW_MOVED)  # no slot is taken for what died while it was signed
        if isinstance(prepared, NotSent):
            self._after(prepared)
            return
        try:
            result = await self._with_leave(prepared, ask, view)
        finally:
            self._flow.let_go(prepared)
        self._after(result)

    async def _with_leave(self, prepared: Prepared, ask: Callable[[PairView], Intent | Reject], view: PairView) -> Sent | NotSent:
        answer = await self._window.ask(prepared.intent, prepared.note)
        if isinstance(answer, Refused):
            self.cooldown.hold(self._clock.monotonic(), min(max(answer.retry_after_s, GATE_RETRY_S[0]), GATE_RETRY_S[1]))
            return NotSent(Reason.GATE_REFUSED)
        left = False
        try:
            wanted = await self._still_wanted(prepared, ask, view)
            result = wanted if isinstance(wanted, NotSent) else await self._send(wanted, ask, view)
            left = isinstance(result, Sent)
            return result
        finally:
            if not (left or self.cut_off):
                self._window.give_back(answer, prepared.intent)

    async def _still_wanted(self, granted: Prepared, ask: Callable[[PairView], Intent | Reject], view: PairView) -> Prepared | NotSent:
        """What the rule says after the wait: what was granted, or another intent in its stead, signed anew."""
        intent = ask(view)
        if isinstance(intent, Reject) or not may_stand_in(intent, granted.intent):
            return NotSent(Reason.VIEW_MOVED)
        self.purse.hold(self._cost(intent), market=self.market.condition_id)
        return granted if intent == granted.intent else await self._flow.prepare(intent, self.market)

    async def _send(self, prepared: Prepared, ask: Callable[[PairView], Intent | Reject], view: PairView) -> Sent | NotSent:
        self._purpose = prepared.intent.purpose
        try:
            return await self._flow.send(prepared, still_good=lambda: ask(view) == prepared.intent, leaving=self._leaving)
        except BaseException:
            self.cut_off = self._sending
            raise
        finally:
            self._spend_view()
            self._sending = False
            self.booked()

    def _after(self, result: Sent | NotSent) -> None:
        if isinstance(result, NotSent):
            self.strategy.gave_up(result.reason)
            if result.reason is Reason.SIGNING_FAILED:
                self.degrade(result.text)
            if result.reason is Reason.JOURNAL_FAILED:
                self.bans.add(result.text, again_after_s=TRIED_AGAIN_S)

    def _entry(self, view: PairView) -> Intent | Reject:
        # The lock is ours while this is asked, so only what stands besides it counts.
        intent = self.strategy.propose(view)
        obstacle = self._standing_obstacle(intent) if isinstance(intent, Intent) else None
        return intent if obstacle is None else REJECT[obstacle]

    def _standing_obstacle(self, intent: Intent | None) -> Reason | None:
        if self.degraded:
            return Reason.DEGRADED
        if self.unknown.open:
            return Reason.FROZEN
        if self.strategy.naked:
            return Reason.ORPHAN_OPEN
        if self.stopping:
            return Reason.STOPPING
        if self._cooling():
            return Reason.COOLDOWN
        if intent is not None and not self._can_pay(intent):
            return Reason.NOT_ENOUGH_BALANCE
        return Reason.VIEW_ALREADY_TRADED if self._view_is_spent() else None

    def _view_is_spent(self) -> bool:
        """Whether either book is still the one our last order was sent on: what it shows may be what we took."""
        spent_yes_ms, spent_no_ms = self._spent_ms
        return self.view.yes.venue_ms <= spent_yes_ms or self.view.no.venue_ms <= spent_no_ms

    def _spend_view(self) -> None:
        """Whatever was heard until the reply may still show what we took."""
        if self._sending:
            self._spent_ms = (self.view.yes.venue_ms, self.view.no.venue_ms)

    def _leaving(self) -> None:
        self._sending = True
        self.strategy.acted()

    def _orphan_step(self, view: PairView) -> Intent | Reject:
        if self.degraded:
            return REJECT[Reason.DEGRADED]
        intent = self._resolve_orphan(view, can_pay=True)
        if isinstance(intent, Reject) or self._can_pay(intent):
            return intent
        if self.purse.could_have(self._cost(intent)):  # other markets hold it for a moment: no reason to sell
            return REJECT[Reason.NOT_ENOUGH_BALANCE]
        return self._resolve_orphan(view, can_pay=False)

    def _resolve_orphan(self, view: PairView, *, can_pay: bool) -> Intent | Reject:
        position, now_ms = self.tracker.position, self._clock.now_ms()
        return resolve_orphan(
            view,
            position,
            self.strategy.policy,
            naked_since_ms=self._naked_since_ms or now_ms,
            settled_shares=self.tracker.settled_shares(position.heavy),
            now_ms=now_ms,
            can_pay=can_pay,
        )

    def _cooling(self) -> bool:
        return self.cooldown.remaining(self._clock.monotonic()) > 0
