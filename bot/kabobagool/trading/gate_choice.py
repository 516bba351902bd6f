"""Which order gate a wallet gets: the one of this process, or the one that all its processes share on the server of REDIS_URL.

Opened by `session.py` to trade and by `cli/gate.py` to look and to halt; `replay/` takes the limits alone. What everybody else holds is an
`interface.LeasedGate` and does not tell which it is.
"""

import asyncio
import logging
import os
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from getpass import getuser
from typing import TYPE_CHECKING, Final

from kabobagool.clock import Clock, SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import GateUnreachableError, LeasedGate
from kabobagool.gate.limits import LONGEST_WAIT_S, Limits
from kabobagool.gate.memory import MemoryGate
from kabobagool.settings import Settings
from kabobagool.trading.gate_numbers import GateNumbers
from kabobagool.venue.errors import VenueError

if TYPE_CHECKING:  # the Redis client takes a while to import, and most bots have no use for it
    from kabobagool.gate.redis_gate import RedisGate
    from kabobagool.gate.redis_link import RedisLink
    from kabobagool.trading.status_report import StatusReporter

log = logging.getLogger(__name__)

PROCESSES: Final = 50
"""As many processes may trade one wallet without breaking its rate while the server is out of reach."""
LOCAL_SHARE: Final = Fraction(1, 10)
"""The part of the rate that is set aside for hedges in such a time."""
AHEAD_S: Final = LONGEST_WAIT_S
"""How far ahead the first in line reserves its slot where other processes ask too, if it is that patient: who reserves less far than fifty
others do asks again and again, and chance decides who is served."""
PERSON_PATIENCE_S: Final = 2.0
TRIALS: Final = 3
TRIAL_PAUSE_S: Final = 0.2
RESTART_S: Final = 1.0


class StartError(VenueError):
    """Trading must not start; the text says why and what to do."""


