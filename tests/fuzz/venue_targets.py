"""What the venue answers over HTTP: the catalogue, the CLOB's reads, replies to orders, and headers.

Each body goes through the real readers over a transport that answers at once, so that what is tested is what a bot meets. Seeds are the
example replies of the other tests, every one of them valid.
"""

import json
import math
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from kabobagool.discovery.catalogue import read_page
from kabobagool.discovery.crawl import CatalogueCrawl
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.freshness import reply_age_s
from kabobagool.discovery.reasons import Tally
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Market, Side
from kabobagool.domain.outcome import Delayed, Filled, Killed, Rejected, Unknown
from kabobagool.engine.troubles import trouble_of
from kabobagool.execution.fills import average_fee, fills_of, foreign_rows
from kabobagool.venue import rows
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError, classify
from kabobagool.venue.gamma import GammaMarket, combine, find_market, first_obstacle
from kabobagool.venue.reader import HttpStatusError, Reader, rough_micros
from kabobagool.venue.transport import HttpReply
from tests.discovery.catalogue_examples import NOW_MS, entry, page_body
from tests.fuzz.target import Shape, Target, a_price, an_amount, at_once, documents, readable
from tests.venue.venue_clob_examples import CONDITION, CREDENTIALS, HASH, MARKET, NO, ORDER, OWNER, TRADE, WALLET, YES
from tests.venue.venue_servers import ManualClock

HOST: Final = "https://venue.test"
SLUG: Final = entry()["slug"]
LONGEST_PAUSE_S: Final = 86_400.0
"""Nothing that a header says silences a wallet for longer than a day, and then a person looks."""
INFO: Final = rows.market_info(HttpReply(200, {}, json.dumps(MARKET).encode()), condition_id=CONDITION, endpoint="/clob-markets")
TRADED: Final = Market(
    condition_id=CONDITION,
    slug="rain",
    question="Rain?",
    outcomes=("Yes", "No"),
    tokens=(YES, NO),
    tick_size=100,
    min_order_shares=5_000_000,
    fee=FeeSchedule(50_000),
)


class OneReply:
    """A transport that answers everything with the same reply."""

    def __init__(self, reply: HttpReply) -> None:
        self.reply = reply

    async def request(self, *_: object, **__: object) -> HttpReply:
        """As `HttpTransport.request`."""
        return self.reply

    async def close(self) -> None:
        """As `HttpTransport.close`."""


def reader_of(reply: HttpReply, clock: ManualClock | None = None) -> Reader:
    """A reader that gets this reply to whatever it asks."""
    return Reader(OneReply(reply), clock=clock or ManualClock(), rng=random.Random(1))


def clob_of(body: bytes) -> ClobReader:
    """A CLOB that answers everything with this body."""
    return ClobReader(reader_of(HttpReply(200, {}, body)), HOST, clock=ManualClock(), credentials=CREDENTIALS, address=OWNER, wallet=WALLET)


def reading(read: Callable[[bytes], Coroutine[Any, Any, Any]], judge: Callable[[Any], None]) -> Callable[[bytes], None]:
    """A target that reads a body and judges what came of it, unless it was refused with one of the venue's errors."""

    def run(body: bytes) -> None:
        try:
            found = at_once(read(body))
        except VenueError as e:
            readable(e)
        else:
            judge(found)

    return run


def _catalogue_market(found: GammaMarket) -> None:
    assert found.condition_id
    assert all(found.tokens)
    assert found.tokens[0] != found.tokens[1]
    for amount in (found.volume_24h, found.volume, found.liquidity, found.taker_delay_ms):
        _rough(amount)
    if found.outcome_prices is not None:
        for amount in found.outcome_prices:
            an_amount(amount)
    _perhaps_fee(found.fee)
    try:
        market = combine(found, INFO)
    except VenueError as e:
        readable(e)
    else:
        _tradable(market)
    if (obstacle := first_obstacle(found)) is not None:
        readable(obstacle)


def _tradable(market: Market) -> None:
    assert 0 < market.tick_size < 10_000
    assert 10_000 % market.tick_size == 0, f"a tick of {market.tick_size} is no grid"
    an_amount(market.min_order_shares)
    _perhaps_fee(market.fee)


def _rough(amount: int) -> None:
    """A figure that ranks markets: it can be printed, whatever it says."""
    assert 0 <= amount < 10**46, "no volume of this world"


def _perhaps_fee(fee: FeeSchedule | None) -> None:
    if fee is not None:
        assert 0 <= fee.rate_micros <= 1_000_000
        assert fee.exponent in (1, 2, 3, 4)
        an_amount(taker_fee(fee, 5_000, 1_000_000))


def page(body: bytes) -> None:
    """A page of the catalogue: judged entry by entry, or refused as a whole."""
    tally = Tally()
    crawl = CatalogueCrawl(
        reader_of(HttpReply(200, {}, body)), HOST, criteria=Criteria(max_markets=1), now_ms=NOW_MS, tally=tally, wall_ms=lambda: NOW_MS
    )
    try:
        found = read_page(HttpReply(200, {}, body))
    except VenueError as e:
        readable(e)
        return
    crawl.take(found)
    for listing in found.listings:
        _rough(rough_micros(listing.volume_num))
    for market in crawl.shortlist.best_first():
        _catalogue_market(market)
    assert crawl.progress.seen == len(crawl.shortlist) + tally.counts.total()


