"""A process of its own that receives a fleet's traffic: started by `fleet.py`, never imported by anything else but its tests.

Its arguments are `hydra` or `bare`, the addresses `fleet_server.py` said, and the number of markets. `hydra` is the whole program, as
`kabobagool hydra` runs it in a dry run: discovery, a supervised bot for each market, shared sockets, page and metrics. It is measured from
within, because the moment of a decision is seen nowhere else. `bare` receives the same frames on as many sockets of the same library and
throws them away. In one line of JSON it says what that cost.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from kabobagool.cli.hydra import trade
from kabobagool.domain.book import PairView
from kabobagool.engine.bot import Bot
from kabobagool.feed.settings import FeedSettings
from kabobagool.feed.subscriptions import chunks, greeting
from kabobagool.hydra import fleet_assembly
from kabobagool.hydra.profile_files import folders_of
from kabobagool.hydra.supervisor_config import load_supervisor_config
from kabobagool.telemetry.stalls import StallMeter
from tests.bench import fleet_traffic
from tests.bench.fleet_traffic import EVENTS_A_FRAME, LATER, tokens_of
from tests.bench.frame_server import STAMP_ORIGIN, age_ns
from tests.support.process_numbers import status_field

PATIENCE_S = 45
OnView = Callable[[PairView], None]


class Watch:
    """Counts messages and knows from their number alone which traffic they are; `done` when the last one was seen.

    A message is one market's part of a frame. CPU seconds are the whole process's.
    """

    def __init__(self, markets: int) -> None:
        self.seen = 0
        self.done = asyncio.Event()
        self.facts: dict[str, Any] = {}
        self.took_ns: list[int] = []
        self._began = (0, 0.0)
        self._marks: list[tuple[int, Callable[[], None]]] = [(markets, self._subscribed)]
        last = markets
        for kind, frames in fleet_traffic.plan():
            self.facts[kind] = []
            self._marks.append((last + 1, self._begin))
            last += frames * (EVENTS_A_FRAME if kind == "crowded" else 1)
            self._marks.append((last, partial(self._end, kind)))
        self._marks += [(last, self._collect), (last, self.done.set)]
        self._next = markets
        self._stalls = StallMeter()

    def heard(self, messages: int = 1, *, stamp: int = LATER) -> None:
        """So many messages were dealt with; `stamp` is what the sender wrote on the last of them."""
        if STAMP_ORIGIN <= stamp < LATER:
            self.took_ns.append(age_ns(stamp))
        self.seen += messages
        while self.seen >= self._next:
            self._pass_mark()

    def around(self, on_view: OnView) -> OnView:
        """The same as `on_view`, and heard when it is done."""

        def decided(view: PairView) -> None:
            on_view(view)
            self.heard(stamp=view.yes.venue_ms)

        return decided

    async def finished(self) -> dict[str, Any]:
        """What was measured, once everything was seen. TimeoutError when it never is."""
        try:
            await asyncio.wait_for(self.done.wait(), PATIENCE_S)
        except TimeoutError:
            raise TimeoutError(f"only {self.seen} messages came within {PATIENCE_S} s") from None
        finally:
            await self._stalls.stop()
        return self.facts | {"took_ns": self.took_ns}

    def _pass_mark(self) -> None:
        _, act = self._marks.pop(0)
        self._next = self._marks[0][0] if self._marks else sys.maxsize
        act()

    def _subscribed(self) -> None:
        self._stalls.start()
        asyncio.get_running_loop().call_later(1.0, self._note_memory)

    def _note_memory(self) -> None:
        self.facts["resident_kib"] = status_field("self", "VmRSS")

    def _begin(self) -> None:
        self._stalls.take_worst_s()
        self._began = self.seen, time.process_time()

    def _end(self, kind: str) -> None:
        messages, cpu_s = self.seen - self._began[0], time.process_time() - self._began[1]
        self.facts[kind].append({"cpu_s_a_message": cpu_s / messages, "stall_s": self._stalls.take_worst_s()})

    def _collect(self) -> None:
        """The longest pause Python can make by itself: it looks at every object there is."""
        began = time.thread_time()
        gc.collect()
        self.facts["collection_s"] = time.thread_time() - began


async def hydra(rest: str, socket: str, markets: int) -> dict[str, Any]:
    """The whole program until everything was decided."""
    watch, open_bot = Watch(markets), fleet_assembly.open_bot

    async def open_watched(*given: Any, feed_for: Callable[[OnView], Any], **named: Any) -> Bot:
        return await open_bot(*given, feed_for=lambda on_view: feed_for(watch.around(on_view)), **named)

    fleet_assembly.open_bot = open_watched
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        environment = {
            "HOST": rest,
            "GAMMA_HOST": rest,
            "MARKET_SOCKET_URL": socket,
            "MAX_MARKETS": str(markets),
            "MIN_VOLUME": "0",
            "ENABLE_BOOK_SCREEN": "false",
            "HEALTH_PORT_BASE": "0",
            "TARGETS_PATH": f"{folder}/targets.json",
            "LOG_LEVEL": "ERROR",
        }
        config = load_supervisor_config(None, environ=environment, folders=folders_of(Path(folder)))
        running = asyncio.create_task(trade(config, redact=str, announce=lambda facts: None))
        finished = asyncio.create_task(watch.finished())
        await asyncio.wait((running, finished), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await running
        return await finished


async def bare(rest: str, socket: str, markets: int) -> dict[str, Any]:
    """The library alone, on as many sockets with as many subscriptions."""
    watch, settings = Watch(markets), FeedSettings()
    tokens = [token for number in range(markets) for token in tokens_of(number)]
    everything = list(chunks(tokens, most=settings.max_ids_a_socket))
    receiving = [asyncio.create_task(_receive(socket, subscribed, settings, watch)) for subscribed in everything]
    try:
        return await watch.finished()
    finally:
        for task in receiving:
            task.cancel()
        await asyncio.gather(*receiving, return_exceptions=True)


async def _receive(url: str, tokens: Sequence[str], settings: FeedSettings, watch: Watch) -> None:
    field = b'"timestamp":"'
    async with connect(url, compression=None, ping_interval=None) as socket:
        most = settings.max_ids_a_frame
        for frame, subscribed in zip(greeting(tokens, most=most), chunks(tokens, most=most), strict=True):
            await socket.send(frame)
            await socket.recv(decode=False)
            watch.heard(len(subscribed) // 2)
        while True:
            frame = await socket.recv(decode=False)
            at = frame.rindex(field) + len(field)
            watch.heard(EVENTS_A_FRAME if frame.startswith(b"[") else 1, stamp=int(frame[at : at + len(str(STAMP_ORIGIN))]))


WORK = {"hydra": hydra, "bare": bare}


if __name__ == "__main__":
    kind, rest, socket, markets = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(WORK[kind](rest, socket, int(markets)))) + "\n")
