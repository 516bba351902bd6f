"""The journal's SQLite file: schema, checks on opening, and the few statements there are.

Called by `journal.py` on its one thread; nothing else touches the file. WAL with synchronous=FULL: a committed intent survives the power
cord.
"""

import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

import msgspec

from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import Micros, Price
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Unknown
from kabobagool.gate.interface import KeptHalts
from kabobagool.unreadable import UNREADABLE

RETENTION_MS: Final = 72 * 60 * 60 * 1000
SCHEMA_VERSION: Final = 1
APPLICATION_ID: Final = 0x6B61626F
"""Marks the file as ours ("kabo"), so that a wrong path is noticed before anything is written to it."""
BUSY_TIMEOUT_MS: Final = 2_000

SCHEMA: Final = """
CREATE TABLE intents (
    intent_id TEXT PRIMARY KEY, market TEXT NOT NULL, purpose TEXT NOT NULL, pair_cost INTEGER NOT NULL, created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE orders (
    order_hash TEXT PRIMARY KEY, intent_id TEXT NOT NULL REFERENCES intents ON DELETE CASCADE, position INTEGER NOT NULL,
    token TEXT NOT NULL, outcome INTEGER NOT NULL, side TEXT NOT NULL, price INTEGER NOT NULL, shares INTEGER NOT NULL,
    dollars INTEGER NOT NULL, state TEXT NOT NULL, text TEXT NOT NULL, shares_filled INTEGER NOT NULL,
    dollars_filled INTEGER NOT NULL, fee INTEGER NOT NULL, resolved_ms INTEGER
) STRICT;
CREATE INDEX intents_of_a_market ON intents (market, created_ms);
CREATE INDEX open_orders ON orders (intent_id) WHERE resolved_ms IS NULL;
"""

HALTS: Final = "CREATE TABLE IF NOT EXISTS halts (seen_us INTEGER NOT NULL, texts TEXT NOT NULL) STRICT"
"""One row at most. Not in every file of this version: older programs do without."""


class JournalError(Exception):
    """The journal cannot be read or written; the text names the file, the cause and what to do. New pairs must not be opened."""


class OrderState(StrEnum):
    """What is known of a journalled order; `open`, `delayed` and `unknown` are still to be resolved."""

    OPEN = "open"
    FILLED = "filled"
    KILLED = "killed"
    REJECTED = "rejected"
    DELAYED = "delayed"
    UNKNOWN = "unknown"


class JournalledOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One signed order: its hash, what it asks for, and what became of it. Amounts in micros, price in 1/10,000 dollar."""

    order_hash: str
    token: str
    outcome: Outcome
    side: Side
    price: Price
    shares: Micros
    dollars: Micros
    created_ms: Milliseconds = 0
    state: OrderState = OrderState.OPEN
    text: str = ""
    shares_filled: Micros = 0
    dollars_filled: Micros = 0
    fee: Micros = 0
    resolved_ms: Milliseconds | None = None


class JournalledIntent(msgspec.Struct, frozen=True, kw_only=True):
    """Orders that were decided together, in the order in which they are sent."""

    intent_id: str
    market: str
    purpose: Purpose
    pair_cost: Micros
    created_ms: Milliseconds
    orders: tuple[JournalledOrder, ...]


class JournalStore:
    """The open file. Methods raise sqlite3.Error, or JournalError where they know better."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False)
        except sqlite3.Error as e:
            raise JournalError(f"{path}: {e}; the journal needs a folder it may write to") from e
        try:
            self._prepare()
        except sqlite3.DatabaseError as e:
            self._db.close()
            raise JournalError(_explain(path, e)) from e
        except JournalError:
            self._db.close()
            raise

    def insert(self, intent: JournalledIntent) -> None:
        """Write an intent and its orders in one durable transaction."""
        row = (intent.intent_id, intent.market, intent.purpose.value, intent.pair_cost, intent.created_ms)
        orders = [(intent.intent_id, position, *_columns(order)) for position, order in enumerate(intent.orders)]
        with _Transaction(self._db):
            self._db.execute("INSERT INTO intents VALUES (?, ?, ?, ?, ?)", row)
            self._db.executemany(
                "INSERT INTO orders (intent_id, position, order_hash, token, outcome, side, price, shares, dollars, state, text,"
                " shares_filled, dollars_filled, fee) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0)",
                orders,
            )

    def update(self, order_hash: str, outcome: OrderOutcome, now_ms: int) -> None:
        """Write an outcome; one that settles nothing does not touch an order that is already settled."""
        state, text, fill, resolved = _verdict(outcome)
        values = (state.value, text, *fill, now_ms if resolved else None, order_hash, resolved)
        with _Transaction(self._db):
            changed = self._db.execute(
                "UPDATE orders SET state = ?, text = ?, shares_filled = ?, dollars_filled = ?, fee = ?, resolved_ms = ?"
                " WHERE order_hash = ? AND (resolved_ms IS NULL OR ?)",
                values,
            ).rowcount
        if not changed and self._db.execute("SELECT 1 FROM orders WHERE order_hash = ?", (order_hash,)).fetchone() is None:
            raise JournalError(f"{self.path}: order {order_hash} was never recorded; an order must be journalled before it is sent")

    def open_orders(self, market: str) -> list[JournalledOrder]:
        """Orders of a market without an end, oldest first."""
        return [order for intent in self._select(market, 0, "AND o.resolved_ms IS NULL") for order in intent.orders]

    def intents(self, market: str, since_ms: int) -> list[JournalledIntent]:
        """Intents of a market since a moment, oldest first."""
        return self._select(market, since_ms, "")

    def markets(self) -> list[str]:
        """Markets with an intent, the latest first."""
        rows = self._db.execute("SELECT market FROM intents GROUP BY market ORDER BY max(created_ms) DESC")
        return [str(row["market"]) for row in rows]

    def delete_resolved_before(self, before_ms: int) -> None:
        """Forget old intents that have no open order."""
        with _Transaction(self._db):
            self._db.execute(
                "DELETE FROM intents WHERE created_ms < ?"
                " AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.intent_id = intents.intent_id AND o.resolved_ms IS NULL)",
                (before_ms,),
            )

    def halts(self) -> KeptHalts:
        """What was kept last."""
        row = self._db.execute("SELECT seen_us, texts FROM halts").fetchone()
        if row is None:
            return KeptHalts()
        try:
            return KeptHalts(seen_us=row["seen_us"], texts=msgspec.json.decode(row["texts"], type=dict[str, str]))
        except UNREADABLE as e:
            raise self._foreign(e) from None

    def keep_halts(self, kept: KeptHalts) -> None:
        """Replace what was kept."""
        with _Transaction(self._db):
            self._db.execute("DELETE FROM halts")
            self._db.execute("INSERT INTO halts VALUES (?, ?)", (kept.seen_us, msgspec.json.encode(kept.texts).decode()))

    def close(self) -> None:
        """Close the file; the write-ahead log is folded in."""
        self._db.close()

    def _select(self, market: str, since_ms: int, condition: str) -> list[JournalledIntent]:
        try:
            return self._intents(market, since_ms, condition)
        except (ValueError, IndexError) as e:  # a word, a name or a column that is none of ours
            raise self._foreign(e) from None

    def _foreign(self, error: Exception) -> JournalError:
        cause = f"what is in it was not written by this program: {error}"
        return JournalError(f"{self.path}: {cause}; reconcile the position with the venue, then move the file aside")

    def _intents(self, market: str, since_ms: int, condition: str) -> list[JournalledIntent]:
        rows = self._db.execute(
            "SELECT i.intent_id, i.purpose, i.pair_cost, i.created_ms, o.* FROM intents i JOIN orders o USING (intent_id)"  # noqa: S608
            f" WHERE i.market = ? AND i.created_ms >= ? {condition} ORDER BY i.created_ms, i.rowid, o.position",
            (market, since_ms),
        )
        grouped: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            grouped.setdefault(row["intent_id"], []).append(row)
        return [_intent(market, members) for members in grouped.values()]

    def _prepare(self) -> None:
        self._db.row_factory = sqlite3.Row
        if not self._is_new():
            self._check()  # first of all: setting the journal mode would already write to another program's file
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        with _Transaction(self._db):
            if self._is_new():
                self._create()
            self._db.execute(HALTS)
        self._check()

    def _is_new(self) -> bool:
        return self._pragma("application_id") == 0 and self._pragma("schema_version") == 0

    def _create(self) -> None:
        for statement in SCHEMA.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _check(self) -> None:
        if self._pragma("application_id") != APPLICATION_ID:
            raise JournalError(f"{self.path}: this is another program's database; name a file of its own for the journal")
        version = self._pragma("user_version")
        if version != SCHEMA_VERSION:
            raise JournalError(
                f"{self.path}: written by journal version {version}, this program reads {SCHEMA_VERSION}; use the matching release"
            )
        try:
            verdict = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except UnicodeDecodeError:  # the verdict repeats what it found
            verdict = "a name in it is no text"
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"malformed: {verdict}")

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])


