"""Replies of the CLOB in the shapes it sends, written by hand, and a reader of a scripted server."""

from typing import Any

from tests.venue.venue_servers import ManualClock, ScriptedServer

from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.signing import ApiCredentials

CONDITION, HASH = "0x" + "c" * 64, "0x" + "ab" * 32
YES, NO = "7132", "4921"
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQ="
CREDENTIALS = ApiCredentials("our-key", SECRET, "phrase")
OWNER, WALLET = "0xOwner", "0xWallet"

MARKET: dict[str, Any] = {
    "c": CONDITION,
    "t": [{"t": YES, "o": "Yes"}, {"t": NO, "o": "No"}],
    "mts": 0.01,
    "mos": 5,
    "nr": False,
    "ao": True,
    "itode": False,
    "fd": {"r": 0.05, "e": 1, "to": True},
    "tbf": 1000,
}
TRADE: dict[str, Any] = {
    "id": "t1",
    "taker_order_id": HASH.upper().replace("0X", "0x"),
    "market": CONDITION,
    "asset_id": YES,
    "side": "BUY",
    "size": "50.012345",
    "price": "0.489",
    "fee_rate_bps": "0",
    "status": "TRADE_STATUS_CONFIRMED",
    "match_time": "1795305600",
    "owner": "our-key",
    "trader_side": "TAKER",
    "bucket_index": 0,
    "maker_orders": [{"order_id": "0xm", "owner": "x", "asset_id": YES, "matched_amount": "5", "price": "0.489"}],
}
ORDER: dict[str, Any] = {
    "id": HASH,
    "status": "ORDER_STATUS_MATCHED",
    "market": CONDITION,
    "asset_id": YES,
    "side": "BUY",
    "price": "0.49",
    "original_size": "24.5",
    "size_matched": "50",
    "created_at": 1_795_305_600,
    "associate_trades": None,
}


def clob_of(reader: Reader, server: ScriptedServer, clock: ManualClock | None = None, **more: Any) -> ClobReader:
    given_more: dict[str, Any] = {"credentials": CREDENTIALS, "address": OWNER, "wallet": WALLET} | more
    return ClobReader(reader, server.url + "/", clock=clock or ManualClock(), **given_more)
