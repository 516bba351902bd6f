"""The event loop keeps time while pairs are signed and sent: prices are never late because an order is on its way."""

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.bot_rig import new_key

from kabobagool.cli.compose import compose
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.engine.bot import Bot
from kabobagool.execution.official import OrderSigner
from kabobagool.settings import load_settings
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.stalls import StallMeter

SPEED = 15
WORST_STALL_S = 0.1
ROUNDS, ORDERS = 3, 8
"""A busy neighbour on the machine can spoil a round, but not each of them."""


@asynccontextmanager
async def exchange_process() -> AsyncIterator[dict[str, Any]]:
    """`python -m paper_exchange` on made-up books full of true dislocations."""
    command = [sys.executable, "-m", "paper_exchange", "--port", "0", "--books", "synthetic", "--markets", "1"]
    options = ["--inject", "900", "--speed", str(SPEED), "--duration-ms", "900000", "--seed", "5"]
    process = await asyncio.create_subprocess_exec(*command, *options, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        yield json.loads(line)
    finally:
        process.terminate()
        await process.wait()


async def test_signing_and_sending_pairs_never_stall_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_on: list[int] = []
    sign = OrderSigner.sign

    def noting(self: OrderSigner, plan: OrderPlan, market: Market) -> Any:
        signed_on.append(threading.get_ident())
        return sign(self, plan, market)

    monkeypatch.setattr(OrderSigner, "sign", noting)
    async with exchange_process() as urls:
        settings = load_settings(
            {
                "HOST": urls["clob"],
                "GAMMA_HOST": urls["gamma"],
                "MARKET_SOCKET_URL": urls["market_socket"],
                "MARKET_SLUG": urls["markets"][0],
                "CLOCK_RATE": str(SPEED),
                "DRY_RUN": "false",
                "PRIVATE_KEY": new_key(),
                "JOURNAL_PATH": str(tmp_path / "journal.sqlite"),
                "BATCH_SIZE": "5",
                "MAX_LEG_AGE_MS": "5000",
                "GLOBAL_ORDER_MIN_INTERVAL_S": "0",
                "COOLDOWN_BASE_S": "0",
            }
        )
        bot = await compose(settings, BotMetrics())
        stop = asyncio.Event()
        async with StallMeter(interval_s=0.005) as meter:
            run = asyncio.create_task(bot.run(stop))
            worst_s = [await _worst_of_a_round(bot, run, meter, orders=(number + 1) * ORDERS) for number in range(ROUNDS)]
            stop.set()
            await run
    shown = ", ".join(f"{worst * 1000:.1f}" for worst in worst_s)
    print(f"worst stall of the event loop in each of {ROUNDS} rounds of {ORDERS} orders: {shown} ms")
    assert len(signed_on) >= ROUNDS * ORDERS
    assert threading.get_ident() not in signed_on
    assert bot.engine.tracker.fills() > 0
    assert min(worst_s) < WORST_STALL_S


async def _worst_of_a_round(bot: Bot, run: "asyncio.Task[bool]", meter: StallMeter, *, orders: int) -> float:
    """Seconds of the worst stall until so many orders had their reply."""
    async with asyncio.timeout(30):
        while sum(bot.engine.outcomes.values()) < orders and not run.done():
            await asyncio.sleep(0.01)
    assert not run.done()
    return meter.take_worst_s()
