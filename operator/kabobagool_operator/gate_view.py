"""What the order gate knows of every market, polled: the operator's eyes on bots that hold no rights in the cluster.

`observe.py` reads `facts`, which never waits; the reconcile queue is woken by `changed` for the markets of which something changed and for
no others. A server that does not answer is a fact like any other. The operator takes no lease here and asks for no order; all it writes
is its mark on a market that is being drained.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import DRAINING, GateUnreachableError, Halt
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import StatusBoard
from kabobagool.gate.redis_url import connect
from kabobagool.settings_wallet import DRY_RUN_WALLET
from kabobagool_operator.facts import GateFacts
from kabobagool_operator.gate_marks import is_ours, lift, lift_halt, mark, set_halt
from kabobagool_operator.gate_picture import NOTHING, Picture, take_picture

log = logging.getLogger(__name__)

POLL_S: Final = 2.0
PATIENCE_S: Final = 1.0
"""A whole fleet's reports are megabytes; the gate's own patience is made for one order."""
UNREACHABLE_AFTER_S: Final = 5.0
"""One answer that was lost is no outage."""
WHY: Final = "its ArbMarket is drained"


@dataclass(slots=True)
class _Wallet:
    """One wallet's way to the server, and what was last seen there. `answered_s` is when it last answered."""

    link: RedisLink
    board: StatusBoard
    picture: Picture | None = None
    answered_s: float | None = None


