"""Finding a market in the catalogue, and making a tradable `Market` of what catalogue and CLOB say together.

A bot at its start asks for one market by slug, condition id or token ids; discovery reads lists of the same objects with `read_market`.
The catalogue is cached for minutes and full of quirks (arrays inside strings, nulls, labels other than Yes and No), so it only identifies:
tick size, minimum size, fee and whether orders are accepted come from the CLOB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import msgspec

from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.domain.money import Micros, Price
from kabobagool.unreadable import UNREADABLE
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader, ResponseError, decode, field_micros, field_tick, rough_micros
from kabobagool.venue.rows import MarketInfo, fee_schedule
from kabobagool.venue.transport import Params

_SLUGS: Final = "/markets/slug/"
_KEYSET: Final = "/markets/keyset"
Json = Mapping[str, object]


class MarketNotFound(VenueError):  # noqa: N818 - it names what the user must do something about
    """The catalogue has no such market, open or closed."""


class MarketAmbiguous(VenueError):  # noqa: N818
    """The description fits no single market."""


class UnsupportedMarket(VenueError):  # noqa: N818
    """A market this bot does not know how to trade. `reason` is one word: version, outcomes or tokens."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class MarketNotTradable(VenueError):  # noqa: N818
    """A market that is not open for trading. `reason` is one word: closed, archived, inactive, no_order_book, resolving or catch_all."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class GammaMarket:
    """A market as the catalogue describes it, up to five minutes old. Dollar figures are millionths, only good for ranking.

    `fee` is the catalogue's opinion (None when it cannot be understood); tick and minimum size are None when it does not say.
    `outcome_prices` are mid prices of a share, and what it paid once the market is resolved; None when they cannot be understood.
    """

    condition_id: str
    slug: str
    question: str
    outcomes: tuple[str, str]
    tokens: tuple[str, str]
    active: bool
    closed: bool
    archived: bool
    has_order_book: bool
    accepting_orders: bool
    resolution_status: str
    neg_risk: bool
    catch_all: bool
    augmented: bool
    fee: FeeSchedule | None
    fee_type: str
    tick_size: Price | None
    min_order_shares: Micros | None
    taker_delay_ms: int
    end_ms: int | None
    volume_24h: Micros
    volume: Micros
    liquidity: Micros
    outcome_prices: tuple[Micros, Micros] | None


async def find_market(
    reader: Reader, host: str, *, slug: str | None = None, condition_id: str | None = None, tokens: Sequence[str] | None = None
) -> GammaMarket:
    """The one market that slug, condition id or token ids (YES first) describe; exactly one of them must be given.

    MarketNotFound, MarketAmbiguous or UnsupportedMarket, and the errors of `Reader.fetch`. A closed market is found too: see
    `first_obstacle`.
    """
    host = host.rstrip("/")
    match slug, condition_id, tokens:
        case str(), None, None:
            return await _by_slug(reader, host, slug)
        case None, str(), None:
            found = await _listed(reader, host, [("condition_ids", condition_id)])
            matching = [item for item in found if str(item.get("conditionId", "")).lower() == condition_id.lower()]
            return read_market(_only(matching, f"condition id {condition_id}"))
        case None, None, [str(), str()]:
            return await _by_tokens(reader, host, (tokens[0], tokens[1]))
    raise MarketAmbiguous("a market is described by exactly one of: a slug, a condition id, or two token ids (YES first)")


async def resolve_market(
    reader: Reader,
    clob: ClobReader,
    host: str,
    *,
    slug: str | None = None,
    condition_id: str | None = None,
    tokens: Sequence[str] | None = None,
) -> Market:
    """Find a market, insist that it is open, and complete it with what the CLOB says. Also MarketNotTradable."""
    found = await find_market(reader, host, slug=slug, condition_id=condition_id, tokens=tokens)
    obstacle = first_obstacle(found)
    if obstacle is not None:
        raise obstacle
    return combine(found, await clob.market_info(found.condition_id))


def combine(found: GammaMarket, info: MarketInfo) -> Market:
    """One `Market` of both descriptions; the CLOB is newer and wins. UnsupportedMarket when they are not about the same tokens."""
    if info.tokens and set(info.tokens) != set(found.tokens):
        raise UnsupportedMarket("tokens", f"{found.slug}: catalogue and exchange list different tokens; a new market may need some minutes")
    shares = found.min_order_shares if info.min_order_shares is None else info.min_order_shares
    if shares is None:
        raise ResponseError(f"/clob-markets/{found.condition_id}: field mos: neither exchange nor catalogue says the minimum order size")
    return Market(
        condition_id=found.condition_id,
        slug=found.slug,
        question=found.question,
        outcomes=found.outcomes,
        tokens=found.tokens,
        tick_size=info.tick_size,
        min_order_shares=shares,
        fee=_agreed_fee(info.fee, found.fee),
        neg_risk=info.neg_risk or found.neg_risk,
        accepting_orders=found.accepting_orders if info.accepting_orders is None else info.accepting_orders,
        taker_delay_ms=max(info.taker_delay_ms, found.taker_delay_ms),
        end_ms=found.end_ms,
    )


def _agreed_fee(exchange: FeeSchedule | None, catalogue: FeeSchedule | None) -> FeeSchedule | None:
    """The exchange is right about rates; but its "no fee" (said by leaving the fee out) against a named rate is a fee nobody knows."""
    if exchange is not None and not exchange.rate_micros and (catalogue is None or catalogue.rate_micros):
        return None
    return exchange


def first_obstacle(market: GammaMarket) -> MarketNotTradable | None:
    """Why the market is not open for trading, with a sentence to act on; None when it is."""
    obstacles = (
        (market.closed, "closed", "it is closed: choose another market, or redeem what is left of this one"),
        (market.archived, "archived", "it is archived: choose another market"),
        (not market.active, "inactive", "it is not active yet: try again when trading has begun"),
        (not market.has_order_book, "no_order_book", "it has no order book: choose a market that trades on the CLOB"),
        (
            bool(market.resolution_status),
            "resolving",
            f"its resolution is {market.resolution_status}: the book is gone, wait for the payout",
        ),
        (market.catch_all, "catch_all", "it is the catch-all outcome of an event, whose meaning can change: choose a named outcome"),
    )
    return next((MarketNotTradable(reason, f"{market.slug}: {why}") for applies, reason, why in obstacles if applies), None)


def read_market(item: Json) -> GammaMarket:
    """Read one object of the catalogue. UnsupportedMarket for another version or not two outcomes, ResponseError for rubbish."""
    slug = _text(item, "slug") or _text(item, "conditionId")
    version = item.get("version") or "v1"
    if version != "v1":
        raise UnsupportedMarket("version", f"{slug}: a market of version {version!s:.20}; this bot trades v1 markets only")
    listed = item.get("events")
    events = listed if isinstance(listed, list) else []
    fees = item.get("feeSchedule") if _flag(item, "feesEnabled", default=True) else None
    return GammaMarket(
        condition_id=_required(item, "conditionId"),
        slug=slug,
        question=_text(item, "question"),
        outcomes=_pair(item, "outcomes", slug, default=("Yes", "No")),
        tokens=_pair(item, "clobTokenIds", slug),
        active=_flag(item, "active", default=True),
        closed=_flag(item, "closed"),
        archived=_flag(item, "archived"),
        has_order_book=_flag(item, "enableOrderBook", default=True),
        accepting_orders=_flag(item, "acceptingOrders", default=True),
        resolution_status=_text(item, "umaResolutionStatus"),
        neg_risk=_flag(item, "negRisk"),
        catch_all=_flag(item, "negRiskOther"),
        augmented=any(isinstance(event, Mapping) and _flag(event, "negRiskAugmented") for event in events),
        fee=fee_schedule(fees, rate_key="rate", exponent_key="exponent"),
        fee_type=_text(item, "feeType"),
        tick_size=_optional_tick(item, "orderPriceMinTickSize"),
        min_order_shares=_optional_micros(item, "orderMinSize"),
        taker_delay_ms=rough_micros(item.get("secondsDelay")) // 1000,
        end_ms=_moment_ms(_text(item, "endDate")),
        volume_24h=rough_micros(item.get("volume24hr")),
        volume=rough_micros(item.get("volumeNum")) or rough_micros(item.get("volume")),
        liquidity=rough_micros(item.get("liquidityNum")) or rough_micros(item.get("liquidity")),
        outcome_prices=_outcome_prices(item, slug),
    )


def _outcome_prices(item: Json, slug: str) -> tuple[Micros, Micros] | None:
    try:
        yes, no = _pair(item, "outcomePrices", slug)
        return field_micros(yes, "catalogue", "outcomePrices"), field_micros(no, "catalogue", "outcomePrices")
    except (ResponseError, UnsupportedMarket):
        return None


async def _by_slug(reader: Reader, host: str, slug: str) -> GammaMarket:
    reply = await reader.fetch(f"{host}{_SLUGS}{quote(slug, safe='')}", accept=(200, 404))
    item = None if reply.status == 404 or not reply.body.strip() else decode(object, reply, _SLUGS)
    items = item if isinstance(item, list) else [item]
    return read_market(_only([entry for entry in items if isinstance(entry, Mapping) and entry], f"slug {slug!r}"))


async def _by_tokens(reader: Reader, host: str, tokens: tuple[str, str]) -> GammaMarket:
    found = await _listed(reader, host, [("clob_token_ids", token) for token in tokens])
    market = read_market(_only(found, f"tokens {tokens[0]} and {tokens[1]}"))
    if market.tokens == tokens:
        return market
    if market.tokens == tokens[::-1]:
        raise MarketAmbiguous(f"{market.slug}: the token ids are the wrong way round: {market.outcomes[0]!r} is {market.tokens[0]}")
    raise MarketAmbiguous(f"{market.slug}: these token ids are not the two outcomes of one market")


async def _listed(reader: Reader, host: str, params: Params) -> list[Json]:
    """Open markets first; closed ones are listed only when asked for, and "closed" is a better answer than "not found"."""
    for closed in ((), (("closed", "true"),)):
        answer = await reader.get_json(f"{host}{_KEYSET}", params=[*params, *closed])
        items = answer.get("markets") if isinstance(answer, Mapping) else answer
        if not isinstance(items, list):
            raise ResponseError(f"{_KEYSET}: field markets: a list was expected")
        found = [item for item in items if isinstance(item, Mapping)]
        if found:
            return found
    return []


def _only(items: Sequence[Json], description: str) -> Json:
    if not items:
        raise MarketNotFound(f"no market with {description}: check the spelling on its page, or look with `kabobagool discover`")
    if len(items) > 1:
        names = ", ".join(_text(item, "slug") for item in items[:5])
        raise MarketAmbiguous(f"{description} fits {len(items)} markets ({names}): describe one by its condition id")
    return items[0]


def _pair(item: Json, field: str, slug: str, *, default: tuple[str, str] | None = None) -> tuple[str, str]:
    """Two texts out of an array, or out of an array written inside a string."""
    value = item.get(field)
    if isinstance(value, str) and value:
        try:
            value = msgspec.json.decode(value)
        except UNREADABLE:
            raise ResponseError(f"{slug}: field {field}: {value[:80]!r} is not a JSON array") from None
    if value is None and default is not None:
        return default
    reason = "tokens" if field == "clobTokenIds" else "outcomes"
    match value:
        case [str() as first, str() as second] if first and second and (first != second or field != "clobTokenIds"):
            return first, second
    raise UnsupportedMarket(reason, f"{slug}: {field} is not two texts: this bot trades markets of two outcomes")


def _text(item: Json, field: str) -> str:
    value = item.get(field)
    return value if isinstance(value, str) else ""


def _required(item: Json, field: str) -> str:
    value = _text(item, field)
    if not value:
        raise ResponseError(f"catalogue: field {field}: missing")
    return value


def _flag(item: Json, field: str, *, default: bool = False) -> bool:
    value = item.get(field)
    return value if isinstance(value, bool) else default


def _optional_tick(item: Json, field: str) -> Price | None:
    value = item.get(field)
    return None if value in (None, "", 0) else field_tick(value, "catalogue", field)


def _optional_micros(item: Json, field: str) -> Micros | None:
    value = item.get(field)
    return None if value in (None, "") else field_micros(value, "catalogue", field)


def _moment_ms(text: str) -> int | None:
    """Epoch milliseconds of a date as the catalogue writes it; without a zone it means UTC. None when it is no date."""
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
