"""What tests of the trading rules need: markets, views and books on every tick, and a referee that shares no code with the rules.

The referee restates the venue's published rules with Decimal and walks books the way a matching engine does, so that a mistake in the
integer arithmetic cannot hide behind itself.
"""

from collections.abc import Iterable
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

from hypothesis import strategies as st

from kabobagool.domain.book import Level, PairView
from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import FeeSchedule, Market, Outcome, Side
from kabobagool.domain.money import Micros, Price
from kabobagool.domain.position import Fill, Leg, Position

NOW_MS = 1_795_305_600_000
SHARE = 1_000_000
TICKS: dict[str, int] = {"0.1": 1_000, "0.01": 100, "0.005": 50, "0.0025": 25, "0.001": 10, "0.0001": 1}
"""Every tick size of the venue, in 1/10,000 dollar."""
FEE_RATES = (0, 30_000, 40_000, 50_000, 70_000, 250_000)


def price(text: str) -> Price:
    """`0.48` -> 4800, by Decimal."""
    return int(Decimal(text) * 10_000)


def micros(text: str) -> Micros:
    """`1.5` -> 1_500_000, by Decimal."""
    return int(Decimal(text) * 1_000_000)


def market(
    *,
    tick_size: int = 100,
    min_order_shares: str = "5",
    rate: str | None = "0",
    exponent: int = 1,
    accepting_orders: bool = True,
    taker_delay_ms: int = 0,
    end_ms: int | None = None,
) -> Market:
    """A market that may be traded, but for what is said; `rate=None` is a fee the venue did not state."""
    return Market(
        condition_id="0x" + "ab" * 32,
        slug="will-it-rain",
        question="Will it rain?",
        outcomes=("Yes", "No"),
        tokens=("111", "222"),
        tick_size=tick_size,
        min_order_shares=micros(min_order_shares),
        fee=None if rate is None else FeeSchedule(micros(rate), exponent),
        accepting_orders=accepting_orders,
        taker_delay_ms=taker_delay_ms,
        end_ms=end_ms,
    )


def mirrored_view(
    traded: Market, yes_asks: Iterable[Level], no_asks: Iterable[Level], *, yes_ms: int = NOW_MS, no_ms: int = NOW_MS
) -> PairView:
    """Both books with these asks and the bids that mirror them, as the venue shows one book twice."""
    view = PairView(traded)
    yes_levels, no_levels = list(yes_asks), list(no_asks)
    view.yes.apply_snapshot(_mirror(no_levels), yes_levels, venue_ms=yes_ms, received_ms=yes_ms)
    view.no.apply_snapshot(_mirror(yes_levels), no_levels, venue_ms=no_ms, received_ms=no_ms)
    return view


def _mirror(levels: list[Level]) -> list[Level]:
    return [(10_000 - at, size) for at, size in levels]


def view_of(yes_ask: str, no_ask: str, *, yes_depth: str = "1000", no_depth: str = "1000", traded: Market | None = None) -> PairView:
    """One ask on each side."""
    return mirrored_view(traded or market(), [(price(yes_ask), micros(yes_depth))], [(price(no_ask), micros(no_depth))])


def bought(outcome: Outcome, shares: str, at: str, *, fee: str = "0") -> Fill:
    """A fill of a BUY at one price."""
    dollars = Decimal(shares) * Decimal(at)
    return Fill(outcome, Side.BUY, micros(shares), int(dollars * 1_000_000), micros(fee))


def naked(outcome: Outcome, shares: str, at: str) -> Position:
    """A position of one leg alone."""
    return Position().plus(bought(outcome, shares, at))


# The referee


def fee_by_decimal(schedule: FeeSchedule, at: Price, shares: Micros) -> Decimal:
    """Dollars of taker fee as published: C * rate * (p * (1 - p)) ** exponent, up to the next 0.00001."""
    p = Decimal(at) / 10_000
    exact = Decimal(shares) / 1_000_000 * Decimal(schedule.rate_micros) / 1_000_000 * (p * (1 - p)) ** schedule.exponent
    return exact.quantize(Decimal("0.00001"), rounding=ROUND_CEILING)


