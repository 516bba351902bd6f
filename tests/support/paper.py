"""A paper exchange inside the test's own process, on books the test writes down, and a raw trader that signs for itself.

Used wherever a test needs a venue: `async with paper_exchange_server(ScriptedBooks(...)) as paper`. Nothing here mocks anything: requests
travel over real sockets on a free port, signatures are made by the official client's own builder.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any

import aiohttp
from eth_account import Account
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2, SignedOrderV2, order_to_json_v2
from py_clob_client_v2.signer import Signer
from py_clob_client_v2.signing.eip712 import sign_clob_auth_message
from py_clob_client_v2.signing.hmac import build_hmac_signature

from paper_exchange.app import ServeOptions, Serving, open_exchange, serving
from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import Fault, FaultKind, FaultPlan
from paper_exchange.recorded import token_id
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.eip712 import CHAIN_ID, EXCHANGE, NEG_RISK_EXCHANGE
from paper_exchange.server.rate_limit import Tier
from paper_exchange.server.subscribers import DEFAULT_QUEUE_FRAMES
from paper_exchange.server.venue import Venue, VenueSettings
from paper_exchange.types import MICRO, PRICE_ONE, BookSource, Level, PaperMarket, Snapshot

QUICK_SETTLEMENT = ExchangeSettings(mine_ms=20, confirm_ms=60)
TEST_KEY = "0x" + "1f" * 32
HOUR_MS = 3_600_000

Levels = Sequence[tuple[str, float | str]]
Scene = tuple[int, Levels, Levels]


def _levels(pairs: Levels, *, best_first: bool) -> tuple[Level, ...]:
    made = [Level(int(Decimal(price) * PRICE_ONE), int(Decimal(str(size)) * MICRO)) for price, size in pairs]
    return tuple(sorted(made, key=lambda level: level.price, reverse=best_first))


def _mirrored(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple(Level(PRICE_ONE - level.price, level.size) for level in levels)


class ScriptedBooks:
    """One market whose books a test writes down: `(at_ms, bids, asks)` with prices as text and sizes in shares.

    `at_ms` counts from the start of the venue. Without `no` its book is the mirror of `yes`. Keywords set fields of `PaperMarket`.
    """

    def __init__(self, yes: Sequence[Scene], no: Sequence[Scene] | None = None, **market_fields: Any) -> None:
        self._yes = yes
        self._no = no
        self._fields = market_fields

    def market(self, start_ms: int) -> PaperMarket:
        """The market on a venue clock which starts at `start_ms`."""
        slug = self._fields.get("slug", "scripted")
        condition_id = "0x" + sha256(f"scripted|{slug}".encode()).hexdigest()
        base = PaperMarket(
            condition_id=condition_id,
            slug=slug,
            question="Will it be as the test says?",
            outcomes=("Yes", "No"),
            tokens=(token_id(condition_id, 0), token_id(condition_id, 1)),
            start_ms=start_ms,
            end_ms=start_ms + self._fields.get("ends_after_ms", HOUR_MS),
            payout=None,
            origin="synthetic",
        )
        return replace(base, **{name: value for name, value in self._fields.items() if name != "ends_after_ms"})

    def snapshots(self, start_ms: int) -> list[Snapshot]:
        """The market's snapshots on that clock."""
        found = []
        for at_ms, bids, asks in self._yes:
            yes = Snapshot(0, start_ms + at_ms, _levels(bids, best_first=True), _levels(asks, best_first=False), "synthetic")
            found.append(yes)
            if self._no is None:
                found.append(Snapshot(1, yes.venue_ms, _mirrored(yes.asks), _mirrored(yes.bids), "synthetic"))
        for at_ms, bids, asks in self._no or ():
            found.append(Snapshot(1, start_ms + at_ms, _levels(bids, best_first=True), _levels(asks, best_first=False), "synthetic"))
        return sorted(found, key=lambda snapshot: (snapshot.venue_ms, snapshot.outcome))


class ScriptedSource:
    """Several scripted markets as one source."""

    def __init__(self, books: Sequence[ScriptedBooks], *, start_ms: int) -> None:
        self._books = {made.market(start_ms).condition_id: made for made in books}
        self._start_ms = start_ms

    def markets(self) -> Sequence[PaperMarket]:
        """The markets in the order given."""
        return [made.market(self._start_ms) for made in self._books.values()]

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """One market's snapshots."""
        return self._books[condition_id].snapshots(self._start_ms)


@dataclass(frozen=True, slots=True)
class PaperServer:
    """A running paper exchange."""

    running: Serving

    @property
    def urls(self) -> dict[str, Any]:
        """Where everything is: clob, gamma, market_socket, user_socket, admin, docs, geoblock."""
        return self.running.urls

    @property
    def venue(self) -> Venue:
        """The shell's state."""
        return self.running.venue

    @property
    def exchange(self) -> Exchange:
        """The matching core."""
        return self.running.venue.exchange

    @property
    def clock(self) -> VenueClock:
        """The venue clock."""
        return self.running.venue.clock

    @property
    def market(self) -> PaperMarket:
        """The first market."""
        return self.exchange.markets[0]

    def add_fault(self, kind: FaultKind | str, **fields: Any) -> None:
        """Arm a fault from now on; see `paper_exchange.faults.Fault`."""
        self.exchange.faults.add(Fault(FaultKind(kind), **fields), now_ms=self.clock.now_ms())

    def step(self) -> None:
        """Bring the venue to the present at once."""
        self.running.driver.step()


