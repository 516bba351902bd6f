"""Events: what happened to a market, for `kubectl describe` and for whoever follows the namespace's Events.

`reconcile.py` posts one for each condition that changed and for each notice of a plan. The status stays when Events are gone, so they may
be lost: one that cannot be posted is logged and forgotten, one that was just posted is not repeated, and a fleet that changes as a whole
posts no more of them than the cluster can do with.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from kabobagool.clock import Clock
from kabobagool.gate.lane import Lane
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_status import Condition
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import ClusterError
from kabobagool_operator.conditions import Reason, Truth, Type
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.labels import FIELD_MANAGER
from kabobagool_operator.plan_types import Notice

Key = tuple[str, str, str]

log = logging.getLogger(__name__)

SAME_WITHIN_S: Final = 600.0
REMEMBERED: Final = 20_000
PER_SECOND: Final = 10
BURST: Final = 200
FOR_WARNINGS: Final = 100
"""So much of the burst is left to warnings."""
MICROSECONDS: Final = 1_000_000
LONGEST_NOTE: Final = 1000
"""The API server takes 1024 bytes."""
ACTION: Final = "Reconcile"
BAD: Final[dict[Type, Truth]] = {
    Type.RESOLVED: Truth.FALSE,
    Type.READY: Truth.FALSE,
    Type.MARKET_DATA_FRESH: Truth.FALSE,
    Type.DEGRADED: Truth.TRUE,
}
"""The value with which a condition may be a warning; the others tell what somebody wanted or what the market does."""
ORDINARY: Final = frozenset(
    {
        Reason.NOT_TRIED,
        Reason.CLOSED,
        Reason.NOT_TRADABLE,
        Reason.STARTING,
        Reason.WAITING_FOR_SLOT,
        Reason.WAITING_FOR_MARKET,
        Reason.RECONCILIATION_PAUSED,
        Reason.SUSPENDED,
        Reason.DRAINING,
        Reason.NO_BOT,
    }
)
"""Reasons that are nothing to worry about."""


class Events:
    """Posts Events about ArbMarkets in the name of `identity`, this process among the operator's. `noted` is told each of them."""

    def __init__(
        self, cluster: Cluster, *, clock: Clock, identity: str, noted: Callable[[Metadata, Notice], None] = lambda market, notice: None
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._identity = identity
        self._noted = noted
        self._posted: dict[Key, float] = {}
        self._lane = Lane(interval_us=MICROSECONDS // PER_SECOND, burst=BURST, tokens_at_start=BURST, now_us=self._now_us())
        self._full = False
        self._numbers = count()

    async def post(self, market: Metadata, notices: Iterable[Notice]) -> None:
        """Post what was not posted a moment ago. Never fails, and never waits for its turn."""
        for notice in notices:
            key = (market.uid, notice.reason, notice.message)
            if self._is_news(key) and self._may_leave(market, notice):
                self._posted[key] = self._clock.monotonic()
                self._noted(market, notice)
                await self._create(market, notice)

    async def _create(self, market: Metadata, notice: Notice) -> None:
        try:
            await self._cluster.create_event(market.namespace, self._body(market, notice))
        except ClusterError as e:
            log.warning("an Event could not be posted", extra={"market": market.name, "reason": notice.reason, "error": str(e)})

    def _body(self, market: Metadata, notice: Notice) -> dict[str, Any]:
        at_ms = self._clock.now_ms()
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        return {
            "metadata": {"name": f"{market.name}.{at_ms:x}-{next(self._numbers):x}", "namespace": market.namespace},
            "eventTime": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "reportingController": FIELD_MANAGER,
            "reportingInstance": self._identity,
            "action": ACTION,
            "type": "Warning" if notice.warning else "Normal",
            "reason": notice.reason,
            "note": _clipped(notice.message),
            "regarding": {
                "apiVersion": ARB_MARKET.api_version,
                "kind": ARB_MARKET.name,
                "namespace": market.namespace,
                "name": market.name,
                "uid": market.uid,
            },
        }

    def _is_news(self, key: Key) -> bool:
        now_s = self._clock.monotonic()
        while self._posted:
            oldest, at_s = next(iter(self._posted.items()))
            if now_s - at_s < SAME_WITHIN_S and len(self._posted) < REMEMBERED:
                break
            del self._posted[oldest]
        return key not in self._posted

    def _may_leave(self, market: Metadata, notice: Notice) -> bool:
        now_us, was_full = self._now_us(), self._full
        self._full = self._lane.wait_us(1 if notice.warning else 1 + FOR_WARNINGS, now_us) > 0
        if not self._full:
            self._lane.take(1, now_us)
        elif not was_full:
            log.warning("too many Events at once, some are left out", extra={"market": market.name, "reason": notice.reason})
        return not self._full

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * MICROSECONDS)


def notice_of(condition: Condition) -> Notice:
    """The Event that a condition is worth when it changed: its reason, and what it says in words."""
    message = f"{condition.type} is {condition.status}: {condition.message}"
    return Notice(reason=condition.reason, message=message, warning=is_warning(condition))


def is_warning(condition: Condition) -> bool:
    """Whether it says that something is wrong: neither wanted by anybody, nor passing by itself. ValueError for a type that is not ours."""
    return BAD.get(Type(condition.type)) == condition.status and condition.reason not in ORDINARY


def _clipped(note: str) -> str:
    text = note.encode()
    return note if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 3].decode(errors="ignore") + "…"
