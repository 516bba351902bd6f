"""What each bot says of itself on the shared server, for whoever watches the fleet: a bot holds no rights in the cluster it runs in.

A bot reports what it is doing. One that ends takes its report away; a report that is not renewed disappears, so that silence is seen. The
operator and `gate status` read.
"""

import logging
from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import Micros
from kabobagool.gate.redis_link import RedisLink, lua
from kabobagool.unreadable import UNREADABLE

log = logging.getLogger(__name__)

KEPT_MS: Final = 30_000
RENEWED_MS: Final = 10_000
SCHEMA_VERSION: Final = 1


class BotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One bot's report on its market: shares and dollars in millionths, moments in venue milliseconds, None for what is not known.

    The fields are fixed: an older reader of `version` 1 understands every later writer of it.
    """

    market: str
    holder: str
    mode: str
    phase: str
    yes_shares: Micros = 0
    no_shares: Micros = 0
    pair_cost: Micros | None = None
    locked_profit: Micros = 0
    feed_age_ms: Milliseconds | None = None
    last_fill_ms: Milliseconds | None = None
    reasons: tuple[str, ...] = ()
    version: int = SCHEMA_VERSION


class StatusReport(msgspec.Struct, frozen=True):
    """A report as it was found, and when it was written."""

    status: BotStatus
    reported_ms: Milliseconds


class StatusBoard:
    """The reports of one wallet's bots. Every method raises GateUnreachableError when the server does not answer."""

    def __init__(self, link: RedisLink, *, clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._index = link.keys.of("statuses")
        self._written: dict[str, StatusReport] = {}
        self._forget = link.client.register_script(lua("forget_status"))

    async def report(self, status: BotStatus) -> None:
        """Write a report if it says something new, or the last one is about to disappear."""
        now_ms = self._clock.now_ms()
        last = self._written.get(status.market)
        if last is not None and last.status == status and now_ms - last.reported_ms < RENEWED_MS:
            return
        report = StatusReport(status, now_ms)
        pipeline = self._link.client.pipeline(transaction=False)
        pipeline.set(self._key(status.market), msgspec.json.encode(report), px=KEPT_MS)
        pipeline.zadd(self._index, {status.market: now_ms})
        await self._link.call(pipeline.execute)
        self._written[status.market] = report

    async def forget(self, market: str, holder: str) -> None:
        """Take the report of a bot that ended away, unless the market's next holder has written one since."""
        self._written.pop(market, None)
        await self._link.call(lambda: self._forget(keys=[self._key(market), self._index], args=[market, holder]))

    async def read(self) -> tuple[StatusReport, ...]:
        """Every report that did not disappear, in the order of the markets' ids."""
        client = self._link.client
        markets = await self._link.call(lambda: cast(Awaitable[list[str]], client.zrange(self._index, 0, -1)))
        if not markets:
            return ()
        texts = await self._link.call(lambda: cast(Awaitable[list[str | None]], client.mget([self._key(market) for market in markets])))
        gone = [market for market, text in zip(markets, texts, strict=True) if text is None]
        if gone:
            await self._link.call(lambda: client.zrem(self._index, *gone))
        reports = [_report(text) for text in texts if text is not None]
        return tuple(sorted((report for report in reports if report is not None), key=lambda report: report.status.market))

    def _key(self, market: str) -> str:
        return self._link.keys.of("status", market)


def _report(text: str) -> StatusReport | None:
    """None for a report that another version wrote, or nobody: one that cannot be read must not hide the others."""
    try:
        report = msgspec.json.decode(text, type=StatusReport)
    except UNREADABLE as e:
        log.warning("a bot's report cannot be read", extra={"error": str(e)})
        return None
    return report if report.status.version == SCHEMA_VERSION else None
