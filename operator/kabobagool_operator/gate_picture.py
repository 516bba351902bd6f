"""Everything the operator wants to know of one wallet's gate, read in one go: what bots report, who holds which market, what is halted.

`gate_view.py` takes a picture every few seconds and compares it with the one before. A wallet's thousands of markets are a handful of
commands to the server, whatever their number.
"""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from kabobagool.gate.interface import DRAINING, WALLET, Halt
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import KEPT_MS, StatusBoard, StatusReport
from kabobagool.trading.gate_report import HeldLease, read_leases
from kabobagool_operator.gate_marks import read_halts
from kabobagool_operator.plan_conditions import is_stale
from kabobagool_operator.report import age_text

KEPT_S: Final = KEPT_MS / 1000
CENT: Final = 10_000


class Sighting(msgspec.Struct, frozen=True):
    """A report, and how old it was at which moment of our own clock: a bot's clock need not go like ours."""

    report: StatusReport
    seen_s: float
    age_when_seen_s: float

    def age_s(self, now_s: float) -> float:
        """How long ago the bot said this."""
        return self.age_when_seen_s + now_s - self.seen_s


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """One wallet's gate at a moment. By condition id; halts by scope. `open_intents` is there for markets that are draining."""

    sightings: Mapping[str, Sighting] = msgspec.field(default_factory=dict)
    leases: Mapping[str, HeldLease] = msgspec.field(default_factory=dict)
    halts: Mapping[str, Halt] = msgspec.field(default_factory=dict)
    open_intents: Mapping[str, bool] = msgspec.field(default_factory=dict)

    def halts_of(self, condition_id: str) -> tuple[Halt, ...]:
        """What stops something in this market, the wallet's own halts first."""
        if not self.halts:
            return ()
        scopes = (WALLET, DRAINING + WALLET, condition_id, DRAINING + condition_id)
        return tuple(self.halts[scope] for scope in scopes if scope in self.halts)

    def essence(self, condition_id: str) -> tuple[object, ...]:
        """What of this market is worth a look by the operator when it changes: prices to the cent, ages in the steps that are shown."""
        sighting, lease = self.sightings.get(condition_id), self.leases.get(condition_id)
        said = None
        if sighting is not None:
            bot = sighting.report.status
            acts = (bot.holder, bot.mode, bot.phase, bot.yes_shares, bot.no_shares, bot.reasons, bot.last_fill_ms)
            cost = None if bot.pair_cost is None else bot.pair_cost // CENT
            age = None if bot.feed_age_ms is None else age_text(bot.feed_age_ms)
            said = (*acts, cost, age, is_stale(bot))
        held = None if lease is None else (lease.holder, lease.number)
        return said, held, self.halts_of(condition_id), self.open_intents.get(condition_id)


NOTHING: Final = Picture()


async def take_picture(
    link: RedisLink, board: StatusBoard, before: Picture | None, *, markets: Collection[str], now_s: float, now_ms: int
) -> Picture:
    """The gate now. `before` is what was last seen of it, None for the first time. GateUnreachableError when any part is missing."""
    reports = await board.read()  # one after the other: a link that just came back lets a single question through
    leases, halts = await read_leases(link), await read_halts(link)
    draining = [market for market in markets if DRAINING + market in halts]
    return Picture(
        sightings={report.status.market: _sighted(report, before, now_s, now_ms) for report in reports},
        leases={lease.market: lease for lease in leases},
        halts=halts,
        open_intents=await _open_intents(link, draining),
    )


async def _open_intents(link: RedisLink, markets: Collection[str]) -> dict[str, bool]:
    """Whether each market has an order whose end is not known."""
    if not markets:
        return {}
    pipeline = link.client.pipeline(transaction=False)
    for market in markets:
        pipeline.exists(link.keys.of("open", market))
    return dict(zip(markets, map(bool, await link.call(pipeline.execute)), strict=True))


def _sighted(report: StatusReport, before: Picture | None, now_s: float, now_ms: int) -> Sighting:
    """A report that is new since the last picture is as good as fresh; one found at the first look has the age it claims, within reason."""
    known = None if before is None else before.sightings.get(report.status.market)
    if known is not None and known.report.reported_ms == report.reported_ms:
        return known if known.report == report else Sighting(report, known.seen_s, known.age_when_seen_s)
    age_s = 0.0 if before is not None else min(max((now_ms - report.reported_ms) / 1000, 0.0), KEPT_S)
    return Sighting(report, now_s, age_s)
