"""Promises about what is so at any moment, and about how a history ends. `invariants.py` asks them every few seconds and at the end."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tests.gate.gate_rig import Departure, no_window_overflows
from tests.simulation.facts import Holding
from tests.simulation.witness import Grant

from kabobagool.domain.outcome import Rejected, Rejection
from kabobagool.engine.bot import Bot
from kabobagool.execution.journal import JournalError
from kabobagool.gate.interface import Priority
from kabobagool.venue.errors import VenueError

if TYPE_CHECKING:
    from tests.simulation.process import Life
    from tests.simulation.world import World

StatePromise = Callable[["World"], Iterator[str]]

DELIVERED_MS = 130_000
"""By then a bot that can reach the venue has heard of every change of a trade, however slowly it polls."""
REASON_MS = 180_000
"""A program that ends this long after the last trouble of its host ended for no reason."""
MOST_ENDS_AN_HOUR = 10
SETTLED_MS = 30_000
"""So long after the last change of a trade nothing is on its way any more."""
FATAL = frozenset({Rejection.AMOUNTS, Rejection.MIN_SIZE, Rejection.CONFIGURATION, Rejection.GEOBLOCKED})
SIZES = frozenset({Rejection.AMOUNTS, Rejection.MIN_SIZE})


def the_bot_owns_what_the_ledger_says(world: "World") -> Iterator[str]:
    """Fear: the bot believes in a position it does not have, and hedges or trades on it."""
    for life, market, bot in trading_bots(world):
        if world.quiet_for_ms(life.host) < DELIVERED_MS or world.unheard_for_ms(market) < DELIVERED_MS:
            continue
        if bot.memory is not None and bot.memory.trouble is not None:
            continue
        believed, true = believed_by(bot), world.ledger.holding(market)
        if not _is_the_same(believed, true, within=world.ledger.broken_micros(market)):
            yield f"{life.name} believes {believed}, the ledger says {true}"


def _is_the_same(believed: Holding, true: Holding, *, within: int) -> bool:
    counted = (believed.yes, believed.no, believed.fees) == (true.yes, true.no, true.fees)
    return counted and abs(believed.bought - true.bought) <= within and abs(believed.sold - true.sold) <= within


def believed_by(bot: Bot) -> Holding:
    """The bot's own account of its market."""
    yes, no = bot.engine.tracker.position.yes, bot.engine.tracker.position.no
    return Holding(yes.shares, no.shares, yes.cost + no.cost, yes.proceeds + no.proceeds, yes.fees + no.fees)


def trading_bots(world: "World") -> Iterator[tuple["Life", str, Bot]]:
    """Every bot that is up, with its market."""
    for life in world.lives:
        if life.alive:
            yield from ((life, market, bot) for market, bot in life.trading.items())


def no_window_holds_more_than_the_rate(world: "World") -> Iterator[str]:
    """Fear: a burst of orders, and the venue throttles or bans the wallet."""
    limits, alone = world.limits, int(world.history.shared_gate)  # without the shared gate each program may send one order more
    for name, grants in _by_gate(world):
        pairs = [grant for grant in grants if grant.priority is Priority.NEW_PAIR]
        yield from _overflowing(name, grants, limits.interval_us, max(limits.burst, 2) + alone * len(world.hosts))
        yield from _overflowing(name, pairs, limits.pair_interval_us, max(limits.pair_burst, 2))


def _by_gate(world: "World") -> Iterator[tuple[str, list[Grant]]]:
    """The leaves that were used, by the gate that gave them: one of the wallet, or one of each life."""
    gates: dict[str, list[Grant]] = {}
    for grant in world.witness.grants:
        if not grant.given_back:
            gates.setdefault("the wallet" if world.history.shared_gate else grant.life.name, []).append(grant)
    yield from gates.items()


def _overflowing(name: str, grants: list[Grant], interval_us: int, burst: int) -> Iterator[str]:
    try:
        no_window_overflows([Departure(grant.leaves_us, grant.cost) for grant in grants], interval_us, burst)
    except AssertionError:
        yield f"{name}: more left at once than {burst} and one every {interval_us} us"


