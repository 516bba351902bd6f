"""Runs the engine over a tape, as fast as the machine can, with the same decisions every time.

Each record is applied at the moment it was received, the way `feed/` would have applied it; between two records the engines' own sleepers
wake at theirs. Where the tape has a gap, the books are forgotten before time moves on, so nothing is ever traded across one.
`cli/replay.py` calls `replay_tape`; what it returns goes to `build.py`.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, assert_never

from kabobagool.execution.dry_run import DryRunExecution
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.fan_out import FanOut
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.replay.decision_log import DecisionLog
from kabobagool.replay.episodes import Episode
from kabobagool.replay.market_run import MarketRun, Stage
from kabobagool.replay.tape import (
    Books,
    Closed,
    Connected,
    Frame,
    Joined,
    Left,
    Lost,
    Opened,
    Record,
    Renewed,
    TapeRecord,
    frame_content,
)
from kabobagool.replay.tape_reader import TapeReader
from kabobagool.replay.virtual_time import VirtualTime, run_in_virtual_time
from kabobagool.settings import Settings
from kabobagool.trading.gate_choice import memory_gate
from kabobagool.venue.messages import MessageError, decode_frame

TAIL_US: Final = 5_000_000
"""Time after the last record, besides an order's latency: what is on its way arrives, nothing new is begun."""


@dataclass(slots=True)
class Gap:
    """Venue milliseconds between two recordings on one tape."""

    from_ms: int
    until_ms: int


@dataclass(slots=True)
class TapeFacts:
    """What was on the tape, in venue milliseconds and counts. `closed` is false when the last recorder died."""

    opened: list[Opened] = field(default_factory=list)
    started_ms: int = 0
    ended_ms: int = 0
    gaps: list[Gap] = field(default_factory=list)
    lost_connections: int = 0
    closed: bool = False


