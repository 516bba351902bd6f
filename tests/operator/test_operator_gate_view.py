"""What the operator sees of the order gate, on a real server: every bot's report, leases, halts, and its own marks."""

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.gate.gate_rig import ask
from tests.gate.redis_rig import close_links, gate_on, new_wallet
from tests.gate.redis_servers import Server, shared_server
from tests.support.virtual_clock import VirtualClock

from kabobagool.gate.interface import DRAINING, WALLET, Granted, IntentNote, Priority, Refusal, Refused
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_status import BotStatus, StatusBoard
from kabobagool_operator.facts import GateFacts
from kabobagool_operator.gate_marks import WHO
from kabobagool_operator.gate_picture import KEPT_S
from kabobagool_operator.gate_view import POLL_S, UNREACHABLE_AFTER_S, GateView

MARKETS = ("0xa", "0xb", "0xc")
PERSON = "ada@desk"


@dataclass
class Rig:
    """A view of one wallet, and a bot of that wallet. `wallets` is what the ArbMarkets call for."""

    server: Server
    wallet: str
    view: GateView
    bot: RedisGate
    clock: VirtualClock
    wallets: dict[str, Collection[str]]
    news: list[str]
    board: StatusBoard = field(init=False)

    def __post_init__(self) -> None:
        self.board = StatusBoard(self.bot.link, clock=self.clock)

    async def reports(self, market: str = "0xa", **said: Any) -> None:
        """A bot says this of itself."""
        given = {"holder": "bot", "mode": "dry_run", "phase": "watching", **said}
        await self.board.report(BotStatus(market=market, **given))

    async def looks(self) -> list[str]:
        """The news of one look, a poll later."""
        self.news.clear()
        await self.clock.advance(POLL_S)
        await self.view.look()
        return sorted(self.news)

    def facts(self, market: str = "0xa") -> GateFacts:
        return self.view.facts(self.wallet, market)

    def halts(self) -> set[str]:
        return {str(scope) for scope in self.server.admin.hkeys(self.bot.link.keys.halts)}


def a_view(server: Server | None, clock: VirtualClock, wallets: Mapping[str, Collection[str]], news: list[str], url: str = "") -> GateView:
    address = url or (server.url if server else None)
    return GateView(address, clock=clock, rng=random.Random(5), markets=lambda: wallets, changed=news.append, patience_s=20.0)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    server, wallet, clock = shared_server("valkey"), new_wallet(), VirtualClock()
    news: list[str] = []
    wallets: dict[str, Collection[str]] = {wallet: MARKETS}
    view = a_view(server, clock, wallets, news)
    await view.look()
    yield Rig(server, wallet, view, gate_on(server, wallet=wallet, holder="bot"), clock, wallets, news)
    await view.close()
    await close_links()


async def test_what_a_bot_reports_and_holds_is_known_a_poll_later(rig: Rig) -> None:
    assert rig.facts() == GateFacts(reachable=True)
    await rig.reports(yes_shares=5_000_000, pair_cost=970_000, reasons=("edge_too_small",))
    lease = await rig.bot.take_lease("0xa")
    assert await rig.looks() == ["0xa"]
    seen = rig.facts()
    assert seen.report is not None
    assert (seen.report.yes_shares, seen.report.pair_cost, seen.report.reasons) == (5_000_000, 970_000, ("edge_too_small",))
    assert (seen.lease_holder, seen.lease_number) == ("bot", getattr(lease, "number", None))
    assert rig.facts("0xb") == GateFacts(reachable=True)
    assert await rig.looks() == [], "nothing changed"


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "ordering"},
        {"yes_shares": 1},
        {"no_shares": 1},
        {"reasons": ("x",)},
        {"holder": "next"},
        {"last_fill_ms": 7},
        {"pair_cost": 900_000},
        {"feed_age_ms": 90_000},
    ],
)
async def test_only_the_market_of_which_something_changed_is_called_out(rig: Rig, change: dict[str, Any]) -> None:
    for market in MARKETS:
        await rig.reports(market)
    assert await rig.looks() == list(MARKETS)
    await rig.reports("0xb", **change)
    assert await rig.looks() == ["0xb"]


