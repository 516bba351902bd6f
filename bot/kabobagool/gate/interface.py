"""The order gate: one question asked before any order leaves.

Every bot of a wallet shares one signer, so they share one rate, one exposure and one set of halts. This module is the question
(`acquire`) and its answers; `memory.py` answers it inside one process, `redis_gate.py` for many processes, `fair_queue.py` decides who
is answered first when many ask. The engine asks; nothing else may send an order.
"""

from enum import IntEnum, StrEnum
from typing import Protocol

import msgspec

from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import Micros


class Priority(IntEnum):
    """Lower is served first. New pairs never touch what is held back for hedges and unwinds."""

    UNWIND = 0
    HEDGE = 1
    NEW_PAIR = 2


class Refusal(StrEnum):
    """Why the gate said no; also the metric label."""

    WAIT_TOO_LONG = "wait_too_long"
    HALTED = "halted"
    VENUE_PAUSED = "venue_paused"
    LEASE_LOST = "lease_lost"
    EXPOSURE = "exposure"
    ORPHANS = "orphans"
    DAILY_LOSS = "daily_loss"
    UNAVAILABLE = "gate_unavailable"


class Granted(msgspec.Struct, frozen=True):
    """The orders may leave after `wait_s` seconds; their slots are already taken.

    `ticket` is how a gate in another process knows this answer again when it is given back.
    """

    wait_s: float
    ticket: int = 0


class Refused(msgspec.Struct, frozen=True):
    """Nothing was consumed. `retry_after_s` is the soonest moment at which asking again can help."""

    reason: Refusal
    retry_after_s: float


Answer = Granted | Refused

RECHECK_S = 1.0
"""Nobody knows when a halt is lifted or a cap is no longer reached; asking once a second is often enough."""

WALLET = "wallet"
"""The scope of a halt that stops every market."""


DRAINING = "draining:"
"""Put before a condition id or `WALLET` it is the scope of a halt that stops new pairs and lets hedges and unwinds finish."""


class Halt(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing leaves for `scope` (a condition id, or `WALLET`): who stopped it, why, and since when (venue ms).

    With `DRAINING` before its scope it stops new pairs alone.
    """

    scope: str
    who: str
    why: str
    since_ms: Milliseconds


class KeptHalts(msgspec.Struct, frozen=True, kw_only=True):
    """Halts as they lay on a shared server, by scope, and when they were seen there (microseconds of its clock; 0 never)."""

    seen_us: int = 0
    texts: dict[str, str] = {}


class HaltDisk(Protocol):
    """Keeps halts where the next process on this host finds them."""

    async def kept_halts(self) -> KeptHalts:
        """What was kept last."""
        ...

    async def keep_halts(self, halts: KeptHalts) -> bool:
        """Keep these in place of those; False when that was not possible now."""
        ...


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a market has at stake, in micro-dollars. `stakes.exposure_of` reads it off a position.

    `at_stake`: dollars spent that have not come back, never negative. `orphan`: what the shares without a partner cost. `result`: what
    the market made so far, losses negative, with such shares counted as worth their cost.
    """

    at_stake: Micros = 0
    orphan: Micros = 0
    result: Micros = 0


class StakeNumbers(Protocol):
    """What the gate's caps are held against, in micro-dollars over all markets of the wallet."""

    @property
    def at_stake(self) -> Micros:
        """Spent, and not come back."""
        ...

    @property
    def orphans(self) -> Micros:
        """Cost of shares without a partner."""
        ...

    @property
    def lost_today(self) -> Micros:
        """Lost since midnight UTC, gains negative."""
        ...


class IntentNote(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that are about to be sent together, by the hashes they will have at the venue. `text` is the writer's own.

    A gate that outlives its bots writes it down: whoever trades the market next finds it.
    """

    intent_id: str
    created_ms: int
    order_hashes: tuple[str, ...]
    text: str


class OrderGate(Protocol):
    """One wallet's budget, halts and pauses."""

    async def acquire(
        self, *, market: str, cost: int, notional: Micros, priority: Priority, max_wait_s: float, intent: IntentNote | None = None
    ) -> Answer:
        """Ask for `cost` orders of `notional` dollars together to leave: all of them or none.

        The answer comes, and the orders leave, within `max_wait_s` seconds. Cancelled while it waits, it has taken nothing. A gate that
        outlives its bots writes `intent` down in the same moment as it grants. ValueError for a cost below 1.
        """
        ...

    async def objection(self, *, market: str, notional: Micros, priority: Priority) -> Refused | None:
        """What forbids these orders now whatever the rate: a halt, a pause, a cap. Takes nothing."""
        ...

    def known_objection(self, *, market: str, priority: Priority) -> Refused | None:
        """What this process knows to forbid such orders, without asking anybody: a halt or a pause. `acquire` knows better."""
        ...

    def give_back(self, granted: Granted, *, market: str, cost: int, notional: Micros, priority: Priority) -> None:
        """The orders of this very answer did not leave, and never will: their slots serve others if they still can."""
        ...

    def set_exposure(self, market: str, exposure: Exposure) -> None:
        """What the market has at stake now, and what it made; replaces what its granted orders were counted with."""
        ...

    async def pause(self, *, seconds: float, reason: str) -> None:
        """The venue asked for silence (429, 425, 503): nobody is granted anything before it is over."""
        ...

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a market (`scope` its condition id) or of all (`scope` "wallet"), until `resume`."""
        ...

    async def resume(self, *, scope: str) -> None:
        """Lift a halt."""
        ...

    async def halts(self) -> tuple[Halt, ...]:
        """What is halted now, oldest first."""
        ...

    async def close(self) -> None:
        """Let go of connections; whoever still waits is refused."""
        ...


class GateUnreachableError(Exception):
    """A shared gate did not do what it was asked for, or nobody knows whether it did. The text says why, and holds no secret."""


class Lease(msgspec.Struct, frozen=True):
    """The right to trade one market for `valid_s` seconds more.

    `number` is larger than that of every earlier lease of the wallet: whoever holds a smaller one was replaced.
    """

    number: int
    valid_s: float


class LeasedGate(OrderGate, Protocol):
    """An order gate at which a market has one holder: orders of anybody else are refused with `lease_lost`."""

    async def take_lease(self, market: str) -> Lease | Refused:
        """Become the holder of a market, or stay it. Refused while another one is alive, and when nobody can tell."""
        ...

    async def drop_lease(self, market: str) -> None:
        """Let another holder have the market at once; nothing happens to a market that is not held."""
        ...


def halting_scopes(market: str, priority: Priority) -> tuple[str, ...]:
    """The scopes a halt of which stops such an order of the market."""
    everything = (WALLET, market)
    return (*everything, DRAINING + WALLET, DRAINING + market) if priority is Priority.NEW_PAIR else everything


def check_cost(cost: int) -> None:
    """ValueError for a cost that no order has."""
    if cost < 1:
        raise ValueError(f"cost={cost}: an order costs at least one slot")
