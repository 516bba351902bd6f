"""One wallet's orders shared by many markets: every market gets its turn, and a naked leg goes before every new pair."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.support.fleet_rig import FleetRig, cheap_markets, fleet

from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Answer, Granted, Priority
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


async def test_from_the_moment_a_hedge_asks_no_pair_of_any_market_is_let_through_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = watched_gate(monkeypatch)
    async with fleet(tmp_path, cheap_markets(MARKETS), variables=ROOM, speed=SLOWLY) as rig:
        await rig.until(lambda: rig.posts >= MARKETS, "the markets trade")
        rig.paper.add_fault(FaultKind.SETTLEMENT_FAILED)
        await rig.until(lambda: ("granted", Priority.HEDGE) in said, "a leg is undone, the other one naked and hedged")
    asked, granted = said.index(("asks", Priority.HEDGE)), said.index(("granted", Priority.HEDGE))
    others = waiting_pairs(said[:asked]) > 0 or ("asks", Priority.NEW_PAIR) in said[asked:granted]
    assert others, "pairs stood in the queue, before it or behind it"
    assert ("granted", Priority.NEW_PAIR) not in said[asked:granted]


Said = list[tuple[str, Priority]]


def watched_gate(patch: pytest.MonkeyPatch) -> Said:
    """Everything the fleet's engines ask of their gate and are answered, in order."""
    said: Said = []
    acquire = FairGate.acquire

    async def watched(gate: FairGate, *, priority: Priority, **request: Any) -> Answer:
        said.append(("asks", priority))
        answer = await acquire(gate, priority=priority, **request)
        said.append(("granted" if isinstance(answer, Granted) else "refused", priority))
        return answer

    patch.setattr(FairGate, "acquire", watched)
    return said


def waiting_pairs(said: Said) -> int:
    """How many new pairs asked and were not answered."""
    words = [word for word, priority in said if priority is Priority.NEW_PAIR]
    return words.count("asks") - words.count("granted") - words.count("refused")
