"""What the wallet's bots were about to send, on the shared server: a bot that starts anew, on another host, finds what the dead one left.

An intent is written before any of its orders leaves: in the same moment as its slots are granted when it is handed to `acquire`, else
with `record`, which only the holder of the market may. Open ones are kept for ever, resolved ones for three days. What an intent says is
text that only its writer reads; the gate needs its order hashes.

This side remembers what it asked for until it has ended: what is certainly written needs no second call, and what an answer that was
lost may have written must be closed all the same.

The memory of `redis_gate.py`; a journal that outlives its host is written here.
"""

from collections.abc import Awaitable
from typing import Any, Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.moment import LAST_MILLISECOND
from kabobagool.gate.interface import RECHECK_S, IntentNote, Refusal, Refused
from kabobagool.gate.lease_book import LeaseBook
from kabobagool.gate.redis_wallet import GRANTED, RedisWallet

KEPT_MS: Final = 72 * 60 * 60 * 1000
MOST_DIGITS: Final = len(str(LAST_MILLISECOND - 1))


class RecordedIntent(msgspec.Struct, frozen=True, kw_only=True):
    """An intent as it was found, with what became of its orders so far: a text for each hash, and which of them have ended."""

    intent_id: str
    market: str
    created_ms: int
    text: str
    outcomes: dict[str, str]
    ended: frozenset[str]


class UnknownOrderError(Exception):
    """An order was never written down; it must not have been sent."""


class RedisIntents:
    """The intents of one wallet. Every method raises GateUnreachableError when the server does not answer."""

    def __init__(self, wallet: RedisWallet, leases: LeaseBook, *, clock: Clock) -> None:
        self._wallet = wallet
        self._leases = leases
        self._clock = clock
        self._keys = wallet.link.keys
        self._open: dict[str, tuple[str, IntentNote]] = {}
        self._written: set[str] = set()
        self._intent_of: dict[str, str] = {}

    def may_know(self, intent_id: str) -> bool:
        """Whether the server has an intent of this process with an open order, or may have it."""
        return intent_id in self._open

    def has_written(self, intent_id: str) -> bool:
        """Whether the server certainly has an intent of this process with an open order."""
        return intent_id in self._written

    async def record(self, market: str, intent: IntentNote) -> Refused | None:
        """Write an intent down before any of its orders leaves. Refused when another bot holds the market."""
        keys, args = self.keys_and_args(market, intent)
        reply = await self._wallet.ask("intent", "record", keys=keys, args=(market, self._leases.number(market), *args))
        if reply.word != GRANTED:
            self.refused(intent)
            self._leases.lost(market)
            return Refused(Refusal.LEASE_LOST, RECHECK_S)
        self.granted(intent)
        return None

    async def resolve(self, order_hash: str, outcome: str, *, ended: bool) -> None:
        """Write what became of an order; `ended` when that is certain. UnknownOrderError for an order that was never written down."""
        starts = (self._keys.of("intent", ""), self._keys.of("open", ""))
        args = (order_hash, outcome, ended, KEPT_MS, *starts)
        reply = await self._wallet.ask("resolve", keys=[self._keys.of("order", order_hash)], args=args)
        if ended:
            self._forget(order_hash)
        if reply.word != GRANTED:
            raise UnknownOrderError(f"order {order_hash} was never recorded; an order must be written down before it is sent")

    async def open_intents(self, market: str) -> list[RecordedIntent]:
        """The market's intents with an order whose end is not known, oldest first."""
        return await self._read(market, self._keys.of("open", market), 0)

    async def intents(self, market: str, since_ms: int = 0) -> list[RecordedIntent]:
        """The market's intents created at `since_ms` or later that are still kept, oldest first."""
        return await self._read(market, self._keys.of("intents", market), since_ms)

    async def restore(self) -> None:
        """Put back what this process wrote and the server forgot: orders whose end is not known."""
        for market, intent in list(self._open.values()):
            keys, args = self.keys_and_args(market, intent)
            await self._wallet.put_back("intent", "put_intent", keys=keys, args=args)
            self.granted(intent)

    def keys_and_args(self, market: str, intent: IntentNote | None) -> tuple[list[str], tuple[str | int, ...]]:
        """What a script needs to write an intent down; nothing is written without one."""
        if intent is None:
            return [], ()
        of = self._keys.of
        orders = [of("order", order_hash) for order_hash in intent.order_hashes]
        keys = [of("open", market), of("intents", market), of("intent", intent.intent_id), *orders]
        self._remember(market, intent)
        horizon_ms = self._clock.now_ms() - KEPT_MS
        return keys, (intent.intent_id, market, intent.created_ms, intent.text, horizon_ms, of("intent", ""))

    def granted(self, intent: IntentNote | None) -> None:
        """The server wrote this intent, and says so."""
        if intent is not None and intent.intent_id in self._open:  # not one that was closed before the answer came
            self._written.add(intent.intent_id)

    def refused(self, intent: IntentNote | None) -> None:
        """The server did not write this intent, unless it lost its memory meanwhile and this side put it back."""
        if intent is not None and intent.intent_id not in self._written:
            for order_hash in intent.order_hashes:
                self._forget(order_hash)

    def _remember(self, market: str, intent: IntentNote) -> None:
        """From before it is asked for: an answer that is lost may have written it."""
        self._open[intent.intent_id] = (market, intent)
        self._intent_of.update(dict.fromkeys(intent.order_hashes, intent.intent_id))

    def _forget(self, order_hash: str) -> None:
        intent_id = self._intent_of.pop(order_hash, None)
        if intent_id is None:
            return
        market, intent = self._open[intent_id]
        rest = tuple(other for other in intent.order_hashes if other != order_hash)
        if rest:
            self._open[intent_id] = (market, msgspec.structs.replace(intent, order_hashes=rest))
        else:
            del self._open[intent_id]
            self._written.discard(intent_id)

    async def _read(self, market: str, index: str, since_ms: int) -> list[RecordedIntent]:
        link = self._wallet.link
        ids = await link.call(lambda: cast(Awaitable[list[str]], link.client.zrangebyscore(index, since_ms, "+inf")))
        pipeline = link.client.pipeline(transaction=False)
        for intent_id in ids:
            pipeline.hgetall(self._keys.of("intent", intent_id))
        found = await link.call(pipeline.execute)
        return [_recorded(intent_id, market, fields) for intent_id, fields in zip(ids, found, strict=True) if fields]


def _recorded(intent_id: str, market: str, fields: dict[str, Any]) -> RecordedIntent:
    """What is missing is empty: whoever reads the text refuses it, and names the intent."""
    created_ms = fields.get("created_ms", "")
    return RecordedIntent(
        intent_id=intent_id,
        market=market,
        created_ms=int(created_ms) if created_ms.isdecimal() and len(created_ms) <= MOST_DIGITS else 0,
        text=fields.get("text", ""),
        outcomes={name.removeprefix("outcome:"): text for name, text in fields.items() if name.startswith("outcome:")},
        ended=frozenset(name.removeprefix("ended:") for name in fields if name.startswith("ended:")),
    )
