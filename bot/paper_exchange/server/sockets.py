"""The two WebSocket channels: /ws/market for everybody, /ws/user with an API key in the first frame.

Each socket has a reader (subscriptions, PING) and a writer (its queue). A reader never waits for a writer.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from paper_exchange.faults import FaultKind
from paper_exchange.server.broadcast import encode, print_book
from paper_exchange.server.faulting import FaultGate
from paper_exchange.server.market_messages import book_message
from paper_exchange.server.requests import venue_of
from paper_exchange.server.subscribers import Subscriber, Subscribers
from paper_exchange.server.venue import Venue

MAX_FRAME_BYTES = 64 * 1024
OnFrame = Callable[[Venue, Subscriber, dict[str, Any] | None], bool]
_INVALID = "INVALID OPERATION"


async def market_socket(request: web.Request) -> web.WebSocketResponse:
    """GET /ws/market."""
    venue = venue_of(request)
    return await _serve(request, venue.market_sockets, Subscriber(limit=venue.settings.queue_frames), _market_frame)


async def user_socket(request: web.Request) -> web.WebSocketResponse:
    """GET /ws/user."""
    venue = venue_of(request)
    return await _serve(request, venue.user_sockets, Subscriber(limit=venue.settings.queue_frames), _user_frame)


async def _serve(request: web.Request, channel: Subscribers, subscriber: Subscriber, on_frame: OnFrame) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=MAX_FRAME_BYTES, autoping=True, compress=False)
    await socket.prepare(request)
    subscriber.hang_up = None if request.transport is None else request.transport.abort
    channel.add(subscriber)
    writer = asyncio.create_task(_write(socket, subscriber))
    try:
        await _read(socket, subscriber, venue_of(request), on_frame)
    finally:
        channel.remove(subscriber)
        subscriber.close()
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer
    return socket


async def _read(socket: web.WebSocketResponse, subscriber: Subscriber, venue: Venue, on_frame: OnFrame) -> None:
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        if message.data == "PING":
            subscriber.offer("PONG")
            continue
        if not on_frame(venue, subscriber, _decode(message.data)):
            subscriber.close()


async def _write(socket: web.WebSocketResponse, subscriber: Subscriber) -> None:
    with contextlib.suppress(ConnectionError):
        while (frame := await subscriber.next_frame()) is not None:
            await socket.send_str(frame)
        if not subscriber.severed:
            await socket.close(code=WSCloseCode.GOING_AWAY)


def _decode(text: str) -> dict[str, Any] | None:
    try:
        frame = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return frame if isinstance(frame, dict) else None


def _texts(value: object) -> list[str] | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return value


def _market_frame(venue: Venue, subscriber: Subscriber, frame: dict[str, Any] | None) -> bool:
    """Apply one client frame; False closes the socket, as the venue does on a frame which is no subscription."""
    tokens = _texts(frame.get("assets_ids")) if frame is not None else None
    if frame is None or tokens is None:
        subscriber.offer(_INVALID)
        return frame is not None
    if frame.get("operation") == "unsubscribe":
        venue.market_sockets.unsubscribe(subscriber, tokens)
        return True
    if isinstance(enabled := frame.get("custom_feature_enabled"), bool):
        subscriber.custom_features = enabled
    fresh = venue.market_sockets.subscribe(subscriber, tokens)
    if frame.get("initial_dump", True) is not False:
        _offer_first_books(venue, subscriber, fresh)
    return True


def _offer_first_books(venue: Venue, subscriber: Subscriber, tokens: list[str]) -> None:
    gate, books = FaultGate(venue), []
    for token in tokens:
        market = venue.exchange.market(token)
        if market is None or venue.is_resolved(market) or gate.active(FaultKind.MISSING_FIRST_SNAPSHOT, token=token, slug=market.slug):
            continue
        snapshot = venue.exchange.book(token, venue.now_ms())
        if snapshot is not None:
            books.append(book_message(print_book(venue, market, snapshot)))
    if books:
        subscriber.offer(encode(books))


def _user_frame(venue: Venue, subscriber: Subscriber, frame: dict[str, Any] | None) -> bool:
    if frame is None:
        subscriber.offer(_INVALID)
        return False
    if not subscriber.wallets_of and not _log_in(venue, subscriber, frame.get("auth")):
        return False
    markets = _texts(frame.get("markets"))
    if frame.get("operation") == "unsubscribe":
        venue.user_sockets.unsubscribe(subscriber, markets or ())
    elif markets:
        venue.user_sockets.subscribe(subscriber, markets)
    elif "operation" not in frame:
        subscriber.all_markets = True
    return True


def _log_in(venue: Venue, subscriber: Subscriber, auth: object) -> bool:
    if not isinstance(auth, dict):
        return False
    key = venue.keys.by_id(str(auth.get("apiKey", "")))
    if key is None or (auth.get("secret"), auth.get("passphrase")) != (key.secret, key.passphrase):
        return False
    subscriber.wallets_of, subscriber.api_key = key.address, key.key
    return True
