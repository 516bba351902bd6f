"""The shared order gate on a Valkey of its own: what a question costs, who gets the slots of a scarce second, when a halt holds.

A question is measured beside a bare PING over the same connection, and many processes asking at once beside the same ones sending PING.
Fifty clients that want more than the rate share it in three ways: on the gate itself, as the markets of one fleet, and as fifty bots; the
reference is `throttled-py` (its GCRA) on the same load. Everything is on one machine, so the server's clock is that of the clients.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import redis.asyncio
import throttled.asyncio as throttled

from kabobagool.clock import SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import WALLET, Granted, OrderGate, Priority
from kabobagool.gate.limits import Limits
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.gate_choice import AHEAD_S
from tests.bench.gate_process import a_pair, a_pair_with_its_intent, open_gate
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Samples, Target, figure
from tests.gate.redis_servers import Server

GROUP = "order gate"
WALLET_NAME = "bench"
ROUNDS, QUESTIONS = 7, 150
PROCESSES, FLOOD_S, FLOOD_ROUNDS = 3, 1.0, 2
CLIENTS, RATE = 50, 20
WARM_S, WINDOW_S, PATIENCE_S = 3.0, 7.5, 30.0
STOP_S = 1.0
HALTS, ASKING_S = 15, 0.03
ROOT = Path(__file__).resolve().parents[2]
SCARCE = Limits(interval_us=1_000_000 // RATE, burst=1, reserve_fraction=Fraction(0), tokens_at_start=1)
Ask = Callable[[], Awaitable[object]]
Attempt = Callable[[], Awaitable[bool]]
"""Tries to have a slot, and says whether it had one."""
Clients = Callable[[str, contextlib.AsyncExitStack], Sequence[Attempt]]
"""Opens what the clients need at an address, and says what each of them does again and again."""


@dataclass(frozen=True, slots=True)
class Shared:
    """How a scarce rate was shared among the clients: questions to the server for each grant, and the grants of most minus least."""

    calls_per_grant: float
    spread: int


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, partial(_run, measure)) for measure in (_round_trip, _many_processes, _waiting_clients, _halts)]


def _run(measure: Callable[[str], Coroutine[Any, Any, Sequence[Figure]]]) -> Sequence[Figure]:
    with _server() as server:
        return asyncio.run(measure(server.url))


@contextlib.contextmanager
def _server() -> Iterator[Server]:
    server = Server("valkey")
    try:
        yield server
    finally:
        server.close()


async def _round_trip(url: str) -> Sequence[Figure]:
    """Each round is some hundred questions: half of them, or one in a hundred, took longer than what it counts for."""
    gate = open_gate(url, "asking", wallet=WALLET_NAME)
    ask, ping = partial(a_pair, gate, "market"), gate.link.client.ping
    assert isinstance(await ask(), Granted)
    noted = partial(a_pair_with_its_intent, gate, "market", count())
    found: dict[str, list[Sequence[float]]] = {"PING": [], "acquire": [], "acquire that writes an intent": []}
    for _ in range(ROUNDS):
        for name, work in zip(found, (ping, ask, noted), strict=True):
            found[name].append(await _timed(work))
    await gate.close()
    return [
        figure(GROUP, f"{name}, {what}", asked, "us", f"PING, same server, {what}", bare, scale=MICROSECONDS, target=target)
        for name, aim in (("acquire", Target(1.5, of_ratio=True)), ("acquire that writes an intent", None))
        for what, percentile, target in (("median", 50, aim), ("99th percentile", 99, None))
        for asked, bare in [[Samples(tuple(_percentile(round_, percentile) for round_ in found[key])) for key in (name, "PING")]]
    ]


async def _many_processes(url: str) -> Sequence[Figure]:
    found: dict[str, list[float]] = {"acquire": [], "ping": []}
    with contextlib.ExitStack() as running:
        askers = {work: [running.enter_context(_asker(url, work, f"{work} {n}")) for n in range(PROCESSES)] for work in found}
        for _ in range(FLOOD_ROUNDS):
            for work, processes in askers.items():
                found[work].append(sum(facts["per_second"] for facts in await _each_once(processes)))
        cost_us = [(await _statistics(url))[command]["usec_per_call"] for command in ("cmdstat_evalsha", "cmdstat_ping")]
    asked, bare, script, ping = (Samples(tuple(values)) for values in (*found.values(), cost_us[:1], cost_us[1:]))
    name, reference = f"acquires a second, {PROCESSES} processes", "PINGs a second, the same processes"
    return [
        figure(GROUP, name, asked, "/s", reference, bare, target=Target(10_000, at_least=True)),
        figure(GROUP, "an acquire on the server alone", script, "us", "a PING on the server alone", ping),
    ]


async def _waiting_clients(url: str) -> Sequence[Figure]:
    """All at the same time, each on a server of its own: they hardly use the machine."""
    loads = {"reserving clients": _reserving, "markets of one process": _one_queue, "bots, one market each": _many_queues}
    with contextlib.ExitStack() as running:
        urls = [url, *(running.enter_context(_server()).url for _ in loads)]
        shares = [_share(url, clients) for url, clients in zip(urls, (_throttled, *loads.values()), strict=True)]
        reference, *found = await asyncio.gather(*shares)
    return [one for who, shared in zip(loads, found, strict=True) for one in _sharing(f"{CLIENTS} {who}", shared, reference)]


def _sharing(who: str, shared: Shared, reference: Shared) -> Iterator[Figure]:
    pairs = (
        ("calls per grant", shared.calls_per_grant, reference.calls_per_grant, Target(1.1)),
        ("grants, most minus least", shared.spread, reference.spread, Target(1)),
    )
    for what, value, beside, target in pairs:
        yield figure(GROUP, f"{who}, {what}", Samples((value,)), "", "throttled-py, GCRA", Samples((beside,)), target=target)


async def _halts(url: str) -> Sequence[Figure]:
    """One process keeps asking; another connection halts the wallet."""
    gate = open_gate(url, "halting", wallet=WALLET_NAME)
    with _asker(url, "until halted", "asking") as asker:
        found = [await _halted(gate, asker) for _ in range(HALTS)]
    await gate.close()
    ping, on_server, in_hand, confirmed = (Samples(values) for values in zip(*found, strict=True))
    once = Target(1.0, of_ratio=True)
    figures = (
        ("halt sent to last grant on the server", on_server, once),
        ("halt sent to last grant in its asker's hand", in_hand, once),
        ("halt sent to halt confirmed", confirmed, None),
    )
    reference = "PING just before, same connection"
    return [figure(GROUP, name, late, "us", reference, ping, scale=MICROSECONDS, target=target) for name, late, target in figures]


async def _halted(gate: RedisGate, asker: subprocess.Popen[str]) -> tuple[float, float, float, float]:
    """Seconds of a PING, then from sending a halt to the last grant on the server, to the last one in hand, and to the confirmation."""
    asked = asyncio.create_task(asyncio.to_thread(_once, asker))
    await asyncio.sleep(ASKING_S)
    pinged_s = time.time()
    await gate.link.client.ping()
    sent_s = time.time()
    await gate.halt(scope=WALLET, who="bench", why="measured")
    confirmed_s = time.time()
    last = await asked
    await gate.resume(scope=WALLET)
    granted_s, arrived_s = (last[name] / MICROSECONDS for name in ("granted_us", "arrived_us"))
    return sent_s - pinged_s, granted_s - sent_s, arrived_s - sent_s, confirmed_s - sent_s


def _reserving(url: str, opened: contextlib.AsyncExitStack) -> Sequence[Attempt]:
    """The shared gate itself, asked by each client for whatever slot comes, however late."""
    gates = [open_gate(url, f"client {n}", wallet=WALLET_NAME, limits=SCARCE) for n in range(CLIENTS)]
    return [_attempts_at(gate, f"market {n}", opened) for n, gate in enumerate(gates)]


def _one_queue(url: str, opened: contextlib.AsyncExitStack) -> Sequence[Attempt]:
    """Markets of one fleet: one queue before one shared gate."""
    gate = _queued(url, "fleet")
    return [_attempts_at(gate, f"market {n}", opened) for n in range(CLIENTS)]


def _many_queues(url: str, opened: contextlib.AsyncExitStack) -> Sequence[Attempt]:
    """Bots as they are shipped: a queue each, which reserves no further ahead than a new pair is worth waiting for."""
    return [_attempts_at(_queued(url, f"bot {n}"), f"market {n}", opened) for n in range(CLIENTS)]


def _queued(url: str, holder: str) -> FairGate:
    return FairGate(open_gate(url, holder, wallet=WALLET_NAME, limits=SCARCE), clock=SystemClock(), ahead_s=AHEAD_S)


def _attempts_at(gate: OrderGate, market: str, opened: contextlib.AsyncExitStack) -> Attempt:
    opened.push_async_callback(gate.close)
    return partial(_attempt, gate, market)


async def _attempt(gate: OrderGate, market: str) -> bool:
    answer = await gate.acquire(market=market, cost=1, notional=0, priority=Priority.NEW_PAIR, max_wait_s=PATIENCE_S)
    granted = isinstance(answer, Granted)
    await asyncio.sleep(answer.wait_s if isinstance(answer, Granted) else answer.retry_after_s)
    return granted


def _throttled(url: str, opened: contextlib.AsyncExitStack) -> Sequence[Attempt]:
    """As its documentation says: waiting is left to the library."""
    limiter = throttled.Throttled(
        using=throttled.RateLimiterType.GCRA.value,
        quota=throttled.rate_limiter.per_sec(RATE, burst=1),
        store=throttled.RedisStore(server=url, options={}),
    )

    async def attempt() -> bool:
        return not (await limiter.limit(WALLET_NAME, timeout=PATIENCE_S)).limited

    return [attempt] * CLIENTS


async def _share(url: str, clients: Clients) -> Shared:
    """Let every client ask again as soon as it had its slot; counted after a while, when all of them wait."""
    grants: Counter[int] = Counter()
    async with contextlib.AsyncExitStack() as opened:
        asking = [asyncio.create_task(_client(number, attempt, grants)) for number, attempt in enumerate(clients(url, opened))]
        await asyncio.sleep(WARM_S)
        grants.clear()
        before = await _script_calls(url)
        await asyncio.sleep(WINDOW_S)
        calls, counts = await _script_calls(url) - before, [grants[number] for number in range(CLIENTS)]
        await _stop(asking)
    return Shared(calls / sum(counts), max(counts) - min(counts))


async def _client(number: int, attempt: Attempt, grants: Counter[int]) -> None:
    while True:
        had_one = await attempt()
        grants[number] += had_one


async def _stop(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel them until they end, for the Redis client may lose a cancellation; one that broke before says why."""
    waiting = {task for task in tasks if not task.done()}
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=STOP_S)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _script_calls(url: str) -> int:
    """How often a script was called on the server, by anybody."""
    found = await _statistics(url)
    return sum(round(found[name]["calls"]) for name in ("cmdstat_eval", "cmdstat_evalsha") if name in found)


