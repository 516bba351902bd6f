"""From the socket to the decision, beside a loop that receives the same frames with the same library and throws them away.

Both connect to the same server process over loopback with the same options. Throughput: frames prepared beforehand, sent as fast as they
are taken, in CPU time of the receiver. Latency: one frame at a time, from the sender's stamp to the moment at which the strategy has
looked at it (or the bare loop has it in hand).
"""

import asyncio
import contextlib
import random
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from kabobagool.clock import SystemClock
from kabobagool.domain.book import PairView
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed, subscribe_frame
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.rows import BookSummary
from tests.bench.frame_server import STAMP_ORIGIN, age_ns, stamped_frame
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Samples, Target, compare_async, figure
from tests.bench.worlds import NO, YES, a_market, a_strategy

GROUP = "socket to decision"
FLOOD, FLOOD_ROUNDS = 8_000, 9
PACED, PACED_US, PACED_ROUNDS = 250, 2_000, 3
STAMP_AT = stamped_frame(0).index(str(STAMP_ORIGIN).encode())
STAMP = slice(STAMP_AT, STAMP_AT + len(str(STAMP_ORIGIN)))
PATIENCE_S = 10
ROOT = Path(__file__).resolve().parents[2]

OnView = Callable[[PairView], None]


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, partial(_run, measure)) for measure in (_throughput, _latency)]


def _run(measure: Callable[[], Coroutine[Any, Any, Sequence[Figure]]]) -> Sequence[Figure]:
    return asyncio.run(measure())


async def _throughput() -> Sequence[Figure]:
    async with _server() as url:
        path = f"{url}/flood/{FLOOD}"
        found = await compare_async({"bot": lambda: _bot_flooded(path), "bare": lambda: _bare_flooded(path)}, rounds=FLOOD_ROUNDS)
    name, reference = "frame received to decided, CPU under flood", "websockets receive alone"
    target = Target(2.0, of_ratio=True)
    return [figure(GROUP, name, found["bot"], "us", reference, found["bare"], scale=MICROSECONDS, target=target)]


async def _latency() -> Sequence[Figure]:
    """Each round is some hundred frames: half of them, or one in a hundred, took longer than what it counts for."""
    found: dict[str, list[Sequence[int]]] = {"bot": [], "bare": []}
    async with _server() as url:
        path = f"{url}/paced/{PACED}/{PACED_US}"
        for _ in range(PACED_ROUNDS):
            found["bare"].append(await _bare_paced(path))
            found["bot"].append(await _bot_paced(path))
    figures = []
    for name, percentile, target in (("median", 50, Target(2.0, of_ratio=True)), ("99th percentile", 99, None)):
        bot, bare = (Samples(tuple(_percentile(round_, percentile) / 1e9 for round_ in found[key])) for key in ("bot", "bare"))
        reference = f"sent to received alone, {name}"
        figures.append(figure(GROUP, f"sent to decided, {name}", bot, "us", reference, bare, scale=MICROSECONDS, target=target))
    return figures


@contextlib.asynccontextmanager
async def _server() -> AsyncIterator[str]:
    arguments = (sys.executable, "-m", "tests.bench.frame_server")
    process = await asyncio.create_subprocess_exec(*arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        yield f"ws://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


@contextlib.asynccontextmanager
async def _feed(url: str, on_view: OnView) -> AsyncIterator[None]:
    async def no_books(tokens: Sequence[str]) -> Sequence[BookSummary]:
        return ()

    feed = MarketFeed(
        url=url,
        market=a_market(),
        clock=SystemClock(),
        rng=random.Random(1),
        fetch_books=no_books,
        on_view=on_view,
        settings=FeedSettings(start_jitter_s=0.0),
        counters=FeedCounters(),
    )
    running = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _bot_flooded(url: str) -> float:
    strategy, done = a_strategy(), asyncio.Event()
    spent: list[float] = []

    def on_view(view: PairView) -> None:
        """The strategy, and the CPU time at the first and the last frame after the books."""
        strategy.on_view(view)
        if strategy.ticks == 2 or strategy.ticks == FLOOD + 1:
            spent.append(time.thread_time())
            if len(spent) == 2:
                done.set()

    async with _feed(url, on_view):
        await asyncio.wait_for(done.wait(), PATIENCE_S)
    return (spent[1] - spent[0]) / (FLOOD - 1)


async def _bare_flooded(url: str) -> float:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(subscribe_frame((YES, NO)))
        await socket.recv(decode=False)
        await socket.recv(decode=False)
        started = time.thread_time()
        for _ in range(FLOOD - 1):
            await socket.recv(decode=False)
        return (time.thread_time() - started) / (FLOOD - 1)


async def _bot_paced(url: str) -> list[int]:
    strategy, done = a_strategy(), asyncio.Event()
    took_ns: list[int] = []

    def on_view(view: PairView) -> None:
        """The strategy, and how long ago the frame was sent."""
        strategy.on_view(view)
        if strategy.ticks > 1:
            took_ns.append(age_ns(view.yes.venue_ms))
            if len(took_ns) == PACED:
                done.set()

    async with _feed(url, on_view):
        await asyncio.wait_for(done.wait(), PATIENCE_S)
    return took_ns


async def _bare_paced(url: str) -> list[int]:
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.send(subscribe_frame((YES, NO)))
        await socket.recv(decode=False)
        took_ns = []
        for _ in range(PACED):
            frame = await socket.recv(decode=False)
            took_ns.append(age_ns(int(frame[STAMP])))
        return took_ns


def _percentile(values: Sequence[int], percentile: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percentile - 1]
