"""The order gate of many processes: one question, one round trip to Redis or Valkey, one answer that holds for the whole wallet.

The server decides alone, in `lua/acquire.lua`, on its own clock. This side asks, remembers what only it can know (its leases, its
exposure), and knows what to do when nobody answers: new pairs are refused at once, hedges and unwinds live from `local_budget.py`.

Opened by whoever starts a bot with REDIS_URL, asked through `interface.OrderGate`. `run` must run beside it: the heartbeat renews the
leases.
"""

import random
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.gate.interface import (
    RECHECK_S,
    Answer,
    Exposure,
    GateUnreachableError,
    Granted,
    Halt,
    HaltDisk,
    IntentNote,
    Lease,
    Priority,
    Refusal,
    Refused,
    check_cost,
)
from kabobagool.gate.lease_book import LEASE_S, LeaseBook
from kabobagool.gate.limits import LONGEST_WAIT_S, MICROSECONDS, Limits
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.redis_halts import RedisHalts
from kabobagool.gate.redis_intents import RedisIntents
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_wallet import GRANTED, MEMORY_LOST, RedisWallet, Reply
from kabobagool.gate.unsaid import GivenBack, Unsaid

HEARTBEAT_S: Final = 3.0
HEDGE_PATIENCE_S: Final = 0.25
"""A shared slot that comes later than this is left to others while there is one that was set aside."""
NO_CAP: Final = -1
NOT_NOW: Final = Refused(Refusal.UNAVAILABLE, RECHECK_S)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What `acquire` is asked."""

    market: str
    cost: int
    notional: Micros
    priority: Priority
    max_wait_s: float
    intent: IntentNote | None = None

    @property
    def is_new_pair(self) -> bool:
        """Whether it adds risk, and so needs the server's word."""
        return self.priority is Priority.NEW_PAIR