def _market_info(info: rows.MarketInfo) -> None:
    assert 0 < info.tick_size < 10_000
    assert 10_000 % info.tick_size == 0, f"a tick of {info.tick_size} is no grid"
    if info.min_order_shares is not None:
        an_amount(info.min_order_shares)
    _perhaps_fee(info.fee)


def _books(books: list[rows.BookSummary]) -> None:
    for book in books:
        for price, size in (*book.bids, *book.asks):
            a_price(price)
            an_amount(size)
        assert 0 <= book.timestamp_ms < 2**256
        assert book.tick_size is None or book.tick_size == 0 or 10_000 % book.tick_size == 0, f"a tick of {book.tick_size} is no grid"


def _balance(balance: rows.Balance) -> None:
    for units in (balance.amount_micros, balance.allowance_micros, *balance.allowances.values()):
        assert 0 <= units < 10**78


def _trades(found: list[rows.TradeRow]) -> None:
    for row in found:
        an_amount(row.shares)
        assert 0 <= row.price_micros <= 1_000_000
        assert 0 <= row.dollars <= row.shares
        assert row.match_time_s < 2**63, "no moment of this world"
        for fill in row.maker_orders:
            an_amount(fill.shares)
    foreign_rows(found)
    for order in fills_of(found, TRADED):
        assert order.fill.shares >= 0
        assert order.fill.dollars <= order.fill.shares


def _order(row: rows.OrderRow | None) -> None:
    if row is not None:
        an_amount(row.size_matched)
        an_amount(row.original_size)
        assert 0 <= row.price_micros <= 1_000_000


def _moment_ms(moment: int) -> None:
    assert 0 <= moment < 10**17, "no moment of this world"


def order_reply(reply: bytes) -> None:
    """What became of an order. The first line holds status and headers, the rest is the body.

    Only the venue's own words may settle anything: what is doubtful is looked up by its hash.
    """
    head, _, body = reply.partition(b"\n")
    status, headers = _head(head)
    for given in (body, *_as_the_official_client_gives_it(body)):
        for side in Side:
            outcome = classify(status, headers, given, fee_of=lambda shares, dollars: average_fee(TRADED.fee, shares, dollars), side=side)
            _outcome(outcome, status, body)


def _outcome(outcome: object, status: int | None, body: bytes) -> None:
    match outcome:
        case Filled(shares=shares, dollars=dollars, fee=fee):
            assert status == 200
            assert b"matched" in body.lower() or b"\\u" in body
            for amount in (shares, dollars, fee):
                an_amount(amount)
            assert 0 < dollars <= shares, f"{shares} shares for {dollars} dollars"
        case Killed(text=text) | Delayed(text=text) | Unknown(text=text):
            _writable(text)
        case Rejected(text=text, retry_after_s=seconds):
            _writable(text)
            assert 0 <= seconds <= LONGEST_PAUSE_S, f"a pause of {seconds} s"
            assert round(trouble_of(outcome).pause_s * 1_000_000) >= 0
        case _:
            raise AssertionError(f"{outcome!r} is no outcome")


def _writable(text: str) -> None:
    """It goes into the journal and the log."""
    assert len(text) <= 600
    text.encode()


def _head(line: bytes) -> tuple[int | None, dict[str, str]]:
    try:
        head = json.loads(line)
        status, headers = head["status"], head["headers"]
        return (status if type(status) is int else None), {str(name): str(value) for name, value in headers.items()}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 200, {}


def _as_the_official_client_gives_it(body: bytes) -> list[object]:
    try:
        return [json.loads(body)]
    except (ValueError, RecursionError):
        return [body.decode("utf-8", "replace")]


def headers(line: bytes) -> None:
    """How long a refused read waits, and how old a page is: both in bounds, whatever the headers say."""
    _, given = _head(line)
    lowered: Mapping[str, str] = {name.lower(): value for name, value in given.items()}
    clock = ManualClock()
    asked_s = 0.0
    try:
        at_once(reader_of(HttpReply(429, lowered, b"slow down"), clock).fetch(HOST + "/books"))
    except HttpStatusError as e:
        readable(e)
        asked_s = e.retry_after_s
    assert 0 <= asked_s < math.inf
    assert sum(clock.slept) <= 4 * 30.0
    age_s = reply_age_s(lowered, wall_ms=NOW_MS)
    assert age_s is None or 0 <= age_s <= 10**9


def _reply(status: int, body: object, **headers: str) -> bytes:
    return b"\n".join(documents({"status": status, "headers": headers}, body))


