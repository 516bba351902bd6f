"""`kabobagool reconcile` where a wallet shares its gate: what any bot was about to send on any host is shown, and nothing is touched."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gate.redis_servers import PATIENCE_S, Server
from tests.support.bot_rig import Venue, venue_for_a_bot
from tests.trading.gate_rig import bot_on_host, everything, long_awake, on_host, valkey

SPEED = 60


@pytest.fixture
def server() -> Iterator[Server]:
    with valkey() as opened:
        yield opened


def kept(server: Server) -> dict[str, object]:
    """Every key and its value, but for what a dead bot said last: that disappears by itself."""
    return {key: value for key, value in everything(server).items() if ":status:" not in key}


async def reconcile(venue: Venue, *arguments: str, **env: str) -> tuple[int | None, str]:
    """Exit status and output of the command, on a host whose disk no bot has seen unless `env` says otherwise."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "kabobagool.cli.main", "reconcile", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=venue.environment(**env), stdout=pipe, stderr=pipe)
    out, err = await asyncio.wait_for(process.communicate(), 3 * PATIENCE_S)
    assert b"Traceback" not in err
    return process.returncode, (out + err).decode()


@asynccontextmanager
async def killed_after_its_first_order(folder: Path, server: Server, *, arrives: bool) -> AsyncIterator[Venue]:
    """A venue whose bot was killed, on another host, when its first order had filled or had not reached anybody."""
    async with venue_for_a_bot(folder, speed=SPEED) as venue:
        await long_awake(server, venue.address)
        (venue.wire.replies_may_pass if arrives else venue.wire.orders_may_pass).clear()
        async with bot_on_host(venue, server, "first") as bot:
            await venue.until(lambda: venue.filled() == 1 if arrives else venue.posts == 1, "its first order")
            bot.kill()
            await bot.ended()
        await venue.wire.go_down()
        venue.wire.replies_may_pass.set()
        venue.wire.orders_may_pass.set()
        await venue.wire.start()
        yield venue


async def test_what_another_host_was_about_to_send_is_looked_up_and_shown_and_the_gate_stays_as_it_is(
    tmp_path: Path, server: Server
) -> None:
    async with killed_after_its_first_order(tmp_path, server, arrives=True) as venue:
        await venue.venue_seconds(60)  # by then an order that the venue does not know will never be known
        before, second = kept(server), on_host(venue, server, "second")
        status, said = await reconcile(venue, "--json", **second)
        found = json.loads(said)
        first, hedge = found["gate"]["open_orders"]
        (sent,) = {trade.order_hash for trade in venue.trades()}
        assert (status, found["objection"], found["gate"]["trouble"]) == (0, None, None)
        assert (first["order"], first["end"]) == (sent, "filled")
        assert hedge["end"] == "killed", "it never left"
        assert first["intent"] == hedge["intent"]
        assert (first["side"], first["shares"], hedge["shares"]) == ("BUY", "10", "10")
        assert found["resolved_orders"] == {}, "the journal of this host knows nothing"
        status, said = await reconcile(venue, **second)
        assert status == 0
        assert "2 orders whose end nobody has written down there" in said
        assert "the venue says: filled" in said
        assert kept(server) == before, "neither an intent nor a lease was touched"
        assert venue.posts == 1


async def test_an_order_at_the_gate_of_which_the_venue_knows_nothing_yet_is_no_ground_to_trade_on(tmp_path: Path, server: Server) -> None:
    async with killed_after_its_first_order(tmp_path, server, arrives=False) as venue:
        (intent,) = (key for key in server.admin.scan_iter("*:intent:*"))
        text = json.loads(str(server.admin.hget(intent, "text")))
        text["created_ms"] = venue.paper.clock.now_ms() + 3_600_000  # so that it may still arrive whenever this test looks
        server.admin.hset(intent, "text", json.dumps(text))
        before, second = kept(server), on_host(venue, server, "second")
        status, said = await reconcile(venue, **second)
        assert status == 1
        assert "the venue does not say what became of it" in said
        assert "2 orders sent earlier have no known end yet" in said
        assert kept(server) == before


async def test_beside_a_bot_that_trades_the_market_on_another_host_its_lease_and_halts_stay_its_own(tmp_path: Path, server: Server) -> None:
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        await long_awake(server, venue.address)
        async with bot_on_host(venue, server, "first") as bot:
            await bot.until_status(lambda s: s["fills"] == 2 and not s["unsettled_orders"], "a pair, settled")
            status, said = await reconcile(venue, **on_host(venue, server, "second"))
            assert status == 0, said
            assert "no order is open there" in said
            assert bot.process.returncode is None
        venue.nothing_was_sent_twice()


async def test_a_gate_that_cannot_be_asked_is_said_and_is_no_ground_to_trade_on(tmp_path: Path, server: Server) -> None:
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        away = on_host(venue, server, "second")
        away["REDIS_URL"] = away["REDIS_URL"].replace("redis://", "redis://:hidden@")
        server.kill()
        status, said = await reconcile(venue, **away)
        assert status == 1
        assert "which orders are open at the shared gate is not known" in said
        assert "hidden" not in said
        status, said = await reconcile(venue, "--json", **away)
        found, _ = json.JSONDecoder().raw_decode(said)  # the log says it too
        assert found["objection"] == found["gate"]["trouble"] != ""
        assert found["gate"]["open_orders"] == []


async def test_an_intent_that_cannot_be_read_is_named_and_never_taken_for_none(tmp_path: Path, server: Server) -> None:
    async with killed_after_its_first_order(tmp_path, server, arrives=True) as venue:
        (intent,) = (key for key in server.admin.scan_iter("*:intent:*"))
        server.admin.hset(intent, "text", '{"orders": "of another version"}')
        status, said = await reconcile(venue, **on_host(venue, server, "second"))
        assert status == 1
        assert "at the shared gate cannot be read" in said


async def test_without_a_shared_gate_nothing_is_said_of_one(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        status, said = await reconcile(venue, "--json")
        assert (status, json.loads(said)["gate"]) == (0, None)
