"""Writes down what a feed hears, as it hears it.

A `TapeRecorder` is the tap of a `MultiplexedMarketFeed`: the very connections that a fleet trades on, with their pings, doubts and
reconnects, so a tape has the gaps that a bot would have had. `cli/record.py` runs it beside the feed. Records are gathered on the event
loop and packed in a thread.
"""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from kabobagool import __version__
from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.replay.tape import (
    FORMAT,
    NOTE,
    VERSION,
    Books,
    Closed,
    Connected,
    Joined,
    Left,
    Lost,
    Opened,
    Renewed,
    TapedBook,
    TapeRecord,
    frame_record,
)
from kabobagool.replay.tape_writer import TapeWriter

FLUSH_S: Final = 1.0
"""What a crash may cost."""


class TapeRecorder:
    """A `FeedTap` that keeps records until the next flush, and counts what it was told.

    `markets` are all that ever joined, by condition id, `feeding` those that did not leave with their connection. `venue` names the hosts,
    for whoever wonders later where a tape came from.
    """

    def __init__(self, writer: TapeWriter, *, clock: Clock, venue: Mapping[str, str]) -> None:
        self.frames = 0
        self.lost_connections = 0
        self.markets: dict[str, Market] = {}
        self.feeding: dict[str, str] = {}
        self._ended = False
        self._writer = writer
        self._clock = clock
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tape")  # one, so that blocks keep their order
        now_ms, now_us = clock.now_ms(), self._now_us()
        opened = Opened(ms=now_ms, us=now_us, format=FORMAT, version=VERSION, bot=__version__, note=NOTE, venue=venue)
        self._records: list[TapeRecord] = [opened]

    @property
    def written_bytes(self) -> int:
        """Size of the tape on disk."""
        return self._writer.end

    async def run(self) -> None:
        """Flush every second until cancelled. TapeError when the disk refuses."""
        while True:
            await self.flush()
            await self._clock.sleep(FLUSH_S)

    async def flush(self) -> None:
        """Bring what was gathered to disk as one block. TapeError when the disk refuses."""
        records, self._records = self._records, []
        if records:
            # Shielded: a block is on the tape whole or not at all, whoever loses patience.
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._worker, self._writer.write, records))

    def end(self) -> None:
        """End the recording on purpose. What is heard from now on, such as our own hanging up, is not part of it."""
        self._note(Closed(ms=self._clock.now_ms(), us=self._now_us()))
        self._ended = True

    async def close(self) -> None:
        """Bring the rest to disk and let go of the tape. TapeError when it did not fit."""
        try:
            await self.flush()
        finally:
            self._worker.shutdown()
            self._writer.close()

    def joined(self, socket: str, market: Market, now_ms: int) -> None:
        """A market is on the tape from now on."""
        self.markets[market.condition_id] = market
        self.feeding[market.condition_id] = socket
        self._note(Joined(ms=now_ms, us=self._now_us(), socket=socket, market=market))

    def left(self, condition_id: str, now_ms: int) -> None:
        """A market is on the tape no more."""
        self.feeding.pop(condition_id, None)
        self._note(Left(ms=now_ms, us=self._now_us(), market=condition_id))

    def connected(self, socket: str, now_ms: int) -> None:
        """A connection stands."""
        self._note(Connected(ms=now_ms, us=self._now_us(), socket=socket))

    def lost(self, socket: str, now_ms: int) -> None:
        """A connection ended; one that fed nobody any more is no loss."""
        self.lost_connections += not self._ended and socket in self.feeding.values()
        self._note(Lost(ms=now_ms, us=self._now_us(), socket=socket))

    def renewed(self, condition_id: str, now_ms: int) -> None:
        """One market was subscribed anew."""
        self._note(Renewed(ms=now_ms, us=self._now_us(), market=condition_id))

    def frame(self, socket: str, frame: bytes, now_ms: int) -> None:
        """A frame came."""
        self.frames += 1
        self._note(frame_record(socket, frame, ms=now_ms, us=self._now_us()))

    def books(self, books: Sequence[BookSnapshotLike], asked_ms: int, now_ms: int) -> None:
        """REST answered; an answer without books says nothing."""
        if books:
            taped = [_taped(book) for book in books]
            self._note(Books(ms=now_ms, us=self._now_us(), asked_ms=asked_ms, books=taped))

    def _note(self, record: TapeRecord) -> None:
        if not self._ended:
            self._records.append(record)

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * 1_000_000)


def _taped(book: BookSnapshotLike) -> TapedBook:
    return TapedBook(book.asset_id, book.timestamp_ms, list(book.bids), list(book.asks), book.tick_size)
