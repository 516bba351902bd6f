"""What tests of the trading rules need: markets, views and books on every tick, and a referee that shares no code with the rules.

The referee restates the venue's published rules with Decimal and walks books the way a matching engine does, so that a mistake in the integer
arithmetic cannot hide behind itself.
"""

from collections.abc import Iterable
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
    amounts = st.tuples(st.integers(0, 300 * SHARE), st.integers(0, 10_000), st.integers(0, SHARE))
    return amounts.map(lambda a: Leg(a[0], a[0] * a[1] // 10_000, 0, 0, a[2]) if a[0] else Leg())


def positions() -> st.SearchStrategy[Position]:
    """Level, nearly level and lopsided positions."""
    free = st.builds(Position, legs(), legs())
    level = st.builds(lambda leg, at: Position(leg, Leg(leg.bought, leg.bought * at // 10_000)), legs(), st.integers(1, 9_999))
    return st.one_of(st.just(Position()), level, free)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies a trader could set, paired and sequential."""
    tolerance = draw(st.integers(5, 200)) * SHARE
    forced = draw(st.one_of(st.just(tolerance), st.integers(5, 200).map(lambda shares: shares * SHARE)))
    return Policy(
        pair_limit_micros=draw(st.integers(700_000, 999_999)),
        taker_fee_bps=draw(st.integers(0, 100)),
        batch_shares=draw(st.integers(5, 300)) * SHARE,
        hedge_tolerance=tolerance,
        forced_hedge_above=forced,
        paired=draw(st.booleans()),
        orphan_loss_cap=draw(st.integers(0, 50)) * SHARE,
        max_position=draw(st.integers(1, 1_000)) * SHARE,
    )


@st.composite
def tempting_views(draw: st.DrawFn) -> PairView:
    """Views whose asks nearly always sum to less than a dollar, sometimes doubtful in one respect."""
    tick = draw(ticks())
    yes_ask = draw(prices_on(tick))
    no_ask = draw(prices_on(tick).filter(lambda at: at + yes_ask < 10_200))
    yes_asks = {**{at: size for at, size in draw(levels_on(tick)) if at > yes_ask}, yes_ask: draw(share_amounts(500))}
    no_asks = {**{at: size for at, size in draw(levels_on(tick)) if at > no_ask}, no_ask: draw(share_amounts(500))}
    schedule = draw(st.one_of(st.none(), fee_schedules()) if draw(st.integers(0, 9)) == 0 else fee_schedules())
    traded = market(tick_size=tick, rate=None)
    traded = Market(**{name: getattr(traded, name) for name in Market.__slots__} | {"fee": schedule})
    ages = st.sampled_from((0, 0, 0, 100, 200, 300, 1_000, 3_000))
    yes_ms, no_ms = NOW_MS - draw(ages), NOW_MS - draw(ages)
    view = mirrored_view(traded, yes_asks.items(), no_asks.items(), yes_ms=yes_ms, no_ms=no_ms)
    doubt = draw(st.integers(0, 30))
    view.frame_open, view.tick_is_current, view.resolved = doubt == 1, doubt != 2, doubt == 3
    if doubt == 4:
        view.yes.invalidate()
    return view
