"""Where the shell asks the fault plan: at the door of the order endpoints, on the way back, on the sockets and on book reads.

The plan decides what goes wrong and when; this module only knows how each failure looks from outside.
"""

from dataclasses import dataclass

import msgspec
from aiohttp import web

from paper_exchange.faults import Fault, FaultKind
from paper_exchange.server.errors import VenueError
from paper_exchange.server.market_messages import Message
from paper_exchange.server.subscribers import Subscribers
from paper_exchange.server.venue import Venue
from paper_exchange.types import PaperMarket, Snapshot

RESTARTING = "service not ready"
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
COULD_NOT_RUN = "could not run the execution"
TOO_MANY = "Too Many Requests"
BLOCKED_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>Attention Required! | Cloudflare</title></head>
<body><h1>Sorry, you have been blocked</h1><p>You are unable to access this site.</p></body></html>
"""
_LOST_KINDS = (FaultKind.REPLY_DROPPED, FaultKind.COULD_NOT_RUN_500, FaultKind.RATE_LIMITED_BARE_429)


class BlockedError(Exception):
    """The request got an HTML page from the edge instead of an answer from the venue."""

    def response(self) -> web.Response:
        """The page: 403, not JSON."""
        return web.Response(text=BLOCKED_PAGE, status=403, content_type="text/html", headers={"server": "cloudflare"})


@dataclass(frozen=True, slots=True)
class LostReply:
    """The caller will not learn what happened; `executed` says whether the order is carried out all the same."""

    kind: FaultKind
    executed: bool


class FaultGate:
    """The questions of the HTTP handlers and of new sockets."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def active(self, kind: FaultKind, *, token: str | None = None, slug: str | None = None) -> Fault | None:
        """The fault that strikes now, None when nothing goes wrong."""
        return self._venue.exchange.faults.active(kind, self._venue.now_ms(), token=token, slug=slug)

    def refuse_orders(self) -> None:
        """Raise what an order endpoint answers while the engine is down, restricted or out of reach."""
        if self.active(FaultKind.CLOUDFLARE_403):
            raise BlockedError
        if fault := self.active(FaultKind.RESTART_425):
            raise VenueError(425, RESTARTING, headers=_retry_after(fault))
        if fault := self.active(FaultKind.POST_ONLY_503):
            raise VenueError(503, POST_ONLY, code="post_only_mode", headers=_retry_after(fault))
        if fault := self.active(FaultKind.RATE_LIMITED_WITH_HEADERS):
            raise VenueError(429, TOO_MANY, headers=self._limit_headers(fault))

    def _limit_headers(self, fault: Fault) -> dict[str, str]:
        wait_s = 1 if fault.retry_after_s is None else fault.retry_after_s
        return {
            "Poly-RateLimit-Remaining": "0",
            "Poly-RateLimit-Reset": str(self._venue.now_ms() // 1000 + wait_s),
            "Poly-RateLimit-Tier": self._venue.settings.tier.name,
            "Retry-After": str(wait_s),
        }

    def lost_reply(self) -> LostReply | None:
        """Whether the reply to this order will be lost, and how."""
        for kind in _LOST_KINDS:
            if fault := self.active(kind):
                return LostReply(kind, executed=bool(fault.filled))
        return None

    def geoblocked(self) -> bool:
        """Whether the caller's address counts as blocked."""
        return self.active(FaultKind.GEOBLOCKED) is not None


def _retry_after(fault: Fault) -> dict[str, str]:
    return {} if fault.retry_after_s is None else {"Retry-After": str(fault.retry_after_s)}


async def dropped(request: web.Request, lost: LostReply) -> web.Response:
    """What the caller sees of a lost reply: an error that says nothing, or a connection closed without a byte."""
    match lost.kind:
        case FaultKind.COULD_NOT_RUN_500:
            raise VenueError(500, COULD_NOT_RUN)
        case FaultKind.RATE_LIMITED_BARE_429:
            raise VenueError(429, TOO_MANY)
        case _:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)


def served_book(venue: Venue, market: PaperMarket, token: str) -> Snapshot | None:
    """The book a REST read gets: the present one, or an old one while reads are stale."""
    gate = FaultGate(venue)
    current = venue.exchange.book(token, venue.now_ms())
    if current is not None and gate.active(FaultKind.STALE_BOOK, token=token, slug=market.slug):
        return venue.stale_books.setdefault(token, current)
    venue.stale_books.pop(token, None)
    return current


class SocketFaults:
    """What goes wrong between the core's events and the market sockets."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._gate = FaultGate(venue)
        self._held: dict[tuple[str, str], list[str]] = {}

    def disconnect_if_due(self) -> None:
        """Close every socket when a disconnect strikes."""
        if self._gate.active(FaultKind.DISCONNECT):
            close_all(self._venue.market_sockets)
            close_all(self._venue.user_sockets)

    def frames(self, messages: list[Message], market: PaperMarket, *, audience: str) -> list[str]:
        """The frames which really leave for one audience: frozen ones are missing, others come twice or after their successor."""
        visible = [self._thawed(message, market) for message in messages]
        frames = [msgspec.json.encode(message).decode() for message in visible if message is not None]
        if not frames:
            return []
        if self._gate.active(FaultKind.DUPLICATED_FRAMES, slug=market.slug):
            frames = [frame for frame in frames for _ in range(2)]
        key = (market.condition_id, audience)
        if key in self._held:
            return frames + self._held.pop(key)
        if self._gate.active(FaultKind.REORDERED_FRAMES, slug=market.slug):
            self._held[key] = frames
            return []
        return frames

    def _thawed(self, message: Message, market: PaperMarket) -> Message | None:
        if "price_changes" not in message:
            token = message.get("asset_id")
            return None if self._frozen(token, market) else message
        tokens = {entry["asset_id"] for entry in message["price_changes"]}
        frozen = {token for token in sorted(tokens) if self._frozen(token, market)}
        if not frozen:
            return message
        kept = [entry for entry in message["price_changes"] if entry["asset_id"] not in frozen]
        return {**message, "price_changes": kept} if kept else None

    def _frozen(self, token: str | None, market: PaperMarket) -> bool:
        return self._gate.active(FaultKind.SILENT_FREEZE, token=token, slug=market.slug) is not None


def close_all(channel: Subscribers) -> None:
    """Cut every socket of a channel."""
    for subscriber in channel:
        subscriber.cut()
