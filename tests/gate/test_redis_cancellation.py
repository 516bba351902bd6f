"""A bot that is stopped while it asks the shared server is stopped, also in the moment the answer comes."""

import asyncio

from tests.gate.gate_rig import DOLLAR, ask
from tests.gate.redis_rig import close_links, gate_on, new_wallet, numbers_of
from tests.gate.redis_servers import every_server, shared_server

from kabobagool.gate.interface import Priority

TRIALS = 150


async def test_a_question_that_is_cancelled_at_any_moment_never_carries_on() -> None:
    gate = gate_on(shared_server("valkey"), wallet=new_wallet(), holder="bot")
    try:
        for trial in range(TRIALS):
            asking = asyncio.create_task(gate.objection(market="m", notional=1, priority=Priority.NEW_PAIR))
            for _ in range(trial % 15):
                await asyncio.sleep(0)
            if trial % 3 == 0:
                await asyncio.sleep(0.0001 * (trial % 7))
            if asking.done() or not asking.cancel():
                continue
            await asyncio.wait({asking})
            assert asking.cancelled(), trial
        assert await gate.objection(market="m", notional=1, priority=Priority.NEW_PAIR) is None, "the link is as good as before"
    finally:
        await close_links()


@every_server
async def test_orders_that_are_cancelled_at_any_moment_count_no_dollar_once_the_answer_is_given_back(kind: str) -> None:
    wallet = new_wallet()
    gate = gate_on(shared_server(kind), wallet=wallet, holder="bot", interval_us=0)
    try:
        granted = 0
        for trial in range(TRIALS):
            asking = asyncio.create_task(ask(gate, notional=DOLLAR, priority=Priority.NEW_PAIR))
            for _ in range(trial % 15):
                await asyncio.sleep(0)
            if trial % 3 == 0:
                await asyncio.sleep(0.0001 * (trial % 7))
            asking.cancel()
            await asyncio.wait({asking})
            granted += not asking.cancelled()
        while numbers_of(shared_server(kind), gate.link.keys)["at_stake"] > granted * DOLLAR:
            await asyncio.sleep(0.01)
        await gate.beat()
        assert numbers_of(shared_server(kind), gate.link.keys)["at_stake"] == granted * DOLLAR
        assert granted < TRIALS
    finally:
        await close_links()
