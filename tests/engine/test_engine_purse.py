"""The wallet's dollars, counted once: no two markets of a wallet ever rely on the same one, whatever happens in between."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.engine_rig import engine_rig, fill
from tests.support.fleet_rig import PAIR, cheap_markets, fleet
from tests.support.virtual_clock import VirtualClock

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Killed, Rejected, Rejection, Unknown
from kabobagool.domain.position import Fill
from kabobagool.engine.purse import COUNT_AGAIN_S, COUNT_EVERY_S, Purse, PurseKeeper
from kabobagool.venue.reader import HttpStatusError
from kabobagool.venue.rows import Balance

MARKETS = st.sampled_from(["rain", "snow", "wind", "fog"])
DOLLARS = st.integers(1, 40)


def bought(dollars: int) -> Fill:
    return Fill(Outcome.YES, Side.BUY, 2 * dollars, dollars, 0)


@dataclass
class Wallet:
    """What a venue would say the wallet has, and how often it was asked."""

    micros: int
    allowance: int = 10**12
    readings: int = 0
    away: bool = False
    while_reading: list[Fill] = field(default_factory=list)
    purse: Purse = field(default_factory=Purse)

    async def balance(self) -> Balance:
        self.readings += 1
        await asyncio.sleep(0)
        if self.away:
            raise HttpStatusError("http://venue/balance-allowance", 503, "away")
        for one in self.while_reading:
            self.purse.follow(one)
        return Balance(amount_micros=self.micros, allowance_micros=self.allowance, allowances={})

    def keeper(self, clock: VirtualClock | None = None) -> PurseKeeper:
        return PurseKeeper(purse=self.purse, reader=self, clock=clock or VirtualClock())


class ManyMarketsOneWallet(RuleBasedStateMachine):
    """Engines that ask before they hold, spend at most what they hold, and sometimes never hear what became of it."""

    def __init__(self) -> None:
        super().__init__()
        self.wallet = Wallet(100)
        self.committed: dict[str, int] = {}
        self.purse = self.wallet.purse
        self.keeper = self.wallet.keeper()
        asyncio.run(self.keeper.count())

    @rule(market=MARKETS, dollars=DOLLARS)
    def an_engine_decides(self, market: str, dollars: int) -> None:
        if market not in self.committed and self.purse.has(dollars, market=market):
            self.purse.hold(dollars, market=market)
            self.committed[market] = dollars

    @precondition(lambda self: self.committed)
    @rule(data=st.data())
    def an_order_fills(self, data: st.DataObject) -> None:
        market = data.draw(st.sampled_from(sorted(self.committed)))
        if self.committed[market]:
            spent = data.draw(st.integers(1, self.committed[market]))
            self.committed[market] -= spent
            self.wallet.micros -= spent
            self.purse.follow(bought(spent))
            self.purse.hold(self.committed[market], market=market)

    @precondition(lambda self: self.committed)
    @rule(data=st.data())
    def the_end_of_every_order_is_known(self, data: st.DataObject) -> None:
        market = data.draw(st.sampled_from(sorted(self.committed)))
        del self.committed[market]
        self.purse.release(market=market)

    @precondition(lambda self: self.committed)
    @rule(data=st.data())
    def a_bot_is_cut_off_and_its_order_fills_unheard(self, data: st.DataObject) -> None:
        market = data.draw(st.sampled_from(sorted(self.committed)))
        self.wallet.micros -= data.draw(st.integers(0, self.committed.pop(market)))
        self.purse.write_off(market=market)

    @rule(dollars=DOLLARS)
    def shares_are_sold(self, dollars: int) -> None:
        self.wallet.micros += dollars
        self.purse.follow(Fill(Outcome.NO, Side.SELL, 2 * dollars, dollars, 0))

    @rule()
    def the_keeper_reads(self) -> None:
        asyncio.run(self.keeper.count())

    @invariant()
    def what_markets_may_commit_is_there(self) -> None:
        assert sum(self.committed.values()) <= self.wallet.micros
        assert self.wallet.micros >= 0

    @invariant()
    def nobody_is_promised_what_another_holds(self) -> None:
        held = sum(self.committed.values())
        assert not self.purse.has(self.wallet.micros - held + 1, market="a newcomer")


TestManyMarketsOneWallet = ManyMarketsOneWallet.TestCase
TestManyMarketsOneWallet.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


async def test_a_reading_while_somebody_holds_money_or_during_which_an_order_filled_is_not_believed() -> None:
    wallet = Wallet(100)
    assert await wallet.keeper().count()
    wallet.purse.hold(10, market="rain")
    assert not await wallet.keeper().count()
    wallet.purse.release(market="rain")
    wallet.while_reading = [bought(30)]
    assert not await wallet.keeper().count()
    assert wallet.purse.cash == 70


async def test_a_balance_that_still_shows_what_was_spent_is_not_believed_before_it_had_time_to_settle() -> None:
    wallet = Wallet(100)
    keeper = wallet.keeper()
    await keeper.count()
    wallet.purse.follow(bought(30))
    assert await keeper.count(), "the venue still says 100"
    assert wallet.purse.cash == 70
    wallet.micros = 65
    assert await keeper.count()
    assert wallet.purse.cash == 65
    wallet.micros = 90
    await keeper.count()
    assert wallet.purse.cash == 90, "a deposit, after nothing was bought for a while"


async def test_what_a_sale_brings_is_counted_on_when_a_reading_shows_it() -> None:
    wallet = Wallet(100)
    keeper = wallet.keeper()
    await keeper.count()
    wallet.purse.follow(Fill(Outcome.YES, Side.SELL, 20, 10, 0))
    assert wallet.purse.cash == 100
    wallet.micros = 110
    await keeper.count()
    await keeper.count()
    assert wallet.purse.cash == 110


async def test_an_allowance_below_the_balance_is_what_can_be_spent() -> None:
    wallet = Wallet(100, allowance=40)
    await wallet.keeper().count()
    assert wallet.purse.cash == 40


async def test_a_wallet_that_was_refused_for_want_of_money_counts_on_nothing_before_the_next_reading() -> None:
    wallet = Wallet(100)
    await wallet.keeper().count()
    wallet.purse.ran_dry()
    assert not wallet.purse.has(1, market="rain")
    await wallet.keeper().count()
    assert wallet.purse.has(100, market="rain")


async def test_a_balance_that_was_never_read_is_asked_for_every_second_and_a_known_one_now_and_then() -> None:
    clock, wallet = VirtualClock(), Wallet(100, away=True)
    run = asyncio.create_task(wallet.keeper(clock).run())
    await clock.advance(10 * COUNT_AGAIN_S)
    assert wallet.readings == 10
    wallet.away = False
    await clock.advance(COUNT_AGAIN_S)
    assert wallet.purse.cash == 100
    wallet.readings = 0
    await clock.advance(10 * COUNT_EVERY_S)
    assert wallet.readings == 10
    run.cancel()
    await asyncio.wait({run})


async def test_a_hedge_that_other_markets_money_would_pay_waits_for_it_instead_of_selling(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.engine.purse.cash = 10 * MICRO
        rig.execution.replies.extend([fill, Killed("no match")])
        rig.execution.before_sending = lambda plan: rig.engine.purse.hold(5 * MICRO, market="another")
        await rig.show("0.48", "0.45")
        rig.execution.before_sending = lambda plan: None
        for order_hash, entry in rig.tracker.unsettled().items():
            rig.tracker.book(order_hash, entry.fill, now_ms=rig.clock.now_ms(), settled=True)
        rig.engine.booked()
        assert rig.strategy.naked
        await rig.show_for(15, "0.52", "0.49")
        assert [plan.side for plan in rig.execution.plans()] == [Side.BUY, Side.BUY], "neither bought with others' money nor sold"
        rig.engine.purse.release(market="another")
        await rig.show_for(5, "0.52", "0.49")
        assert [plan.side for plan in rig.execution.plans()] == [Side.BUY, Side.BUY, Side.BUY]
        assert rig.tracker.position.imbalance == 0


async def test_an_order_of_unknown_end_keeps_its_dollars_until_it_is_found(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.engine.purse.cash = 100 * MICRO
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        assert rig.engine.purse.held > 0
        rig.execution.otherwise_found = Rejected(Rejection.OTHER, "never arrived")
        await rig.clock.advance(10)
        assert rig.engine.purse.held == 0
        assert rig.engine.purse.cash == 100 * MICRO


async def test_an_engine_that_is_cut_off_while_its_order_is_on_its_way_keeps_its_dollars(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.engine.purse.cash = 100 * MICRO
        rig.execution.latency_s = 5.0
        await rig.show("0.48", "0.45")
        assert rig.task is not None
        rig.task.cancel()
        await rig.settle()
        assert rig.engine.purse.held > 0
        assert rig.engine.may_be_naked()
        sent = [order for order in await rig.journalled() if order.text == "not sent"]
        assert len(sent) == 1, "of the second leg it is certain that it never left"


async def test_of_ten_markets_with_an_edge_a_wallet_that_can_pay_one_pair_buys_one_and_leaves_no_leg_naked(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(10), balance_micros=15 * MICRO) as rig:
        await rig.until(lambda: len(rig.tasks) == 10 and all(task.alive for task in rig.tasks.values()), "ten markets")
        await rig.until(lambda: rig.filled() == 2, "one pair")
        await rig.venue_seconds(60)
        held = [rig.held(market.slug) for market in rig.paper.exchange.markets]
        assert sorted(held) == [(0, 0)] * 9 + [(PAIR, PAIR)]
        assert rig.posts == 2, "the venue never had to refuse anything"
        rejected = sum(task.bot.engine.strategy.truth.rejected["not_enough_balance"] for task in rig.tasks.values() if task.bot)
        assert rejected > 0, "and the edges that were let go are counted under that"