class RedisGate:
    """`OrderGate` and `LeasedGate` on a shared server. It never sleeps: what must wait is told for how long.

    `holder` names this process and no other: a restarted one has a new name. A market is leased to whoever asks for it first. What was
    granted may wait `longest_wait_s` at most; a request for more patience is cut to it. A server without memory grants nothing and gives
    no lease away for `silence_at_start_s`: by then nothing it forgot is on its way, and no lease it forgot is valid.
    """

    def __init__(
        self,
        link: RedisLink,
        *,
        limits: Limits,
        holder: str,
        clock: Clock,
        rng: random.Random,
        local: LocalBudget | None = None,
        longest_wait_s: float = LONGEST_WAIT_S,
        silence_at_start_s: float = LEASE_S,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._local = local
        self._longest_wait_s = longest_wait_s
        self._wallet = RedisWallet(link, limits=limits, silence_at_start_s=silence_at_start_s)
        self._leases = LeaseBook(self._wallet, holder=holder, clock=clock)
        self._halts = RedisHalts(self._wallet, clock=clock)
        self._unsaid = Unsaid(self._wallet, lease_number=self._leases.number, clock=clock)
        self.intents = RedisIntents(self._wallet, self._leases, clock=clock)
        """What this wallet's bots were about to send."""
        self._wallet.restorers += [self._leases.restore, self._halts.restore, self._unsaid.restore, self.intents.restore]

    @property
    def link(self) -> RedisLink:
        """The way to the server."""
        return self._wallet.link

    @property
    def limits(self) -> Limits:
        """The budget. A new one holds from the next question on, and for those of this process alone."""
        return self._wallet.limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._wallet.limits = limits

    async def acquire(
        self, *, market: str, cost: int, notional: Micros, priority: Priority, max_wait_s: float, intent: IntentNote | None = None
    ) -> Answer:
        """Ask for `cost` orders of `notional` dollars together to leave: all of them or none. Never sleeps.

        An intent that comes with it is written down in the same moment as it is granted, except when the server counted as gone: its
        first answer then grants alone, so that questions into the void leave no doubt behind. ValueError for a cost below 1.
        """
        check_cost(cost)
        note = None if self.link.broken else intent
        question = Question(market=market, cost=cost, notional=notional, priority=priority, max_wait_s=max_wait_s, intent=note)
        return await self._acquire(question)

    async def objection(self, *, market: str, notional: Micros, priority: Priority) -> Refused | None:
        """What forbids these orders now whatever the rate: a halt, a pause, a cap. Takes nothing."""
        try:
            await self._unsaid.tell()
            args = (market, notional, priority is Priority.NEW_PAIR, self._caps)
            word, values = await self._wallet.ask("objection", args=args)
        except GateUnreachableError:
            return NOT_NOW if priority is Priority.NEW_PAIR else self.known_objection(market=market, priority=priority)
        return None if word == GRANTED else Refused(Refusal(word), values[0] / MICROSECONDS)

    def known_objection(self, *, market: str, priority: Priority) -> Refused | None:
        """A halt that the last heartbeat saw, or a pause that this process was asked for."""
        if self._halts.stop(market, priority):
            return Refused(Refusal.HALTED, RECHECK_S)
        rest_s = self._unsaid.paused_until_s - self._clock.monotonic()
        return Refused(Refusal.VENUE_PAUSED, rest_s) if rest_s > 0 else None

    def give_back(self, granted: Granted, *, market: str, cost: int, notional: Micros, priority: Priority) -> None:
        """The orders of this very answer did not leave, and never will: nobody's dollars, and their slots are free again.

        Slots come back only while nothing was reserved after them, anywhere, and no pause began; else they are lost.
        """
        if granted.ticket:
            self._unsaid.give_back(GivenBack(market, notional, granted.ticket))

    def set_exposure(self, market: str, exposure: Exposure) -> None:
        """What the market has at stake now, and what it made; replaces what its granted orders were counted with."""
        self._unsaid.expose(market, exposure)

    async def pause(self, *, seconds: float, reason: str) -> None:
        """The venue asked for silence: no bot of the wallet is granted anything before it is over, and then there is no burst.

        When the server is out of reach this process is silent, and tells the others as soon as it can.
        """
        await self._unsaid.pause(seconds)

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a scope anywhere, until `resume`. GateUnreachableError when the server did not take it."""
        await self._halts.set(scope=scope, who=who, why=why)

    async def resume(self, *, scope: str) -> None:
        """Lift a halt. GateUnreachableError when the server did not take it."""
        await self._halts.lift(scope)

    async def halts(self) -> tuple[Halt, ...]:
        """What is halted now, oldest first; what was last seen when the server is out of reach."""
        with suppress(GateUnreachableError):
            await self._halts.look()
        return self._halts.seen

    async def keep_halts_on(self, disk: HaltDisk) -> None:
        """Keep what is halted on this disk too, and put back what is found there if the server lost its memory since.

        GateUnreachableError when the server did not take it: nothing may be traded then.
        """
        await self._halts.keep_on(disk)

    def lease_number(self, market: str) -> int:
        """The number of the lease that orders of this market name; 0 for a market this process never held."""
        return self._leases.number(market)

    async def take_lease(self, market: str) -> Lease | Refused:
        """Become the holder of a market, or stay it. Refused while another one is alive, and when nobody can tell."""
        try:
            return await self._leases.take(market)
        except GateUnreachableError:
            return NOT_NOW

    async def drop_lease(self, market: str) -> None:
        """Let another holder have the market at once, or when the lease ends if the server is out of reach."""
        with suppress(GateUnreachableError):
            await self._leases.drop(market)

    async def beat(self) -> None:
        """One heartbeat: tell what is left, renew the leases, see the halts. GateUnreachableError when the server does not answer."""
        await self._unsaid.tell()
        await self._leases.renew()
        await self._halts.look()

    async def run(self) -> None:
        """Beat until cancelled, never in step with other processes."""
        while True:
            with suppress(GateUnreachableError):  # the link has said so; every later beat tries again
                await self.beat()
            await self._clock.sleep(HEARTBEAT_S * (0.75 + self._rng.random() / 2))

    async def close(self) -> None:
        """Tell what is left to tell, let other holders have the markets, and let go of the connections."""
        await self._unsaid.close()
        with suppress(GateUnreachableError):  # they end by themselves
            await self._leases.drop_all()
        await self.link.close()

    @property
    def _caps(self) -> tuple[int, ...]:
        limits = self._wallet.limits
        caps = (limits.exposure_cap_micros, limits.orphan_cap_micros, limits.daily_loss_cap_micros)
        return tuple(NO_CAP if cap is None else cap for cap in caps)

    async def _acquire(self, question: Question) -> Answer:
        try:
            await self._unsaid.tell()
            answer = await self._ask(question)
        except GateUnreachableError:
            self._unsaid.asked(question.market)
            answer = NOT_NOW
        return answer if question.is_new_pair else self._or_on_our_own(question, answer)

    async def _ask(self, question: Question) -> Answer:
        asked_s = self._clock.monotonic()
        keys, intent = self.intents.keys_and_args(question.market, question.intent)
        args = (*self._args(question), *intent)
        unheard = partial(self._undo, question, asked_s)
        return self._read(question, asked_s, await self._wallet.ask("intent", "acquire", keys=keys, args=args, unheard=unheard))

    def _read(self, question: Question, asked_s: float, reply: Reply) -> Answer:
        wait_us, ticket, lease = reply.values
        if reply.word != GRANTED:
            self.intents.refused(question.intent)
            if reply.word == Refusal.LEASE_LOST:
                self._leases.lost(question.market)
            return Refused(Refusal(reply.word), wait_us / MICROSECONDS)
        self.intents.granted(question.intent)
        self._unsaid.asked(question.market)
        self._leases.renewed(question.market, lease, asked_s=asked_s)
        return Granted(wait_us / MICROSECONDS, ticket)

    def _args(self, question: Question) -> tuple[str | int | tuple[int, ...], ...]:
        market = question.market
        wait_us = round(min(question.max_wait_s, self._longest_wait_s) * MICROSECONDS)
        orders = (market, question.cost, question.notional, question.is_new_pair, wait_us, self._caps)
        return (*orders, self._leases.number(market), self._leases.holder, self._leases.lease_us)

    def _or_on_our_own(self, question: Question, answer: Answer) -> Answer:
        """The shared answer, or what was set aside for a naked leg if that is sooner. Not against what the server forbids."""
        if isinstance(answer, Refused):
            return self._on_our_own(question, answer) if answer.reason in {Refusal.UNAVAILABLE, Refusal.WAIT_TOO_LONG} else answer
        if answer.wait_s <= HEDGE_PATIENCE_S or self._local is None:
            return answer
        alone = self._local.acquire(cost=question.cost, max_wait_s=HEDGE_PATIENCE_S)
        if isinstance(alone, Refused):
            return answer
        self._give_back(answer, question)
        return alone

    def _on_our_own(self, question: Question, refused: Refused) -> Answer:
        """What a process may decide alone: a hedge of a market it certainly holds, out of what was set aside for it."""
        if self._local is None:
            return refused
        if objection := self.known_objection(market=question.market, priority=question.priority):
            return objection
        if not self._leases.is_certain(question.market):
            return Refused(Refusal.LEASE_LOST, RECHECK_S)
        return self._local.acquire(cost=question.cost, max_wait_s=question.max_wait_s)

    def _undo(self, question: Question, asked_s: float, reply: Reply) -> None:
        """Nobody waited for the answer: what it granted is not used."""
        if reply.word != MEMORY_LOST and isinstance(answer := self._read(question, asked_s, reply), Granted):
            self._give_back(answer, question)

    def _give_back(self, granted: Granted, question: Question) -> None:
        self.give_back(granted, market=question.market, cost=question.cost, notional=question.notional, priority=question.priority)
