"""One wallet's orders shared by many markets: every market gets its turn, and a naked leg goes before every new pair."""

from collections import Counter
from pathlib import Path

from tests.support.fleet_rig import FleetRig, cheap_markets, fleet

from paper_exchange.faults import FaultKind

MARKETS = 6
ROOM = {"MAX_POSITION_USD": "400", "GLOBAL_ORDER_MIN_INTERVAL_S": "0.5", "COOLDOWN_BASE_S": "0"}
"""Every market wants more than the wallet may send."""
SLOWLY = 10.0
"""Slots of half a second are to be long against what the loop needs for one order."""


def market_of(rig: FleetRig, number: int) -> str:
    """Whose order the one of this number was, from 0."""
    token = rig.wire.orders[number]["order"]["tokenId"]
    market = rig.paper.exchange.market(token)
    assert market is not None
    return market.slug


async def test_a_wallets_orders_are_shared_evenly_by_all_markets_that_want_them(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(MARKETS), variables=ROOM, speed=SLOWLY) as rig:
        await rig.until(lambda: len(rig.tasks) == MARKETS and all(task.alive for task in rig.tasks.values()), "all trade")
        first = rig.posts
        await rig.until(lambda: rig.posts >= first + 2 * MARKETS * 5, "five pairs for each")
        orders = Counter(market_of(rig, number) for number in range(first, first + 2 * MARKETS * 5))
        assert len(orders) == MARKETS
        assert max(orders.values()) - min(orders.values()) <= 6, f"at most three pairs apart: {orders}"
        await rig.at_rest()
        rig.agrees_with_the_ledger()


async def test_the_hedge_of_a_leg_that_was_left_alone_goes_before_the_pairs_that_wait(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(MARKETS), variables=ROOM, speed=SLOWLY) as rig:
        await rig.until(lambda: rig.posts >= MARKETS, "the markets trade")
        rig.paper.add_fault(FaultKind.SETTLEMENT_FAILED)
        await rig.until(lambda: any(_naked(rig, slug) for slug in rig.tasks), "a leg is undone, the other one naked")
        told, slug = rig.posts, next(slug for slug in rig.tasks if _naked(rig, slug))
        await rig.until(lambda: rig.posts >= told + 4, "some orders later")
        assert slug in {market_of(rig, number) for number in range(told, told + 4)}, "at the latest after the pair that was leaving"


def _naked(rig: FleetRig, slug: str) -> bool:
    bot = rig.tasks[slug].bot
    return bot is not None and bot.engine.strategy.naked