async def test_a_price_that_moves_by_less_than_a_cent_wakes_nobody_and_is_known_all_the_same(rig: Rig) -> None:
    await rig.reports(pair_cost=970_000, feed_age_ms=0)
    await rig.looks()
    await rig.reports(pair_cost=974_000, feed_age_ms=1000, locked_profit=3)
    assert await rig.looks() == []
    report = rig.facts().report
    assert report is not None
    assert (report.pair_cost, report.feed_age_ms, report.locked_profit) == (974_000, 1000, 3)


async def test_a_bot_that_ends_and_a_bot_that_falls_silent_are_news(rig: Rig) -> None:
    for market in MARKETS:
        await rig.reports(market)
    await rig.looks()
    await rig.board.forget("0xa", "bot")
    rig.server.admin.delete(rig.bot.link.keys.of("status", "0xb"))
    assert await rig.looks() == ["0xa", "0xb"]
    assert rig.facts("0xb").report is None


async def test_the_age_of_a_report_is_told_by_our_own_clock(rig: Rig) -> None:
    rig.clock.now_us += 3_600_000_000  # as a bot on a host whose clock is an hour ahead
    await rig.reports()
    rig.clock.now_us -= 3_600_000_000
    await rig.looks()
    assert rig.facts().report_age_s == 0
    for _ in range(3):
        await rig.looks()
    assert rig.facts().report_age_s == 3 * POLL_S
    await rig.reports(phase="ordering")
    await rig.looks()
    assert rig.facts().report_age_s == 0


async def test_a_restarted_operator_takes_a_report_for_as_old_as_it_says_within_reason(rig: Rig) -> None:
    await rig.reports()
    await rig.clock.advance(12)
    await rig.reports("0xb")
    news: list[str] = []
    restarted = a_view(rig.server, rig.clock, rig.wallets, news)
    await restarted.look()
    assert restarted.facts(rig.wallet, "0xa").report_age_s == 12
    assert restarted.facts(rig.wallet, "0xb").report_age_s == 0
    rig.clock.now_us += 3_600_000_000
    late = a_view(rig.server, rig.clock, rig.wallets, news)
    await late.look()
    assert late.facts(rig.wallet, "0xa").report_age_s == KEPT_S
    await restarted.close()
    await late.close()


async def test_a_halt_of_the_wallet_is_news_of_every_market_and_one_of_a_market_of_that_market(rig: Rig) -> None:
    await rig.bot.halt(scope="0xb", who=PERSON, why="odd prices")
    assert await rig.looks() == ["0xb"]
    await rig.bot.halt(scope=WALLET, who=PERSON, why="maintenance")
    assert await rig.looks() == list(MARKETS)
    assert [halt.scope for halt in rig.facts("0xb").halts] == [WALLET, "0xb"]
    assert [(halt.who, halt.why) for halt in rig.facts("0xa").halts] == [(PERSON, "maintenance")]
    await rig.bot.resume(scope=WALLET)
    assert await rig.looks() == list(MARKETS)
    assert [halt.scope for halt in rig.facts("0xb").halts] == ["0xb"]


async def test_a_market_that_is_drained_opens_nothing_and_hedges_go_on(rig: Rig) -> None:
    await rig.bot.take_lease("0xa")
    assert await rig.view.mark_draining(rig.wallet, "0xa")
    assert [(halt.scope, halt.who) for halt in rig.facts().halts] == [(DRAINING + "0xa", WHO)], "known before the next poll"
    refused = await ask(rig.bot, market="0xa", priority=Priority.NEW_PAIR, notional=1)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.HALTED
    assert isinstance(await ask(rig.bot, market="0xa", priority=Priority.HEDGE, notional=1), Granted)
    await rig.looks()
    assert [halt.who for halt in rig.facts().halts] == [WHO]
    assert await rig.view.lift_draining(rig.wallet, "0xa")
    assert rig.facts().halts == ()
    assert rig.halts() == set()