class GateAwayError(StartError):
    """The shared gate's server cannot be reached, or gives nothing away yet: a later start may work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGate:
    """The wallet's gate, and the clock it counts on. `shared` lies behind it on a server, None when the gate lives in this process."""

    gate: LeasedGate
    clock: Clock
    numbers: GateNumbers
    shared: "RedisGate | None" = None
    tasks: "tuple[asyncio.Task[None], ...]" = ()
    """Its heartbeat, the watch over its numbers, and the reports of its bots."""
    reporter: "StatusReporter | None" = None
    """Tells the server what the bots do, None when the gate lives in this process."""

    async def close(self) -> None:
        """Stop the heartbeat, let other processes have the leases, let go of the server."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)
        if self.reporter is not None:
            await self.reporter.close()
        await self.gate.close()


def limits_of(settings: Settings, *, tokens_at_start: int = 0) -> Limits:
    """What the settings allow a wallet. GLOBAL_ORDER_MIN_INTERVAL_S, when set, is the whole rule."""
    if settings.global_order_min_interval_s is not None:
        burst, reserve = 1, Fraction(0)
    else:
        burst, reserve = settings.order_burst, Fraction(settings.hedge_reserve)
    return Limits(
        interval_us=settings.order_interval_us,
        burst=burst,
        reserve_fraction=reserve,
        exposure_cap_micros=settings.max_exposure_micros,
        orphan_cap_micros=settings.max_orphan_micros,
        daily_loss_cap_micros=settings.max_daily_loss_micros,
        tokens_at_start=tokens_at_start,
    )


def memory_gate(settings: Settings, clock: Clock) -> MemoryGate:
    """The gate of a wallet that one process alone trades: one order may leave at once, so that restarts add up to no burst."""
    limits = limits_of(settings)
    return MemoryGate(
        clock=clock,
        interval_us=limits.interval_us,
        burst=limits.burst,
        reserve_fraction=limits.reserve_fraction,
        exposure_cap_micros=limits.exposure_cap_micros,
        orphan_cap_micros=limits.orphan_cap_micros,
        daily_loss_cap_micros=limits.daily_loss_cap_micros,
    )


async def open_gate(settings: Settings, wallet: str, *, clock: Clock, rng: random.Random) -> OpenGate:
    """The gate of a wallet, its heartbeat running. StartError when REDIS_URL is set and the server does not do what a gate needs.

    `clock` is the venue's; a server knows only seconds as they pass, whatever a paper exchange makes of them.
    """
    numbers = GateNumbers(caps=limits_of(settings).caps)
    if settings.redis_url is None:
        own = memory_gate(settings, clock)
        numbers.stakes = own.stakes
        return OpenGate(gate=FairGate(own, clock=clock), clock=clock, numbers=numbers)
    from kabobagool.trading.gate_watch import watch
    from kabobagool.trading.status_report import StatusReporter

    real = clock if settings.clock_rate == 1 else SystemClock()
    holder = holder_name(rng)
    shared = await open_shared(settings, wallet, clock=real, rng=rng, numbers=numbers, holder=holder)
    reporter = StatusReporter(open_link(settings, wallet, clock=real, rng=rng, numbers=GateNumbers()), holder=holder, clock=real)
    parts = {"gate heartbeat": shared.run, "gate watch": lambda: watch(shared, numbers, real), "bot reports": reporter.run}
    tasks = tuple(asyncio.create_task(_for_ever(part, real, name=name), name=name) for name, part in parts.items())
    ahead_s = AHEAD_S if settings.clock_rate == 1 else 0.0  # an engine would wait for its slot in the venue's hasty seconds
    gate = FairGate(shared, clock=real, ahead_s=ahead_s)
    return OpenGate(gate=gate, clock=real, numbers=numbers, shared=shared, tasks=tasks, reporter=reporter)


async def open_shared(
    settings: Settings,
    wallet: str,
    *,
    clock: Clock,
    rng: random.Random,
    numbers: GateNumbers | None = None,
    holder: str | None = None,
    timeout_s: float | None = None,
) -> "RedisGate":
    """The shared gate itself, without queue and heartbeat. StartError when there is no REDIS_URL, or nobody answers there.

    `holder` names this process there; without it the gate gets a name of its own. `timeout_s` is how long one answer may take: the
    little that orders wait, unless people ask (`PERSON_PATIENCE_S`), who may be far away.
    """
    from kabobagool.gate.local_budget import LocalBudget, split
    from kabobagool.gate.redis_gate import RedisGate

    shared, local_interval_us = split(limits_of(settings), share=LOCAL_SHARE, processes=PROCESSES)
    gate = RedisGate(
        open_link(settings, wallet, clock=clock, rng=rng, numbers=numbers or GateNumbers(), timeout_s=timeout_s),
        limits=shared,
        holder=holder or holder_name(rng),
        clock=clock,
        rng=rng,
        local=LocalBudget(interval_us=local_interval_us, clock=clock),
    )
    try:
        await _insist_on_an_answer(gate, clock)
    except BaseException:
        await gate.close()
        raise
    return gate


def open_link(
    settings: Settings, wallet: str, *, clock: Clock, rng: random.Random, numbers: GateNumbers, timeout_s: float | None = None
) -> "RedisLink":
    """The way to the server of REDIS_URL for one wallet; connects when it is first used. StartError when the URL leads nowhere."""
    from kabobagool.gate.redis_url import TIMEOUT_S, connect
    from kabobagool.trading.gate_watch import TimedLink

    if settings.redis_url is None:
        raise StartError("REDIS_URL is not set: it names the server on which the processes of a wallet share their order gate")
    try:
        client = connect(settings.redis_url.get_secret_value(), timeout_s=TIMEOUT_S if timeout_s is None else timeout_s)
    except ValueError as e:
        raise StartError(f"REDIS_URL=***: {e}; write it like redis://user:password@host:6379/0, or rediss:// with TLS") from None
    return TimedLink(client, wallet=wallet, clock=clock, rng=rng, numbers=numbers)


def holder_name(rng: random.Random) -> str:
    """A name that no other process has or will have, and that tells a person where to look for it."""
    return f"{person()}/{os.getpid()}/{rng.getrandbits(48):012x}"


def person() -> str:
    """Who runs this process, and where: `user@host`. In a container the user may have a number and no name."""
    try:
        user = getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


async def _insist_on_an_answer(gate: "RedisGate", clock: Clock) -> None:
    for trial in range(TRIALS):
        try:
            await gate.beat()
            return
        except GateUnreachableError as e:
            error = e
        if trial < TRIALS - 1:
            await clock.sleep(TRIAL_PAUSE_S)
    raise (GateAwayError if _is_away(error) else StartError)(
        f"REDIS_URL is set, but {error}; start that server or correct REDIS_URL (`kabobagool doctor` says more), or unset it when one "
        "process alone trades this wallet"
    )


def _is_away(error: GateUnreachableError) -> bool:
    """Whether nobody answered. A server that answers and refuses, a wrong password above all, goes on refusing."""
    from redis.exceptions import AuthenticationError, ConnectionError, TimeoutError  # noqa: A004

    cause = error.__cause__
    return cause is None or (isinstance(cause, OSError | ConnectionError | TimeoutError) and not isinstance(cause, AuthenticationError))


async def _for_ever(part: Callable[[], Awaitable[None]], clock: Clock, *, name: str) -> None:
    """The heartbeat must not die silently: without it the leases end, and with them the trading."""
    while True:
        try:
            await part()
        except Exception:
            log.exception("a part of the shared gate broke; it is started again", extra={"part": name})
        await clock.sleep(RESTART_S)
