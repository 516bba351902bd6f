"""Random orders, settlements, failures and payouts on generated books: nothing appears, nothing is lost, FOK is all or nothing."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.paper_exchange.core.worlds import START_MS, order

from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.synthetic import SyntheticBooks
from paper_exchange.types import MICRO, Accepted, OrderRecord, OrderStatus, Side, TradeStatus

SOURCE = SyntheticBooks(seed=5, start_ms=START_MS, markets=2, duration_ms=40_000, dislocations_per_hour=180)
WALLETS = ("0xaaa", "0xbbb")


@dataclass(frozen=True)
class Step:
    """One thing that somebody does."""

    wait_ms: int
    wallet: int
    market: int
    outcome: int
    side: Side
    cents: int
    shares: int
    fok: bool


steps = st.builds(
    Step,
    wait_ms=st.integers(0, 3_000),
    wallet=st.integers(0, 1),
    market=st.integers(0, 1),
    outcome=st.integers(0, 1),
    side=st.sampled_from(Side),
    cents=st.integers(2, 98),
    shares=st.integers(5, 400),
    fok=st.booleans(),
)


def play(script: list[Step], config: ExchangeSettings, seed: int) -> Exchange:
    """Run a script and check the books after every step."""
    exchange = Exchange(SOURCE, seed=seed, start_ms=START_MS, settings=config)
    for wallet in WALLETS:
        exchange.deposit(wallet, 500 * MICRO)
    now_ms = START_MS
    for step in script:
        now_ms += step.wait_ms
        exchange.advance(now_ms)
        market = exchange.markets[step.market]
        dollars, shares = step.shares * step.cents * 10_000, step.shares * MICRO
        maker, taker = (dollars, shares) if step.side is Side.BUY else (shares, dollars)
        kind = "FOK" if step.fok else "FAK"
        token = market.tokens[step.outcome]
        request = order(step.side, token, maker_amount=maker, taker_amount=taker, kind=kind, maker=WALLETS[step.wallet])  # type: ignore[arg-type]
        submission = exchange.submit(request, now_ms)
        if isinstance(submission, Accepted):
            verify(submission.record)
        exchange.ledger.check()
    return exchange


def verify(record: OrderRecord) -> None:
    """A FOK order gave everything or nothing, and nobody paid more than the limit."""
    request = record.request
    gave = sum(trade.dollars if request.side is Side.BUY else trade.shares for trade in record.trades)
    got = sum(trade.shares if request.side is Side.BUY else trade.dollars for trade in record.trades)
    assert (gave, got) == (record.making, record.taking)
    if record.status is not OrderStatus.MATCHED:
        assert gave == 0
    elif request.order_type == "FOK":
        assert gave == request.maker_amount
        assert got >= request.taker_amount
    for trade in record.trades:
        limit = (request.maker_amount, request.taker_amount) if request.side is Side.BUY else (request.taker_amount, request.maker_amount)
        if request.side is Side.BUY:
            assert trade.price * limit[1] <= limit[0] * 10_000
        else:
            assert trade.price * limit[1] >= limit[0] * 10_000


@settings(max_examples=40, deadline=None)
@given(
    script=st.lists(steps, max_size=25),
    seed=st.integers(0, 1_000),
    failures=st.sampled_from([0, 300_000, 1_000_000]),
    latency_ms=st.sampled_from([0, 0, 120]),
)
def test_dollars_and_shares_are_conserved_to_the_millionth_whatever_happens(
    script: list[Step], seed: int, failures: int, latency_ms: int
) -> None:
    config = ExchangeSettings(order_latency_ms=latency_ms, settlement_failures_per_million=failures)
    exchange = play(script, config, seed)
    exchange.advance(START_MS + 40_000 + 120_000)
    exchange.ledger.check()
    for record in exchange.orders():
        verify(record)
    trades = [trade for wallet in WALLETS for trade in exchange.trades(wallet)]
    assert {trade.status for trade in trades} <= {TradeStatus.CONFIRMED, TradeStatus.FAILED}
    assert all(exchange.resolved(market.condition_id) for market in exchange.markets)
    wallets = [exchange.account(wallet) for wallet in WALLETS]
    assert all(not account.shares and not account.pending_shares and not account.pending_dollars for account in wallets)
    assert sum(account.dollars for account in wallets) + exchange.ledger.house_dollars + exchange.ledger.fees == 1_000 * MICRO


@settings(max_examples=10, deadline=None)
@given(script=st.lists(steps, min_size=5, max_size=15), seed=st.integers(0, 1_000))
def test_the_same_seed_and_the_same_orders_give_the_same_result(script: list[Step], seed: int) -> None:
    config = ExchangeSettings(settlement_failures_per_million=300_000)
    results = []
    for _ in range(2):
        exchange = play(script, config, seed)
        exchange.advance(START_MS + 100_000)
        results.append(
            [(record.status, record.making, record.taking, [trade.status for trade in record.trades]) for record in exchange.orders()]
        )
    assert results[0] == results[1]


@settings(max_examples=25, deadline=None)
@given(cents=st.integers(50, 98), shares=st.integers(5, 300), count=st.integers(2, 6))
def test_repeated_buying_never_gets_more_than_was_shown(cents: int, shares: int, count: int) -> None:
    exchange = Exchange(SOURCE, seed=1, start_ms=START_MS)
    exchange.deposit(WALLETS[0], 10**12)
    exchange.advance(START_MS)
    token = exchange.markets[0].tokens[0]
    depths = exchange.depth(token, Side.BUY, START_MS)
    for _ in range(count):
        request = order(Side.BUY, token, maker_amount=shares * cents * 10_000, taker_amount=shares * MICRO, kind="FAK", maker=WALLETS[0])
        exchange.submit(request, START_MS)
    for depth in depths:
        taken = sum(trade.shares for trade in exchange.trades(WALLETS[0]) if trade.price == depth.price)
        assert taken <= depth.fillable
    exchange.ledger.check()
