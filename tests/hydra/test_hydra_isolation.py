"""One market that fails stops alone, says why, and comes back; the others never notice. What all share is lost for all of them at once."""

import asyncio
from pathlib import Path

import pytest
from tests.support.fleet_rig import PAIR, BrokenMarkets, cheap_markets, fleet, fleet_on, venue_for_a_fleet

from kabobagool.clock import SystemClock
from kabobagool.domain.money import PRICE_ONE
from kabobagool.execution.journal import Journal
from kabobagool.hydra.market_task import Phase
from paper_exchange.faults import FaultKind

MARKETS = ("one-0", "one-1", "one-2")
TWO_PAIRS = {"MAX_POSITION_USD": "20"}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> BrokenMarkets:
    return BrokenMarkets(monkeypatch)


async def test_a_market_whose_engine_raises_stops_with_its_reason_and_the_others_trade_on(tmp_path: Path, broken: BrokenMarkets) -> None:
    broken.in_the_engine.add("one-0")
    async with fleet(tmp_path, cheap_markets(3)) as rig:
        await rig.until_pair("one-1", "one-2")
        await rig.until(lambda: rig.phase("one-0") == "waiting" and rig.row("one-0").restarts >= 2, "it fails again and again")
        row = rig.row("one-0")
        assert row.trouble == "ZeroDivisionError: a rule that divides by nothing"
        assert row.restart_in_s is not None
        assert rig.held("one-0") == (0, 0)
        assert [rig.row(slug).restarts for slug in ("one-1", "one-2")] == [0, 0]
        assert not rig.run.done()
        broken.in_the_engine.clear()
        await rig.until_pair("one-0")
        rig.agrees_with_the_ledger()


async def test_a_market_that_raises_where_the_feed_shows_it_a_view_is_dropped_alone_and_fed_again(
    tmp_path: Path, broken: BrokenMarkets
) -> None:
    broken.in_the_feed.add("one-1")
    async with fleet(tmp_path, cheap_markets(3), speed=20) as rig:
        await rig.until_pair("one-0", "one-2")
        await rig.until(lambda: rig.phase("one-1") == "waiting", "dropped by the feed")
        assert rig.row("one-1").trouble == "KeyError: 'a view nobody understands'"
        assert sum(rig.supervisor.fleet.sockets()) == 2, "the feed no longer feeds it"
        connects = rig.wire.socket_connects
        broken.in_the_feed.clear()
        await rig.until_pair("one-1")
        assert rig.wire.socket_connects == connects == 1, "the others' connection was not touched"
        rig.agrees_with_the_ledger()


async def test_a_live_market_that_failed_with_a_position_has_the_ledgers_position_when_it_is_back(
    tmp_path: Path, broken: BrokenMarkets
) -> None:
    async with fleet(tmp_path, cheap_markets(2)) as rig:
        await rig.until_pair("one-0", "one-1")
        broken.in_the_feed.add("one-0")
        await rig.until(lambda: rig.phase("one-0") == "waiting", "failed")
        assert rig.believed("one-0") == rig.true("one-0"), "while it waits the page shows what it owns"
        broken.in_the_feed.clear()
        await rig.until_running("one-0")
        rig.agrees_with_the_ledger()
        assert rig.posts == 4, "nothing was bought again"


async def test_a_simulated_market_that_failed_keeps_the_position_it_had_and_what_it_counted(tmp_path: Path, broken: BrokenMarkets) -> None:
    async with fleet(tmp_path, cheap_markets(1), variables={"DRY_RUN": "true"}) as rig:
        await rig.until(lambda: rig.tasks and rig.tasks["one-0"].position.pairs == PAIR, "a simulated pair")
        before = await rig.supervisor.fleet.snapshot()
        broken.in_the_feed.add("one-0")
        await rig.until(lambda: rig.phase("one-0") == "waiting", "failed")
        broken.in_the_feed.clear()
        await rig.until_running("one-0")
        assert rig.tasks["one-0"].position.pairs == PAIR
        after = await rig.supervisor.fleet.snapshot()
        assert after.totals.orders == before.totals.orders == {"filled": 2}
        assert after.totals.fills == 2
        assert after.totals.edges_seen >= before.totals.edges_seen
        assert rig.posts == 0


async def test_a_market_that_fails_while_its_order_is_on_its_way_is_held_to_own_something_until_it_knows_and_is_hedged(
    tmp_path: Path, broken: BrokenMarkets
) -> None:
    async with fleet(tmp_path, cheap_markets(1)) as rig:
        rig.wire.replies_may_pass.clear()
        await rig.until(lambda: rig.filled() == 1, "the first leg filled, its reply is on its way")
        broken.in_the_feed.add("one-0")
        await rig.until(lambda: rig.phase("one-0") == "waiting", "failed between the legs")
        task = rig.tasks["one-0"]
        assert task.position.yes.shares == task.position.no.shares == 0, "nobody told it of the fill"
        assert task.holds_something()
        assert not task.level
        assert rig.session.purse.held > 0, "nobody else may count on the dollars of an order that nobody heard of"
        rig.wire.replies_may_pass.set()
        broken.in_the_feed.clear()
        await rig.until_pair("one-0")
        rig.agrees_with_the_ledger()
        assert rig.posts == 2, "the leg and its hedge"
        assert rig.session.purse.held == 0


