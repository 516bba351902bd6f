"""What the cluster holds of our objects, as the watches last showed it: read by every look, so that none of them asks the API server.

`watches.py` fills it from lists and events, `apply_plan.py` and `reconcile.py` put in the answers to what they wrote, so that nothing is
written twice while the watch lags behind. What is older than what is here, or than an object's end, is passed over.

Five thousand markets fit because objects are kept as text, without what nobody reads and deflated to a third, and parsed when looked at.
"""

import zlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from kabobagool_operator.arbmarket import ArbMarket, Metadata, readable_status
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.kinds import ARB_MARKET, DEPLOYMENT, POD, Kind
from kabobagool_operator.labels import FIELD_MANAGER, INSTANCE

Body = dict[str, Any]
CHILDREN: Final = (DEPLOYMENT, POD)
WATCHED: Final = (ARB_MARKET, *CHILDREN)
REMEMBERED_GONE: Final = 10_000
"""So many objects that went are remembered, against answers that come later than the news of their end."""
FASTEST: Final = 1
"""A hundredth of a millisecond for a Deployment; better ones cost more and gain little."""
UNREAD: Final[Mapping[Kind, tuple[str, ...]]] = {POD: ("spec",)}


class Listener(Protocol):
    """Told the name of an ArbMarket of which something is no longer as it was. Must not block."""

    def __call__(self, name: str, *, by_us: bool) -> None:
        """`by_us`: it is the answer to a write of our own."""


class Seen(msgspec.Struct, frozen=True):
    """An object: which ArbMarket it belongs to, who it is, which version, and its deflated text."""

    market: str
    uid: str
    version: int
    deflated: bytes

    @classmethod
    def of(cls, kind: Kind, body: Body) -> "Seen":
        """The object as it is, without what nobody reads."""
        metadata = body["metadata"]
        text = msgspec.json.encode(_worth_keeping(kind, body))
        return cls(_market_of(kind, body), metadata["uid"], int(metadata["resourceVersion"]), zlib.compress(text, FASTEST))

    @property
    def text(self) -> bytes:
        """It as JSON."""
        return zlib.decompress(self.deflated)

    @property
    def body(self) -> Body:
        """Its JSON objects, anew at every call."""
        found: Body = msgspec.json.decode(self.text)
        return found


class SeenMarket(msgspec.Struct, frozen=True, kw_only=True):
    """An ArbMarket: `brief` is all of it but its conditions, None when its spec cannot be read; `problem` then says why."""

    seen: Seen
    metadata: Metadata
    brief: ArbMarket | None
    problem: ArbMarketError | None = None

    @property
    def status(self) -> Status:
        """The whole status, anew at every call."""
        return readable_status(self.seen.body)


class Caches:
    """Objects of one namespace. Children are found by the ArbMarket they are labelled with. Not for use from several threads."""

    def __init__(self, changed: Listener) -> None:
        self._changed = changed
        self._markets: dict[str, SeenMarket] = {}
        self.market_changes = 0
        """How often an ArbMarket came, changed or went."""
        self._children: dict[Kind, dict[str, Seen]] = {kind: {} for kind in CHILDREN}
        self._names: dict[Kind, dict[str, list[str]]] = {kind: {} for kind in CHILDREN}
        self._gone: OrderedDict[str, int] = OrderedDict()

    @property
    def markets(self) -> Mapping[str, SeenMarket]:
        """All ArbMarkets by name."""
        return self._markets

    def children(self, kind: Kind, market: str) -> list[Body]:
        """All objects of this kind that belong to an ArbMarket, the newest first."""
        found = [self._children[kind][name] for name in self._names[kind].get(market, ())]
        return [seen.body for seen in sorted(found, key=lambda seen: seen.version, reverse=True)]

    def put(self, kind: Kind, body: Body, *, by_us: bool = False) -> None:
        """The object is like this now."""
        metadata = body["metadata"]
        name, uid, version = metadata["name"], metadata["uid"], int(metadata["resourceVersion"])
        known = self._known(kind, name)
        if version <= self._gone.get(uid, 0) or (known is not None and known.uid == uid and known.version >= version):
            return
        if known is not None and known.market != _market_of(kind, body):
            self._forget(kind, name, known)
        seen = Seen.of(kind, body)
        self._remember(kind, name, seen, body)
        self._changed(seen.market, by_us=by_us)

    def drop(self, kind: Kind, body: Body) -> None:
        """The object is gone, or is no longer labelled as ours."""
        name, uid = body["metadata"]["name"], body["metadata"]["uid"]
        self._bury(uid, int(body["metadata"]["resourceVersion"]))
        known = self._known(kind, name)
        if known is not None and known.uid == uid:
            self._forget(kind, name, known)

    def keep_only(self, kind: Kind, uids: Iterable[str], *, version: int) -> None:
        """A list of all objects of this kind, as they were at that version, is complete: what is not in it went while nobody watched."""
        there = set(uids)
        everything = self._markets if kind == ARB_MARKET else self._children[kind]
        for name in tuple(everything):
            known = self._known(kind, name)
            if known is not None and known.uid not in there and known.version <= version:
                self._bury(known.uid, version)
                self._forget(kind, name, known)

    def _known(self, kind: Kind, name: str) -> Seen | None:
        if kind != ARB_MARKET:
            return self._children[kind].get(name)
        market = self._markets.get(name)
        return None if market is None else market.seen

    def _remember(self, kind: Kind, name: str, seen: Seen, body: Body) -> None:
        if kind == ARB_MARKET:
            self._markets[name] = _seen_market(seen, body)
            self.market_changes += 1
            return
        if name not in self._children[kind]:
            self._names[kind].setdefault(seen.market, []).append(name)
        self._children[kind][name] = seen

    def _forget(self, kind: Kind, name: str, known: Seen) -> None:
        if kind == ARB_MARKET:
            del self._markets[name]
            self.market_changes += 1
        else:
            del self._children[kind][name]
            self._names[kind][known.market].remove(name)
            if not self._names[kind][known.market]:
                del self._names[kind][known.market]
        self._changed(known.market, by_us=False)

    def _bury(self, uid: str, version: int) -> None:
        self._gone[uid] = version
        while len(self._gone) > REMEMBERED_GONE:
            self._gone.popitem(last=False)


def _market_of(kind: Kind, body: Body) -> str:
    metadata = body["metadata"]
    return str(metadata["name"] if kind == ARB_MARKET else metadata.get("labels", {}).get(INSTANCE, ""))


def _worth_keeping(kind: Kind, body: Body) -> Body:
    """Without what nobody reads: above all, what others say they have written."""
    metadata = dict(body["metadata"])
    entries = metadata.pop("managedFields", None) or []
    if kind == DEPLOYMENT:
        metadata["managedFields"] = [entry for entry in entries if entry.get("manager") == FIELD_MANAGER]
    return {**{field: value for field, value in body.items() if field not in UNREAD.get(kind, ())}, "metadata": metadata}


def _seen_market(seen: Seen, body: Body) -> SeenMarket:
    try:
        market = ArbMarket.parse(body)
    except ArbMarketError as e:
        problem = ArbMarketError(*e.problems)  # that one was raised: it holds its frames, and with them the body
        return SeenMarket(seen=seen, metadata=Metadata.model_validate(body["metadata"]), brief=None, problem=problem)
    brief = market.model_copy(update={"status": market.status.model_copy(update={"conditions": ()})})
    return SeenMarket(seen=seen, metadata=market.metadata, brief=brief)
