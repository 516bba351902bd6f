"""ORDER_CLIENT chooses what signs and sends a live bot's orders, and the bot trades the same with either."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.bot_rig import trading

from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.presigned import PresignedOrders


@pytest.mark.parametrize("client", ["fast", "official"])
async def test_a_bot_trades_with_either_client_and_only_ours_signs_ahead(tmp_path: Path, client: str) -> None:
    async with trading(tmp_path, ORDER_CLIENT=client) as rig:
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert (rig.bot.foresight is not None) is (client == "fast")


async def test_a_bot_sends_orders_that_were_signed_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[SignedOrder] = []
    take = PresignedOrders.take

    def noting(self: PresignedOrders, plan: OrderPlan, market: Market, *, now_ms: int) -> SignedOrder | None:
        order = take(self, plan, market, now_ms=now_ms)
        if order is not None:
            taken.append(order)
        return order

    monkeypatch.setattr(PresignedOrders, "take", noting)
    async with trading(tmp_path, speed=10, MAX_POSITION_USD="500") as rig:
        await rig.until(lambda: any(rig.paper.exchange.order(order.order_hash) for order in taken), "an order that was signed ahead")
        await rig.agrees_with_the_ledger()
        assert len({order.order_hash for order in taken}) == len(taken)


def test_our_client_does_without_the_official_one() -> None:
    heavy = "('py_clob_client_v2', 'eth_account')"
    check = f"import sys, kabobagool.execution.fast; sys.exit(any(name.startswith({heavy}) for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0
