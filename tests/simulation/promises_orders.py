"""Promises about every order, kept or broken in the moment it leaves. Each function answers one fear; None when there is nothing to fear.

`invariants.py` asks all of them about each order before it reaches the venue.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.facts import Holding, fee_of, holding_of, newest_cost
from tests.simulation.witness import SentOrder

from kabobagool.domain.intent import Purpose
from kabobagool.domain.outcome import Filled, Rejected, Rejection
from kabobagool.gate.interface import DRAINING, WALLET

if TYPE_CHECKING:
    from tests.simulation.world import World

OrderPromise = Callable[["World", SentOrder], str | None]

ENTRIES = (Purpose.PAIR, Purpose.LEG)
UNHEARD_MS = 75_000
"""A failed settlement may be news to a bot for this long: it polls ever more slowly."""


def is_on_disk_before_it_leaves(world: "World", order: SentOrder) -> str | None:
    """Fear: the process dies with an order in flight, and the next one has never heard of it."""
    return None if order.intent_id is not None else f"{order.order_hash} left and the journal does not know it"


def leaves_only_once(world: "World", order: SentOrder) -> str | None:
    """Fear: a retry of an order that had arrived buys twice, or one decision becomes two purchases of the same leg."""
    if order.order_hash in world.witness.by_hash:
        return f"{order.order_hash} was sent before"
    twin = next((o for o in world.witness.orders if o.intent_id == order.intent_id and o.place == order.place), None)
    return None if twin is None or order.intent_id is None else f"place {order.place} of intent {order.intent_id[:10]} was sent before"


def follows_the_end_of_every_earlier_one(world: "World", order: SentOrder) -> str | None:
    """Fear: while nobody knows whether an order filled, the bot buys again what it may own already.

    An order of another program that is alive is the matter of `comes_from_the_only_bot_of_its_market`.
    """
    open_orders = world.bench.open_orders.setdefault(order.market, [])
    open_orders[:] = [earlier for earlier in open_orders if not _has_ended(world, earlier, order)]
    doubtful = next((earlier for earlier in open_orders if earlier.life is order.life or not earlier.life.alive), None)
    open_orders.append(order)
    return None if doubtful is None else f"{order.order_hash[:10]} left while the end of {doubtful.order_hash[:10]} was not known"


def a_second_leg_follows_a_filled_first(world: "World", order: SentOrder) -> str | None:
    """Fear: the first leg failed, and the second makes a naked leg of nothing."""
    if order.first or order.intent_id is None:
        return None
    first = next((o for o in reversed(world.witness.orders) if o.intent_id == order.intent_id and o.place == order.place - 1), None)
    return None if first is not None and isinstance(first.outcome, Filled) else f"the leg before it ended as {first and first.outcome}"


def _has_ended(world: "World", earlier: SentOrder, order: SentOrder) -> bool:
    if earlier.life is order.life and earlier.known_end:
        return True
    return world.has_end_on_disk(earlier, order.life.host) or world.nobody_can_know_of(earlier)


def comes_from_the_only_bot_of_its_market(world: "World", order: SentOrder) -> str | None:
    """Fear: two bots trade one market, and each hedges what the other bought."""
    others = [life for life in world.lives if life is not order.life and life.may_trade(order.market)]
    rival = next((life for life in others if any(o.life is life and o.market == order.market for o in world.witness.orders)), None)
    return None if rival is None else f"{order.life.name} sends while {rival.name} trades the market"


def has_leave_of_the_gate(world: "World", order: SentOrder) -> str | None:
    """Fear: orders past the gate, beyond the wallet's rate, caps and halts."""
    if order.grant is None:
        return f"{order.order_hash[:10]} left without leave"
    early_us = order.grant.leaves_us - order.at_us
    return f"{order.order_hash[:10]} left {early_us} us before its slot" if early_us > 1 else None


def respects_a_halt(world: "World", order: SentOrder) -> str | None:
    """Fear: a person pressed stop, and money goes on leaving."""
    if order.grant is None or order.life.host.gate_away:  # who cannot hear of it hedges on a small budget of its own
        return None
    scopes = [WALLET, order.market]
    if order.purpose in ENTRIES:
        scopes += [DRAINING + scope for scope in scopes]
    for scope in scopes:
        since_us = world.troubles.halted.get(scope)
        forgot = order.life.started_us > (since_us or 0) and not world.history.shared_gate  # a gate of its own ends with its process
        if since_us is not None and order.grant.leaves_us > since_us and not forgot:
            return f"leave was given {order.grant.leaves_us - since_us} us after {scope[:24]} was halted"
    return None