def venue_objections(order: OrderPlan, tick: Price, min_order_shares: Micros) -> list[str]:
    """Everything the venue would refuse in a fill-or-kill order; empty when it takes it."""
    dollars, shares = Decimal(order.dollars) / 1_000_000, Decimal(order.shares) / 1_000_000
    limit, grid = Decimal(order.price) / 10_000, Decimal(tick) / 10_000
    buy = order.side is Side.BUY
    dollar_decimals, share_decimals = (2, 4) if buy else (4, 2)
    checks = {
        "dollars have too many decimals": _decimals(dollars) <= dollar_decimals,
        "shares have too many decimals": _decimals(shares) <= share_decimals,
        "fewer shares than the minimum": shares >= Decimal(min_order_shares) / 1_000_000,
        "a BUY below one dollar": not buy or dollars >= 1,
        "limit is off the grid": limit % grid == 0,
        "limit is outside tick..1-tick": grid <= limit <= 1 - grid,
        "amounts imply another limit than the price": dollars == shares * limit,
    }
    return [objection for objection, fine in checks.items() if not fine]


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def fill_or_kill_buy(order: OrderPlan, asks: Iterable[Level]) -> Decimal | None:
    """Shares that a dollar budget receives from asks at or below its limit, as a matching engine fills it; None when killed."""
    budget, received = Decimal(order.dollars) / 1_000_000, Decimal(0)
    for at, size in sorted(asks):
        if at > order.price:
            break
        level_price, level_shares = Decimal(at) / 10_000, Decimal(size) / 1_000_000
        taken = min(level_shares, budget / level_price)
        received += taken
        budget -= taken * level_price
        if taken < level_shares:
            break
    return received if budget < Decimal("0.000001") else None


# Strategies


def ticks() -> st.SearchStrategy[int]:
    """Every tick size the venue has."""
    return st.sampled_from(sorted(TICKS.values()))


