"""Every edge with its verdict and every order with its end, in the order in which they were decided, and one hash over all of it.

Two replays that print the same hash decided the same things at the same venue times; that is how a change of a setting, or of the code, is
seen to change nothing. `market_run.py` writes, `replayer.py` puts the hash into the report, `--log FILE` keeps the lines.
"""

import hashlib
from typing import BinaryIO

import msgspec


class EdgeLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="edge"):
    """An edge that the strategy counted, and its verdict: `acted_on`, a reason, or `undecided` when the tape ended first.

    Venue milliseconds when it was seen and when it was decided, asks in dollars, shares at the best asks of both legs.
    """

    market: str
    seen_ms: int
    decided_ms: int
    ask_yes: str
    ask_no: str
    shares: str
    verdict: str


class OrderLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="order"):
    """A simulated order and its end. Wanted and received amounts as decimal text; the latter are 0 unless it filled."""

    market: str
    sent_ms: int
    ended_ms: int
    purpose: str
    leg: str
    side: str
    price: str
    shares: str
    outcome: str
    got_shares: str
    dollars: str
    fee: str


class DecisionLog:
    """Hashes lines, and writes them to `file` when there is one."""

    def __init__(self, file: BinaryIO | None = None) -> None:
        self.lines = 0
        self._hash = hashlib.sha256()
        self._file = file

    def add(self, line: EdgeLine | OrderLine) -> None:
        """Append a line. OSError when the file cannot take it."""
        text = msgspec.json.encode(line) + b"\n"
        self.lines += 1
        self._hash.update(text)
        if self._file is not None:
            self._file.write(text)

    def hexdigest(self) -> str:
        """SHA-256 over the lines so far."""
        return self._hash.hexdigest()