async def test_a_mark_that_a_person_set_is_neither_overwritten_nor_lifted(rig: Rig) -> None:
    await rig.bot.halt(scope=DRAINING + "0xa", who=PERSON, why="I am looking at it")
    await rig.bot.halt(scope=WALLET, who=PERSON, why="all")
    assert await rig.view.mark_draining(rig.wallet, "0xa")
    await rig.looks()
    assert [halt.who for halt in rig.facts().halts] == [PERSON, PERSON]
    assert await rig.view.lift_draining(rig.wallet, "0xa")
    assert rig.halts() == {WALLET, DRAINING + "0xa"}
    assert len(rig.facts().halts) == 2


async def test_our_mark_is_shown_with_those_of_people_and_in_its_place(rig: Rig) -> None:
    await rig.bot.halt(scope="0xb", who=PERSON, why="first")
    await rig.view.mark_draining(rig.wallet, "0xa", why="rain was deleted")
    await rig.bot.halt(scope="0xc", who=PERSON, why="last")
    shown = await rig.bot.halts()
    assert [(halt.scope, halt.why) for halt in shown] == [("0xb", "first"), (DRAINING + "0xa", "rain was deleted"), ("0xc", "last")]


async def test_marking_and_lifting_again_change_nothing(rig: Rig) -> None:
    assert await rig.view.lift_draining(rig.wallet, "0xa")
    await rig.view.mark_draining(rig.wallet, "0xa")
    first = rig.server.admin.hgetall(rig.bot.link.keys.halts)
    await rig.clock.advance(5)
    await rig.view.mark_draining(rig.wallet, "0xa")
    assert rig.server.admin.hgetall(rig.bot.link.keys.halts) == first
    assert await rig.view.lift_draining(rig.wallet, "0xa")
    assert await rig.view.lift_draining(rig.wallet, "0xa")


async def test_open_orders_of_a_market_are_counted_while_it_drains(rig: Rig) -> None:
    await rig.bot.take_lease("0xa")
    await rig.bot.take_lease("0xb")
    for market in ("0xa", "0xb"):
        note = IntentNote(intent_id=f"i-{market}", created_ms=1, order_hashes=(f"h-{market}",), text="{}")
        assert await rig.bot.intents.record(market, note) is None
    await rig.looks()
    assert (rig.facts("0xa").open_intents, rig.facts("0xb").open_intents) == (None, None)
    await rig.view.mark_draining(rig.wallet, "0xa")
    await rig.view.mark_draining(rig.wallet, "0xc")
    assert await rig.looks() == ["0xa", "0xc"]
    assert [rig.facts(market).open_intents for market in MARKETS] == [True, None, False]
    await rig.bot.intents.resolve("h-0xa", "killed", ended=True)
    assert await rig.looks() == ["0xa"]
    assert rig.facts("0xa").open_intents is False


async def test_looking_changes_nothing_at_the_gate(rig: Rig) -> None:
    await rig.reports()
    await rig.bot.take_lease("0xa")
    await rig.bot.halt(scope="0xb", who=PERSON, why="")
    admin, pattern = rig.server.admin, f"*{rig.wallet}*"
    before = {key: admin.dump(key) for key in sorted(admin.keys(pattern))}
    for _ in range(3):
        await rig.looks()
    assert {key: admin.dump(key) for key in sorted(admin.keys(pattern))} == before


async def test_a_look_is_a_handful_of_commands_however_many_markets_there_are(rig: Rig) -> None:
    await rig.looks()
    link = rig.view._wallets[rig.wallet].link
    few = link.calls
    await rig.looks()
    per_look = link.calls - few
    many = [f"0x{number:064x}" for number in range(500)]
    rig.wallets[rig.wallet] = many
    for market in many:
        await rig.reports(market)
    before = link.calls
    assert len(await rig.looks()) == 500
    assert link.calls - before <= per_look + 1, "one more for the reports themselves"