@contextlib.asynccontextmanager
async def paper_exchange_server(
    *books: ScriptedBooks,
    options: ServeOptions | None = None,
    settings: ExchangeSettings = QUICK_SETTLEMENT,
    faults: FaultPlan | None = None,
    tier: Tier | None = None,
    queue_frames: int = DEFAULT_QUEUE_FRAMES,
) -> AsyncIterator[PaperServer]:
    """Serve scripted books, or without them what `options` ask for, on a free port of this machine."""
    chosen = options or ServeOptions()
    start_ms = round(time.time() * 1000)
    if books:
        source: BookSource = ScriptedSource(books, start_ms=start_ms)
        exchange = Exchange(source, seed=chosen.seed, start_ms=start_ms, settings=settings, faults=faults)
    else:
        exchange = open_exchange(chosen, start_ms=start_ms)
    clock = VenueClock.starting_now(time.time, speed=chosen.speed, start_ms=start_ms)
    venue_settings = VenueSettings(
        balance_micros=chosen.balance_micros,
        seed=chosen.seed,
        books="synthetic" if books else chosen.books,
        tier=tier or Tier(),
        queue_frames=queue_frames,
        catalogue=chosen.catalogue,
    )
    async with serving(Venue.opened(exchange, clock, venue_settings)) as running:
        yield PaperServer(running)


@dataclass(slots=True)
class RawTrader:
    """A wallet that talks HTTP by hand, so that tests can also send what no client would."""

    session: aiohttp.ClientSession
    clob: str
    private_key: str = TEST_KEY
    credentials: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The owner's checksummed address."""
        return str(Account.from_key(self.private_key).address)

    def login_headers(self, *, timestamp: int | None = None, nonce: int = 0) -> dict[str, str]:
        """L1 headers."""
        moment = int(time.time()) if timestamp is None else timestamp
        signature = sign_clob_auth_message(Signer(self.private_key, CHAIN_ID), moment, nonce)
        return {
            "POLY_ADDRESS": self.address,
            "POLY_SIGNATURE": signature,
            "POLY_TIMESTAMP": str(moment),
            "POLY_NONCE": str(nonce),
        }

    async def log_in(self) -> "RawTrader":
        """Create the API key and keep it."""
        async with self.session.post(f"{self.clob}/auth/api-key", headers=self.login_headers()) as reply:
            self.credentials = await reply.json()
        return self

    def request_headers(self, method: str, path: str, body: str = "", *, timestamp: int | None = None) -> dict[str, str]:
        """L2 headers over exactly this body."""
        moment = int(time.time()) if timestamp is None else timestamp
        signature = build_hmac_signature(self.credentials["secret"], str(moment), method, path, body or None)
        return {
            "POLY_ADDRESS": self.address,
            "POLY_API_KEY": self.credentials["apiKey"],
            "POLY_PASSPHRASE": self.credentials["passphrase"],
            "POLY_SIGNATURE": signature,
            "POLY_TIMESTAMP": str(moment),
            "Content-Type": "application/json",
        }

    async def send(self, method: str, path: str, body: object = None, **query: str) -> tuple[int, Any, dict[str, str]]:
        """Status, decoded body and headers of a signed request."""
        text = "" if body is None else json.dumps(body, separators=(",", ":"))
        headers = self.request_headers(method, path, text)
        async with self.session.request(method, self.clob + path, headers=headers, data=text or None, params=query) as reply:
            raw = await reply.text()
            is_json = reply.content_type == "application/json"
            return reply.status, json.loads(raw) if is_json else raw, dict(reply.headers)

    def order(
        self,
        token: str,
        *,
        dollars: str = "10",
        shares: str = "20",
        side: str = "BUY",
        order_type: str = "FOK",
        signature_type: int = 0,
        wallet: str | None = None,
        neg_risk: bool = False,
    ) -> dict[str, Any]:
        """A signed order as posted: BUY gives dollars for at least `shares`, SELL gives shares for at least `dollars`."""
        buying = side == "BUY"
        give, take = (dollars, shares) if buying else (shares, dollars)
        data = OrderDataV2(
            maker=wallet or self.address,
            signer=wallet if signature_type == 3 else self.address,
            tokenId=token,
            makerAmount=str(int(Decimal(give) * MICRO)),
            takerAmount=str(int(Decimal(take) * MICRO)),
            side=0 if buying else 1,
            signatureType=signature_type,
        )
        contract = NEG_RISK_EXCHANGE if neg_risk else EXCHANGE
        builder = ExchangeOrderBuilderV2(contract, CHAIN_ID, Signer(self.private_key, CHAIN_ID))
        posted: dict[str, Any] = order_to_json_v2(builder.build_signed_order(data), self.credentials.get("apiKey", ""), order_type)
        return posted

    def order_hash(self, posted: dict[str, Any], *, neg_risk: bool = False) -> str:
        """The hash of a posted order, by the official client's arithmetic: what the venue calls its order id."""
        order = SignedOrderV2(**{**posted["order"], "side": 0 if posted["order"]["side"] == "BUY" else 1})
        contract = NEG_RISK_EXCHANGE if neg_risk else EXCHANGE
        builder = ExchangeOrderBuilderV2(contract, CHAIN_ID, Signer(self.private_key, CHAIN_ID))
        return str(builder.build_order_hash(builder.build_order_typed_data(order)))

    async def buy(self, token: str, *, dollars: str = "10", shares: str = "20", **more: Any) -> tuple[int, Any]:
        """Post a fill-or-kill BUY; status and body of the reply."""
        status, body, _ = await self.send("POST", "/order", self.order(token, dollars=dollars, shares=shares, **more))
        return status, body
