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
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.official import OrderSigner
from kabobagool.settings import load_settings
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.stalls import StallMeter

SPEED = 15
WORST_STALL_S = 0.1
ROUNDS, MOST_ROUNDS, ORDERS = 3, 8, 12
"""A busy neighbour on the machine can spoil a round, or some in a row, but not each of them."""
PATIENCE_S = 60


@asynccontextmanager
async def exchange_process() -> AsyncIterator[dict[str, Any]]:
    """An exchange that does not share this process's event loop, with an edge that never ends."""
    command = (sys.executable, "-m", "tests.faults.exchange_process", str(SPEED))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
        yield json.loads(line)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(("client", "signer"), [("fast", FastSigner), ("official", OrderSigner)])
async def test_signing_and_sending_pairs_never_stall_the_event_loop(
    client: str, signer: type[FastSigner | OrderSigner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_on: list[int] = []
    sign: Any = signer.sign

    def noting(self: Any, plan: OrderPlan, market: Market) -> Any:
        signed_on.append(threading.get_ident())
        return sign(self, plan, market)

    monkeypatch.setattr(signer, "sign", noting)
    async with exchange_process() as urls:
        settings = load_settings(
            {
                "HOST": urls["clob"],
                "GAMMA_HOST": urls["gamma"],
                "MARKET_SOCKET_URL": urls["market_socket"],
                "MARKET_SLUG": urls["markets"][0],
                "CLOCK_RATE": str(SPEED),
                "DRY_RUN": "false",
                "ORDER_CLIENT": client,
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
            worst_s: list[float] = []
            while len(worst_s) < ROUNDS or (min(worst_s) >= WORST_STALL_S and len(worst_s) < MOST_ROUNDS):
                worst_s.append(await _worst_of_a_round(bot, run, meter, orders=(len(worst_s) + 1) * ORDERS))
            stop.set()
            await run
    shown = ", ".join(f"{worst * 1000:.1f}" for worst in worst_s)
    print(f"worst stall of the event loop in each of {len(worst_s)} rounds of {ORDERS} orders: {shown} ms")
    assert len(signed_on) >= ROUNDS * ORDERS
    assert (threading.get_ident() in signed_on) is (client == "fast"), "the slow signer has threads of its own"
    assert bot.engine.tracker.fills() > 0
    assert min(worst_s) < WORST_STALL_S


async def _worst_of_a_round(bot: Bot, run: "asyncio.Task[bool]", meter: StallMeter, *, orders: int) -> float:
    """Seconds of the worst stall until so many orders had their reply."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while sum(bot.engine.outcomes.values()) < orders:
        assert not run.done()
        assert asyncio.get_running_loop().time() < deadline, f"too few orders: {bot.snapshot()}"
        await asyncio.sleep(0.01)
    return meter.take_worst_s()
