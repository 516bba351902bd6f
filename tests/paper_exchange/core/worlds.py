"""Small markets stated book by book, and orders against them, for the tests of the paper exchange's core."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Literal

from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import FaultPlan
from paper_exchange.types import MICRO, PRICE_ONE, Level, OrderRequest, PaperMarket, Side, Snapshot

START_MS = 1_795_000_000_000
YES, NO = "7000000001", "7000000002"
WALLET = "0xAbCd000000000000000000000000000000000001"
_numbers = count(1)

Levels = Sequence[tuple[int, int]]

MARKET = PaperMarket(
    condition_id="0xc0ffee",
    slug="will-it-rain",
    question="Will it rain?",
    outcomes=("Yes", "No"),
    tokens=(YES, NO),
    start_ms=START_MS,
    end_ms=START_MS + 600_000,
    payout=(MICRO, 0),
    origin="synthetic",
)


class Scripted:
    """A source that says exactly what a test states."""

    def __init__(self, snapshots: Sequence[Snapshot], market: PaperMarket = MARKET) -> None:
        self._market = market
        self._snapshots = sorted(snapshots, key=lambda snapshot: snapshot.venue_ms)

    def markets(self) -> Sequence[PaperMarket]:
        return [self._market]

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        return self._snapshots


def levels(stated: Levels) -> tuple[Level, ...]:
    """Cents and whole shares as exchange levels."""
    return tuple(Level(cents * 100, shares * MICRO) for cents, shares in stated)


def book(outcome: int, at_ms: int, *, bids: Levels = (), asks: Levels = ()) -> Snapshot:
    """One outcome's book at START_MS + at_ms."""
    return Snapshot(outcome, START_MS + at_ms, levels(bids), levels(asks), "synthetic")


def pair(at_ms: int, *, bids: Levels = (), asks: Levels = ()) -> list[Snapshot]:
    """The YES book and its true mirror at the same time."""
    yes = book(0, at_ms, bids=bids, asks=asks)
    turned = [tuple(Level(PRICE_ONE - level.price, level.size) for level in side) for side in (yes.asks, yes.bids)]
    return [yes, Snapshot(1, yes.venue_ms, turned[0], turned[1], "synthetic")]


def steady(bids: Levels, asks: Levels) -> list[Snapshot]:
    """The same mirrored books at the start and a minute later: all of the depth is real."""
    return [*pair(0, bids=bids, asks=asks), *pair(60_000, bids=bids, asks=asks)]


def order(
    side: Side,
    token: str,
    *,
    maker_amount: int,
    taker_amount: int,
    kind: Literal["FOK", "FAK", "GTC", "GTD"] = "FOK",
    maker: str = WALLET,
) -> OrderRequest:
    """An order with a hash of its own."""
    return OrderRequest(f"0x{next(_numbers):064x}", maker, maker, token, side, maker_amount, taker_amount, kind)


def buy(token: str, shares: int, cents: int, *, kind: Literal["FOK", "FAK"] = "FOK", maker: str = WALLET) -> OrderRequest:
    """Buy whole shares at a limit in whole cents."""
    return order(Side.BUY, token, maker_amount=shares * cents * 10_000, taker_amount=shares * MICRO, kind=kind, maker=maker)


def sell(token: str, shares: int, cents: int, *, kind: Literal["FOK", "FAK"] = "FOK", maker: str = WALLET) -> OrderRequest:
    """Sell whole shares at a limit in whole cents."""
    return order(Side.SELL, token, maker_amount=shares * MICRO, taker_amount=shares * cents * 10_000, kind=kind, maker=maker)


def opened(
    snapshots: Sequence[Snapshot],
    *,
    dollars: int = 1_000,
    settings: ExchangeSettings | None = None,
    faults: FaultPlan | None = None,
    **changes: object,
) -> Exchange:
    """An exchange at START_MS whose wallet holds `dollars`; `changes` alter the market."""
    market = replace(MARKET, **changes)  # type: ignore[arg-type]
    exchange = Exchange(Scripted(snapshots, market), seed=1, start_ms=START_MS, settings=settings, faults=faults)
    exchange.deposit(WALLET, dollars * MICRO)
    exchange.advance(START_MS)
    return exchange
