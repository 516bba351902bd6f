"""The venue's own Python client, made to tell everything it learns and to do nothing on its own.

It builds, signs and posts; but it would also poll for transaction hashes up to 30 seconds after a match, and its errors lose the
headers that say whether a 429 was a refusal. Importing it costs half a second and 15 MB, so only `live.py` and `credentials.py` do, on
their own threads.
"""

import logging
import random
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import ApiCreds, OrderType
from py_clob_client_v2.http_helpers import helpers
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2, SignedOrderV2
from py_clob_client_v2.order_utils.model.side import Side as OfficialSide
from py_clob_client_v2.order_utils.model.signature_type_v2 import SignatureTypeV2
from py_clob_client_v2.signer import Signer

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market, Side
from kabobagool.execution.fast_signer import fresh_salt
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import ApiCredentials, OrderFields, exchange_of, order_hash

for _name in ("hpack", "h2", "httpcore"):
    # At DEBUG they write whole request headers, the passphrase among them.
    logging.getLogger(_name).setLevel(logging.INFO)


class Reply(msgspec.Struct, frozen=True):
    """What came back for a POST, or the network error that came instead (`status` None). Header names are lower case."""

    status: int | None
    headers: Mapping[str, str]
    body: object


class AccountClient(ClobClient):  # type: ignore[misc]
    """`ClobClient` that takes the time from our clock; makes and checks API credentials."""

    def __init__(self, *, host: str, wallet: Wallet, credentials: ApiCredentials | None, clock: Clock) -> None:
        creds = ApiCreds(credentials.key, credentials.secret, credentials.passphrase) if credentials else None
        signature_type = SignatureTypeV2(wallet.signature_type)
        super().__init__(host, wallet.chain_id, wallet.private_key, creds, signature_type, wallet.funder, retry_on_error=False)
        self._clock = clock

    def _get_timestamp(self) -> int:
        return self._clock.now_ms() // 1000


class OrderClient(AccountClient):
    """The client that posts an order once and returns the whole reply."""

    def __init__(self, *, host: str, wallet: Wallet, credentials: ApiCredentials, clock: Clock, timeout_s: float) -> None:
        super().__init__(host=host, wallet=wallet, credentials=credentials, clock=clock)
        self._timeout_s = timeout_s

    def place(self, signed: SignedOrderV2) -> Reply:
        """POST one order as FOK. Never retries, never raises for what the venue or the network does."""
        reply: Reply = self.post_order(signed, OrderType.FOK)
        return reply

    def _post(self, endpoint: str, headers: Any = None, data: Any = None, params: Any = None) -> Reply:
        try:
            response = helpers._http_client.request(
                "POST",
                endpoint,
                headers=helpers._overload_headers("POST", headers),
                content=data.encode(),
                params=params,
                timeout=self._timeout_s,
            )
        except httpx.RequestError as e:
            return Reply(None, {}, f"{type(e).__name__}: no reply to the order")
        return Reply(response.status_code, dict(response.headers), _body(response))

    def _resolve_transactions_hashes(self, response: Reply) -> Reply:
        return response

    def _is_order_version_mismatch(self, resp: object) -> bool:
        return False


class OrderSigner:
    """Builds and signs orders in whole micros with the official builder; no number passes through a float."""

    def __init__(self, *, wallet: Wallet, clock: Clock, rng: random.Random) -> None:
        self._wallet = wallet
        self._clock = clock
        self._signer = Signer(wallet.private_key, wallet.chain_id)
        self.address: str = self._signer.address()
        self.maker = wallet.funder or self.address
        self._builders = {neg_risk: self._builder(exchange_of(neg_risk=neg_risk), rng) for neg_risk in (False, True)}

    def _builder(self, exchange: str, rng: random.Random) -> ExchangeOrderBuilderV2:
        return ExchangeOrderBuilderV2(exchange, self._wallet.chain_id, self._signer, lambda: str(fresh_salt(rng)))

    def sign(self, plan: OrderPlan, market: Market) -> tuple[SignedOrderV2, str]:
        """Sign a plan and say its hash: a BUY gives dollars for shares, a SELL shares for dollars."""
        buying = plan.side is Side.BUY
        given, wanted = (plan.dollars, plan.shares) if buying else (plan.shares, plan.dollars)
        signature_type = SignatureTypeV2(self._wallet.signature_type)
        order = OrderDataV2(
            maker=self.maker,
            signer=self.maker if signature_type is SignatureTypeV2.POLY_1271 else self.address,
            tokenId=market.token(plan.outcome),
            makerAmount=str(given),
            takerAmount=str(wanted),
            side=OfficialSide.BUY if buying else OfficialSide.SELL,
            signatureType=signature_type,
            timestamp=str(self._clock.now_ms()),
        )
        signed = self._builders[market.neg_risk].build_signed_order(order)
        return signed, order_hash(_fields(signed), chain_id=self._wallet.chain_id, exchange=exchange_of(neg_risk=market.neg_risk))


def _fields(order: SignedOrderV2) -> OrderFields:
    return OrderFields(
        salt=int(order.salt),
        maker=order.maker,
        signer=order.signer,
        token_id=int(order.tokenId),
        maker_amount=int(order.makerAmount),
        taker_amount=int(order.takerAmount),
        side=int(order.side),
        signature_type=int(order.signatureType),
        timestamp_ms=int(order.timestamp),
        metadata=order.metadata,
        builder=order.builder,
    )


def _body(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return response.text