def buys_a_pair_that_was_there(world: "World", order: SentOrder) -> str | None:
    """Fear: a stale or half-applied view looks like an edge, and the bot pays for a pair that never existed."""
    if order.purpose is not Purpose.PAIR or not order.first:
        return None
    prices = world.intent_prices(order)
    if len(prices) != 2:
        return f"a pair of {len(prices)} legs"
    now_ms, age_ms = world.clock.now_ms(), _oldest_ms(world, order)
    moments = [now_ms - age_ms, *world.published.moments(order.market, now_ms - age_ms, now_ms)]
    if any(_asks_at(world, order.market, at_ms) == (prices[0], prices[1]) for at_ms in moments):
        return None
    return f"asks of {prices[0]} and {prices[1]} were never there together within the last {age_ms} ms"


def _asks_at(world: "World", market: str, at_ms: int) -> tuple[int, int] | None:
    books = [world.published.at(market, outcome, at_ms) for outcome in (0, 1)]
    asks = [book.asks[0].price for book in books if book is not None and book.asks]
    return (asks[0], asks[1]) if len(asks) == 2 else None


def pays_a_price_that_was_there(world: "World", order: SentOrder) -> str | None:
    """Fear: a hedge or a sale at a price nobody offers, on a book that is long gone."""
    if order.purpose is Purpose.PAIR:
        return None
    now_ms, age_ms, outcome = world.clock.now_ms(), _oldest_ms(world, order), int(order.plan.outcome)
    for at_ms in (now_ms - age_ms, *world.published.moments(order.market, now_ms - age_ms, now_ms)):
        book = world.published.at(order.market, outcome, at_ms)
        levels = () if book is None else book.asks if order.plan.side.name == "BUY" else book.bids
        if any(level.price == order.plan.price for level in levels):
            return None
    return f"nobody offered {order.plan.price} within the last {age_ms} ms"


def _oldest_ms(world: "World", order: SentOrder) -> int:
    """How old what an order is sent on may be: by the settings, as the host's clock sees it, and the disk between decision and sending."""
    return world.settings.max_leg_age_ms + max(-order.life.host.skew_ms, 0) + 50


