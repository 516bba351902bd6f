"""What the page is told: the fleet as flat rows, and what became different from one second to the next.

Pure; `page_stream.py` tells it. A row keeps when a market was last heard of instead of how long ago that is: an age changes every second
by itself, and 500 quiet markets should cost nothing. For the same reason it leaves out the frames, which many markets share.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import asdict

from kabobagool.engine.snapshot import RuntimeSnapshot
from kabobagool.hydra.fleet_snapshot import FleetSnapshot, MarketRow, RetiredMarket

NOT_FOR_A_ROW: Final = ("at_ms", "feed_age_s", "frames")
ABOUT_THE_ROW: Final = ("phase", "halted", "restarts", "trouble", "restart_in_s")
HEARD_STEP_MS: Final = 100
"""Clocks are read twice for one age; a millisecond between them is no news."""

Row = dict[str, Any]


class PageView(msgspec.Struct, frozen=True):
    """The fleet as the page knows it: the fleet's own fields, a flat row per market (in Hydra by condition id), what left."""

    fleet: Row
    markets: dict[str, Row]
    retired: tuple[RetiredMarket, ...]


def page_view(snapshot: FleetSnapshot) -> PageView:
    """The view of this snapshot."""
    fleet = asdict(snapshot)
    markets, retired = fleet.pop("markets"), fleet.pop("retired")
    return PageView(fleet, {row.bot.condition_id: _flat(row) for row in markets}, retired)


def changes(before: PageView, after: PageView) -> dict[str, Any]:
    """What to tell a page that knows `before`: fields that differ, markets that are gone, the retired when there are others now."""
    told: dict[str, Any] = {
        "fleet": _differing(before.fleet, after.fleet),
        "markets": {market: fields for market, row in after.markets.items() if (fields := _differing(before.markets.get(market, {}), row))},
        "gone": [market for market in before.markets if market not in after.markets],
    }
    return told if before.retired == after.retired else told | {"retired": after.retired}


def _flat(row: MarketRow) -> Row:
    fields = asdict(row.bot)
    for name in NOT_FOR_A_ROW:
        del fields[name]
    fields["heard_ms"] = _heard_ms(row.bot)
    return fields | {name: getattr(row, name) for name in ABOUT_THE_ROW}


def _heard_ms(bot: RuntimeSnapshot) -> int | None:
    if bot.feed_age_s is None:
        return None
    return round((bot.at_ms - bot.feed_age_s * 1000) / HEARD_STEP_MS) * HEARD_STEP_MS


def _differing(before: Mapping[str, Any], after: Row) -> Row:
    return {name: value for name, value in after.items() if name not in before or before[name] != value}