def prices_on(tick: Price) -> st.SearchStrategy[Price]:
    """Prices a book of this tick may show."""
    return st.integers(1, 10_000 // tick - 1).map(lambda count: count * tick)


def share_amounts(most: int = 2_000) -> st.SearchStrategy[Micros]:
    """Sizes resting in books: whole shares, cents of shares, and dust of price improvement."""
    whole = st.integers(1, most).map(lambda shares: shares * SHARE)
    hundredths = st.integers(1, most * 100).map(lambda cents: cents * 10_000)
    return st.one_of(whole, hundredths, st.integers(1, most * SHARE))


def levels_on(tick: Price, *, most: int = 6) -> st.SearchStrategy[list[Level]]:
    """Distinct price levels, best ask first."""
    sizes = st.dictionaries(prices_on(tick), share_amounts(300), min_size=1, max_size=most)
    return sizes.map(lambda book: sorted(book.items()))


def fee_schedules() -> st.SearchStrategy[FeeSchedule]:
    """Rates seen on the venue, and both exponents."""
    return st.builds(FeeSchedule, st.sampled_from(FEE_RATES), st.sampled_from((1, 2)))


@st.composite
def fills(draw: st.DrawFn, *, sells: bool = True) -> Fill:
    """One order's effect, on any side."""
    side = draw(st.sampled_from((Side.BUY, Side.SELL))) if sells else Side.BUY
    outcome = draw(st.sampled_from((Outcome.YES, Outcome.NO)))
    shares = draw(share_amounts(500))
    dollars = draw(st.integers(0, shares))
    return Fill(outcome, side, shares, dollars, draw(st.integers(0, 100_000)) * 10)


def legs() -> st.SearchStrategy[Leg]:
    """Legs that were only ever bought."""
    amounts = st.tuples(st.integers(1, 300 * SHARE), st.integers(100, 9_000), st.integers(0, SHARE))
    return amounts.map(lambda a: Leg(a[0], a[0] * a[1] // 10_000, 0, 0, a[2]))


def positions() -> st.SearchStrategy[Position]:
    """Nothing yet, one leg alone, cheap pairs that are nearly level, and anything else."""
    return st.one_of(st.just(Position()), lopsided_positions(), _nearly_level(), st.builds(Position, legs(), legs()))


@st.composite
def lopsided_positions(draw: st.DrawFn) -> Position:
    """At least six shares of one side beyond the other, of which there may be none."""
    shares, at = draw(st.integers(0, 100)) * SHARE, draw(st.integers(100, 9_000))
    more = shares + draw(st.integers(6, 200) | st.just(6)) * SHARE + draw(st.sampled_from((0, 12_345)))
    light, heavy = Leg(shares, shares * at // 10_000), Leg(more, more * at // 10_000)
    return Position(light, heavy) if draw(st.booleans()) else Position(heavy, light)


@st.composite
def _nearly_level(draw: st.DrawFn) -> Position:
    shares, at = draw(st.integers(20, 300)) * SHARE, draw(st.integers(500, 8_500))
    more = shares + draw(st.integers(0, 10 * SHARE))
    return Position(Leg(shares, shares * at // 10_000), Leg(more, more * (9_000 - at) // 10_000))


@st.composite
def policies(draw: st.DrawFn, *, paired: bool | None = None) -> Policy:
    """Policies a trader could set, paired and sequential."""
    tolerance = draw(st.integers(5, 200)) * SHARE
    forced = draw(st.sampled_from((tolerance, 5 * SHARE, 200 * SHARE)))
    return Policy(
        pair_limit_micros=draw(st.integers(900_000, 999_999)),
        taker_fee_bps=draw(st.sampled_from((0, 1, 10, 100))),
        batch_shares=draw(st.integers(5, 300)) * SHARE,
        hedge_tolerance=tolerance,
        forced_hedge_above=forced,
        paired=draw(st.booleans()) if paired is None else paired,
        orphan_loss_cap=draw(st.sampled_from((0, 5, 50))) * SHARE,
        max_position=draw(st.sampled_from((50, 500, 5_000))) * SHARE,
    )


@st.composite
def tempting_views(draw: st.DrawFn, *, doubtful: bool = False) -> PairView:
    """Views whose asks sum to less than a dollar; with `doubtful`, mostly wrong in one respect."""
    tick = draw(ticks())
    yes_ask = draw(st.integers(1, 9_900 // tick - 1)) * tick
    no_ask = draw(st.integers(1, max(1, (9_900 - yes_ask) // tick))) * tick
    schedule = draw(st.none() | fee_schedules() if doubtful else fee_schedules())
    ages = st.sampled_from((0, 100, 200, 300, 3_000) if doubtful else (0, 100, 200))
    view = mirrored_view(
        replace(market(tick_size=tick), fee=schedule),
        draw(_asks_from(yes_ask, tick)),
        draw(_asks_from(no_ask, tick)),
        yes_ms=NOW_MS - draw(ages),
        no_ms=NOW_MS - draw(ages),
    )
    return draw(st.sampled_from(DOUBTS).map(lambda doubt: doubt(view))) if doubtful else view


@st.composite
def _asks_from(draw: st.DrawFn, best: Price, tick: Price) -> list[Level]:
    steps = draw(st.lists(st.integers(1, 20), max_size=3))
    asks = {best + sum(steps[: n + 1]) * tick: draw(share_amounts(500)) for n in range(len(steps))}
    best_size = draw(st.integers(5, 500).map(lambda shares: shares * SHARE) | share_amounts(500))
    return [(best, best_size), *((at, size) for at, size in asks.items() if at < 10_000)]


def _half_applied(view: PairView) -> PairView:
    view.frame_open = True
    return view


def _other_tick(view: PairView) -> PairView:
    view.tick_is_current = False
    return view


def _resolved(view: PairView) -> PairView:
    view.resolved = True
    return view


def _forgotten(view: PairView) -> PairView:
    view.yes.invalidate()
    return view


def _crooked(view: PairView) -> PairView:
    view.no.set_bid(view.no.best_bid + 1, SHARE)
    return view


def _unchanged(view: PairView) -> PairView:
    return view


DOUBTS = (_unchanged, _half_applied, _other_tick, _resolved, _forgotten, _crooked)
