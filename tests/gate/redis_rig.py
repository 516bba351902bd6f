"""Shared gates on real servers: on the server's own time, or on the time of a test, which the scripts then read from a key."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from tests.gate.redis_servers import Server, shared_server

from kabobagool.clock import Clock, SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.limits import Limits
from kabobagool.gate.local_budget import LocalBudget, split
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import Keys, RedisLink, lua
from kabobagool.gate.redis_url import connect
from kabobagool.gate.redis_wallet import RedisWallet

MANUAL_TIME = (Path(__file__).parent / "manual_time.lua").read_text(encoding="utf-8")
PATIENT_S = 20.0
"""No answer of a busy machine is too late, where lateness is not what is tested."""
QUIET_TURNS = 8
SECOND_RATE = {"interval_us": 1_000_000, "burst": 1, "reserve_fraction": 0, "tokens_at_start": 1}

_wallets = count()
_opened: list[RedisLink] = []
_busy: dict[Clock, int] = {}


class ManualLink(RedisLink):
    """A link to a server on which it is as late as the test's clock says, and which counts from when the link was made."""

    def __init__(self, client: Any, *, wallet: str, clock: Any) -> None:
        super().__init__(client, wallet=wallet, clock=clock, rng=random.Random(7), time_source=MANUAL_TIME)
        self._clock = clock
        self._born_us: int | None = clock.now_us

    async def run(self, *scripts: str, keys: Sequence[str], args: Sequence[Any], unheard: Any = None) -> list[Any]:
        _busy[self._clock] = _busy.get(self._clock, 0) + 1
        try:
            if self._born_us is not None:
                await self._at(self._born_us, "numbers", "state", "objection", keys=self.keys.gate, args=[nobody_asks(args[0])])
                self._born_us = None
            return await self._at(self._clock.now_us, *scripts, keys=keys, args=args, unheard=unheard)
        finally:
            _busy[self._clock] -= 1

    async def _at(self, now_us: int, *scripts: str, keys: Sequence[str], args: Sequence[Any], unheard: Any = None) -> list[Any]:
        await self.call(lambda: self.client.set(self.keys.gate[0] + ":test time", now_us))
        self.calls -= 1
        return await super().run(*scripts, keys=keys, args=args, unheard=unheard)


def nobody_asks(given: bytes) -> bytes:
    """The same budget, and a question that takes nothing."""
    return msgspec.msgpack.encode(["", *msgspec.msgpack.decode(given)[1:8], ["nobody's", 0, False, -1]])


def numbers_of(server: Server, keys: Keys) -> dict[str, int]:
    """Everything the server remembers of a wallet in numbers."""
    _, _, *named = server.admin.eval(lua("time") + lua("numbers") + lua("budget"), 4, *keys.gate)
    return defaultdict(int, zip(named[::2], named[1::2], strict=True))


def set_number(server: Server, keys: Keys, name: str, value: int) -> None:
    """Change one of them behind everybody's back."""
    script = lua("numbers") + "local state = load_state() state[ARGV[1]] = tonumber(ARGV[2]) save(state)"
    server.admin.eval(script, 4, *keys.gate, name, value)


async def quiet(clock: Clock) -> None:
    """Until no question to a server is open, and what its answer sets off has happened."""
    still = 0
    while still < QUIET_TURNS:
        await asyncio.sleep(0)
        still = 0 if _busy.get(clock) else still + 1


def new_wallet() -> str:
    """A wallet that no other test has."""
    return f"test-{next(_wallets)}-{random.SystemRandom().getrandbits(32):x}"


def manual_redis_gate(kind: str, clock: Any, **settings: Any) -> RedisGate:
    """A shared gate in the test's time, one order a second unless told otherwise, that waits for anything."""
    link = ManualLink(connect(shared_server(kind).url, timeout_s=PATIENT_S), wallet=new_wallet(), clock=clock)
    _opened.append(link)
    limits = Limits(**{**SECOND_RATE, **settings})
    return RedisGate(link, limits=limits, holder="rig", clock=clock, rng=random.Random(7), longest_wait_s=100_000.0, silence_at_start_s=0.0)


def sibling(gate: RedisGate, clock: Any, holder: str, *, silence_at_start_s: float = 0.0) -> RedisGate:
    """Another process of the same wallet."""
    rng = random.Random(2)
    return RedisGate(
        gate.link,
        limits=gate.limits,
        holder=holder,
        clock=clock,
        rng=rng,
        longest_wait_s=100_000.0,
        silence_at_start_s=silence_at_start_s,
    )


def valkey_gate(clock: Clock, **settings: Any) -> RedisGate:
    """On Valkey."""
    return manual_redis_gate("valkey", clock, **settings)


def redis_gate(clock: Clock, **settings: Any) -> RedisGate:
    """On Redis."""
    return manual_redis_gate("redis", clock, **settings)


def fair_valkey_gate(clock: Clock, **settings: Any) -> FairGate:
    """The queue of one process before it."""
    return FairGate(valkey_gate(clock, **settings), clock=clock)


def gate_on(
    server: Server,
    *,
    wallet: str,
    holder: str,
    timeout_s: float = PATIENT_S,
    local: LocalBudget | None = None,
    silence_at_start_s: float = 0.0,
    url: str | None = None,
    **limits: Any,
) -> RedisGate:
    """A shared gate as a bot opens it, on the server's own time."""
    clock, rng = SystemClock(), random.Random(holder)
    link = RedisLink(connect(url or server.url, timeout_s=timeout_s), wallet=wallet, clock=clock, rng=rng)
    _opened.append(link)
    budget = Limits(**{**SECOND_RATE, **limits})
    return RedisGate(link, limits=budget, holder=holder, clock=clock, rng=rng, local=local, silence_at_start_s=silence_at_start_s)


def wallet_on(server: Server) -> RedisWallet:
    """The memory under such a gate, of a wallet that no other test has."""
    gate = gate_on(server, wallet=new_wallet(), holder="bot")
    return RedisWallet(gate.link, limits=gate.limits, silence_at_start_s=0.0)


def earnest_gate(url: str, *, wallet: str, limits: Limits, processes: int) -> RedisGate:
    """A shared gate with every default: silent at the start, impatient, and with a tenth of the rate set aside for hedges."""
    clock, rng = SystemClock(), random.Random(3)
    shared, local_interval_us = split(limits, share=Fraction(1, 10), processes=processes)
    local = LocalBudget(interval_us=local_interval_us, clock=clock)
    link = RedisLink(connect(url), wallet=wallet, clock=clock, rng=rng)
    return RedisGate(link, limits=shared, holder="bot", clock=clock, rng=rng, local=local)


async def close_links() -> None:
    """Let go of every connection a test opened."""
    while _opened:
        await _opened.pop().client.aclose()
    _busy.clear()