async def _statistics(url: str) -> Mapping[str, Mapping[str, float]]:
    """What the server counted for each command."""
    async with redis.asyncio.from_url(url) as admin:
        found: Mapping[str, Mapping[str, float]] = await admin.info("commandstats")
    return found


async def _timed(ask: Ask) -> Sequence[float]:
    took_s = []
    for _ in range(QUESTIONS):
        began = time.perf_counter()
        await ask()
        took_s.append(time.perf_counter() - began)
    return took_s


def _percentile(values: Sequence[float], percentile: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percentile - 1]


@contextlib.contextmanager
def _asker(url: str, work: str, holder: str) -> Iterator[subprocess.Popen[str]]:
    """A `gate_process` that is connected and waits to be told."""
    facts = {"url": url, "wallet": WALLET_NAME, "holder": holder, "work": work, "seconds": FLOOD_S}
    arguments = (sys.executable, "-m", "tests.bench.gate_process", json.dumps(facts))
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline(), f"the process that asks ended with {process.wait()} before it was ready"
        yield process  # its end of input, when the block is left, is its end


def _once(process: subprocess.Popen[str]) -> dict[str, float]:
    """Let it do its work, and what came out."""
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    facts: dict[str, float] = json.loads(process.stdout.readline())
    return facts


async def _each_once(processes: Sequence[subprocess.Popen[str]]) -> Sequence[dict[str, float]]:
    return await asyncio.gather(*(asyncio.to_thread(_once, process) for process in processes))
