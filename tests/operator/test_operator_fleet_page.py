"""What the fleet's page of a cluster is told: the same rows as Hydra's, true or unknown, and cheap however many look."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from typing import Any

import msgspec
import pytest
from tests.gate.gate_rig import ask
from tests.gate.redis_rig import close_links, gate_on
from tests.hydra.page_examples import ScriptedDesk
from tests.operator.fleet_desk_rig import LIVE_WALLET, condition_id, desk_rig, running, said

from kabobagool.gate.interface import DRAINING, GateUnreachableError
from kabobagool.gate.redis_status import KEPT_MS
from kabobagool.hydra.page_stream import PageStream
from kabobagool.hydra.page_view import page_view
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.events import Events
from kabobagool_operator.fleet_page_events import KEPT
from kabobagool_operator.fleet_page_facts import cluster_view
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.plan_types import Notice

LIVE: dict[str, Any] = {"mode": "Live", "credentials": {"secretName": "wallet"}}
PERSON = {"who": "ada@desk", "why": "news at noon"}
DRY = "dry-run"
PLAY_WALLET = "0x" + "cd" * 20


async def test_whatever_hydras_page_is_told_a_clusters_page_is_told_too() -> None:
    hydra = page_view(await ScriptedDesk(1).snapshot())
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        cluster = cluster_view(await rig.desk.snapshot())
    ((_, hydras_row),), ((_, row),) = hydra.markets.items(), cluster.markets.items()
    assert set(hydra.fleet) <= set(cluster.fleet)
    assert set(hydras_row) <= set(row)
    for name in ("totals", "position"):
        theirs, ours = ({**each.fleet, **each_row}[name] for each, each_row in ((hydra, hydras_row), (cluster, row)))
        assert set(msgspec.structs.asdict(theirs)) <= set(msgspec.structs.asdict(ours)), name


async def test_a_row_is_what_the_arbmarket_says_and_over_it_what_its_bot_says_now() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain", position={"yesShares": "1", "noShares": "1", "summary": "1/1"}, lockedProfit="0.01"))
        figures = {"yes_shares": 12_000_000, "no_shares": 10_000_000, "pair_cost": 971_500, "locked_profit": 360_000}
        await rig.reports("rain", reasons=("edge_too_small",), last_fill_ms=7, **figures)
        await rig.polled()
        row = await rig.row("rain")
    assert (row.question, row.market, row.condition_id) == ("Will it rain?", "rain", condition_id("rain"))
    assert (row.state, row.reasons, row.pair_cost_after_fees, row.last_fill_ms) == ("watching", ("edge_too_small",), "0.9715", 7)
    held = row.position
    assert (held.shares_yes, held.shares_no, held.pairs, held.imbalance, held.locked_profit) == ("12", "10", "10", "2", "0.36")
    assert (row.arb.phase, row.arb.mode, row.arb.origin, row.arb.wallet) == ("Running", "DryRun", "pinned", DRY)
    assert [(each.type, each.status, each.reason, each.bad) for each in row.arb.conditions] == [
        ("Resolved", "True", "Found", False),
        ("Ready", "True", "Running", False),
    ]


async def test_a_bot_that_fell_silent_has_no_price_and_no_state_and_still_owns_what_it_owned() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain", position={"yesShares": "12", "noShares": "10", "summary": "12/10"}, lockedProfit="0.36"))
        await rig.reports("rain", yes_shares=12_000_000, no_shares=10_000_000, pair_cost=970_000, locked_profit=360_000)
        await rig.polled()
        assert rig.desk.prices() == {"rain": 970_000}
        for _ in range(KEPT_MS // 2000 + 1):
            await rig.polled()
        row, prices = await rig.row("rain"), rig.desk.prices()
    assert (row.state, row.pair_cost_after_fees, row.heard_ms, row.arb.bot) == (None, None, None, None)
    assert (row.position.pairs, row.position.imbalance, row.position.locked_profit) == ("10", "2", "0.36")
    assert prices == {"rain": None}


async def test_a_report_of_somebody_elses_bot_is_not_told_as_the_arbmarkets_own() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        await rig.reports("rain", pod="laptop", pair_cost=1)
        await rig.polled()
        row = await rig.row("rain")
    assert (row.state, row.pair_cost_after_fees, row.position.pairs) == (None, None, None)


async def test_what_nobody_knows_is_unknown_and_not_nothing() -> None:
    async with desk_rig() as rig:
        rig.put("lost", {"phase": "Failed", "reason": "MarketNotFound", "conditions": [said("Resolved", "False", "MarketNotFound", "no")]})
        rig.put("new")
        rig.put("broken", {"phase": "Failed", "reason": "SpecInvalid"}, mode="Sometimes")
        lost, new, broken = [await rig.row(name) for name in ("lost", "new", "broken")]
        totals = (await rig.desk.snapshot()).fleet.totals
    assert (lost.question, lost.condition_id, lost.scope, lost.position.pairs) == ("lost", None, None, None)
    assert (lost.arb.phase, lost.arb.message, lost.arb.conditions[0].bad) == ("Failed", "no", True)
    assert (new.arb.phase, new.arb.conditions) == (None, ())
    assert (broken.arb.phase, broken.arb.mode, broken.arb.wallet, broken.mode) == ("Failed", None, None, None)
    assert (totals.markets, totals.pairs, totals.locked_profit, totals.spent, totals.orders) == (3, "0", "0", None, None)


async def test_a_condition_of_a_type_that_another_program_set_is_shown_and_judged_by_nobody() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain", conditions=[said("Audited", "False", "NotYet")]))
        assert [(each.type, each.bad) for each in (await rig.row("rain")).arb.conditions] == [("Audited", False)]


async def test_the_fleet_trades_real_money_as_soon_as_one_market_does() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        await rig.polled()
        dry = (await rig.desk.snapshot()).fleet
        rig.put("snow", running("snow"), wallet=LIVE_WALLET, **LIVE)
        await rig.polled()
        live = (await rig.desk.snapshot()).fleet
    assert (dry.mode, dry.play_money, dry.wallet) == ("dry_run", True, None)
    assert (live.mode, live.play_money, live.wallet) == ("live", False, LIVE_WALLET)
    assert live.cluster.modes == {"DryRun": 1, "Live": 1}


async def test_paper_is_play_money_and_a_live_market_that_gets_no_bot_there_is_no_real_money() -> None:
    async with desk_rig(paper_wallet=PLAY_WALLET, paper_wallet_secret="play", live_wallet=None) as rig:
        rig.put("rain", running("rain"), wallet=PLAY_WALLET, mode="Paper")
        rig.put("snow", running("snow"), **LIVE)
        await rig.polled()
        fleet, row = (await rig.desk.snapshot()).fleet, await rig.row("rain")
    assert (fleet.mode, fleet.play_money) == ("live", True)
    assert (row.mode, row.arb.wallet) == ("paper", PLAY_WALLET)


async def test_halts_stop_a_market_a_wallet_or_all_and_are_told_with_their_wallet() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        rig.put("snow", running("snow"), wallet=LIVE_WALLET, **LIVE)
        await rig.polled()
        market = f"{LIVE_WALLET}/{condition_id('snow')}"
        await rig.desk.halt(scope=market, **PERSON)
        assert (rig.halts(), rig.halts(LIVE_WALLET)) == (set(), {condition_id("snow")})
        assert [(halt.scope, halt.title, halt.who) for halt in (await rig.desk.snapshot()).fleet.halts] == [
            (market, "Halted: Will it snow?", "ada@desk")
        ]
        assert ((await rig.row("snow")).halted, (await rig.row("rain")).halted) == (True, False)
        await rig.desk.resume(scope=market, who="ada@desk")
        await rig.desk.halt(scope=f"{DRY}/wallet", **PERSON)
        assert (rig.halts(), rig.halts(LIVE_WALLET)) == ({"wallet"}, set())
        await rig.desk.halt(scope="wallet", **PERSON)
        assert (rig.halts(), rig.halts(LIVE_WALLET)) == ({"wallet"}, {"wallet"})
        titles = {halt.title for halt in (await rig.desk.snapshot()).fleet.halts}
        assert titles == {"Halted: All dry runs", f"Halted: All markets of wallet {LIVE_WALLET}"}
        await rig.desk.resume(scope="wallet", who="ada@desk")
        assert (rig.halts(), rig.halts(LIVE_WALLET)) == (set(), set())


async def test_a_halt_of_the_page_stops_a_bots_next_order() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        bot = gate_on(rig.server, wallet=DRY, holder="bot")
        market = condition_id("rain")
        await bot.take_lease(market)
        await rig.polled()
        await rig.desk.halt(scope=f"{DRY}/{market}", **PERSON)
        refused = await ask(bot, market=market)
        await rig.desk.resume(scope=f"{DRY}/{market}", who="ada@desk")
        granted = await ask(bot, market=market)
        await close_links()
    assert getattr(refused, "reason", None) == "halted"
    assert getattr(granted, "reason", None) is None


@pytest.mark.parametrize("scope", ["0xab", f"{DRY}/0xab", "nobody/wallet", f"nobody/{condition_id('rain')}", "", "/", f"{DRY}/"])
async def test_a_scope_that_is_not_there_is_refused_and_nothing_is_written(scope: str) -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        await rig.polled()
        with pytest.raises(KeyError):
            await rig.desk.halt(scope=scope, **PERSON)
        assert rig.halts() == set()


async def test_a_drain_that_a_person_asked_for_is_told_and_lifted_and_the_operators_own_is_not() -> None:
    async with desk_rig() as rig:
        for name in ("rain", "snow"):
            rig.put(name, running(name))
        await rig.polled()
        theirs, ours = f"{DRY}/{DRAINING}{condition_id('rain')}", f"{DRY}/{DRAINING}{condition_id('snow')}"
        await rig.desk.halt(scope=theirs, **PERSON)
        await rig.gate.mark_draining(DRY, condition_id("snow"))
        fleet = (await rig.desk.snapshot()).fleet
        assert [(halt.scope, halt.title) for halt in fleet.halts] == [(theirs, "No new pairs: Will it rain?")]
        assert not (await rig.row("rain")).halted, "its hedges may leave"
        await rig.desk.resume(scope=theirs, who="ada@desk")
        with pytest.raises(KeyError):
            await rig.desk.resume(scope=ours, who="ada@desk")
        assert rig.halts() == {f"{DRAINING}{condition_id('snow')}"}


async def test_without_a_gate_the_page_says_so_and_can_halt_nothing() -> None:
    async with desk_rig(gate=False) as rig:
        rig.put("rain", running("rain"))
        fleet = (await rig.desk.snapshot()).fleet
        with pytest.raises(GateUnreachableError, match="KABOBAGOOL_REDIS_URL"):
            await rig.desk.halt(scope="wallet", **PERSON)
    assert fleet.cluster.gate == "none"


async def test_a_desk_that_does_not_lead_knows_nothing() -> None:
    async with desk_rig(leads=False) as rig:
        assert (rig.desk.leads, rig.desk.prices()) == (False, {})
        with pytest.raises(LookupError):
            await rig.desk.snapshot()


async def test_two_hundred_markets_and_many_readers_ask_the_gate_nothing_and_share_one_look() -> None:
    async with desk_rig() as rig, AsyncExitStack() as readers:
        names = [f"rain-{number}" for number in range(200)]
        for name in names:
            rig.put(name, running(name))
            await rig.reports(name, pair_cost=970_000)
        await rig.polled()
        stream = PageStream(rig.desk, cluster_view)
        before = rig.asked()
        followers = [await readers.enter_async_context(aclosing(stream.follow())) for _ in range(16)]
        whole = await asyncio.gather(*(anext(events) for events in followers))
        assert len({id(event) for event in whole}) == 1
        assert len(msgspec.json.decode(whole[0].partition(b"data: ")[2])["markets"]) == 200
        parsed = {name: id(status) for name, (_, status) in rig.desk._statuses.items()}
        for _ in range(3):
            await rig.clock.advance(1.0)  # type: ignore[attr-defined]
            await stream.tick()
            news = await asyncio.gather(*(anext(events) for events in followers))
            assert len({id(event) for event in news}) == 1
            assert msgspec.json.decode(news[0].partition(b"data: ")[2])["markets"] == {}, "a quiet fleet is no news"
        assert rig.asked() == before
        assert parsed == {name: id(status) for name, (_, status) in rig.desk._statuses.items()}, "no status was parsed twice"


async def test_an_arbmarket_that_went_leaves_nothing_behind() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        await rig.desk.snapshot()
        rig.caches.keep_only(ARB_MARKET, (), version=99)
        await rig.clock.advance(1.0)  # type: ignore[attr-defined]
        assert ((await rig.desk.snapshot()).rows, rig.desk._statuses, rig.desk.prices()) == ({}, {}, {})


class Posted:
    """The API server takes every Event."""

    async def create_event(self, namespace: str, body: dict[str, Any]) -> None:
        assert body["regarding"]["name"] == "rain"


async def test_the_events_that_were_posted_are_told_the_newest_first_and_not_for_another_of_that_name() -> None:
    async with desk_rig() as rig:
        rig.put("rain", running("rain"))
        events = Events(Posted(), clock=rig.clock, identity="operator-0", noted=rig.events.note)  # type: ignore[arg-type]
        market = Metadata(name="rain", namespace="bots", uid="uid-rain")
        for number in range(KEPT + 2):
            await events.post(market, [Notice(reason="Rained", message=f"{number}", warning=number % 2 == 0)])
        told = (await rig.row("rain")).arb.events
    assert [event.message for event in told] == [str(number) for number in range(KEPT + 1, 1, -1)]
    assert [event.warning for event in told[:2]] == [False, True]
    assert rig.events.of(market.model_copy(update={"uid": "another"})) == ()
