"""An order from plan to signature and a pair from decision to bytes, beside the official client and beside the signatures nobody can avoid.

Bytes are body and headers of both requests, as the transport is handed them. The official client runs unmodified with everything it
caches already known, so that it asks the network for nothing.
"""

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from coincurve import PrivateKey
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderType
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2
from py_clob_client_v2.signer import Signer

from kabobagool.clock import SystemClock
from kabobagool.domain.decision import decide
from kabobagool.domain.intent import Intent, OrderPlan
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.position import EMPTY
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.official import OrderSigner
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.rows import TradeRow
from kabobagool.venue.signing import EXCHANGE, POLYGON_CHAIN_ID, ApiCredentials, OrderFields, order_hash
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Target, calls, compare, figure
from tests.bench.worlds import CONDITION, NO, NOW_MS, POLICY, YES, FixedClock, a_market, a_view

GROUP = "order"
KEY = "0x" + "1f" * 32
PLAN = OrderPlan(outcome=Outcome.YES, side=Side.BUY, price=4_800, shares=50 * MICRO, dollars=24 * MICRO)


class _OfficialClient(ClobClient):  # type: ignore[misc]
    """The venue's client with the venue's answers at hand."""

    def _get(self, endpoint: str, headers: object = None, params: object = None) -> dict[str, Any]:
        if "/version" in endpoint:
            return {"version": 2}
        if "/clob-markets/" in endpoint:
            return {"t": [{"t": YES, "o": "Yes"}, {"t": NO, "o": "No"}], "mts": 0.01, "nr": False, "fd": {"r": 0.04, "e": 1}}
        return {"condition_id": CONDITION}


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, run) for run in (_signing, _pairs, _hashing)]


def _signing() -> Sequence[Figure]:
    wallet, clock, rng = Wallet(private_key=KEY), SystemClock(), random.SystemRandom()
    fast, official = FastSigner(wallet=wallet, clock=clock, rng=rng), OrderSigner(wallet=wallet, clock=clock, rng=rng)
    client = _OfficialClient("https://localhost", POLYGON_CHAIN_ID, KEY)
    arguments = MarketOrderArgsV2(token_id=YES, amount=24.0, side="BUY", price=0.48, order_type=OrderType.FOK)
    _same_order(fast, client, arguments)
    digest = bytes.fromhex("ab" * 32)
    found = compare(
        {
            "fast": calls(fast.sign, PLAN, a_market()),
            "builder": calls(official.sign, PLAN, a_market()),
            "official": calls(client.create_market_order, arguments),
            "bare": calls(_bare_signature, PrivateKey(bytes.fromhex(KEY[2:])), digest),
        }
    )
    name, by_official = "order built, hashed and signed", "the same with ORDER_CLIENT=official"
    beside = [
        (name, "fast", "official", "official client, signed only", Target(0.2, of_ratio=True)),
        (name, "fast", "bare", "bare ECDSA signature (coincurve)", None),
        (by_official, "builder", "official", "official client, signed only", Target(1.0, of_ratio=True)),
    ]
    return [
        figure(GROUP, name, found[key], "us", text, found[reference], scale=MICROSECONDS, target=target)
        for name, key, reference, text, target in beside
    ]