async def test_a_stop_while_a_market_that_lost_a_leg_waits_for_its_restart_still_hedges_it(tmp_path: Path, broken: BrokenMarkets) -> None:
    async with fleet(tmp_path, cheap_markets(1)) as rig:
        rig.wire.replies_may_pass.clear()
        await rig.until(lambda: rig.filled() == 1, "the first leg filled, its reply is on its way")
        broken.in_the_feed.add("one-0")
        await rig.until(lambda: rig.phase("one-0") == "waiting", "failed between the legs")
        rig.wire.replies_may_pass.set()
        broken.in_the_feed.clear()
        assert await rig.stopped()
        assert rig.held("one-0") == (PAIR, PAIR)
        assert rig.posts == 2


async def test_a_market_that_another_process_trades_waits_with_that_reason_and_joins_when_it_is_free(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
        other = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
        await other.claim(venue.listed("one-0").condition_id)
        async with fleet_on(venue) as rig:
            await rig.until_pair("one-1")
            await rig.until(lambda: rig.phase("one-0") == "waiting", "it cannot be claimed")
            assert "another process trades market" in str(rig.row("one-0").trouble)
            assert rig.row("one-0").restarts < 20, "it waits instead of trying in a loop"
            await other.close()
            await rig.until_pair("one-0")
            rig.agrees_with_the_ledger()


async def test_a_required_reconciliation_that_fails_keeps_the_markets_waiting_and_hammers_nobody(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
        venue.wire.broken[b"GET /data/trades"] = 500
        async with fleet_on(venue, RECONCILIATION_REQUIRED="true") as rig:
            await rig.until(lambda: rig.phase("one-0") == rig.phase("one-1") == "waiting", "both wait")
            assert "RECONCILIATION_REQUIRED=true" in str(rig.row("one-0").trouble)
            assert not rig.supervisor.fleet.health().healthy, "a fleet that trades nothing at all says so"
            assert rig.posts == 0
            venue.wire.broken.clear()
            await rig.until_pair("one-0", "one-1")
            await rig.until(lambda: rig.supervisor.fleet.health().healthy, "healthy again")


async def test_a_lost_socket_makes_every_view_of_every_market_read_one_dollar_and_it_comes_back(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(3), variables=TWO_PAIRS) as rig:
        await rig.until(lambda: all(rig.held(slug) == (2 * PAIR, 2 * PAIR) for slug in MARKETS), "full")
        await rig.until(rig.quiet, "settled")
        bots = [task.bot for task in rig.tasks.values() if task.bot]
        await rig.wire.go_down()
        await rig.until(lambda: not any(bot.engine.view.yes.has_snapshot for bot in bots), "every market knows that it knows nothing")
        for bot in bots:
            view = bot.engine.view
            assert (view.yes.best_ask, view.no.best_ask) == (PRICE_ONE, PRICE_ONE)
            assert bot.snapshot().pair_cost is None
            assert not bot.engine.strategy.pending, "no engine still means to act on what it saw before"
        await rig.wire.start()
        await rig.until(lambda: all(bot.engine.view.yes.has_snapshot for bot in bots), "fed again")
        assert [task.phase for task in rig.tasks.values()] == [Phase.RUNNING] * 3
        assert [rig.row(slug).restarts for slug in MARKETS] == [0, 0, 0]


async def test_sockets_that_break_again_and_again_cost_no_market_and_no_order(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(3)) as rig:
        rig.paper.add_fault(FaultKind.DISCONNECT, for_ms=20_000, probability=0.05)
        await rig.venue_seconds(25)
        await rig.until_pair(*MARKETS)
        rig.agrees_with_the_ledger()
        assert rig.posts == 6
        assert len(rig.tasks) == 3


async def test_when_the_fleet_has_ended_no_task_of_it_is_left(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    async with venue_for_a_fleet(tmp_path, cheap_markets(3)) as venue:
        serving = asyncio.all_tasks()
        async with fleet_on(venue) as rig:
            await rig.until_pair(*MARKETS)
            assert await rig.stopped()
        await rig.until(lambda: not _named_after_a_fleet(serving), f"{_named_after_a_fleet(serving)}")
    assert not _named_after_a_fleet(before)


def _named_after_a_fleet(known: "set[asyncio.Task[object]]") -> list[str]:
    words = ("market ", "engine", "feed", "purse", "memory", "settlement", "audit", "discovery", "endings", "lookup ")
    return [name for task in asyncio.all_tasks() - known if (name := task.get_name()).startswith(words)]