def no_amount_is_refused_by_the_venue(world: "World") -> Iterator[str]:
    """Fear: sizes that the venue does not take make every second leg fail."""
    for order in world.witness.orders[-20:]:
        if isinstance(order.outcome, Rejected) and order.outcome.reason in SIZES:
            yield f"{order.order_hash[:10]}: {order.outcome.text}"


def no_order_lacks_the_money_for_it(world: "World") -> Iterator[str]:
    """Fear: the bot counts on dollars that are gone, and a pair of which only one leg can be paid is a naked leg."""
    if len(world.hosts) > 1:  # what another program spends meanwhile nobody can know
        return
    for order in world.witness.orders[-20:]:
        if isinstance(order.outcome, Rejected) and order.outcome.reason is Rejection.BALANCE:
            yield f"{order.order_hash[:10]}: {order.outcome.text}"


def every_edge_is_accounted_for(world: "World") -> Iterator[str]:
    """Fear: the figures on which a trader decides are made up."""
    for life, _, bot in trading_bots(world):
        truth = bot.engine.strategy.truth
        counted = truth.acted_on + sum(truth.rejected.values()) + bot.engine.strategy.pending
        if truth.seen != counted:
            yield f"{life.name} saw {truth.seen} edges and accounts for {counted}"


def no_program_crashes_in_a_loop(world: "World") -> Iterator[str]:
    """Fear: a market without a bot while its naked leg loses."""
    for host in world.hosts:
        recent = [at_ms for at_ms in world.bench.ends.get(host.index, ()) if at_ms > world.elapsed_ms - 3_600_000]
        if len(recent) > MOST_ENDS_AN_HOUR:
            yield f"{host.name}: {len(recent)} ends within an hour, the last: {host.broken_ends[-1]}"


LOOK_PROMISES: tuple[StatePromise, ...] = (
    the_bot_owns_what_the_ledger_says,
    no_amount_is_refused_by_the_venue,
    no_order_lacks_the_money_for_it,
    every_edge_is_accounted_for,
    no_program_crashes_in_a_loop,
)


def every_bot_is_back(world: "World") -> Iterator[str]:
    """Fear: one bad hour, and a market is never traded again, silently."""
    for host in world.hosts:
        life = host.life
        if world.has_rival(host):
            continue
        if life is None or not life.alive:
            yield f"{host.name} has no program"
            continue
        for number in host.markets:
            market = world.market(number).condition_id
            bot = life.bots.get(market)
            if world.is_over(market):
                continue
            if bot is None or bot._engine_task is None or bot._engine_task.done():
                yield f"{life.name} has no bot for market {number}"
            elif trouble := _trouble(world, life, market, bot):
                yield f"{life.name}, market {number}: {trouble}"


def _just_sent(world: "World", life: "Life", market: str) -> bool:
    """Whether an order left so late that its reply may still come."""
    sent = [order.at_us for order in world.witness.orders if order.life is life and order.market == market]
    return bool(sent) and world.clock.now_us - sent[-1] < SETTLED_MS * 1000


def _trouble(world: "World", life: "Life", market: str, bot: Bot) -> str | None:
    if bot.engine.degraded and not _was_told_to_stop(world, life, market):
        return f"degraded: {bot.engine.degraded} {bot.memory.trouble if bot.memory else ''}"
    if bot.engine.is_busy() and world.unheard_for_ms(market) > SETTLED_MS and not _just_sent(world, life, market):
        return f"its engine does not come back from an order: {bot.engine.state()}"
    if bot.engine.unknown.open:
        return f"orders are still of unknown end: {list(bot.engine.unknown.open)}"
    if bot.settlement is not None and bot.settlement.pending and world.unheard_for_ms(market) > SETTLED_MS:
        return f"settlement is still awaited: {bot.settlement.pending}"
    return None


def _was_told_to_stop(world: "World", life: "Life", market: str) -> bool:
    """Whether the venue said no to this life in a way that only a person can mend; the bot waits for that person."""
    orders = world.witness.of_market(market)
    return any(o.life is life and isinstance(o.outcome, Rejected) and o.outcome.reason in FATAL for o in orders)


