"""What is on a tape: records as JSON lines, packed into gzip members that can each be read alone.

`zcat NAME.tape | head` shows one to a person; `tape_writer.py` and `tape_reader.py` are the only code that touches the file. A tape holds
what the venue tells everybody and the descriptions of markets, never a key, an order or a position.

A record says what happened, not what to make of it. Its `ms` is the receive time on the venue's time line, its `us` the microseconds of a
clock that never jumps, comparable only between two `opened` records.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kabobagool.domain.book import Level
from kabobagool.domain.market import Market
from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import Price

FORMAT: Final = "kabobagool-tape"
VERSION: Final = 1
NOTE: Final = "public market data only: no keys, no orders, no positions"


SHOWN_CHARACTERS: Final = 200
"""So much of what cannot be read is repeated."""


class TapeError(Exception):
    """A tape cannot be written or read; the text names the file, what is wrong with it and what to do."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """`ms`: venue time in milliseconds. `us`: microseconds of the recorder's monotonic clock."""

    ms: Milliseconds
    us: int


class Opened(Record, frozen=True, kw_only=True, tag="opened"):
    """A recording begins, so nothing is known and no connection stands. On a tape that was continued it follows a gap."""

    format: str
    version: int
    bot: str
    note: str
    venue: Mapping[str, str]


class Closed(Record, frozen=True, tag="closed"):
    """The recording was ended on purpose. Without it the recorder died, and its last seconds are missing."""


class Joined(Record, frozen=True, kw_only=True, tag="joined"):
    """A market is fed by a connection from now on; everything that is known about it."""

    socket: str
    market: Market

    def __post_init__(self) -> None:
        if self.market.tokens[0] == self.market.tokens[1]:
            raise ValueError(f"market {self.market.slug[:SHOWN_CHARACTERS]} has one token for both outcomes")


class Left(Record, frozen=True, kw_only=True, tag="left"):
    """A market is fed no more."""

    market: str


class Connected(Record, frozen=True, kw_only=True, tag="connected"):
    """A connection stands."""

    socket: str


class Lost(Record, frozen=True, kw_only=True, tag="lost"):
    """A connection ended."""

    socket: str


class Renewed(Record, frozen=True, kw_only=True, tag="renewed"):
    """A market, by its condition id, was subscribed anew."""

    market: str


class Frame(Record, frozen=True, kw_only=True, tag="frame"):
    """A frame as it came: `text`, or `raw` (base64) when it was no text."""

    socket: str
    text: str = ""
    raw: bytes = b""


class TapedBook(msgspec.Struct, frozen=True):
    """A `BookSnapshotLike`: prices in 1/10,000 dollar, sizes in micro-shares."""

    asset_id: str
    timestamp_ms: Milliseconds
    bids: list[Level]
    asks: list[Level]
    tick_size: Price | None


class Books(Record, frozen=True, kw_only=True, tag="books"):
    """What REST, asked at `asked_ms`, answered."""

    asked_ms: Milliseconds
    books: Sequence[TapedBook]


TapeRecord = Opened | Closed | Joined | Left | Connected | Lost | Renewed | Frame | Books

_DECODER: Final[msgspec.json.Decoder[TapeRecord]] = msgspec.json.Decoder(TapeRecord)
_ENCODER: Final = msgspec.json.Encoder()


def encode_records(records: Sequence[TapeRecord]) -> bytes:
    """JSON, a line each."""
    return _ENCODER.encode_lines(records)


def decode_records(lines: bytes) -> list[TapeRecord]:
    """What `encode_records` wrote. msgspec.MsgspecError, ValueError or RecursionError for anything else."""
    return _DECODER.decode_lines(lines)


def frame_record(socket: str, frame: bytes, *, ms: int, us: int) -> Frame:
    """A frame as a record."""
    try:
        return Frame(ms=ms, us=us, socket=socket, text=frame.decode())
    except UnicodeDecodeError:
        return Frame(ms=ms, us=us, socket=socket, raw=frame)


def frame_content(record: Frame) -> bytes | str:
    """The frame as it came."""
    return record.raw or record.text
