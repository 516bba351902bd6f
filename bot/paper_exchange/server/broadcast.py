"""Sends the core's events to the sockets which asked for them, and lets socket faults happen on the way.

The driver calls `publish` after every step of the core. Frames are encoded once and queued for each listener.
"""

from collections.abc import Sequence
from typing import Any, assert_never

import msgspec

from paper_exchange.server.account_views import order_event_view, trade_event_view
from paper_exchange.server.book_views import book_view
from paper_exchange.server.faulting import SocketFaults
from paper_exchange.server.market_messages import (
    Message,
    best_bid_ask_messages,
    last_trade_message,
    resolved_message,
    tick_size_messages,
    update_messages,
)
from paper_exchange.server.subscribers import Subscriber
from paper_exchange.server.venue import Venue
from paper_exchange.types import (
    BookUpdate,
    Event,
    MarketResolved,
    OrderChanged,
    PaperMarket,
    Snapshot,
    TickSizeChanged,
    TradeChanged,
    TradeStatus,
)


def encode(value: Any) -> str:
    """A JSON text frame."""
    return msgspec.json.encode(value).decode()


def print_book(venue: Venue, market: PaperMarket, snapshot: Snapshot) -> Message:
    """One book as the venue prints it now."""
    last = venue.last_trade_price(market.tokens[snapshot.outcome])
    return book_view(market, snapshot, tick_size=venue.tick_size(market), last_trade_price=last)


class Broadcaster:
    """Writes to the market and user sockets of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._faults = SocketFaults(venue)

    def publish(self, events: Sequence[Event]) -> None:
        """Send what happened, in order."""
        self._faults.disconnect_if_due()
        for event in events:
            self._publish_one(event)

    def _publish_one(self, event: Event) -> None:
        match event:
            case BookUpdate():
                self._books_changed(event)
            case TickSizeChanged():
                market = self._venue.market(event.condition_id)
                self._to_market(market, tick_size_messages(event, market))
            case TradeChanged():
                self._trade_changed(event)
            case OrderChanged():
                self._order_changed(event)
            case MarketResolved():
                self._market_resolved(event)
            case _:
                assert_never(event)

    def _books_changed(self, update: BookUpdate) -> None:
        market = self._venue.market(update.condition_id)
        listeners = self._venue.market_sockets.listening(market.tokens)
        if not listeners:
            return
        messages = update_messages(update, market, lambda snapshot: print_book(self._venue, market, snapshot))
        self._send(listeners, messages, market)
        if custom := [listener for listener in listeners if listener.custom_features]:
            self._send(custom, best_bid_ask_messages(update, market), market, audience="custom")

    def _trade_changed(self, event: TradeChanged) -> None:
        trade, venue = event.trade, self._venue
        market = venue.market(trade.condition_id)
        owner = venue.owner_key(trade.order_hash)
        view = trade_event_view(trade, market, owner=owner, status=event.status, venue_ms=event.venue_ms)
        self._to_user(trade.maker, market, view)
        if event.status is TradeStatus.MATCHED:
            venue.last_trades[trade.token] = trade
            self._to_market(market, [last_trade_message(trade, market, venue_ms=event.venue_ms)])

    def _order_changed(self, event: OrderChanged) -> None:
        market = self._venue.market(event.record.condition_id)
        owner = self._venue.owner_key(event.record.request.order_hash)
        self._to_user(event.record.request.maker, market, order_event_view(event, market, owner=owner))

    def _market_resolved(self, event: MarketResolved) -> None:
        market = self._venue.market(event.condition_id)
        listeners = [socket for socket in self._venue.market_sockets.listening(market.tokens) if socket.custom_features]
        self._send(listeners, [resolved_message(event, market)], market, audience="custom")

    def _to_market(self, market: PaperMarket, messages: list[Message]) -> None:
        self._send(self._venue.market_sockets.listening(market.tokens), messages, market)

    def _to_user(self, wallet: str, market: PaperMarket, message: Message) -> None:
        frame = encode(message)
        for socket in self._venue.user_sockets:
            wanted = socket.all_markets or market.condition_id in socket.topics
            if wanted and wallet in self._venue.wallets.all_of(socket.wallets_of):
                socket.offer(frame)

    def _send(self, listeners: list[Subscriber], messages: list[Message], market: PaperMarket, *, audience: str = "everybody") -> None:
        if not listeners:
            return
        for frame in self._faults.frames(messages, market, audience=audience):
            for listener in listeners:
                listener.offer(frame)