def every_view_is_true_again(world: "World") -> Iterator[str]:
    """Fear: a feed that looks alive shows books of an hour ago."""
    for life, market, bot in trading_bots(world):
        view = bot.engine.view
        if view.resolved or world.is_over(market):
            continue
        for outcome in (0, 1):
            book, true = (view.yes, view.no)[outcome], world.published.at(market, outcome, world.clock.now_ms() - 2_000)
            later = world.published.at(market, outcome, world.clock.now_ms())
            if true is not later:
                continue
            asks = {level.price: level.size for level in true.asks} if true else {}
            if not book.has_snapshot or dict(book.asks) != asks:
                yield f"{life.name} sees asks {dict(book.asks)}, there are {asks}"


def no_leg_is_left_naked(world: "World") -> Iterator[str]:
    """Fear: after the storm a naked leg is forgotten, though its other half is for sale."""
    for life, market, bot in trading_bots(world):
        if world.is_over(market) or bot.engine.degraded:
            continue
        alone = abs(world.ledger.holding(market).imbalance)
        if world.venue.account.dollars < alone:  # at a dollar each; programs of one wallet do not know what the others spend
            continue
        if _is_naked(world, market) and world.bench.can_hedge(market) and world.could_hedge_in_time(market):
            yield f"{life.name}: {alone} shares have no partner"


def _is_naked(world: "World", market: str) -> bool:
    """Whether more shares are without a partner than may be."""
    tolerated = 0 if world.settings.entry_mode == "paired" else world.settings.hedge_tolerance_micros
    return abs(world.ledger.holding(market).imbalance) > max(world.listed(market).min_order_size - 1, tolerated)


def the_last_edge_is_traded(world: "World") -> Iterator[str]:
    """Fear: safe, but dead: a bot that survived everything and never trades again."""
    for life, market, bot in trading_bots(world):
        finale = world.finale(market)
        if finale is None or bot.engine.degraded or world.is_over(market) or world.has_no_room(life, market):
            continue
        if _is_naked(world, market) and not world.bench.can_hedge(market):
            continue
        if world.settings.entry_mode == "sequential" and world.ledger.trades(market):  # its rule weighs what earlier legs cost
            continue
        since_us = finale[0] * 1000
        # Where hosts share a gate, chance decides which of them it serves.
        served = world.witness.orders if world.history.shared_gate else world.witness.of_market(market)
        orders = [o for o in served if o.at_us - world.start_us >= since_us]
        if not orders:
            rejected = dict(bot.engine.strategy.truth.rejected)
            yield f"{life.name} let the last edge of {market[:10]} go: {rejected}"


def no_money_is_held_for_nothing(world: "World") -> Iterator[str]:
    """Fear: dollars kept for orders that ended long ago are missing when a leg is to be hedged."""
    for life in {life.name: life for life, _, _ in trading_bots(world)}.values():
        held = life.session.purse.held if life.session is not None else 0
        if held and not any(bot.engine.is_busy() for bot in life.bots.values()):
            yield f"{life.name} holds {held} micro-dollars, and no order is on its way"


END_PROMISES: tuple[StatePromise, ...] = (
    every_bot_is_back,
    every_view_is_true_again,
    no_leg_is_left_naked,
    the_last_edge_is_traded,
    no_money_is_held_for_nothing,
    no_window_holds_more_than_the_rate,
)


def a_program_ends_for_a_reason(world: "World", life: "Life", error: Exception | None) -> str | None:
    """Fear: a defect ends the bot when it is needed most."""
    if isinstance(error, ExceptionGroup):
        error = next(iter(error.exceptions))
    if error is not None and not isinstance(error, VenueError | JournalError):
        return f"{life.name} crashed: {type(error).__name__}: {error}"
    if world.quiet_for_ms(life.host) > REASON_MS and not world.has_rival(life.host):
        return f"{life.name} ended although nothing was wrong: {error}"
    return None