class GateView:
    """To be closed. `url` None: there is no shared gate. ValueError for a URL that leads nowhere.

    `markets` says which condition ids, as the venue writes them, matter in which wallet; it is asked at every poll, so that wallets come
    and go with the ArbMarkets. `changed` is told a condition id; it must not block. Call `look` once before anything relies on `facts`.
    """

    def __init__(
        self,
        url: str | None,
        *,
        clock: Clock,
        rng: random.Random,
        markets: Callable[[], Mapping[str, Collection[str]]],
        changed: Callable[[str], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._url = url
        self._clock = clock
        self._rng = rng
        self._markets = markets
        self._changed = changed
        self._patience_s = patience_s
        self._wallets: dict[str, _Wallet] = {}
        self._was_reachable: dict[str, bool] = {}
        try:
            self._wallet(DRY_RUN_WALLET)
        except ValueError as e:
            raise ValueError(
                f"KABOBAGOOL_REDIS_URL=***: {e}; write it like redis://user:password@host:6379/0, or rediss:// with TLS"
            ) from None

    @property
    def configured(self) -> bool:
        """Whether there is a shared gate at all."""
        return self._url is not None

    @property
    def reachable(self) -> bool:
        """Whether its server answers."""
        return self._answers(self._wallets.get(DRY_RUN_WALLET))

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            await self._clock.sleep(POLL_S)
            try:
                await self.look()
            except Exception:
                log.exception("looking at the order gate broke; it is looked at again")

    async def look(self) -> None:
        """Look at every wallet once, and tell what changed."""
        if not self.configured:
            return
        wanted = {DRY_RUN_WALLET: (), **self._markets()}
        for name in set(self._wallets) - set(wanted):
            await self._leave(name)
        await asyncio.gather(*(self._look_at(name, markets) for name, markets in wanted.items()))

    def facts(self, wallet: str | None, condition_id: str) -> GateFacts:
        """What is known of a market in a wallet now. Without a wallet, or before its first poll, only whether the server answers.

        Without a shared gate nothing is, and `configured` says that this is no outage.
        """
        at = self._wallets.get(wallet) if wallet is not None else None
        if at is None or at.picture is None:
            return GateFacts(reachable=self.reachable)
        picture = at.picture
        sighting, lease = picture.sightings.get(condition_id), picture.leases.get(condition_id)
        return GateFacts(
            reachable=self._answers(at),
            report=sighting.report.status if sighting is not None else None,
            report_age_s=sighting.age_s(self._clock.monotonic()) if sighting is not None else None,
            lease_holder=lease.holder if lease is not None else None,
            lease_number=lease.number if lease is not None else None,
            halts=picture.halts_of(condition_id),
            open_intents=picture.open_intents.get(condition_id),
        )

    async def mark_draining(self, wallet: str, condition_id: str, *, why: str = WHY) -> bool:
        """Let no new pair be opened in the market. Whether that is certain; False when the gate could not be asked."""
        if (at := self._wallet(wallet)) is None:
            return False
        try:
            halt = await mark(at.link, condition_id, why=why, clock=self._clock)
        except GateUnreachableError as e:
            log.warning("the order gate was not told of a drain", extra={"condition_id": condition_id, "error": str(e)})
            return False
        _amend(at, {halt.scope: halt, **_halts(at)})
        return True

    async def lift_draining(self, wallet: str, condition_id: str) -> bool:
        """Take our mark away; one that a person set stays. Whether ours is certainly gone."""
        if (at := self._wallet(wallet)) is None:
            return False
        try:
            await lift(at.link, condition_id)
        except GateUnreachableError as e:
            log.warning("the order gate was not told that a drain is over", extra={"condition_id": condition_id, "error": str(e)})
            return False
        ended = DRAINING + condition_id
        _amend(at, {scope: halt for scope, halt in _halts(at).items() if scope != ended or not is_ours(halt)})
        return True

    @property
    def pictures(self) -> Mapping[str, Picture]:
        """What was last seen of each wallet's gate."""
        return {name: at.picture or NOTHING for name, at in self._wallets.items()}

    async def halt(self, wallet: str, halt: Halt) -> None:
        """Stop what a person wants stopped. GateUnreachableError when that is not certain."""
        await set_halt(self._insist(wallet).link, halt)
        await self._look_at(wallet, self._markets().get(wallet, ()))

    async def resume(self, wallet: str, scope: str) -> None:
        """Lift a halt that a person set, or nothing. GateUnreachableError when that is not certain."""
        await lift_halt(self._insist(wallet).link, scope)
        await self._look_at(wallet, self._markets().get(wallet, ()))

    def _insist(self, wallet: str) -> _Wallet:
        if (at := self._wallet(wallet)) is None:
            raise GateUnreachableError("there is no shared order gate; KABOBAGOOL_REDIS_URL names its server")
        return at

    async def close(self) -> None:
        """Let go of the server."""
        for name in tuple(self._wallets):
            await self._leave(name)

    def _wallet(self, name: str) -> _Wallet | None:
        """The way to a wallet; None without a shared gate."""
        if self._url is None:
            return None
        if name not in self._wallets:
            client = connect(self._url, timeout_s=self._patience_s)
            link = RedisLink(client, wallet=name, clock=self._clock, rng=self._rng)
            self._wallets[name] = _Wallet(link, StatusBoard(link, clock=self._clock))
        return self._wallets[name]

    async def _leave(self, name: str) -> None:
        self._was_reachable.pop(name, None)
        await self._wallets.pop(name).link.close()

    async def _look_at(self, name: str, markets: Collection[str]) -> None:
        at = self._wallet(name)
        if at is None:
            return
        before = at.picture
        try:
            now_s, now_ms = self._clock.monotonic(), self._clock.now_ms()
            at.picture = await take_picture(at.link, at.board, before, markets=markets, now_s=now_s, now_ms=now_ms)
        except GateUnreachableError:  # the link says so once
            pass
        else:
            at.answered_s = self._clock.monotonic()
        self._tell(name, before or NOTHING, at, markets)

    def _tell(self, name: str, before: Picture, at: _Wallet, markets: Collection[str]) -> None:
        """Call out what is not as it was: of every market when the server went away or came back."""
        answers, now = self._answers(at), at.picture or NOTHING
        everything = answers != self._was_reachable.get(name, answers)
        self._was_reachable[name] = answers
        for condition_id in markets:
            if everything or before.essence(condition_id) != now.essence(condition_id):
                self._changed(condition_id)

    def _answers(self, at: _Wallet | None) -> bool:
        return at is not None and at.answered_s is not None and self._clock.monotonic() - at.answered_s < UNREACHABLE_AFTER_S


def _halts(at: _Wallet) -> Mapping[str, Halt]:
    return at.picture.halts if at.picture is not None else {}


def _amend(at: _Wallet, halts: Mapping[str, Halt]) -> None:
    """What we did at the gate is known before the next poll."""
    at.picture = msgspec.structs.replace(at.picture or NOTHING, halts=halts)
