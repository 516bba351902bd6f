"""Halting and resuming over HTTP: what the page's two buttons send, and what a terminal may send with the same token.

`POST /halt` and `POST /resume` with `{"scope": ..., "why": ...}`, served by `task_health.py` and by the operator. Their desk does it and
writes it down; this module decides whether it is asked to.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import msgspec
from aiohttp import web

from kabobagool.gate.interface import GateUnreachableError
from kabobagool.hydra.page_answers import denied_answer
from kabobagool.hydra.page_guard import Denied, TokenGuard, foreign_request
from kabobagool.unreadable import UNREADABLE

log = logging.getLogger(__name__)

LONGEST_WHY: Final = 200
LONGEST_SCOPE: Final = 200
SCOPES: Final = "a condition id, or wallet for all markets"


class Order(msgspec.Struct, frozen=True):
    """What the body asks for; `why` matters only to a halt."""

    scope: str
    why: str = ""


class HaltDesk(Protocol):
    """Who halts and resumes. Both raise GateUnreachableError when the order gate could not be told."""

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a scope. KeyError for one that is not there."""
        ...

    async def resume(self, *, scope: str, who: str) -> None:
        """Lift a halt; nothing happens when there is none. May raise KeyError for a scope that is not there."""
        ...


class PageControl:
    """Halts and resumes for those who know the token. `scopes` says in words what may be halted."""

    def __init__(self, desk: HaltDesk, guard: TokenGuard, *, scopes: str = SCOPES) -> None:
        self._desk = desk
        self._guard = guard
        self._scopes = scopes

    async def halt(self, request: web.Request) -> web.Response:
        """Handle `POST /halt`."""
        return await self._carry_out(
            request, self._read_halt, lambda order, who: self._desk.halt(scope=order.scope, who=who, why=order.why)
        )

    async def resume(self, request: web.Request) -> web.Response:
        """Handle `POST /resume`."""

        def act(order: Order, who: str) -> Awaitable[None]:
            return self._desk.resume(scope=order.scope, who=who)

        return await self._carry_out(request, self._read_order, act)

    async def _carry_out(
        self, request: web.Request, read: Callable[[bytes], Order | Denied], act: Callable[[Order, str], Awaitable[None]]
    ) -> web.Response:
        denied = self.objection(request)
        if denied is not None:
            return denied_answer(denied)
        order = read(await request.read())
        if isinstance(order, Denied):
            return denied_answer(order)
        try:
            await act(order, f"page {request.remote}")
        except GateUnreachableError as e:
            told = f"the order gate could not be told for certain ({e}): look at what is halted, then try again"
            return denied_answer(Denied(status=503, error=told))
        except KeyError:
            return denied_answer(Denied(status=404, error=f"scope={order.scope!r}: no such market here; {self._scopes}"))
        return web.json_response({"done": request.path.strip("/"), "scope": order.scope})

    def objection(self, request: web.Request) -> Denied | None:
        """Why whoever sent this may neither halt nor resume; None when they may."""
        denied = foreign_request(request.headers, host=request.host) or self._guard.objection(
            request.headers.get("Authorization"), address=request.remote or "unknown"
        )
        if denied is not None:
            log.warning("refused to %s", request.path.strip("/"), extra={"from": request.remote, "reason": denied.error})
        return denied

    def _read_order(self, body: bytes) -> Order | Denied:
        try:
            order = msgspec.json.decode(body, type=Order)
        except UNREADABLE as e:
            return Denied(status=400, error=f'body: {e}; send {{"scope": "wallet", "why": "..."}}')
        if not 0 < len(order.scope) <= LONGEST_SCOPE:
            return Denied(status=400, error=f"scope={order.scope[:LONGEST_SCOPE]!r}: {self._scopes}")
        return order

    def _read_halt(self, body: bytes) -> Order | Denied:
        order = self._read_order(body)
        if isinstance(order, Denied):
            return order
        why = " ".join(order.why.split())
        if not 0 < len(why) <= LONGEST_WHY:
            return Denied(status=400, error=f"why has {len(why)} characters: say why in 1 to {LONGEST_WHY}, so that others know")
        return Order(order.scope, why)
