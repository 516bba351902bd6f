"""Reads of the CLOB: its version and clock, markets and books, and with credentials our balances, orders and trades.

Start-up checks, discovery, reconcile and the look-up of unknown orders call `ClobReader`. It sends no order and cancels none. `rows.py`
holds the types it returns.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from kabobagool.clock import Clock
from kabobagool.venue import rows
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader, ResponseError, Signer, field_integer, field_milliseconds
from kabobagool.venue.rows import Balance, BookSummary, MarketInfo, OrderRow, TradeRow
from kabobagool.venue.signing import ApiCredentials, l2_headers
from kabobagool.venue.transport import HttpReply, endpoint_of

SUPPORTED_VERSION: Final = 2
BOOKS_PER_REQUEST: Final = 100
MAX_TRADE_PAGES: Final = 500
"""Of up to 100 rows: beyond fifty thousand trades of one market something is wrong with the paging, not with the trader."""
_FIRST_CURSOR: Final = "MA=="
_LAST_CURSOR: Final = "LTE="
_MILLISECONDS_FROM: Final = 10**11
_HEX_ID: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")


class VersionError(VenueError):
    """The exchange speaks a version this bot does not sign for: every order would be refused."""


class CredentialsError(VenueError):
    """A read of our own account was asked of a reader that has no credentials."""


class ClobReader:
    """Reads of one CLOB host. Account reads need `credentials` and the `address` of the key that signs (not of the wallet it trades for).

    `wallet` is the address that holds the money, where it is not `address`; `signature_type` says what kind of wallet it is.
    """

    def __init__(
        self,
        reader: Reader,
        host: str,
        *,
        clock: Clock,
        credentials: ApiCredentials | None = None,
        address: str | None = None,
        wallet: str | None = None,
        signature_type: int = 0,
    ) -> None:
        self._reader = reader
        self._host = host.rstrip("/")
        self._clock = clock
        self._credentials = credentials
        self._address = address or ""
        self._wallet = wallet or self._address
        self._signature_type = signature_type

    async def version(self) -> int:
        """The exchange version the venue settles on."""
        answer = await self._reader.get_json(f"{self._host}/version")
        value = answer.get("version") if isinstance(answer, Mapping) else answer
        return field_integer(value, "/version", "version")

    async def assert_version(self) -> None:
        """VersionError unless the venue settles on the version this bot signs for."""
        version = await self.version()
        if version != SUPPORTED_VERSION:
            raise VersionError(
                f"{endpoint_of(self._host)}: the exchange is version {version}, this bot signs orders for version {SUPPORTED_VERSION}: "
                "update the bot, or check that HOST points at the right venue"
            )

    async def server_time_ms(self) -> int:
        """The venue's clock as epoch milliseconds; it may only be exact to the second."""
        answer = await self._reader.get_json(f"{self._host}/time")
        value = answer.get("timestamp", answer.get("time")) if isinstance(answer, Mapping) else answer
        moment = field_milliseconds(value, "/time", "time")
        return moment if moment >= _MILLISECONDS_FROM else moment * 1000

    async def market_info(self, condition_id: str) -> MarketInfo:
        """Tick size, minimum size, fee and flags of a market; newer than what Gamma says. HttpStatusError 404 when there is no book."""
        endpoint = f"/clob-markets/{_hex_id(condition_id)}"
        return rows.market_info(await self._reader.fetch(self._host + endpoint), condition_id=condition_id, endpoint=endpoint)

    async def books(self, tokens: Sequence[str]) -> list[BookSummary]:
        """Books of these tokens, in the venue's order; a token without a book is missing from the list."""
        books: list[BookSummary] = []
        for start in range(0, len(tokens), BOOKS_PER_REQUEST):
            body = msgspec.json.encode([{"token_id": token} for token in tokens[start : start + BOOKS_PER_REQUEST]])
            reply = await self._reader.fetch(f"{self._host}/books", method="POST", body=body)
            books += rows.book_summaries(reply, "/books")
        return books

    async def balance(self, token: str | None = None) -> Balance:
        """Dollars, or shares of a token, as the venue's cache has them: it may lag behind the chain. See `refresh_balance`."""
        return rows.balance(await self._account_read("/balance-allowance", self._asset(token)), "/balance-allowance")

    async def refresh_balance(self, token: str | None = None) -> None:
        """Ask the venue to look at the chain again before the next `balance`."""
        await self._account_read("/balance-allowance/update", self._asset(token))

    async def order(self, order_hash: str) -> OrderRow | None:
        """An order of ours by its hash. None when the venue does not know it, which soon after sending is no proof that it never will."""
        endpoint = f"/data/order/{_hex_id(order_hash)}"
        reply = await self._account_read(endpoint, [], accept=(200, 404))
        return None if reply.status == 404 else rows.order_row(reply, endpoint)

    async def trades(self, condition_id: str, after_s: int | None = None) -> list[TradeRow]:
        """All our trades in a market since `after_s` (epoch seconds), oldest and newest in the venue's order, each id once.

        ResponseError when the pages do not end: half a history is worse than none.
        """
        found: dict[str, TradeRow] = {}
        cursor, seen = _FIRST_CURSOR, set[str]()
        for _ in range(MAX_TRADE_PAGES):
            seen.add(cursor)
            page, cursor = await self._trade_page(condition_id, after_s, cursor)
            found.update((row.id, row) for row in page)
            if cursor in ("", _LAST_CURSOR):
                return list(found.values())
            if cursor in seen:
                raise ResponseError(f"/data/trades: field next_cursor: {cursor[:40]!r} leads back to a page already read")
        raise ResponseError(f"/data/trades: more than {MAX_TRADE_PAGES} pages for one market")

    async def _trade_page(self, condition_id: str, after_s: int | None, cursor: str) -> tuple[list[TradeRow], str]:
        params = [("market", condition_id), ("next_cursor", cursor)]
        if after_s is not None:
            params.insert(1, ("after", str(after_s)))
        reply = await self._account_read("/data/trades", params)
        owner = self._credentials.key if self._credentials else ""
        return rows.trade_page(reply, owner=owner, address=self._wallet, endpoint="/data/trades")

    async def _account_read(self, path: str, params: list[tuple[str, str]], *, accept: tuple[int, ...] = (200,)) -> HttpReply:
        return await self._reader.fetch(self._host + path, params=params, sign=self._signer(path), accept=accept)

    def _signer(self, path: str) -> Signer:
        credentials, address = self._credentials, self._address
        if credentials is None or not address:
            raise CredentialsError(f"{path}: needs API credentials and the address of the signing key")
        return lambda: l2_headers(credentials, address, "GET", path, None, self._clock.now_ms() // 1000)

    def _asset(self, token: str | None) -> list[tuple[str, str]]:
        kind = [("asset_type", "COLLATERAL")] if token is None else [("asset_type", "CONDITIONAL"), ("token_id", token)]
        return [*kind, ("signature_type", str(self._signature_type))]


def _hex_id(text: str) -> str:
    """Ids become part of a path, so they must be nothing but an id."""
    if not _HEX_ID.fullmatch(text):
        raise VenueError(f"{text[:80]!r} is not a 0x hex id")
    return text
