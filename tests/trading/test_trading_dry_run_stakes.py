"""What a dry run that was killed had at stake died with it, but the server cannot know that: the next dry run or a person says so."""

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.gate.redis_servers import Server
from tests.support.bot_rig import BotProcess, Venue, venue_for_a_bot
from tests.trading.gate_rig import bot_on_host, end_lease, long_awake, said_by_gate, valkey

SPEED = 20
DRY = {"DRY_RUN": "true"}


async def gate(server: Server, command: str, *arguments: str) -> dict[str, Any]:
    """What `kabobagool gate` says of the dry runs."""
    found: dict[str, Any] = json.loads(await said_by_gate(server, command, "--wallet", "dry-run", "--json", *arguments))
    return found


async def the_only_stake(server: Server, bot: BotProcess) -> str:
    """The dollars of a bot's simulated pair, once they are all that the gate counts."""
    spent = (await bot.until_status(lambda s: s["fills"] == 2, "a simulated pair"))["position"]["spent"]
    async with asyncio.timeout(90):
        while (await gate(server, "budget"))["at_stake"] != spent:
            await asyncio.sleep(0.1)
    return str(spent)


async def killed_with_a_pair(server: Server, venue: Venue) -> None:
    """A dry run that bought a pair, reported it, and died without a word."""
    async with bot_on_host(venue, server, "first", **DRY) as bot:
        spent = await the_only_stake(server, bot)
        bot.kill()
        await bot.ended()
    assert (await gate(server, "budget"))["at_stake"] == spent != "0", "nobody has said that it came back"
    end_lease(server, venue, wallet="dry-run")


async def test_a_killed_dry_run_stays_at_stake_until_a_person_settles_its_market_or_the_next_dry_run_of_it_begins(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, "dry-run")
            market = venue.paper.market.condition_id
            await killed_with_a_pair(server, venue)
            assert [stake["market"] for stake in (await gate(server, "status"))["stakes"]] == [market]
            assert (await gate(server, "settle", "--market", market))["at_stake"] == "0"
            await killed_with_a_pair(server, venue)
            async with bot_on_host(venue, server, "second", **DRY) as bot:
                await the_only_stake(server, bot)
