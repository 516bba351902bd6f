"""Our POST against both official clients: the same body, the same proof of who sent it."""

import base64
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.hmac import build_hmac_signature as unified_hmac
from py_clob_client_v2.clob_types import OrderType
from py_clob_client_v2.order_utils.model.order_data_v2 import order_to_json_v2
from tests.differential.official_orders import ClobClientV2, UnifiedClient
from tests.execution.bench_account import a_market, buy, sell
from tests.support.paper import TEST_KEY
from tests.venue.venue_servers import NOW_MS, ManualClock

from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Outcome
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.official import OrderClient, OrderSigner
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import ApiCredentials, OrderFields

FUNDER = "0x" + "22" * 20
CREDENTIALS = ApiCredentials("11111111-2222-3333-4444-555555555555", base64.urlsafe_b64encode(b"\xfb\xff a secret").decode(), "phrase")
PLANS = [buy(4800, 10), sell(4700, 10, Outcome.NO), buy(5, 4_000), buy(9_999, 100, Outcome.NO)]
each_wallet = pytest.mark.parametrize("kind", [0, 1, 2, 3])
each_exchange = pytest.mark.parametrize("neg_risk", [False, True])
each_plan = pytest.mark.parametrize("plan", PLANS, ids=["buy", "sell", "cheapest", "dearest"])


def wallet_of(kind: int) -> Wallet:
    return Wallet(private_key=TEST_KEY, signature_type=kind, funder=FUNDER if kind else None)


def execution_of(kind: int) -> FastExecution:
    reader: Any = None
    clock, rng = ManualClock(), random.Random(5)
    return FastExecution(host="http://host", wallet=wallet_of(kind), credentials=CREDENTIALS, reader=reader, clock=clock, rng=rng)


class Overheard(OrderClient):
    """The official client, made to say what it would post."""

    def _post(self, endpoint: str, headers: Any = None, data: Any = None, params: Any = None) -> Any:
        return endpoint, headers, data


@each_wallet
@each_exchange
@each_plan
async def test_the_request_is_that_of_the_official_client_to_the_byte(kind: int, neg_risk: bool, plan: OrderPlan) -> None:
    execution, market = execution_of(kind), a_market(neg_risk=neg_risk)
    signed = await execution.prepare(plan, market)
    theirs, their_hash = OrderSigner(wallet=wallet_of(kind), clock=ManualClock(), rng=random.Random(5)).sign(plan, market)
    client = Overheard(host="http://host", wallet=wallet_of(kind), credentials=CREDENTIALS, clock=ManualClock(), timeout_s=1)
    endpoint, headers, data = client.post_order(theirs, OrderType.FOK)
    assert signed.payload == data.encode()
    assert signed.order_hash == their_hash
    assert endpoint == execution._host + "/order"
    assert execution._headers(data.encode()) == headers | {"Content-Type": "application/json"}


@each_wallet
@each_exchange
@each_plan
async def test_the_body_means_what_the_unified_client_posts(kind: int, neg_risk: bool, plan: OrderPlan) -> None:
    signed = await execution_of(kind).prepare(plan, a_market(neg_risk=neg_risk))
    assert isinstance(signed.payload, bytes)
    ours = json.loads(signed.payload)
    path, theirs = UnifiedClient(TEST_KEY, neg_risk=neg_risk).body(fields_of(ours["order"]), CREDENTIALS.key)
    assert path == "/order"
    assert ours == theirs | {"postOnly": False}
    assert ours["order"]["timestamp"] == str(NOW_MS)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_order_is_written_as_the_official_client_writes_it(data: st.DataObject) -> None:
    kind, neg_risk = data.draw(st.sampled_from([0, 1, 2, 3])), data.draw(st.booleans())
    shares, price = data.draw(st.integers(5, 10**6)), data.draw(st.integers(1, 9_999))
    token = str(data.draw(st.integers(0, 2**256 - 1)))
    plan = data.draw(st.sampled_from([buy, sell]))(price, shares)
    signed = execution_of(kind)._sign(plan, a_market(neg_risk=neg_risk, tokens=(token, "2")))
    assert isinstance(signed.payload, bytes)
    official = ClobClientV2(TEST_KEY, neg_risk=neg_risk).signed(fields_of(json.loads(signed.payload)["order"]))
    written = json.dumps(order_to_json_v2(official, CREDENTIALS.key, OrderType.FOK), separators=(",", ":"), ensure_ascii=False)
    assert signed.payload == written.encode()


@settings(max_examples=200, deadline=None)
@given(secret=st.binary(min_size=1, max_size=64), body=st.binary(max_size=300).map(lambda raw: raw.hex()), timestamp=st.integers(0, 2**40))
def test_the_proof_is_the_unified_clients_too(secret: bytes, body: str, timestamp: int) -> None:
    text = base64.urlsafe_b64encode(secret).decode()
    reader: Any = None
    clock = ManualClock(now=timestamp * 1000 + 999)
    credentials = ApiCredentials("key", text, "phrase")
    execution = FastExecution(host="h", wallet=wallet_of(0), credentials=credentials, reader=reader, clock=clock, rng=random.Random(1))
    headers = execution._headers(body.encode())
    assert headers["POLY_SIGNATURE"] == unified_hmac(secret=text, timestamp=timestamp, method="POST", path="/order", body=body)
    assert headers["POLY_TIMESTAMP"] == str(timestamp)


def fields_of(order: dict[str, Any]) -> OrderFields:
    return OrderFields(
        salt=order["salt"],
        maker=order["maker"],
        signer=order["signer"],
        token_id=int(order["tokenId"]),
        maker_amount=int(order["makerAmount"]),
        taker_amount=int(order["takerAmount"]),
        side=int(order["side"] == "SELL"),
        signature_type=order["signatureType"],
        timestamp_ms=int(order["timestamp"]),
        metadata=order["metadata"],
        builder=order["builder"],
    )