async def test_wallets_come_and_go_with_the_arbmarkets(rig: Rig) -> None:
    other = new_wallet()
    assert rig.view.facts(other, "0xa") == GateFacts(reachable=True), "not looked at yet, but the server answers"
    rig.wallets[other] = ["0xa"]
    board = StatusBoard(gate_on(rig.server, wallet=other, holder="b").link, clock=rig.clock)
    await board.report(BotStatus(market="0xa", holder="b", mode="live", phase="watching"))
    assert await rig.looks() == ["0xa"]
    seen = rig.view.facts(other, "0xa").report
    assert seen is not None
    assert seen.mode == "live"
    del rig.wallets[other]
    assert await rig.looks() == []
    assert rig.view.facts(other, "0xa") == GateFacts(reachable=True)
    assert other not in rig.view._wallets


async def test_a_wallet_that_is_not_known_is_no_error(rig: Rig) -> None:
    assert rig.view.facts(None, "0xa") == GateFacts(reachable=True)


async def test_without_a_shared_gate_nobody_is_asked_and_that_is_said() -> None:
    news: list[str] = []
    view = a_view(None, VirtualClock(), {"w": MARKETS}, news)
    await view.look()
    assert view.facts("w", "0xa") == GateFacts(reachable=False)
    assert (view.configured, view.reachable, news) == (False, False, [])
    assert not await view.mark_draining("w", "0xa")
    assert not await view.lift_draining("w", "0xa")
    await view.close()


def test_an_address_that_leads_nowhere_is_named_without_its_password() -> None:
    with pytest.raises(ValueError, match=r"KABOBAGOOL_REDIS_URL=\*\*\*.*redis://") as refused:
        a_view(None, VirtualClock(), {}, [], url="http://user:hunter2@host")
    assert "hunter2" not in str(refused.value)


async def test_a_server_that_goes_away_and_comes_back_is_told_once_each_and_raises_nothing() -> None:
    server, wallet, clock = Server("valkey"), new_wallet(), VirtualClock()
    news: list[str] = []
    view = a_view(server, clock, {wallet: MARKETS}, news)
    rig = Rig(server, wallet, view, gate_on(server, wallet=wallet, holder="bot"), clock, {wallet: MARKETS}, news)
    try:
        await view.look()
        await rig.reports(yes_shares=7)
        await rig.looks()
        server.kill()
        assert await rig.looks() == [], "one answer that was lost is no outage"
        assert rig.facts().reachable
        told = [await rig.looks() for _ in range(5)]
        assert sorted(told) == [[], [], [], [], list(MARKETS)]
        assert not view.reachable
        gone = rig.facts()
        assert not gone.reachable
        assert view.configured
        assert gone.report is not None, "what was last seen is still there, marked as old"
        assert not await view.mark_draining(wallet, "0xa")
        assert not await view.lift_draining(wallet, "0xa")
        server.start()
        assert await rig.looks() == list(MARKETS)
        assert rig.facts().reachable
        assert rig.facts().report is None, "this server forgot everything"
    finally:
        await view.close()
        await close_links()
        server.close()


async def test_a_server_that_is_away_from_the_start_is_found_when_it_comes() -> None:
    server, wallet, clock = Server("valkey"), new_wallet(), VirtualClock()
    server.kill()
    news: list[str] = []
    view = a_view(server, clock, {wallet: MARKETS}, news)
    running = asyncio.create_task(view.run())
    try:
        await clock.advance(UNREACHABLE_AFTER_S + POLL_S)
        await asyncio.sleep(0.05)
        assert view.facts(wallet, "0xa") == GateFacts(reachable=False)
        server.start()
        while not view.reachable:
            await clock.advance(POLL_S)
            await asyncio.sleep(0.01)
        assert not running.done()
    finally:
        running.cancel()
        await view.close()
        server.close()