class Replay:
    """The engines of all markets of one tape."""

    def __init__(self, settings: Settings, clock: VirtualTime, log: DecisionLog, on_episode: Callable[[MarketRun, Episode], None]) -> None:
        self.facts = TapeFacts()
        self.runs: dict[str, MarketRun] = {}
        self.counters = FeedCounters()
        self.clock = clock
        self._on_episode = on_episode
        self._latency_us = settings.dry_run_latency_ms * 1000
        self._stage = Stage(
            settings=settings,
            clock=clock,
            gate=memory_gate(settings, clock),
            execution=DryRunExecution(
                view=lambda condition_id: self.runs[condition_id].desk.view, clock=clock, latency_s=settings.dry_run_latency_ms / 1000
            ),
            log=log,
            counters=self.counters,
        )
        self._fan_out = FanOut(self.counters)
        self._sockets: dict[str, dict[str, MarketRun]] = {}
        self._between_clocks_us = 0
        self._engines: dict[str, asyncio.Task[None]] = {}

    async def play(self, blocks: Iterable[list[TapeRecord]], on_block: Callable[["Replay"], None]) -> None:
        """Play every record. TapeError as the blocks raise it; an ExceptionGroup when an engine breaks, which is a defect."""
        async with asyncio.TaskGroup() as group:
            for block in blocks:
                for record in block:
                    await self._play(record, group)
                on_block(self)
            await self._finish()
            for task in self._engines.values():
                task.cancel()

    async def _play(self, record: TapeRecord, group: asyncio.TaskGroup) -> None:
        if isinstance(record, Opened):
            await self._open(record)
        await self.clock.move_to(self._moment_us(record))
        self.facts.ended_ms = max(self.facts.ended_ms, record.ms)
        self._apply(record, group)
        await self.clock.settle()

    def _moment_us(self, record: Record) -> int:
        """The record's millisecond, and the microseconds within it as the clock that never jumps has them."""
        within_us = record.us - self._between_clocks_us - record.ms * 1000
        return record.ms * 1000 + min(max(within_us, 0), 999)

    async def _open(self, opened: Opened) -> None:
        """Another recording: first nothing is known any more, then time may pass."""
        facts = self.facts
        if facts.opened:
            facts.gaps.append(Gap(facts.ended_ms, max(opened.ms, facts.ended_ms)))
            for condition_id in self.runs:
                self._let_go(condition_id)
            await self.clock.settle()
        else:
            facts.started_ms = opened.ms
        facts.opened.append(opened)
        self._between_clocks_us = opened.us - opened.ms * 1000

    def _apply(self, record: TapeRecord, group: asyncio.TaskGroup) -> None:
        match record:
            case Frame():
                self._frame(record)
            case Books():
                self._books(record)
            case Joined():
                self._join(record, group)
            case Left():
                self._let_go(record.market)
            case Connected():
                for run in self._on(record.socket):
                    run.desk.begin(record.ms)
            case Lost():
                self._lose(record)
            case Renewed():
                self._renew(record)
            case Opened() | Closed():
                pass
            case _:
                assert_never(record)
        self.facts.closed = isinstance(record, Closed)

    def _frame(self, record: Frame) -> None:
        self.counters.frames += 1
        try:
            events = decode_frame(frame_content(record))
        except MessageError:
            self.counters.decode_errors += 1
            for run in self._on(record.socket):
                run.desk.distrust(ResnapshotReason.UNREADABLE, record.ms)
            return
        self.counters.events += len(events)
        for desk, share in self._fan_out.shares(events):
            desk.take_in(share, record.ms)

    def _books(self, record: Books) -> None:
        for desk, books in self._fan_out.books(record.books).items():
            desk.take_in_books(books, [book.asset_id for book in books], record.asked_ms, record.ms)

    def _join(self, record: Joined, group: asyncio.TaskGroup) -> None:
        """A market that was there before keeps its engine and its position; what is known about it is told anew."""
        market = record.market
        run = self.runs.get(market.condition_id)
        if run is None:
            run = self.runs[market.condition_id] = self._begin(record, group)
        run.desk.view.market = market
        run.desk.begin(record.ms)
        self._fan_out.add(run.desk)
        self._sockets.setdefault(record.socket, {})[market.condition_id] = run

    def _begin(self, record: Joined, group: asyncio.TaskGroup) -> MarketRun:
        run = MarketRun(record.market, self._stage, on_episode=lambda episode: self._on_episode(run, episode))
        self._engines[record.market.condition_id] = group.create_task(run.engine.run())
        return run

    def _let_go(self, condition_id: str) -> None:
        """The market is fed no more: its books are unknown, and whatever still comes in is not for it."""
        for markets in self._sockets.values():
            run = markets.pop(condition_id, None)
            if run is not None:
                self._fan_out.discard(run.desk)
                run.desk.reset()
                run.desk.publish()

    def _lose(self, record: Lost) -> None:
        """Every book is worthless before the first is shown, as in `feed/connection.py`."""
        runs = self._on(record.socket)
        self.facts.lost_connections += bool(runs)
        for run in runs:
            run.desk.reset()
        for run in runs:
            run.desk.publish()

    def _renew(self, record: Renewed) -> None:
        run = self.runs.get(record.market)
        if run is not None:
            run.desk.reset()
            run.desk.begin(record.ms)
            run.desk.publish()

    def _on(self, socket: str) -> list[MarketRun]:
        return list(self._sockets.get(socket, {}).values())

    async def _finish(self) -> None:
        for run in self.runs.values():
            run.stop()
        await self.clock.move_to(self.clock.now_us + TAIL_US + 2 * self._latency_us)
        for run in self.runs.values():
            run.end()


def replay_tape(
    reader: TapeReader,
    settings: Settings,
    log: DecisionLog,
    *,
    on_episode: Callable[[MarketRun, Episode], None],
    on_block: Callable[[Replay], None] = lambda replay: None,
) -> Replay:
    """Play the whole tape on an event loop of its own. TapeError when it is no tape; RuntimeError inside a running event loop."""
    blocks = reader.blocks()
    first = next(blocks)

    async def main(clock: VirtualTime) -> Replay:
        replay = Replay(settings, clock, log, on_episode)
        await replay.play(_chained(first, blocks), on_block)
        return replay

    return run_in_virtual_time(main, start_us=first[0].ms * 1000)


def _chained(first: list[TapeRecord], rest: Iterable[list[TapeRecord]]) -> Iterable[list[TapeRecord]]:
    yield first
    yield from rest
