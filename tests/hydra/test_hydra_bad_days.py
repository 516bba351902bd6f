"""Everything at once for a whole fleet, from a seed: at the end every market owns what the ledger says and no leg is naked."""

from pathlib import Path

from tests.faults.fault_books import calm, cheap
from tests.support.fleet_rig import FleetRig, fleet
from tests.support.paper import ScriptedBooks

from paper_exchange.faults import Fault, FaultKind

BAD_MS = 60_000
ON_ORDERS = (FaultKind.REPLY_DROPPED, FaultKind.COULD_NOT_RUN_500, FaultKind.RATE_LIMITED_BARE_429, FaultKind.RATE_LIMITED_WITH_HEADERS)
LATER = (FaultKind.SETTLEMENT_FAILED, FaultKind.DELAYED_REPLY, FaultKind.ORDER_LATENCY)
ROOM = {"MAX_POSITION_USD": "200", "COOLDOWN_MAX_S": "4"}


def a_bad_minute() -> list[Fault]:
    """Many orders have trouble, connections live short."""
    orders = [Fault(kind, for_ms=BAD_MS, probability=0.1) for kind in ON_ORDERS]
    later = [Fault(kind, for_ms=BAD_MS, probability=0.1, delay_ms=3_000) for kind in LATER]
    return [*orders, *later, Fault(FaultKind.DISCONNECT, for_ms=BAD_MS, probability=0.005)]


def flickering(number: int) -> ScriptedBooks:
    """Edges of twelve seconds with as long a calm between them, each market's at other times."""
    made = []
    for start in range(-4 * number, 600, 24):
        made += [*cheap(from_s=max(start, 0), until_s=start + 12), *calm(from_s=max(start + 12, 0), until_s=start + 24)]
    return ScriptedBooks(made, slug=f"one-{number}")


async def test_after_a_bad_minute_every_market_owns_what_the_ledger_says_and_no_leg_is_naked(tmp_path: Path) -> None:
    async with fleet(tmp_path, [flickering(number) for number in range(4)], faults=a_bad_minute(), seed=3, variables=ROOM) as rig:
        await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.clock.start_ms + BAD_MS, "the bad minute is over")
        await rig.at_rest()
        rig.agrees_with_the_ledger()
        assert sum(rig.paper.exchange.faults.struck.values()) >= 3
        assert rig.filled() >= 4, "a bad day is no reason not to trade at all"
        assert [row.restarts for row in (await rig.supervisor.fleet.snapshot()).markets] == [0] * 4
        await _totals_add_up(rig)


async def _totals_add_up(rig: FleetRig) -> None:
    """What the page sums up is what left the process."""
    totals = (await rig.supervisor.fleet.snapshot()).totals
    assert sum(count for name, count in totals.orders.items() if not name.startswith("unknown_")) == rig.posts