_BOOK: Final = {
    "asset_id": YES,
    "market": CONDITION,
    "timestamp": "1795305600000",
    "bids": [{"price": "0.48", "size": "30"}],
    "asks": [{"price": "0.52", "size": "80.25"}, {"price": 0.5, "size": 25}],
    "tick_size": "0.01",
    "min_order_size": "5",
    "neg_risk": False,
    "hash": "ab",
}
_MAKER: Final = TRADE | {
    "id": "t2",
    "trader_side": "MAKER",
    "maker_orders": [{"order_id": "0xm", "owner": "our-key", "asset_id": NO, "matched_amount": "5", "price": "0.489", "side": "SELL"}],
}
_MATCHED: Final = {"success": True, "errorMsg": "", "orderID": HASH, "status": "matched", "makingAmount": "24.5", "takingAmount": "50"}
REPLIES: Final = (
    _reply(200, _MATCHED),
    _reply(200, _MATCHED | {"status": "delayed", "takingAmount": ""}),
    _reply(400, {"error": "order couldn't be fully filled. FOK orders are fully filled or killed."}),
    _reply(400, {"error": "not enough balance / allowance", "status": 400}),
    _reply(429, {"error": "rate limited"}, **{"Retry-After": "1.5", "Poly-RateLimit-Remaining": "0"}),
    _reply(425, {"error": "service not ready"}, **{"Retry-After": "30"}),
    _reply(503, {"error": "trading is currently disabled", "code": "cancel_only"}),
    _reply(403, "<html>restricted in your region</html>"),
)
_DATE: Final = "Thu, 26 Nov 2026 12:00:30 GMT"
HEADERS: Final = tuple(
    _reply(429, "", **given)
    for given in (
        {"Retry-After": "2", "Age": "40"},
        {"Retry-After": _DATE, "Date": _DATE},
        {"Retry-After": "0.5", "Poly-RateLimit-Reset": "3"},
    )
)
_ENTRIES: Final = [entry(1), entry(2, events=[{"negRiskAugmented": True}, None]), entry(3, clobTokenIds=["0x1f", "77"], closed=True)]

TARGETS: Final = (
    Target(
        name="catalogue_market",
        guards="one broken entry of the catalogue that stops a bot from starting, or a market with numbers of another world",
        run=reading(lambda body: find_market(reader_of(HttpReply(200, {}, body)), HOST, slug=SLUG), _catalogue_market),
        seeds=documents(entry(), [entry(2, feeSchedule=None, secondsDelay=3)], entry(4, negRisk=True, orderPriceMinTickSize="0.001")),
    ),
    Target(
        name="catalogue_page",
        guards="one broken entry that hides a hundred good ones",
        run=page,
        seeds=(page_body(_ENTRIES, "next"), page_body([entry(9)]), json.dumps(_ENTRIES[:2]).encode()),
        weight=2,
    ),
    Target(
        name="clob_market",
        guards="a tick, a least order or a fee that the venue never meant",
        run=reading(lambda body: clob_of(body).market_info(CONDITION), _market_info),
        seeds=documents(MARKET, MARKET | {"mts": "0.001", "fd": None, "mos": None}),
    ),
    Target(
        name="clob_books",
        guards="a book over REST that restores what was distrusted with rubbish",
        run=reading(lambda body: clob_of(body).books([YES, NO]), _books),
        seeds=documents([_BOOK], [_BOOK, _BOOK | {"asset_id": NO, "timestamp": None, "tick_size": ""}]),
    ),
    Target(
        name="clob_balance",
        guards="a balance that lets orders leave without money",
        run=reading(lambda body: clob_of(body).balance(), _balance),
        seeds=documents(
            {"balance": "1000000", "allowances": {"0xE111180000d2663C0091e4f400237545B87B996B": "5"}}, {"balance": 7, "allowance": "3"}
        ),
    ),
    Target(
        name="clob_trades",
        guards="a history that becomes another position",
        run=reading(lambda body: clob_of(body).trades(CONDITION), _trades),
        seeds=documents({"data": [TRADE, _MAKER], "next_cursor": "LTE="}, {"data": [TRADE], "next_cursor": "Mg=="}),
    ),
    Target(
        name="clob_order",
        guards="an order of unknown end that is taken for settled",
        run=reading(lambda body: clob_of(body).order(HASH), _order),
        seeds=documents(ORDER, ORDER | {"status": "LIVE", "size_matched": 0, "price": 0.5}, None),
    ),
    Target(
        name="clob_time",
        guards="a clock that is set to no moment, a version that is no number",
        run=reading(lambda body: _time_and_version(body), lambda found: _moment_ms(found[0])),
        seeds=documents(1_795_305_600, "1795305600000", {"timestamp": 1_795_305_600_000}, {"version": 2, "time": "1795305600"}),
    ),
    Target(
        name="order_reply",
        guards="a reply that is taken for a fill or a refusal and is neither",
        run=order_reply,
        seeds=REPLIES,
        shape=Shape.LINES,
    ),
    Target(
        name="headers",
        guards="a header that silences a wallet for ever, or a date that stops a read",
        run=headers,
        seeds=HEADERS,
        shape=Shape.LINES,
    ),
)


async def _time_and_version(body: bytes) -> tuple[int, int]:
    clob = clob_of(body)
    try:
        version = await clob.version()
    except VenueError:
        version = 0
    return await clob.server_time_ms(), version