class _Transaction:
    """BEGIN IMMEDIATE .. COMMIT, rolled back on any error: a full disk leaves neither half a record nor an open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def _explain(path: Path, error: sqlite3.DatabaseError) -> str:
    cause = str(error)
    if "malformed" in cause or "not a database" in cause:
        return f"{path}: the journal is damaged ({cause}); reconcile the position with the venue, then move the file aside"
    if "locked" in cause:
        return f"{path}: the journal is locked by another program for more than {BUSY_TIMEOUT_MS} ms; close that program"
    return f"{path}: {cause}; the journal needs a writable folder with free space"


def _columns(order: JournalledOrder) -> tuple[object, ...]:
    plan = (order.order_hash, order.token, int(order.outcome), order.side.value, order.price, order.shares, order.dollars)
    return (*plan, OrderState.OPEN.value)


def _verdict(outcome: OrderOutcome) -> tuple[OrderState, str, tuple[Micros, Micros, Micros], bool]:
    """State, text, what was filled, and whether that is the end of it."""
    nothing = (0, 0, 0)
    match outcome:
        case Filled(shares=shares, dollars=dollars, fee=fee):
            return OrderState.FILLED, "", (shares, dollars, fee), True
        case Killed(text=text):
            return OrderState.KILLED, text, nothing, True
        case Rejected(reason=reason, text=text):
            return OrderState.REJECTED, f"{reason}: {text}", nothing, True
        case Delayed(text=text):
            return OrderState.DELAYED, text, nothing, False
        case Unknown(text=text):
            return OrderState.UNKNOWN, text, nothing, False
        case _:
            assert_never(outcome)


def _intent(market: str, rows: list[sqlite3.Row]) -> JournalledIntent:
    first = rows[0]
    return JournalledIntent(
        intent_id=first["intent_id"],
        market=market,
        purpose=Purpose(first["purpose"]),
        pair_cost=first["pair_cost"],
        created_ms=first["created_ms"],
        orders=tuple(_order(row) for row in rows),
    )


def _order(row: sqlite3.Row) -> JournalledOrder:
    return JournalledOrder(
        order_hash=row["order_hash"],
        token=row["token"],
        outcome=Outcome(row["outcome"]),
        side=Side(row["side"]),
        price=row["price"],
        shares=row["shares"],
        dollars=row["dollars"],
        created_ms=row["created_ms"],
        state=OrderState(row["state"]),
        text=row["text"],
        shares_filled=row["shares_filled"],
        dollars_filled=row["dollars_filled"],
        fee=row["fee"],
        resolved_ms=row["resolved_ms"],
    )
