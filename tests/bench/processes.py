"""Whole bots as processes: seconds from exec until both books are known, and memory after a while, beside a Python that only imports.

The bots trade against a paper exchange in yet another process. `/health` answers 200 as soon as both snapshots are there, so that is
what is waited for. The reference process imports the libraries no bot can do without, and stops there.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.measure import Benchmark, Figure, Samples, Target, figure
from tests.bench.orders import KEY
from tests.support.process_numbers import status_field

GROUP = "process"
ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3
REST_S = 5.0
LOOK_S = 0.005
PATIENCE_S = 20.0
MIB_IN_KIB = 1 / 1024
BARE = "import asyncio, aiohttp, websockets, msgspec; import sys; print('{}', flush=True); sys.stdin.read()"
BARE_TEXT = "python that imports asyncio, aiohttp, websockets and msgspec"
KABOBAGOOL = "from kabobagool.cli.main import main; main()"
EXCHANGE = ("-m", "paper_exchange", "--port", "0", "--markets", "1", "--from-offset-ms", "60000")
MODES = {"dry-run bot": False, "live bot": True}


@dataclass(slots=True)
class Started:
    """A process, what it said in its first line, and the seconds until it was ready."""

    process: subprocess.Popen[str]
    facts: dict[str, Any] = field(default_factory=dict)
    ready_s: float = 0.0

    def resident_kib(self) -> float:
        """Resident memory now, in KiB."""
        return float(status_field(self.process.pid, "VmRSS"))


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, lambda: _bots(scratch))]


def _bots(scratch: Path) -> Sequence[Figure]:
    ready: dict[str, list[float]] = {name: [] for name in (*MODES, BARE_TEXT)}
    memory: dict[str, list[float]] = {name: [] for name in ready}
    with started(EXCHANGE) as exchange:
        for turn in range(ROUNDS):
            with contextlib.ExitStack() as running:
                all_of_them = {name: running.enter_context(_bot(exchange.facts, scratch, live=live)) for name, live in MODES.items()}
                all_of_them[BARE_TEXT] = running.enter_context(started(("-c", BARE)))
                for name, one in all_of_them.items():
                    ready[name].append(one.ready_s)
                if turn == ROUNDS - 1:
                    time.sleep(REST_S)
                    for name, one in all_of_them.items():
                        memory[name].append(one.resident_kib())
    starts = _figures(ready, "start to both books", "s", 1.0, Target(1.5))
    return [*starts, *_figures(memory, "memory after 5 s", "MiB", MIB_IN_KIB, Target(70.0))]


def _figures(found: Mapping[str, list[float]], what: str, unit: str, scale: float, target: Target) -> Iterator[Figure]:
    samples = {name: Samples(tuple(values)) for name, values in found.items()}
    for name in MODES:
        yield figure(GROUP, f"{name}, {what}", samples[name], unit, BARE_TEXT, samples[BARE_TEXT], scale=scale, target=target)


@contextlib.contextmanager
def _bot(venue: Mapping[str, Any], scratch: Path, *, live: bool) -> Iterator[Started]:
    """A bot that is ready: /health says so."""
    with urllib.request.urlopen(f"{venue['gamma']}/markets?limit=1", timeout=PATIENCE_S) as reply:
        slug = json.load(reply)[0]["slug"]
    environment = {
        "MARKET_SLUG": slug,
        "HOST": venue["clob"],
        "GAMMA_HOST": venue["gamma"],
        "MARKET_SOCKET_URL": venue["market_socket"],
        "HEALTH_CHECK_PORT": "0",
        "JOURNAL_PATH": str(scratch / f"{'live' if live else 'dry'}.sqlite"),
        "LOG_LEVEL": "ERROR",
    }
    if live:
        environment |= {"DRY_RUN": "false", "PRIVATE_KEY": KEY}
    began = time.perf_counter()
    with started(["-c", KABOBAGOOL, "run", "--json"], environment) as bot:
        url = f"http://127.0.0.1:{bot.facts['port']}/health"
        while not _healthy(url):
            assert time.perf_counter() - began < PATIENCE_S, f"{url} was never 200"
            time.sleep(LOOK_S)
        bot.ready_s = time.perf_counter() - began
        yield bot


@contextlib.contextmanager
def started(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Started]:
    """A Python process that says one line of JSON when it is up; ended when the block is left."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **(environment or {})},
    ) as process:
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line, f"{' '.join(arguments)} ended with {process.wait()} before it was ready"
            yield Started(process, json.loads(line), time.perf_counter() - began)
        finally:
            process.terminate()


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S):
            return True
    except urllib.error.HTTPError:
        return False
