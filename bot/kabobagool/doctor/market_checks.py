"""Whether the named market is there and tradable, and its books arrive over the socket.

Called by `examine.py`; the socket check falls back on any open market the catalogue listed, so that it works without a named one.
"""

import asyncio
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from kabobagool.doctor.finding import Verdict, broken, doubtful, fine
from kabobagool.doctor.patient import Patient
from kabobagool.domain.market import Market
from kabobagool.venue.gamma import MarketAmbiguous, MarketNotFound, MarketNotTradable, UnsupportedMarket, resolve_market
from kabobagool.venue.messages import BookEvent, MessageError, decode_frame

MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
CLOSE_TIMEOUT_S: Final = 1.0
_ANOTHER: Final = "name a market that can be traded: MARKET_SLUG is the last part of its page address"
_SOCKET_FIX: Final = "check MARKET_SOCKET_URL, the firewall and CLOB_PROXY_URL: something on the way does not let WebSockets through"


async def check_market(patient: Patient) -> Verdict:
    """The named market exists, is one this bot can trade, and takes orders."""
    settings = patient.settings
    tokens = (settings.token_yes, settings.token_no) if settings.token_yes and settings.token_no else None
    if not (settings.market_slug or settings.condition_id or tokens):
        return fine("none is named, so none was looked at (MARKET_SLUG; `kabobagool run` needs one)")
    try:
        market = await resolve_market(
            patient.reader, patient.clob, settings.gamma_host, slug=settings.market_slug, condition_id=settings.condition_id, tokens=tokens
        )
    except (MarketNotFound, MarketAmbiguous, UnsupportedMarket, MarketNotTradable) as e:
        return broken(str(e), _ANOTHER)
    patient.market = market
    return _tradable(market, end_margin_ms=settings.end_margin_ms, now_ms=await patient.clob.server_time_ms())


def _tradable(market: Market, *, end_margin_ms: int, now_ms: int) -> Verdict:
    """The objections a bot would have to every view of this market."""
    if not market.accepting_orders:
        return broken(f"{market.slug}: it takes no orders now", f"wait until it does, or {_ANOTHER}")
    if market.taker_delay_ms:
        return broken(f"{market.slug}: orders are held back {market.taker_delay_ms} ms, the bot does not trade such markets", _ANOTHER)
    if market.fee is None:
        return broken(f"{market.slug}: the venue does not say its fee, the bot does not trade then", _ANOTHER)
    if market.end_ms is not None and now_ms > market.end_ms - end_margin_ms:
        return doubtful(f"{market.slug}: it is about to end or past its end (END_MARGIN_S), nothing new is bought", _ANOTHER)
    return fine(f"{market.slug}: open, two outcomes ({' / '.join(market.outcomes)}), fee known")


async def check_socket(patient: Patient) -> Verdict:
    """The market channel delivers a whole book of every token soon after subscribing."""
    url, tokens = patient.settings.market_socket_url, patient.tokens
    try:
        async with connect(
            url,
            proxy=patient.proxy_url,
            max_size=MAX_FRAME_BYTES,
            open_timeout=patient.timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,
            compression=None,
        ) as socket:
            if not tokens:
                return doubtful(f"{url} connects, but no market is known whose book could be asked for", "correct the lines above first")
            return await _first_books(patient, socket, tokens)
    except InvalidStatus as e:
        return broken(f"{url} refuses with HTTP {e.response.status_code}", _status_fix(e.response.status_code))
    except MessageError as e:
        return broken(f"{url} does not speak the market channel: {e}", "check MARKET_SOCKET_URL: it ends in /ws/market")
    except ConnectionClosed:
        return broken(f"{url} hung up before a book came", "try again; if it stays so, check MARKET_SOCKET_URL")
    except (OSError, WebSocketException) as e:
        return broken(f"{url} cannot be reached ({'timeout' if isinstance(e, TimeoutError) else type(e).__name__})", _SOCKET_FIX)


async def _first_books(patient: Patient, socket: ClientConnection, tokens: tuple[str, ...]) -> Verdict:
    url, missing = patient.settings.market_socket_url, set(tokens)
    started_s = patient.clock.monotonic()
    await socket.send(patient.subscribe_frame(tokens))
    try:
        await _until_books(socket, missing, within_s=patient.timeout_s)
    except TimeoutError:
        return doubtful(
            f"{url} connects, but {len(missing)} of {len(tokens)} books did not come within {patient.timeout_s:g} s",
            "try again; a quiet or closed market sends none, and the bot then reads the book over HTTP",
        )
    took_ms = (patient.clock.monotonic() - started_s) * 1000
    return fine(f"{url} delivered {len(tokens)} books in {took_ms:.0f} ms")


async def _until_books(socket: ClientConnection, missing: set[str], *, within_s: float) -> None:
    """Take in frames until no book is missing. TimeoutError after `within_s` wall seconds, MessageError for rubbish."""
    async with asyncio.timeout(within_s):
        while missing:
            missing -= {event.asset_id for event in decode_frame(await socket.recv(decode=False)) if isinstance(event, BookEvent)}


def _status_fix(status: int) -> str:
    if status == 429:
        return "too many connections from this address: wait a minute, and share one socket among markets"
    return _SOCKET_FIX if status in (401, 403, 407) or status >= 500 else "check MARKET_SOCKET_URL: it ends in /ws/market"
