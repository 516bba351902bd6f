"""An order from plan to signature, beside the official client doing the same and beside the one signature nobody can avoid.

The official client runs unmodified with everything it caches already known, so that it asks the network for nothing.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coincurve import PrivateKey
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import MarketOrderArgsV2, OrderType
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2
from py_clob_client_v2.signer import Signer

from kabobagool.clock import SystemClock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.execution.official import OrderSigner
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import EXCHANGE, POLYGON_CHAIN_ID, OrderFields, order_hash
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Target, calls, compare, figure
from tests.bench.worlds import CONDITION, NO, NOW_MS, YES, a_market

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
    return [Benchmark(GROUP, run) for run in (_signing, _hashing)]


def _signing() -> Sequence[Figure]:
    signer = OrderSigner(wallet=Wallet(private_key=KEY), clock=SystemClock(), rng=random.Random(1))
    client = _OfficialClient("https://localhost", POLYGON_CHAIN_ID, KEY)
    arguments = MarketOrderArgsV2(token_id=YES, amount=24.0, side="BUY", price=0.48, order_type=OrderType.FOK)
    _same_order(signer, client, arguments)
    digest = bytes.fromhex("ab" * 32)
    found = compare(
        {
            "ours": calls(signer.sign, PLAN, a_market()),
            "official": calls(client.create_market_order, arguments),
            "bare": calls(_bare_signature, PrivateKey(bytes.fromhex(KEY[2:])), digest),
        }
    )
    name = "order built, hashed and signed"
    beside = [("official", "official client, signed only", Target(1.0, of_ratio=True)), ("bare", "bare ECDSA signature (coincurve)", None)]
    return [figure(GROUP, name, found["ours"], "us", text, found[key], scale=MICROSECONDS, target=target) for key, text, target in beside]


def _bare_signature(key: PrivateKey, digest: bytes) -> bytes:
    return bytes(key.sign_recoverable(digest, hasher=None))


def _same_order(signer: OrderSigner, client: ClobClient, arguments: MarketOrderArgsV2) -> None:
    """Both sign the same thing, but for salt and time."""
    ours, _ = signer.sign(PLAN, a_market())
    theirs = client.create_market_order(arguments)
    for field in ("maker", "signer", "tokenId", "makerAmount", "side", "signatureType"):
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
