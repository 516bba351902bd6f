"""A dry run is as honest as the book: depth, budget, time and refusals like the venue's."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.execution.bench_account import a_market, an_account, buy, market_of, sell, some_books
from tests.support.paper import paper_exchange_server

from kabobagool.domain.book import Level, PairView
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import FeeSchedule, Market, Outcome, Side
from kabobagool.domain.money import MICRO, PRICE_ONE
from kabobagool.domain.outcome import Filled, Killed, OrderOutcome, Rejected, Rejection
from kabobagool.execution.client import AlreadySentError, ExecutionClient
from kabobagool.execution.dry_run import DryRunExecution
from kabobagool.execution.matching import match, outcome_of

FEE = FeeSchedule(70_000)
BOT = Path(__file__).parents[2] / "bot"


class StepClock:
    """Time passes only while somebody sleeps; `during_sleep` lets a test change the book meanwhile."""

    def __init__(self) -> None:
        self.ms = 1_000_000
        self.during_sleep: Callable[[], object] = bool

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
        self.during_sleep()
        await asyncio.sleep(0)


def shares(*levels: tuple[int, int]) -> list[Level]:
    return [(price, size * MICRO) for price, size in levels]


def show(view: PairView, bids: list[Level], asks: list[Level]) -> None:
    """Set YES to these levels and NO to their mirror."""
    view.yes.apply_snapshot(bids, asks, venue_ms=1, received_ms=1)
    mirror = [[(PRICE_ONE - price, size) for price, size in side] for side in (asks, bids)]
    view.no.apply_snapshot(mirror[0], mirror[1], venue_ms=1, received_ms=1)


class Bench:
    """A dry run on a book of 100 YES at 0.48 and 100 at 0.49, wanted at 0.47."""

    def __init__(self, **market: object) -> None:
        self.clock = StepClock()
        self.market = a_market(**market)
        self.view: PairView | None = PairView(self.market)
        show(self.view, shares((4700, 100)), shares((4800, 100), (4900, 100)))
        self.execution = DryRunExecution(view=lambda _: self.view, clock=self.clock, latency_s=0.2)

    async def send(self, plan: OrderPlan, market: Market | None = None) -> OrderOutcome:
        return await self.execution.submit(await self.execution.prepare(plan, market or self.market))


async def test_a_dry_run_is_an_execution_client() -> None:
    client: ExecutionClient = Bench().execution
    await client.close()


async def test_a_buy_takes_the_best_ask_and_pays_the_fee() -> None:
    assert await Bench().send(buy(4800, 10)) == Filled(10 * MICRO, 4_800_000, taker_fee(FEE, 4800, 10 * MICRO))


async def test_a_better_price_gives_more_shares_for_the_whole_budget() -> None:
    outcome = await Bench().send(buy(5000, 10))
    assert isinstance(outcome, Filled)
    assert (outcome.shares, outcome.dollars) == (5_000_000 * MICRO // 480_000, 5_000_000)


async def test_a_buy_walks_up_to_its_limit() -> None:
    outcome = await Bench().send(buy(4900, 150))
    assert isinstance(outcome, Filled)
    assert outcome.dollars == 73_500_000
    assert outcome.shares == 100 * MICRO + 25_500_000 * PRICE_ONE // 4900
    rest = outcome.shares - 100 * MICRO
    assert outcome.fee == taker_fee(FEE, 4800, 100 * MICRO) + taker_fee(FEE, 4900, rest)


@pytest.mark.parametrize("plan", [buy(4700, 10), buy(4800, 101), buy(4900, 205), sell(4800, 10), sell(4700, 101)])
async def test_what_cannot_fill_whole_is_killed_and_takes_nothing(plan: OrderPlan) -> None:
    bench = Bench()
    assert isinstance(await bench.send(plan), Killed)
    assert isinstance(await bench.send(buy(4800, 100)), Filled)


async def test_a_sale_gives_exactly_its_shares() -> None:
    assert await Bench().send(sell(4600, 20)) == Filled(20 * MICRO, 9_400_000, taker_fee(FEE, 4700, 20 * MICRO))


async def test_the_order_meets_the_book_as_it_is_when_it_arrives() -> None:
    bench = Bench()
    view = bench.view
    assert view
    bench.clock.during_sleep = lambda: show(view, shares((4700, 100)), shares((5200, 100)))
    started_ms = bench.clock.ms
    assert isinstance(await bench.send(buy(4800, 10)), Killed)
    assert bench.clock.ms - started_ms == 200


async def test_own_fills_use_up_the_depth_until_the_level_changes() -> None:
    bench = Bench()
    assert isinstance(await bench.send(buy(4800, 60)), Filled)
    assert isinstance(await bench.send(buy(4800, 60)), Killed)
    assert isinstance(await bench.send(buy(4800, 40)), Filled)
    assert isinstance(await bench.send(buy(4800, 10)), Killed)
    assert bench.view
    bench.view.yes.set_ask(4800, 90 * MICRO)
    assert isinstance(await bench.send(buy(4800, 90)), Filled)


async def test_the_mirrored_book_is_the_same_depth() -> None:
    bench = Bench()
    assert isinstance(await bench.send(buy(4800, 100)), Filled)
    assert isinstance(await bench.send(sell(5200, 10, Outcome.NO)), Killed)
    assert isinstance(await bench.send(buy(5300, 100, Outcome.NO)), Filled)
    assert isinstance(await bench.send(sell(4700, 10)), Killed)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (buy(4850, 20), Rejection.TICK_SIZE),
        (buy(10_000, 20), Rejection.TICK_SIZE),
        (buy(4800, 4), Rejection.MIN_SIZE),
        (buy(100, 50), Rejection.MIN_SIZE),
        (OrderPlan(Outcome.YES, Side.BUY, 4800, 10_000_100, 4_800_048), Rejection.AMOUNTS),
        (OrderPlan(Outcome.YES, Side.SELL, 4700, 10_001_000, 4_700_470), Rejection.AMOUNTS),
    ],
)
async def test_what_the_venue_would_refuse_is_refused(plan: OrderPlan, reason: Rejection) -> None:
    outcome = await Bench().send(plan)
    assert isinstance(outcome, Rejected)
    assert outcome.reason is reason


async def test_the_market_as_it_is_now_decides_and_not_the_one_that_was_signed_for() -> None:
    bench = Bench(tick_size=1000)
    outcome = await bench.send(buy(4800, 10), a_market())
    assert isinstance(outcome, Rejected)
    assert outcome.reason is Rejection.TICK_SIZE


async def test_a_market_without_a_book_fills_nothing() -> None:
    bench = Bench()
    assert bench.view
    bench.view.invalidate()
    assert isinstance(await bench.send(buy(4800, 10)), Killed)
    bench.view.resolved = True
    assert isinstance(await bench.send(buy(4800, 10)), Rejected)
    bench.view = None
    assert isinstance(await bench.send(buy(4800, 10)), Rejected)
    assert isinstance(await Bench(accepting_orders=False).send(buy(4800, 10)), Rejected)
    assert isinstance(await Bench(fee=None).send(buy(4800, 10)), Rejected)


async def test_every_order_has_a_name_of_its_own_and_the_same_run_gives_the_same_names() -> None:
    runs = []
    for _ in range(2):
        execution = Bench().execution
        runs.append([(await execution.prepare(buy(4800, 10), a_market())).order_hash for _ in range(3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3
    assert all(len(order_hash) == 66 for order_hash in runs[0])


async def test_an_order_is_submitted_once() -> None:
    bench = Bench()
    signed = await bench.execution.prepare(buy(4800, 10), bench.market)
    await bench.execution.submit(signed)
    with pytest.raises(AlreadySentError):
        await bench.execution.submit(signed)


async def test_lookup_knows_what_submit_said_and_that_other_orders_never_arrived() -> None:
    bench = Bench()
    signed = await bench.execution.prepare(buy(4800, 10), bench.market)
    sending = asyncio.ensure_future(bench.execution.submit(signed))
    await asyncio.sleep(0)
    assert await bench.execution.lookup(signed.order_hash, bench.market, 0) is None
    outcome = await sending
    assert await bench.execution.lookup(signed.order_hash, bench.market, 0) == outcome
    assert isinstance(await bench.execution.lookup("0x99", bench.market, 0), Killed)


async def test_an_order_whose_sender_was_cancelled_never_arrives() -> None:
    bench = Bench()
    signed = await bench.execution.prepare(buy(4800, 10), bench.market)
    sending = asyncio.ensure_future(bench.execution.submit(signed))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert isinstance(await bench.execution.lookup(signed.order_hash, bench.market, 0), Killed)
    assert isinstance(await bench.send(buy(4800, 100)), Filled)


@pytest.mark.parametrize("plan", [buy(4800, 10), buy(4900, 10), buy(4900, 150), buy(4800, 101), buy(5300, 60, Outcome.NO), buy(4700, 10)])
async def test_the_dry_run_agrees_with_the_exchange_to_the_micro(plan: OrderPlan) -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        _, real = await account.buys(plan)
        view = PairView(market_of(paper.market))
        show(view, shares((4700, 100)), shares((4800, 100), (4900, 100)))
        dry = DryRunExecution(view=lambda _: view, clock=StepClock())
        simulated = await dry.submit(await dry.prepare(plan, account.market))
        assert type(simulated) is type(real)
        if isinstance(simulated, Filled) and isinstance(real, Filled):
            assert (simulated.shares, simulated.dollars) == (real.shares, real.dollars)


levels = st.dictionaries(st.integers(1, 99).map(lambda cent: cent * 100), st.integers(1, 500 * MICRO), max_size=8)


@settings(deadline=None)
@given(levels, st.integers(1, 99), st.integers(5, 500), st.sampled_from(list(Side)))
def test_a_fill_spends_its_budget_within_its_limit_and_never_more_than_is_there(
    book: dict[int, int], cents: int, count: int, side: Side
) -> None:
    plan = buy(cents * 100, count) if side is Side.BUY else sell(cents * 100, count)
    takes = match(plan, sorted(book.items(), reverse=side is Side.SELL))
    outcome = outcome_of(takes, FEE)
    if not isinstance(outcome, Filled):
        reachable = {price: size for price, size in book.items() if (price <= plan.price if side is Side.BUY else price >= plan.price)}
        if side is Side.SELL:
            assert sum(reachable.values()) < plan.shares
        else:
            assert sum(-(-price * size // PRICE_ONE) for price, size in reachable.items()) <= plan.dollars + len(reachable)
        return
    assert all(take.shares <= book[take.price] for take in takes)
    if side is Side.BUY:
        assert outcome.dollars == plan.dollars
        assert outcome.shares >= plan.shares - len(takes)
        assert all(take.price <= plan.price for take in takes)
    else:
        assert outcome.shares == plan.shares
        assert outcome.dollars >= plan.dollars - len(takes)


def test_a_dry_run_never_loads_what_only_live_trading_needs() -> None:
    code = (
        "import sys\n"
        "from kabobagool.execution import credentials, dry_run, live, reconcile\n"
        "print([name for name in ('py_clob_client_v2', 'eth_account', 'httpx') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": str(BOT)}
    )
    assert said.stdout.strip() == "[]"
