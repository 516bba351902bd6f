"""Why the venue refuses an order before it reaches matching, in the venue's own words.

Each rule is a function that returns the refusal or None; `first_refusal` asks them in order. `exchange.py` asks when an order is
submitted and again when it arrives, because the market may have closed and the money may be gone by then.
"""

from collections.abc import Callable
from dataclasses import dataclass

from paper_exchange.fees import taker_fee
from paper_exchange.ledger import Account
from paper_exchange.types import MICRO, PRICE_ONE, OrderRequest, PaperMarket, Side

FOK_KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK_KILLED = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
NOT_ENOUGH = "not enough balance / allowance"

_TWO_DECIMALS = 10_000
_FOUR_DECIMALS = 100


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything a rule may look at: the order, its market as it is now, and the wallet that pays."""

    request: OrderRequest
    market: PaperMarket
    tick_size: int
    accepting: bool
    account: Account

    @property
    def buying(self) -> bool:
        """True when the order spends dollars."""
        return self.request.side is Side.BUY

    @property
    def shares(self) -> int:
        """Micro-shares named in the order."""
        return self.request.taker_amount if self.buying else self.request.maker_amount

    @property
    def dollars(self) -> int:
        """Micro-dollars named in the order."""
        return self.request.maker_amount if self.buying else self.request.taker_amount

    @property
    def grid_price(self) -> int:
        """The implied price, dollars / shares, rounded to the nearest point of the tick grid."""
        points = (2 * self.dollars * PRICE_ONE + self.shares * self.tick_size) // (2 * self.shares * self.tick_size)
        return points * self.tick_size

    @property
    def implied_price(self) -> str:
        """Dollars / shares as text, cut after six decimals."""
        return decimal_text(self.dollars * MICRO // self.shares, MICRO)


Rule = Callable[[Situation], str | None]


def decimal_text(amount: int, unit: int) -> str:
    """Write `amount` / `unit` exactly, without trailing zeros; `unit` is a power of ten."""
    whole, rest = divmod(amount, unit)
    return f"{whole}.{rest:0{len(str(unit)) - 1}d}".rstrip("0").rstrip(".")


def order_type_is_modelled(situation: Situation) -> str | None:
    """Resting orders would need other people's reactions, which a recording does not hold."""
    kind = situation.request.order_type
    if kind in ("FOK", "FAK"):
        return None
    return f"order type {kind} is not supported: the paper exchange models FOK and FAK orders only"


def amounts_are_positive(situation: Situation) -> str | None:
    """Both amounts must be there before a price can be implied."""
    request = situation.request
    return None if min(request.maker_amount, request.taker_amount) > 0 else "invalid amounts, maker and taker amount must be positive"


def market_accepts_orders(situation: Situation) -> str | None:
    """Ended and closed markets take nothing."""
    return None if situation.accepting else "the market is not accepting orders"


def amounts_are_precise(situation: Situation) -> str | None:
    """A market order gives at most two decimals and takes at most four."""
    request = situation.request
    if request.maker_amount % _TWO_DECIMALS == 0 and request.taker_amount % _FOUR_DECIMALS == 0:
        return None
    return (
        f"invalid amounts, the market {request.side.value.lower()} orders maker amount supports a max accuracy of 2 decimals, "
        "taker amount a max of 4 decimals"
    )


def price_is_in_range(situation: Situation) -> str | None:
    """The price lies between one tick and one dollar less a tick."""
    tick, price = situation.tick_size, situation.grid_price
    if tick <= price <= PRICE_ONE - tick:
        return None
    lowest, highest = (decimal_text(number, PRICE_ONE) for number in (tick, PRICE_ONE - tick))
    return f"invalid price ({situation.implied_price}), min: {lowest} - max: {highest}"


def price_is_on_the_grid(situation: Situation) -> str | None:
    """The implied price may miss the grid only by what rounding the taken amount to four decimals explains."""
    price = situation.grid_price
    miss = abs(situation.dollars * PRICE_ONE - price * situation.shares)
    if miss <= _FOUR_DECIMALS * (price if situation.buying else PRICE_ONE):
        return None
    tick = decimal_text(situation.tick_size, PRICE_ONE)
    return f"order {situation.request.order_hash} is invalid. Price ({situation.implied_price}) breaks minimum tick size rule: {tick}"


def notional_is_at_least_a_dollar(situation: Situation) -> str | None:
    """A marketable BUY spends a dollar or more."""
    if not situation.buying or situation.dollars >= MICRO:
        return None
    dollars, rest = divmod(situation.dollars, MICRO)
    return f"invalid amount for a marketable BUY order (${dollars}.{rest // _TWO_DECIMALS:02d}), min size: $1"


def size_is_at_least_the_minimum(situation: Situation) -> str | None:
    """The market's own minimum, usually five shares."""
    if situation.shares >= situation.market.min_order_size:
        return None
    size, least = (decimal_text(amount, MICRO) for amount in (situation.shares, situation.market.min_order_size))
    return f"order {situation.request.order_hash} is invalid. Size ({size}) lower than the minimum: {least}"


def wallet_can_pay(situation: Situation) -> str | None:
    """Dollars plus the fee at the limit price, or confirmed shares; a match still settling cannot be spent."""
    account, request = situation.account, situation.request
    needed = request.maker_amount + (fee_headroom(situation) if situation.buying else 0)
    balance = account.dollars if situation.buying else account.shares.get(request.token, 0)
    if balance < needed:
        return f"{NOT_ENOUGH}: the balance is not enough -> balance: {balance}, order amount: {needed}"
    if situation.buying and account.allowance < needed:
        return f"{NOT_ENOUGH}: the allowance is not enough -> allowance: {account.allowance}, order amount: {needed}"
    return None


def fee_headroom(situation: Situation) -> int:
    """Return the fee in micro-dollars if all shares were bought at the limit price."""
    market = situation.market
    return taker_fee(
        shares=situation.shares,
        price=situation.grid_price,
        rate_micros=market.fee_rate_micros,
        exponent=market.fee_exponent,
    )


RULES: tuple[Rule, ...] = (
    order_type_is_modelled,
    amounts_are_positive,
    market_accepts_orders,
    amounts_are_precise,
    price_is_in_range,
    price_is_on_the_grid,
    notional_is_at_least_a_dollar,
    size_is_at_least_the_minimum,
    wallet_can_pay,
)


def first_refusal(situation: Situation) -> str | None:
    """Return the venue's sentence for the first rule broken, None for an order that may be matched."""
    return next((refusal for rule in RULES if (refusal := rule(situation)) is not None), None)
