"""Tapes that a test writes down: markets, books and mishaps at chosen milliseconds, on disk in the real format.

`TapeMaker` writes through the real `TapeWriter`; `played` plays a tape with the real engine and adds it up as the command does.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from kabobagool.cli.replay import deciding
from kabobagool.domain.market import NO_FEE, FeeSchedule, Market
from kabobagool.domain.money import MICRO, PRICE_ONE, format_micros, format_price
from kabobagool.replay.build import EpisodeBook, build_report
from kabobagool.replay.decision_log import DecisionLog
from kabobagool.replay.replayer import replay_tape
from kabobagool.replay.report import EdgeReport
from kabobagool.replay.tape import FORMAT, NOTE, VERSION, Closed, Connected, Joined, Left, Lost, Opened, Renewed, TapeRecord, frame_record
from kabobagool.replay.tape_reader import TapeReader
from kabobagool.replay.tape_writer import TapeWriter
from kabobagool.settings import load_settings

NOON_MS = 1_795_305_600_000
DAY_MS = 86_400_000
Message = dict[str, object]


def made_market(number: int = 1, *, fee: FeeSchedule | None = NO_FEE, **fields: str) -> Market:
    """A market that trades all day; without a fee unless one is given."""
    return Market(
        condition_id=f"0x{number:064x}",
        slug=fields.get("slug", f"market-{number}"),
        question=fields.get("question", f"Number {number}?"),
        outcomes=("Yes", "No"),
        tokens=(str(10**70 + 2 * number), str(10**70 + 2 * number + 1)),
        tick_size=100,
        min_order_shares=5 * MICRO,
        fee=fee,
        end_ms=NOON_MS + DAY_MS,
    )


def book(market: Market, leg: int, *, bid: int, ask: int, shares: int, at: int) -> Message:
    """One book of one level a side: prices in 1/10,000 dollar, whole shares."""
    size = format_micros(shares * MICRO)
    return {
        "event_type": "book",
        "asset_id": market.tokens[leg],
        "market": market.condition_id,
        "timestamp": str(NOON_MS + at),
        "hash": "ab",
        "bids": [{"price": format_price(bid), "size": size}],
        "asks": [{"price": format_price(ask), "size": size}],
    }


def both_books(market: Market, yes_ask: int, no_ask: int, *, shares: int = 100, at: int) -> list[Message]:
    """Both books with these asks, each the mirror of the other."""
    yes = book(market, 0, bid=PRICE_ONE - no_ask, ask=yes_ask, shares=shares, at=at)
    return [yes, book(market, 1, bid=PRICE_ONE - yes_ask, ask=no_ask, shares=shares, at=at)]


class TapeMaker:
    """Writes records in the order of its calls; `at` is milliseconds after noon, by the clock of the venue and that of the recorder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[TapeRecord] = []
        self.writer = TapeWriter.open(path)

    def opened(self, at: int = 0, *, version: int = VERSION) -> Self:
        venue = {"clob": "http://venue.test"}
        return self.add(Opened(ms=NOON_MS + at, us=at * 1000, format=FORMAT, version=version, bot="test", note=NOTE, venue=venue))

    def joined(self, market: Market, at: int = 0, *, socket: str = "socket 1") -> Self:
        self.add(Joined(ms=NOON_MS + at, us=at * 1000, socket=socket, market=market))
        return self.add(Connected(ms=NOON_MS + at, us=at * 1000, socket=socket))

    def left(self, market: Market, at: int) -> Self:
        return self.add(Left(ms=NOON_MS + at, us=at * 1000, market=market.condition_id))

    def lost(self, at: int, *, socket: str = "socket 1") -> Self:
        return self.add(Lost(ms=NOON_MS + at, us=at * 1000, socket=socket))

    def renewed(self, market: Market, at: int) -> Self:
        return self.add(Renewed(ms=NOON_MS + at, us=at * 1000, market=market.condition_id))

    def closed(self, at: int) -> Self:
        return self.add(Closed(ms=NOON_MS + at, us=at * 1000))

    def pair(self, market: Market, yes_ask: int, no_ask: int, *, at: int, shares: int = 100, socket: str = "socket 1") -> Self:
        """One frame with both books."""
        return self.frame(both_books(market, yes_ask, no_ask, shares=shares, at=at), at=at, socket=socket)

    def frame(self, messages: Sequence[Message] | bytes, *, at: int, socket: str = "socket 1") -> Self:
        content = messages if isinstance(messages, bytes) else json.dumps(messages).encode()
        return self.add(frame_record(socket, content, ms=NOON_MS + at, us=at * 1000))

    def add(self, record: TapeRecord) -> Self:
        self.records.append(record)
        return self

    def flush(self) -> Self:
        """End a block."""
        if self.records:
            self.writer.write(self.records)
            self.records = []
        return self

    def done(self) -> Path:
        self.flush()
        self.writer.close()
        return self.path


def played(tape: Path, log: Path | None = None, **settings: str) -> EdgeReport:
    """The report of a tape under these settings; the decision log goes to `log`."""
    chosen = load_settings({name.upper(): value for name, value in settings.items()}, market_required=False)
    reader, episodes = TapeReader(tape), EpisodeBook()
    file = log.open("wb") if log else None
    try:
        decisions = DecisionLog(file)
        replay = replay_tape(reader, chosen, decisions, on_episode=lambda run, episode: episodes.add(run.desk.condition_id, episode))
    finally:
        if file:
            file.close()
    return build_report(replay, episodes, reader, decisions, settings=deciding(chosen), wall_ms=1)


def records_of(reader: TapeReader) -> list[TapeRecord]:
    """Every record of a tape."""
    return [record for block in reader.blocks() for record in block]


def logged(path: Path, kind: str) -> list[dict[str, str]]:
    """The lines of one kind in a decision log."""
    return [line for line in map(json.loads, path.read_text().splitlines()) if line["kind"] == kind]