class _SteppingClock(FixedClock):
    """A clock that only the bench moves: what is signed ahead has a pace, and grows old."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS

    def now_ms(self) -> int:
        return self.at_ms


class _Desk:
    """An edge, and the client that would send the pair."""

    def __init__(self) -> None:
        self.clock, self.view = _SteppingClock(), a_view(4_500, 4_800)
        self.execution = FastExecution(
            host="https://localhost",
            wallet=Wallet(private_key=KEY),
            credentials=ApiCredentials("11111111-2222-3333-4444-555555555555", "c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgISE=", "phrase"),
            reader=_NoReader(),
            clock=self.clock,
            rng=random.SystemRandom(),
        )

    def decided_to_bytes(self) -> list[tuple[bytes, Mapping[str, str]]]:
        """Decide, sign both orders or take what is signed, then write both requests: the order in which the engine does it."""
        intent = decide(self.view, EMPTY, POLICY, NOW_MS)
        assert isinstance(intent, Intent)
        bodies = [self._body(plan) for plan in intent.orders]
        return [(body, self.execution._headers(body)) for body in bodies]

    def _body(self, plan: OrderPlan) -> bytes:
        try:
            self.execution.prepare(plan, self.view.market).send(None)
        except StopIteration as done:
            return cast("bytes", done.value.payload)
        raise AssertionError("signing waits for nothing")

    def foresee(self) -> None:
        """Have the pair signed, some time after the last one."""
        self.clock.at_ms += 1_000
        intent = decide(self.view, EMPTY, POLICY, NOW_MS)
        assert isinstance(intent, Intent)
        self.execution.foresee(intent.orders, self.view.market)

    def ahead(self, pairs: int = 40) -> float:
        """Median seconds from decision to bytes when the pair was signed before; signing it is not counted."""
        took = []
        for _ in range(pairs):
            self.foresee()
            started = time.thread_time()
            self.decided_to_bytes()
            took.append(time.thread_time() - started)
        return statistics.median(took)


class _NoReader:
    """Nothing is looked up here."""

    async def order(self, order_hash: str) -> None:
        """Unknown."""

    async def trades(self, condition_id: str, after_s: int) -> list[TradeRow]:
        """None."""
        return []


def _pairs() -> Sequence[Figure]:
    on_demand, ahead = _Desk(), _Desk()
    key, digests = PrivateKey(bytes.fromhex(KEY[2:])), (bytes.fromhex("ab" * 32), bytes.fromhex("cd" * 32))
    assert len({body for body, _ in on_demand.decided_to_bytes()} | {body for body, _ in on_demand.decided_to_bytes()}) == 4
    found = compare(
        {
            "on demand": calls(on_demand.decided_to_bytes),
            "ahead": ahead.ahead,
            "bare": calls(lambda: [_bare_signature(key, digest) for digest in digests]),
        }
    )
    figures = [("pair signed on demand, decision to bytes", "on demand", 150), ("pair signed ahead, decision to bytes", "ahead", 50)]
    return [
        figure(GROUP, name, found[key], "us", "two bare ECDSA signatures", found["bare"], scale=MICROSECONDS, target=Target(limit))
        for name, key, limit in figures
    ]


def _bare_signature(key: PrivateKey, digest: bytes) -> bytes:
    return bytes(key.sign_recoverable(digest, hasher=None))


def _same_order(signer: FastSigner, client: ClobClient, arguments: MarketOrderArgsV2) -> None:
    """Both sign the same thing, but for salt and time."""
    ours, _ = signer.sign(PLAN, a_market())
    theirs = client.create_market_order(arguments)
    assert ours.side == theirs.side.name
    for field in ("maker", "signer", "tokenId", "makerAmount", "signatureType"):
        assert str(getattr(ours, field)) == str(getattr(theirs, field)), field


def _hashing() -> Sequence[Figure]:
    signer = Signer(KEY, POLYGON_CHAIN_ID)
    address = signer.address()
    builder = ExchangeOrderBuilderV2(EXCHANGE, POLYGON_CHAIN_ID, signer, lambda: "123456789")
    amounts = {"tokenId": YES, "makerAmount": "24000000", "takerAmount": "50000000", "side": 0, "signatureType": 0}
    order = builder.build_order(OrderDataV2(maker=address, signer=address, timestamp=str(NOW_MS), **amounts))
    fields = OrderFields(
        salt=123_456_789,
        maker=address,
        signer=address,
        token_id=int(YES),
        maker_amount=24 * MICRO,
        taker_amount=50 * MICRO,
        side=0,
        signature_type=0,
        timestamp_ms=NOW_MS,
    )

    def ours() -> str:
        return order_hash(fields, chain_id=POLYGON_CHAIN_ID, exchange=EXCHANGE)

    def theirs() -> str:
        return str(builder.build_order_hash(builder.build_order_typed_data(order)))

    assert ours() == theirs()
    found = compare({"ours": calls(ours), "theirs": calls(theirs)})
    reference = "official client's order hash"
    target = Target(1.0, of_ratio=True)
    return [figure(GROUP, "order hash", found["ours"], "us", reference, found["theirs"], scale=MICROSECONDS, target=target)]