def a_pair_costs_less_than_it_may(world: "World", order: SentOrder) -> str | None:
    """Fear: fees, misread or forgotten, make a loss of every pair."""
    if order.purpose is not Purpose.PAIR or not order.first:
        return None
    listed, shares = world.listed(order.market), order.plan.shares
    prices = world.intent_prices(order).values()
    cost = sum(price * shares // 10_000 + fee_of(listed, price, shares) for price in prices)
    limit = world.settings.max_pair_cost_micros - world.settings.edge_buffer_micros
    return f"{cost} for {shares} pairs at most {limit} each" if cost * 1_000_000 > limit * shares else None


def keeps_the_market_within_its_cap(world: "World", order: SentOrder) -> str | None:
    """Fear: the bot puts more into one market than its owner allowed."""
    if order.purpose not in ENTRIES or not order.first:
        return None
    listed = world.listed(order.market)
    planned = sum(
        price * order.plan.shares // 10_000 + fee_of(listed, price, order.plan.shares) for price in world.intent_prices(order).values()
    )
    spent, cap = world.ledger.holding(order.market).spent, world.settings.max_position_micros
    return f"{spent} spent and {planned} more are above {cap}" if spent + planned > cap else None


def keeps_the_wallet_within_its_cap(world: "World", order: SentOrder) -> str | None:
    """Fear: many markets, each within its cap, together spend what the owner has not got."""
    cap = world.settings.max_exposure_micros
    if cap is None or order.purpose not in ENTRIES or not order.first or order.grant is None:
        return None
    at_stake = world.at_stake(order.life)
    planned = sum(price * order.plan.shares // 10_000 for price in world.intent_prices(order).values())
    return f"{at_stake} at stake and {planned} more are above {cap}" if at_stake + planned > cap else None


def a_hedge_makes_the_market_more_level(world: "World", order: SentOrder) -> str | None:
    """Fear: the bot hedges what was hedged already, and is naked on the other side."""
    if order.purpose in ENTRIES or order.purpose is None:
        return None
    change = order.plan.shares * (1 if order.plan.side.name == "BUY" else -1) * (1 if int(order.plan.outcome) == 0 else -1)
    known = _holdings_it_may_believe(world, order)
    if any(abs(holding.imbalance + change) < abs(holding.imbalance) for holding in known):
        return None
    return f"{order.purpose.name} changes an imbalance of {known[0].imbalance} by {change}"


def _holdings_it_may_believe(world: "World", order: SentOrder) -> list[Holding]:
    """The truth, and what was the truth before settlements failed of which the bot may not have heard."""
    ledger, market = world.ledger, order.market
    trades = ledger.trades(market)
    late_ms = world.clock.now_ms() - UNHEARD_MS
    failed = [trade for trade in trades if trade.status.name == "FAILED" and trade.updated_ms > late_ms]
    good = ledger.good(market)
    found = [holding_of(good), holding_of([*good, *failed])]
    return found + [holding_of([*good, trade]) for trade in failed]


def an_orphan_loses_no_more_than_its_cap(world: "World", order: SentOrder) -> str | None:
    """Fear: to get rid of a naked leg the bot pays any price."""
    if order.purpose in ENTRIES or order.purpose is None:
        return None
    cap = world.settings.orphan_loss_cap_micros
    losses = [_loss(world, order, late) for late in (None, world.clock.now_ms() - UNHEARD_MS)]
    return f"{order.purpose.name} loses {min(losses)}, at most {cap} are allowed" if min(losses) > cap else None


def _loss(world: "World", order: SentOrder, failed_after_ms: int | None) -> int:
    plan, listed = order.plan, world.listed(order.market)
    trades = world.ledger.good(order.market, failed_after_ms=failed_after_ms)
    outcome, fee = int(plan.outcome), fee_of(listed, plan.price, plan.shares)
    if plan.side.name == "SELL":
        return newest_cost(trades, outcome, plan.shares) - plan.dollars + fee
    surplus = abs(holding_of(trades).imbalance)
    cost = newest_cost(trades, 1 - outcome, surplus)
    return -(-cost * min(plan.shares, surplus) // max(surplus, 1)) + plan.dollars + fee - plan.shares


def waits_out_a_failure(world: "World", order: SentOrder) -> str | None:
    """Fear: a market that says no is hammered, for nothing, with the whole wallet's rate."""
    if not order.first or order.grant is None:
        return None
    failures, ended_us = 0, 0
    for earlier in reversed(world.witness.of_market(order.market)):
        if earlier.life is not order.life or isinstance(earlier.outcome, Filled) or not earlier.known_end:
            break
        failures, ended_us = failures + 1, max(ended_us, earlier.heard_us or 0)
    if not failures:
        return None
    settings = world.settings
    pause_ms = min(settings.cooldown_base_ms * settings.cooldown_backoff ** (failures - 1), settings.cooldown_max_ms)
    waited_us = order.at_us - ended_us
    return f"{waited_us} us after failure {failures}, which asks for {pause_ms:g} ms" if waited_us < pause_ms * 1000 - 1 else None


def is_silent_when_the_venue_asks_for_it(world: "World", order: SentOrder) -> str | None:
    """Fear: orders into a restarting or throttling venue, until it bans the wallet."""
    if order.grant is None:
        return None
    for earlier in world.witness.orders[-20:]:
        asked = earlier.outcome
        if earlier.life is order.life and isinstance(asked, Rejected) and asked.reason in SILENCE and earlier.heard_us is not None:
            until_us = earlier.heard_us + round(max(asked.retry_after_s, 1.0) * 1e6)
            if earlier.heard_us < order.grant.answered_us and order.at_us < until_us - 1:
                return f"{until_us - order.at_us} us before the silence after {asked.reason} is over"
    return None


SILENCE = frozenset({Rejection.RATE_LIMITED, Rejection.RESTARTING, Rejection.POST_ONLY, Rejection.TRADING_DISABLED})

ORDER_PROMISES: tuple[OrderPromise, ...] = (
    leaves_only_once,
    is_on_disk_before_it_leaves,
    follows_the_end_of_every_earlier_one,
    a_second_leg_follows_a_filled_first,
    comes_from_the_only_bot_of_its_market,
    has_leave_of_the_gate,
    respects_a_halt,
    buys_a_pair_that_was_there,
    pays_a_price_that_was_there,
    a_pair_costs_less_than_it_may,
    keeps_the_market_within_its_cap,
    keeps_the_wallet_within_its_cap,
    a_hedge_makes_the_market_more_level,
    an_orphan_loses_no_more_than_its_cap,
    waits_out_a_failure,
    is_silent_when_the_venue_asks_for_it,
)
